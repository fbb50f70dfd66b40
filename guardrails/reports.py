"""The reports for people: the guide's two, character for character, and the text of ``check``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from guardrails.check import MigrationReport, RequiredElements
from guardrails.findings import Finding, Report, Severity, Verdict
from guardrails.rules import rules_by_name
from guardrails.sanitise import sanitise

RULER = "=" * 60
_MARKS = {
    Severity.CRITICAL: "🔴 CRITICAL",
    Severity.HIGH: "🟠 HIGH",
    Severity.MEDIUM: "🟡 MEDIUM",
    Severity.LOW: "🔵 LOW",
}
_ABOUT_MIGRATIONS = ("missing-upgrade", "missing-downgrade", "irreversible-downgrade")


def violations_report(findings: Iterable[Finding]) -> str:
    """Give the guide's *Deployment Blocked* report of the findings that block, the worst first."""
    blocking = [finding for finding in findings if finding.verdict is Verdict.BLOCK]
    lines = ["🚫 DEPLOYMENT SAFETY VIOLATIONS DETECTED", RULER]
    for severity, mark in _MARKS.items():
        of_severity = [finding for finding in blocking if finding.severity is severity]
        if of_severity:
            lines.append(f"{mark} ({len(of_severity)}):")
        for finding in of_severity:
            lines += _violation(finding)
    lines += [RULER, "ACTION REQUIRED: Fix violations before deployment"]
    return "\n".join(lines)


def migration_report(elements: RequiredElements, errors: Sequence[str]) -> str:
    """Give the guide's *Migration Not Reversible* report."""
    lines = [
        "🚫 MIGRATION VALIDATION FAILED",
        RULER,
        "Required Elements:",
        f"  upgrade():     {_tick(elements.upgrade)}",
        f"  downgrade():   {_tick(elements.downgrade)}",
        f"  reversible:    {_tick(elements.reversible)}",
        "",
        f"❌ Errors ({len(errors)}):",
        *(f"  - {one_line(error)}" for error in errors),
        RULER,
        "🚫 Migration BLOCKED - fix errors before deployment",
    ]
    return "\n".join(lines)


def migration_failure(result: MigrationReport) -> str | None:
    """Give the report of migrations that lack a required element; None where none blocks.

    One file's errors stand as the guide has them; with several files each names its own.
    """
    wrong = [f for f in result.report.findings if f.rule in _ABOUT_MIGRATIONS and f.verdict is Verdict.BLOCK]
    if not wrong:
        return None
    several = len(result.report.files) > 1
    return migration_report(
        result.elements, [f"{f.path}: {f.message}" if several else f.message for f in wrong]
    )


def check_report(report: Report) -> str:
    """Give the text of ``check``: what blocks, as the guide prints it; what is only said; the verdict."""
    blocks = []
    if any(finding.verdict is Verdict.BLOCK for finding in report.findings):
        blocks.append(violations_report(report.findings))
    said = [finding for finding in report.findings if finding.verdict is not Verdict.BLOCK]
    if said:
        blocks.append("\n".join(_remark(finding) for finding in said))
    statements = sum(file.coverage.statements for file in report.files)
    analysed = sum(file.coverage.analysed for file in report.files)
    blocks.append(
        f"{report.verdict.value.upper()} for {report.environment}: {len(report.files)} files, "
        f"{analysed} of {statements} statements analysed, {len(report.findings)} findings"
    )
    return "\n\n".join(blocks)


def one_line(text: str) -> str:
    """Give text from outside so that it can neither break a line nor command a terminal."""
    return sanitise(text, single_line=True)


def _violation(finding: Finding) -> list[str]:
    rule = rules_by_name().get(finding.rule)
    lines = [
        f"  {one_line(finding.path)}:{finding.line}",
        f"    Pattern: {rule.pattern if rule else finding.rule}",
        f"    Reason: {one_line(finding.message)}",
    ]
    code = finding.code or finding.statement
    return [*lines, f"    Code: {one_line(code)}"] if code else lines


def _remark(finding: Finding) -> str:
    mark = "exempt" if finding.verdict is Verdict.EXEMPT else "warning"
    where = f"{one_line(finding.path)}:{finding.line}:{finding.column}"
    back = " in downgrade()" if finding.direction == "downgrade" else ""
    text = f"{where}: {mark}: {finding.rule} ({finding.severity.value}{back}): {one_line(finding.message)}"
    if finding.reason:
        text += f" [exempt: {one_line(finding.reason)}]"
    return f"{text}\n    {one_line(finding.statement)}" if finding.statement else text


def _tick(met: bool) -> str:
    return "✅" if met else "❌"
