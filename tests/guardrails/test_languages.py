"""The rules' examples in TypeScript, Terraform and CloudFormation, which stand beside each rule."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

from guardrails import rules
from guardrails.cloud.examples import Examples, FileExample
from guardrails.cloud.settings import CLOUD_RULES
from guardrails.environments import GateKind
from guardrails.files import written_in
from guardrails.findings import Verdict
from guardrails.rules import Blocks, Rule, all_rules, rules_by_name
from guardrails.scan import Scan, scan_text


def _hits(rule: Rule, example: FileExample) -> list[Verdict]:
    written = written_in(Path(example.file))
    assert written is not None
    found = scan_text(example.code, written, example.file, Scan(GateKind.PRODUCTION)).report.findings
    assert "unparsable" not in {finding.rule for finding in found}, example.code
    return [finding.verdict for finding in found if finding.rule == rule.name]


def _cases(kind: str) -> list[object]:
    cases = []
    for rule in all_rules():
        module = import_module(f"{rules.__name__}.{rule.name.replace('-', '_')}")
        examples = getattr(module, "EXAMPLES", Examples((), ()))
        cases += [
            pytest.param(rule, example, id=f"{rule.name}-{number}")
            for number, example in enumerate(getattr(examples, kind))
        ]
    return cases


@pytest.mark.parametrize(("rule", "example"), _cases("bad"))
def test_a_bad_file_is_hit_with_the_verdict_of_its_rule(rule: Rule, example: FileExample) -> None:
    expected = Verdict.WARN if rule.blocks is Blocks.NEVER else Verdict.BLOCK
    assert _hits(rule, example)[:1] == [expected], example.code


@pytest.mark.parametrize(("rule", "example"), _cases("good"))
def test_a_good_file_is_left_alone(rule: Rule, example: FileExample) -> None:
    assert _hits(rule, example) == [], example.code


def test_every_risk_has_its_rule_and_warns() -> None:
    for name in CLOUD_RULES:
        assert rules_by_name()[name].blocks is Blocks.NEVER
