"""How right the guardrails are: precision and recall on the labelled cases, plain and hard apart.

Run: python -m benchmarks.guardrails_accuracy [-v]   (-v names each case that is judged wrongly)
"""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from guardrails.environments import GateKind
from guardrails.files import Written
from guardrails.findings import Direction, Verdict
from guardrails.scan import Scan, scan_text

LABELLED = Path(__file__).resolve().parent.parent / "tests" / "guardrails" / "labelled"
_WRITTEN = {"sql": Written.SQL, "js": Written.JAVASCRIPT, "sh": Written.SHELL}
_TEMPLATE = '''"""Change."""
import sqlalchemy as sa
from alembic import op
revision = "a1"
down_revision = None
{before}

def upgrade():
{up}

def downgrade():
{down}
'''


@dataclass(frozen=True, slots=True)
class Case:
    """One labelled piece of code."""

    where: str
    kind: str
    hard: bool
    dialect: str
    block: frozenset[str]
    warn: frozenset[str]
    code: str


@dataclass(slots=True)
class Score:
    """What was found, what was not, and what was found in vain; as (case, rule)."""

    right: int = 0
    false: list[tuple[str, str]] = field(default_factory=list)
    missed: list[tuple[str, str]] = field(default_factory=list)

    @property
    def precision(self) -> float:
        """The share of findings that are right."""
        return self.right / (self.right + len(self.false)) if self.right else 0.0

    @property
    def recall(self) -> float:
        """The share of labels that were found."""
        return self.right / (self.right + len(self.missed)) if self.right else 0.0

    def add(self, case: Case, expected: frozenset[str], found: frozenset[str]) -> None:
        """Count one case."""
        self.right += len(expected & found)
        self.false += [(case.where, rule) for rule in sorted(found - expected)]
        self.missed += [(case.where, rule) for rule in sorted(expected - found)]


@dataclass(slots=True)
class Scores:
    """The scores of a set of cases: of blocking verdicts, and of all."""

    blocking: Score = field(default_factory=Score)
    every: Score = field(default_factory=Score)
    blocked_by_downgrade: list[str] = field(default_factory=list)


def cases() -> list[Case]:
    """Give every labelled case."""
    return [
        _case(f"{path.name}:{number}", line)
        for path in sorted(LABELLED.glob("*.txt"))
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if line and not line.startswith("#")
    ]


def judged(case: Case) -> tuple[frozenset[str], frozenset[str], bool]:
    """Give the rules that block and that warn in production, and whether a downgrade's code blocked."""
    written = _WRITTEN.get(case.kind, Written.PYTHON)
    scan = Scan(GateKind.PRODUCTION, case.dialect)
    migration = case.kind in {"up", "file"}
    findings = scan_text(_source(case), written, "x", scan, as_migration=migration).report.findings
    about_code = {"irreversible-downgrade", "missing-downgrade"}
    return (
        frozenset(f.rule for f in findings if f.verdict is Verdict.BLOCK),
        frozenset(f.rule for f in findings if f.verdict is Verdict.WARN),
        any(
            f.verdict is Verdict.BLOCK and f.direction is Direction.DOWNGRADE and f.rule not in about_code
            for f in findings
        ),
    )


def score(chosen: list[Case]) -> Scores:
    """Judge the cases and count."""
    scores = Scores()
    for case in chosen:
        block, warn, downgrade = judged(case)
        scores.blocking.add(case, case.block, block)
        scores.every.add(case, case.block | case.warn, block | warn)
        if downgrade:
            scores.blocked_by_downgrade.append(case.where)
    return scores


def main() -> None:
    """Print the figures."""
    everything = cases()
    for name, chosen in (
        ("plain", [case for case in everything if not case.hard]),
        ("hard", [case for case in everything if case.hard]),
        ("all", everything),
    ):
        scores = score(chosen)
        for what, one in (("blocking", scores.blocking), ("all findings", scores.every)):
            figures = f"precision {one.precision:.3f}  recall {one.recall:.3f}"
            print(f"{name:6} {len(chosen):4} cases  {what:13} {figures}")
        if name == "all":
            print(f"blocked by what only a downgrade runs: {len(scores.blocked_by_downgrade)}")
            if "-v" in sys.argv[1:]:
                for word, wrong in (("in vain", scores.every.false), ("missed", scores.every.missed)):
                    for where, rule in wrong:
                        print(f"  {word}: {where} {rule}")


def _case(where: str, line: str) -> Case:
    head, code = line.split(" :: ", 1)
    words = head.split()
    given = dict(word.replace("dialect:", "dialect=").split("=", 1) for word in words[2:])
    return Case(
        where,
        words[0],
        words[1] == "hard",
        given.get("dialect", "postgres"),
        frozenset(filter(None, given.get("block", "").split(","))),
        frozenset(filter(None, given.get("warn", "").split(","))),
        code.replace("⏎", "\n"),
    )


def _source(case: Case) -> str:
    if case.kind != "up":
        return case.code
    before, up, down = _parts(case.code)
    return _TEMPLATE.format(before=before, up=textwrap.indent(up, "    "), down=textwrap.indent(down, "    "))


def _parts(code: str) -> Iterator[str]:
    parts = code.split("‖")
    if len(parts) != 3:
        parts = ["", code, "op.execute('SELECT 1')"]
    yield from (part.strip(" ") for part in parts)


if __name__ == "__main__":
    main()
