"""Every rule hits its bad examples and none of its good ones; the examples are the labelled set."""

from __future__ import annotations

import ast

import pytest

from guardrails import rules
from guardrails.cloud.settings import CLOUD_RULES
from guardrails.environments import GateKind
from guardrails.files import Written
from guardrails.findings import Direction, Verdict
from guardrails.rules import Blocks, Rule, all_rules, rules_by_name
from guardrails.rules.base import Example, Language
from guardrails.scan import Scan, scan_text

_WRITTEN = {
    Language.SQL: Written.SQL,
    Language.PYTHON: Written.PYTHON,
    Language.MIGRATION: Written.PYTHON,
    Language.JAVASCRIPT: Written.JAVASCRIPT,
    Language.SHELL: Written.SHELL,
    Language.TERRAFORM: Written.TERRAFORM,
    Language.CLOUDFORMATION: Written.DATA,
}


def _hits(rule: Rule, example: Example, gate: GateKind = GateKind.PRODUCTION) -> list[Verdict]:
    code = example.code
    if example.language is Language.PYTHON and "await " in code:
        code = f"async def f():\n    {code}"
    scan = Scan(gate, example.dialect)
    scanned = scan_text(
        code, _WRITTEN[example.language], "x", scan, as_migration=example.language is Language.MIGRATION
    )
    found = scanned.report.findings
    assert rule.name == "unparsable" or "unparsable" not in {finding.rule for finding in found}, code
    return [finding.verdict for finding in found if finding.rule == rule.name]


def _cases(kind: str) -> list[object]:
    return [
        pytest.param(rule, example, id=f"{rule.name}-{number}")
        for rule in all_rules()
        for number, example in enumerate(getattr(rule, kind))
    ]


@pytest.mark.parametrize(("rule", "example"), _cases("bad"))
def test_a_bad_example_is_hit_with_the_verdict_of_its_rule(rule: Rule, example: Example) -> None:
    expected = Verdict.WARN if rule.blocks is Blocks.NEVER else Verdict.BLOCK
    assert _hits(rule, example)[:1] == [expected], example.code


@pytest.mark.parametrize(("rule", "example"), _cases("bad"))
def test_only_what_blocks_everywhere_blocks_in_staging(rule: Rule, example: Example) -> None:
    expected = Verdict.BLOCK if rule.blocks is Blocks.EVERYWHERE else Verdict.WARN
    assert _hits(rule, example, GateKind.STAGING)[:1] == [expected]


@pytest.mark.parametrize(("rule", "example"), _cases("good"))
def test_a_good_example_is_left_alone(rule: Rule, example: Example) -> None:
    assert _hits(rule, example) == [], example.code


@pytest.mark.parametrize("rule", all_rules(), ids=lambda rule: rule.name)
def test_nothing_that_only_a_downgrade_runs_blocks(rule: Rule) -> None:
    assert rule.verdict(GateKind.PRODUCTION, Direction.DOWNGRADE) is Verdict.WARN


def test_the_labelled_set_is_large_and_its_python_parses() -> None:
    examples = [e for rule in all_rules() for e in (*rule.bad, *rule.good)]
    assert len(examples) >= 60
    for example in examples:
        if example.language is Language.MIGRATION:
            ast.parse(example.code)


def test_every_risk_of_infrastructure_has_its_rule_and_warns() -> None:
    for name in CLOUD_RULES:
        assert rules_by_name()[name].blocks is Blocks.NEVER


def test_a_rule_s_name_is_the_name_of_its_file() -> None:
    for rule in all_rules():
        module = __import__(f"{rules.__name__}.{rule.name.replace('-', '_')}", fromlist=["RULE"])
        assert module.RULE is rule
