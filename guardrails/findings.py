"""Findings: what a guardrail saw, where, how bad it is, and what it means for one environment."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

BASELINE = "baseline"
"""The reason that a finding is exempt for which a baseline holds."""


class CheckError(ValueError):
    """A check that cannot be made as it is asked for; the message says why and what to do."""


class Severity(StrEnum):
    """How much harm a finding can do, whatever the environment."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class Verdict(StrEnum):
    """What a finding, a file or a report means for the environment it was made for."""

    BLOCK = "block"
    WARN = "warn"
    EXEMPT = "exempt"
    PASS = "pass"  # noqa: S105 (a verdict, not a password)


class Direction(StrEnum):
    """The half of a migration that a finding lies in."""

    UPGRADE = "upgrade"
    DOWNGRADE = "downgrade"


class Layer(StrEnum):
    """What was looked at: the source, the SQL rendered from it, or a rehearsal on a scratch database."""

    SOURCE = "source"
    RENDERED = "rendered"
    REHEARSED = "rehearsed"


@dataclass(frozen=True, slots=True)
class Finding:
    """One hit of one rule at one place. Lines and columns count from 1."""

    rule: str
    """The rule's name, for example ``drop-table``."""
    severity: Severity
    verdict: Verdict
    path: str
    line: int
    column: int
    message: str
    """One sentence: what would happen."""
    fix: str
    """The safe way to do it."""
    statement: str = ""
    """The statement or call as written, shortened to one line."""
    direction: Direction | None = None
    layer: Layer = Layer.SOURCE
    reason: str | None = None
    """Why it is exempt, in the words of the exemption."""
    code: str = ""
    """The statement as the guide's report prints it; empty: as *statement* has it."""
    digest: str = ""
    """Names the whole statement where *statement* shows only its beginning."""

    def to_json(self) -> dict[str, object]:
        """Give the finding as the command line's contract has it (without the path)."""
        return {
            "rule": self.rule,
            "severity": self.severity.value,
            "verdict": self.verdict.value,
            "line": self.line,
            "column": self.column,
            "direction": self.direction.value if self.direction else None,
            "layer": self.layer.value,
            "statement": self.statement,
            "message": self.message,
            "fix": self.fix,
            "reason": self.reason,
        }


@dataclass(frozen=True, slots=True)
class Coverage:
    """How many statements there were, and how many of them could be analysed."""

    statements: int = 0
    analysed: int = 0


@dataclass(frozen=True, slots=True)
class FileReport:
    """What the guardrails say of one file."""

    path: str
    findings: tuple[Finding, ...] = ()
    coverage: Coverage = field(default_factory=Coverage)

    @property
    def verdict(self) -> Verdict:
        """The worst that a finding of this file means; an exempted finding still warns."""
        return worst(finding.verdict for finding in self.findings)

    def to_json(self) -> dict[str, object]:
        """Give the file's part of the report as the command line's contract has it."""
        return {
            "path": self.path,
            "verdict": self.verdict.value,
            "coverage": {"statements": self.coverage.statements, "analysed": self.coverage.analysed},
            "findings": [finding.to_json() for finding in self.findings],
        }


@dataclass(frozen=True, slots=True)
class Report:
    """What the guardrails say of a set of files, for one environment."""

    environment: str
    files: tuple[FileReport, ...] = ()
    notes: tuple[str, ...] = ()
    """What a reader must know of how the check was made: settings that loosen it, stale baseline entries."""

    @property
    def verdict(self) -> Verdict:
        """The worst verdict of any file: block, warn or pass."""
        return worst(file.verdict for file in self.files)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All findings, in the order of the files."""
        return tuple(finding for file in self.files for finding in file.findings)

    def to_json(self) -> dict[str, object]:
        """Give the report as the command line's contract has it."""
        return {
            "verdict": self.verdict.value,
            "environment": self.environment,
            "files": [file.to_json() for file in self.files],
        }


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """Give the verdict that a collection of verdicts adds up to: block, warn or pass."""
    seen = set(verdicts)
    if Verdict.BLOCK in seen:
        return Verdict.BLOCK
    return Verdict.WARN if seen & {Verdict.WARN, Verdict.EXEMPT} else Verdict.PASS
