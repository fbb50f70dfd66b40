"""Baselines: findings that were there before anybody checked, written down so that only new ones block."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from guardrails.exemptions import NEVER_EXEMPT
from guardrails.findings import BASELINE, CheckError, Finding, Report, Verdict

VERSION = 1
LARGEST = 64 * 1024 * 1024


class BaselineError(CheckError):
    """A baseline that cannot be read or written; the message says which, why, and what to do."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One old finding. It is known by what it is about, never by its line, which other edits move."""

    rule: str
    path: str
    """Relative to the folder of the baseline."""
    direction: str
    statement: str
    nth: int
    """It is the nth of its rule with this statement in this file, from 1."""

    @property
    def fingerprint(self) -> str:
        """A short name of the entry, the same on every machine."""
        parts = (self.rule, self.path, self.direction, self.statement, str(self.nth))
        return hashlib.sha256("\0".join(parts).encode("utf-8", "backslashreplace")).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Baseline:
    """The old findings of a project, and the folder that their paths are relative to."""

    folder: Path
    entries: frozenset[Entry]


def read_baseline(file: Path) -> Baseline:
    """Read a baseline. Raises BaselineError for anything but a sound one: a half-read one would hide less."""
    shown = repr(str(file))
    try:
        if file.stat().st_size > LARGEST:
            raise BaselineError(f"{shown} is too large to be a baseline")
        document = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise BaselineError(
            f"the baseline {shown} cannot be read: {error.strerror}; make one with --write-baseline"
        ) from error
    except (ValueError, RecursionError) as error:
        raise BaselineError(f"{shown} is no JSON; make the baseline anew with --write-baseline") from error
    if not isinstance(document, dict) or document.get("opconsole-baseline") != VERSION:
        raise BaselineError(f"{shown} is no baseline of version {VERSION}; make one with --write-baseline")
    found = document.get("findings")
    if not isinstance(found, list):
        raise BaselineError(f"{shown}: 'findings' is no list; make the baseline anew with --write-baseline")
    return Baseline(
        file.parent.resolve(), frozenset(_entry(item, n, shown) for n, item in enumerate(found, 1))
    )


def write_baseline(file: Path, report: Report) -> tuple[int, int]:
    """Write all findings of a report as the baseline; give how many it holds and how many it cannot hold.

    What nobody could look into is not held: it might come to hold anything. The file is
    replaced whole; one that is no baseline is never overwritten. Raises BaselineError.
    """
    if file.exists():
        read_baseline(file)
    folder = file.parent.resolve()
    named = _named(report.findings, folder)
    entries = sorted(
        (e for e, finding in named if _may_be_held(finding) and finding.verdict is not Verdict.EXEMPT),
        key=lambda e: (e.path, e.rule, e.direction, e.statement, e.nth),
    )
    document = {
        "opconsole-baseline": VERSION,
        "findings": [
            {
                "rule": entry.rule,
                "path": entry.path,
                "direction": entry.direction,
                "statement": entry.statement,
                "nth": entry.nth,
                "fingerprint": entry.fingerprint,
            }
            for entry in entries
        ],
    }
    text = json.dumps(document, indent=1, ensure_ascii=True) + "\n"
    temporary = file.with_name(f".{file.name}.{os.getpid()}.new")
    try:
        with temporary.open("x", encoding="utf-8") as out:
            out.write(text)
        temporary.replace(file)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise BaselineError(f"the baseline {str(file)!a} cannot be written: {error.strerror}") from error
    return len(entries), sum(not _may_be_held(finding) for _, finding in named)


def apply_baseline(report: Report, baseline: Baseline, checked: Sequence[Path]) -> Report:
    """Exempt what the baseline holds, and note its entries that nothing answers to any more.

    *checked* are the paths that were asked for: entries about files elsewhere are not stale.
    """
    named = _named(report.findings, baseline.folder)
    met = {entry for entry, finding in named if entry in baseline.entries and _may_be_held(finding)}
    old = [entry in met for entry, _ in named]
    position = 0
    files = []
    for file in report.files:
        here = old[position : position + len(file.findings)]
        position += len(file.findings)
        findings = tuple(_held(f) if held else f for f, held in zip(file.findings, here, strict=True))
        files.append(replace(file, findings=findings))
    read = {_relative(file.path, baseline.folder) for file in report.files}
    stale = sorted(
        (e for e in baseline.entries - met if e.path in read or _gone(e, baseline, checked)),
        key=lambda e: (e.path, e.rule, e.nth),
    )
    notes = [
        f"stale baseline entry {entry.fingerprint}: {entry.path} has no {entry.rule} like it any more"
        + (f" ({entry.statement})" if entry.statement else "")
        for entry in stale
    ]
    return replace(report, files=tuple(files), notes=(*report.notes, *notes))


def fingerprints(findings: Iterable[Finding], folder: Path) -> list[str]:
    """Give each finding's fingerprint, for paths relative to *folder*."""
    return [entry.fingerprint for entry, _ in _named(findings, folder)]


def _named(findings: Iterable[Finding], folder: Path) -> list[tuple[Entry, Finding]]:
    """Give each finding with its entry, counting those that are alike in the order of the source."""
    seen: Counter[tuple[str, str, str, str]] = Counter()
    named = []
    for finding in findings:
        about = (
            finding.rule,
            _relative(finding.path, folder),
            finding.direction.value if finding.direction else "",
            _statement(finding),
        )
        seen[about] += 1
        named.append((Entry(*about, seen[about]), finding))
    return named


def _statement(finding: Finding) -> str:
    shown = re.sub(r"\s+", " ", finding.statement).strip()
    return f"{shown} {finding.digest}" if finding.digest else shown


def _relative(path: str, folder: Path) -> str:
    absolute = Path(path).absolute()
    return Path(os.path.relpath(absolute.parent.resolve() / absolute.name, folder)).as_posix()


def _may_be_held(finding: Finding) -> bool:
    return finding.rule not in NEVER_EXEMPT


def _held(finding: Finding) -> Finding:
    if finding.verdict is Verdict.EXEMPT:
        return finding
    return replace(finding, verdict=Verdict.EXEMPT, reason=BASELINE)


def _gone(entry: Entry, baseline: Baseline, checked: Sequence[Path]) -> bool:
    path = Path(os.path.normpath(baseline.folder / entry.path))
    if path.exists() or path.is_symlink():
        return False
    return any(path.is_relative_to(folder.resolve()) for folder in checked)


def _entry(item: object, number: int, shown: str) -> Entry:
    wrong = f"{shown}: entry {number} is damaged; make the baseline anew with --write-baseline"
    if not isinstance(item, dict):
        raise BaselineError(wrong)
    rule, path, direction, statement = (item.get(name) for name in ("rule", "path", "direction", "statement"))
    nth = item.get("nth")
    if not (isinstance(rule, str) and isinstance(path, str)):
        raise BaselineError(wrong)
    if not (isinstance(direction, str) and isinstance(statement, str) and type(nth) is int and nth > 0):
        raise BaselineError(wrong)
    entry = Entry(rule, path, direction, statement, nth)
    if item.get("fingerprint") != entry.fingerprint:
        raise BaselineError(f"{shown}: entry {number} was edited by hand; {wrong.partition('; ')[2]}")
    return entry
