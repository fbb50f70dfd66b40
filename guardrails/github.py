"""Writes a report as GitHub's workflow commands, which mark the lines of a pull request."""

from __future__ import annotations

from guardrails.findings import Finding, Report, Severity, Verdict
from guardrails.places import relative_name
from guardrails.sanitise import sanitise

_ORDER = (Verdict.BLOCK, Verdict.WARN, Verdict.EXEMPT)
_SEVERITIES = tuple(Severity)


def github_report(report: Report) -> str:
    """Give one command a finding, the worst first (GitHub shows only the first ones), and a line for the log.

    Nothing in a finding can start a command of its own: what comes from files is escaped and on one line.
    """
    findings = sorted(
        report.findings,
        key=lambda f: (_ORDER.index(f.verdict), _SEVERITIES.index(f.severity), f.path, f.line),
    )
    lines = [_annotation(finding) for finding in findings]
    lines += [f"::notice title=opconsole check::{escape_data(_plain(note))}" for note in report.notes]
    counts = ", ".join(
        f"{sum(finding.verdict is verdict for finding in findings)} {word}"
        for verdict, word in zip(_ORDER, ("blocking", "warnings", "exempt"), strict=True)
    )
    lines.append(f"opconsole check: {report.verdict.value.upper()}, {len(report.files)} files, {counts}")
    return "\n".join(lines)


def escape_data(text: str) -> str:
    """Escape the message of a workflow command."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def escape_property(text: str) -> str:
    """Escape a property of a workflow command."""
    return escape_data(text).replace(":", "%3A").replace(",", "%2C")


def _annotation(finding: Finding) -> str:
    properties = {
        "file": relative_name(finding.path),
        "line": str(finding.line),
        "col": str(finding.column),
        "title": f"{finding.rule} ({finding.severity.value})",
    }
    shown = ",".join(f"{name}={escape_property(_plain(value))}" for name, value in properties.items())
    said = [_plain(finding.message)]
    if finding.direction == "downgrade" and finding.statement:
        said[0] += " (in downgrade())"
    if finding.statement:
        said.append(_plain(finding.statement))
    said.append(f"Exempt: {_plain(finding.reason)}" if finding.reason else f"Fix: {_plain(finding.fix)}")
    return f"::{_level(finding)} {shown}::{escape_data(chr(10).join(said))}"


def _level(finding: Finding) -> str:
    if finding.verdict is Verdict.BLOCK:
        return "error"
    loud = finding.verdict is Verdict.WARN and finding.severity is not Severity.LOW
    return "warning" if loud else "notice"


def _plain(text: str) -> str:
    return sanitise(text, single_line=True)
