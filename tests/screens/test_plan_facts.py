"""What the dialogs read out of a plan: the way back goes back, and a machine's id is cut."""

from __future__ import annotations

from dataclasses import replace

from opconsole.cli.asking import approval_prompt
from opconsole.journal.records import Purpose
from queues.states import RunState
from screens.dialogs.approval_text import approval_text
from screens.plan_facts import plan_facts

from .samples import NOW, Samples


def test_a_rollback_goes_from_the_later_revision_to_the_earlier_one(samples: Samples) -> None:
    ahead, back = plan_facts(samples.plan()), plan_facts(samples.plan(action="rollback"))
    assert (ahead.revision_from, ahead.revision_to) == ("4be1", "77c0")
    assert [one.revision for one in ahead.migrations] == ["6a02", "77c0"]
    # A plan tells the way of the files, which a rollback goes backwards.
    assert (back.revision_from, back.revision_to) == ("77c0", "4be1")
    assert [one.revision for one in back.migrations] == ["77c0", "6a02"]


def test_the_console_asks_for_a_rollback_in_the_words_of_the_plain_terminal(samples: Samples) -> None:
    _, view = samples.run(samples.task(kind="rollback"), RunState.WAITING)
    for purpose in (Purpose.GO_AHEAD, Purpose.REVERT):
        plan = samples.plan(action="rollback", version={"from": "2.1.0", "to": "2.0.0"})
        approval = samples.approval(view.run.id, purpose=purpose, plan=plan)
        run = replace(view, run=replace(view.run, kind="rollback", action="rollback"), approvals=(approval,))
        shown = str(approval_text(run, approval, "ana", NOW, 100))
        asked = approval_prompt(run.run, approval)
        assert "downgrade -2 to 4be1" in asked
        for line in asked.splitlines()[:-1]:
            assert line.replace("\ufe0f", "").rstrip() in shown
        assert "Revision    77c0 → 4be1" in shown


def test_a_machines_id_is_cut_and_everything_else_of_a_target_stays(samples: Samples) -> None:
    def target(identity: str) -> str:
        return plan_facts(samples.plan(target={"identity": identity})).target

    assert target(f"releases:/srv/app@{'3d1219c7' * 4}") == "releases:/srv/app@3d1219c7…"
    assert target("releases:/srv/app@host-example") == "releases:/srv/app@host-example"
    assert target(f"command:{'3d1219c7' * 4}") == f"command:{'3d1219c7' * 4}"
