"""The page of a rule is made from the rule: whole, and for every rule there is."""

from __future__ import annotations

from pathlib import Path

import pytest

from guardrails.explain import UnknownRuleError, manual, rule_list, rule_objects, rule_page
from guardrails.rules import all_rules


@pytest.mark.parametrize("rule", all_rules(), ids=lambda rule: rule.name)
def test_every_rule_has_a_page_that_says_what_why_and_how_else(rule) -> None:  # type: ignore[no-untyped-def]
    page = rule_page(rule.name)
    assert page.startswith(f"# {rule.name}\n")
    for title in ("## What", "## Why", "## The safe way"):
        assert title in page
    assert rule.message in page
    assert rule.fix in page
    assert ("## It finds" in page) == bool(rule.bad)
    assert ("## It leaves alone" in page) == bool(rule.good)
    assert page.count("```") % 2 == 0


def test_examples_show_each_language_before_a_second_of_one() -> None:
    page = rule_page("drop-table")
    finds = page[page.index("## It finds") : page.index("## It leaves alone")]
    assert "DROP TABLE old_users;" in finds
    assert "op.drop_table('a')" in finds


def test_an_unknown_rule_names_the_nearest_ones() -> None:
    with pytest.raises(UnknownRuleError, match="there is no rule 'drop_tabel'; did you mean drop-table"):
        rule_page("drop_tabel")
    with pytest.raises(UnknownRuleError, match="--list-rules names them all"):
        rule_page("\x1b[2J")


def test_the_list_holds_every_rule_once() -> None:
    assert [line.split()[0] for line in rule_list().splitlines()] == [rule.name for rule in all_rules()]
    assert [entry["rule"] for entry in rule_objects()] == [rule.name for rule in all_rules()]
    (bucket,) = [entry for entry in rule_objects() if entry["rule"] == "delete-bucket"]
    assert bucket["blocks"] == ["development", "staging", "production"]


def test_infrastructure_is_shown_in_its_own_languages() -> None:
    page = rule_page("expire-all-objects")
    assert "```hcl\nresource" in page
    page = rule_page("bucket-not-retained")
    assert "```yaml\nResources:" in page
    assert '```json\n{"Resources"' in page


def test_the_manual_tells_every_rule_the_gravest_first() -> None:
    text = manual()
    for rule in all_rules():
        assert text.count(f"\n## {rule.name}\n") == 1
        assert f"| [{rule.name}](#{rule.name}) |" in text
    assert text.index("\n## drop-table\n") < text.index("\n## unused-exemption\n")


def test_the_manual_s_page_of_the_rules_is_the_one_that_they_give() -> None:
    page = Path(__file__).parents[2] / "docs" / "rules.md"
    assert page.read_text(encoding="utf-8") == manual(), "run: python -m guardrails.explain > docs/rules.md"
