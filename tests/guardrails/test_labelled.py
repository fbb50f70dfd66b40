"""The labelled set: the goals for precision and recall, and that no downgrade ever blocks."""

from __future__ import annotations

from collections import Counter

from benchmarks.guardrails_accuracy import cases, score
from guardrails.rules import rules_by_name


def test_blocking_verdicts_on_plain_cases_are_all_found_and_right() -> None:
    scores = score([case for case in cases() if not case.hard])
    assert scores.blocking.missed == []
    assert scores.blocking.precision >= 0.98, scores.blocking.false


def test_blocking_verdicts_and_findings_on_all_cases_reach_the_goals() -> None:
    scores = score(cases())
    assert scores.blocked_by_downgrade == []
    assert min(scores.blocking.precision, scores.blocking.recall) >= 0.95, scores.blocking
    assert min(scores.every.precision, scores.every.recall) >= 0.95, scores.every


def test_the_set_is_large_and_knows_both_kinds_and_the_harmless() -> None:
    labelled = cases()
    assert len(labelled) >= 300
    assert len({(case.kind, case.dialect, case.code) for case in labelled}) == len(labelled)
    kinds = Counter(case.hard for case in labelled)
    assert min(kinds.values()) >= 100
    assert sum(not case.block and not case.warn for case in labelled) >= 100
    assert {rule for case in labelled for rule in case.block | case.warn} <= set(rules_by_name())
