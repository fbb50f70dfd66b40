"""What a person is shown of a provisioning: resource, case, cost, account, and what AWS would do."""

from __future__ import annotations

from typing import Any

from opconsole.cli.asking import approval_prompt, plan_lines
from screens.dialogs.approval_text import approval_text

SHOWN = (
    "karematch-user-uploads",
    "Store profile photos",
    "Use existing bucket",
    "$52.91 a month, with prices as of 2025-06-01",
    "the case says $50/month (1TB storage + transfer)",
    "1,000,000 writes",
    "123456789012, region eu-central-1, stack opconsole-karematch-user-uploads",
    "Add Main (AWS::S3::Bucket)",
)


HOSTILE = "S3 bucket for user uploads [/bold]\x1b]52;c;aGk=\x07"


def asked(samples: Any) -> tuple[Any, Any]:
    view: Any = samples.provisioning(HOSTILE)
    return view, view.waiting


def test_the_dialog_says_what_is_made_why_what_it_costs_and_where(samples: Any, clock: Any) -> None:
    view, approval = asked(samples)
    text = str(approval_text(view, approval, "ada", clock.now(), 200))
    assert [one for one in SHOWN if one not in text] == []
    assert "PROVISIONING APPROVAL REQUIRED" in text
    assert "Proceed with provisioning" not in text  # the dialog has buttons for that
    assert "\x1b" not in text


def test_the_terminal_asks_the_same_in_the_form_of_the_guides_prompts(samples: Any) -> None:
    view, approval = asked(samples)
    prompt = approval_prompt(view.run, approval)
    assert prompt.splitlines()[1] == "PROVISIONING APPROVAL REQUIRED"
    assert prompt.endswith("Proceed with provisioning? [Y/N]")
    assert "Cost: $52.91/month (estimate)" in prompt
    told = "\n".join(plan_lines(view.run, approval))
    assert [one for one in SHOWN if one not in told] == []
    assert "\x1b" not in told
