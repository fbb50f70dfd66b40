"""What the guardrails found in a run, by severity and file, each with what to do instead."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from textual.content import Content

from opconsole.journal.records import JsonMap
from screens.look import SEVERITY_MARKS, Mark, Role
from screens.widgets.scroll_pane import ScrollPane
from screens.words import content, folded, lines, safe

SHOWN = 300
"""Findings that are drawn; the command line prints the rest."""
ORDER = ("critical", "high", "medium", "low")
VERDICTS = {
    "block": Mark("■", "blocks", Role.BAD),
    "warn": Mark("▲", "warns", Role.WARN),
    "exempt": Mark("○", "exempt", Role.BUSY),
}


@dataclass(frozen=True, slots=True)
class ShownFinding:
    """One finding of a report, as far as it could be read."""

    severity: str
    verdict: str
    path: str
    line: int
    rule: str
    direction: str
    statement: str
    message: str
    fix: str
    reason: str


def findings_of(report: JsonMap | None) -> list[ShownFinding]:
    """Read a report as ``check --format json`` prints it; what has another shape is left out."""
    found = []
    for file in _maps((report or {}).get("files")):
        for one in _maps(file.get("findings")):
            line = one.get("line")
            words = [
                _text(one, name) for name in ("rule", "direction", "statement", "message", "fix", "reason")
            ]
            number = line if isinstance(line, int) else 0
            found.append(
                ShownFinding(
                    _text(one, "severity"), _text(one, "verdict"), _text(file, "path"), number, *words
                )
            )
    return found


class ViolationsView(ScrollPane):
    """Shows a run's report."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 (Textual's word for it)
        super().__init__(id=id)
        self._report: JsonMap | None = None
        self._run: str | None = None

    def show_report(self, run: str | None, report: JsonMap | None) -> None:
        """Show another run's report; None: guardrails have not looked yet."""
        if run == self._run and report == self._report:
            return
        self._run, self._report = run, report
        self.redraw()
        self.scroll_home(animate=False)

    def draw(self, width: int) -> Content:
        """Give the text for a width in cells."""
        if self._run is None:
            return content(("No run yet: the guardrails look at a task's files when it runs.", Role.MUTED))
        if self._report is None:
            return content(("The guardrails have not looked at this run yet.", Role.MUTED))
        return lines(draw_report(self._report, self._run, width))


def draw_report(report: JsonMap, run: str, width: int) -> Iterator[Content]:
    """Draw a report, line by line: the worst first."""
    found = findings_of(report)
    if not found:
        yield content(("✓ ", Role.GOOD), "Nothing found.")
        yield content(("Migrations and sources were read; no rule objects.", Role.MUTED))
        return
    blocking = sum(one.verdict == "block" for one in found)
    count = f"{len(found)} finding{'' if len(found) == 1 else 's'}"
    if blocking:
        plural = "" if blocking == 1 else "s"
        yield content(
            (f"■ {blocking} violation{plural} block{'s' if blocking == 1 else ''} this run", Role.BAD)
        )
    yield content((f"{count} for {safe(report.get('environment', ''))}", Role.MUTED))
    rank = {severity: place for place, severity in enumerate(ORDER)}
    found.sort(
        key=lambda one: (rank.get(one.severity, len(ORDER)), one.verdict != "block", one.path, one.line)
    )
    severity = path = None
    for one in found[:SHOWN]:
        if one.severity != severity:
            severity, path = one.severity, None
            look = SEVERITY_MARKS.get(severity) or Mark("·", severity, Role.MUTED)
            total = sum(other.severity == severity for other in found)
            yield content("")
            yield content((f"{look.glyph} {look.word.upper()} ({total})", look.role))
        if one.path != path:
            path = one.path
            yield content("  ", (path, Role.STRONG))
        yield from _finding(one, width)
    if len(found) > SHOWN:
        yield content("")
        yield content((f"… {len(found) - SHOWN} more: opconsole report {run}", Role.WARN))


def _finding(one: ShownFinding, width: int) -> Iterator[Content]:
    look = VERDICTS.get(one.verdict) or Mark("·", one.verdict, Role.MUTED)
    back = " in downgrade()" if one.direction == "downgrade" else ""
    yield content("    ", (f"line {one.line}  ", Role.MUTED), (str(look), look.role), f"  {one.rule}{back}")
    if one.statement:
        yield from folded(one.statement, width, indent=6, role=Role.STRONG, limit=500)
    if one.message:
        yield from folded(one.message, width, indent=6)
    if one.fix:
        yield from folded(f"fix: {one.fix}", width, indent=6, role=Role.GOOD)
    if one.reason:
        yield from folded(f"exempt: {one.reason}", width, indent=6, role=Role.BUSY)


def _text(of: JsonMap, name: str) -> str:
    value = of.get(name)
    return value if isinstance(value, str) else ""


def _maps(value: object) -> list[JsonMap]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, (list, tuple)) else []
