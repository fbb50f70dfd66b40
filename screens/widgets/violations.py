"""What the guardrails found in a run, by severity and file, each with its code and what to do instead."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, TypeAlias

from textual import events
from textual.binding import BindingType
from textual.content import Content

from opconsole.journal.records import JsonMap
from screens.actions import Scope, bindings
from screens.desk import Desk, describe
from screens.findings import ShownFinding, findings_of, worst_first
from screens.look import POINTER, SEVERITY_MARKS, Mark, Role
from screens.widgets.scroll_pane import ScrollPane
from screens.words import clip, content, folded, lines, moment, safe

if TYPE_CHECKING:
    from screens.mending import Mending
    from screens.widgets.source_text import CodeLine

SHOWN = 300
"""Findings that are drawn; the command line prints the rest."""
HERE = "»"
"""Stands before the line of code that a finding is about."""
VERDICTS = {
    "block": Mark("■", "blocks", Role.BAD),
    "warn": Mark("▲", "warns", Role.WARN),
    "exempt": Mark("○", "exempt", Role.BUSY),
}

Code: TypeAlias = "Sequence[CodeLine] | str"
"""The code around a place, or why it cannot be shown."""


class ViolationsView(ScrollPane):
    """Shows a run's report. One finding is selected: its code is shown, and the pane's keys are about it."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings(Scope.VIOLATIONS)]

    empty = "No run yet: the guardrails look at a task's files when it runs."
    """What it says where there is no run to tell of."""

    def __init__(self, desk: Desk, *, id: str | None = None) -> None:  # noqa: A002 (Textual's word for it)
        super().__init__(id=id)
        self._desk = desk
        self._report: JsonMap | None = None
        self.run: str | None = None
        self._found: list[ShownFinding] = []
        self._at = 0
        self._code: dict[tuple[str, int], Code] = {}
        self._checked: dict[str, tuple[datetime, list[ShownFinding]]] = {}
        self._spans: list[
            tuple[int, int]
        ] = []  # each finding's first row, with its headings, and the one after

    @cached_property
    def _mending(self) -> Mending:
        """What mends findings; loaded when the first one is to be mended."""
        from screens.mending import Mending  # noqa: PLC0415

        return Mending(self._desk)

    @property
    def selected(self) -> ShownFinding | None:
        """The finding that the keys are about."""
        return self._found[self._at] if self._found else None

    def show_report(self, run: str | None, report: JsonMap | None, *, at: int | None = None) -> None:
        """Show another run's report; None: guardrails have not looked yet. *at* is the finding to select."""
        if run == self.run and report == self._report:
            if at is not None:
                self.select(at)
            return
        if run != self.run:
            self._code, self._checked, self._at = {}, {}, 0
            self.scroll_home(animate=False)
        self.run, self._report = run, report
        self._found = worst_first(findings_of(report))[:SHOWN]
        self._at = min(self._at if at is None else at, max(0, len(self._found) - 1))
        self.redraw()
        self._load()
        if at is not None:
            self.call_after_refresh(self._reveal)

    def draw(self, width: int) -> Content:
        """Give the text for a width in cells."""
        self._spans = []
        if self.run is None:
            return content((self.empty, Role.MUTED))
        if self._report is None:
            return content(("The guardrails have not looked at this run yet.", Role.MUTED))
        return lines(self._rows(width))

    # -- moving

    def select(self, place: int) -> None:
        """Select a finding by its place in the list."""
        place = max(0, min(place, len(self._found) - 1))
        if self._found and place != self._at:
            self._at = place
            self.redraw()
            self._load()
        self.call_after_refresh(self._reveal)

    def action_move_down(self) -> None:
        """Go to the next finding."""
        self.select(self._at + 1)

    def action_move_up(self) -> None:
        """Go to the finding before."""
        self.select(self._at - 1)

    action_next_finding = action_move_down
    action_previous_finding = action_move_up

    def action_first(self) -> None:
        """Go to the first finding."""
        self.select(0)
        self.scroll_home(animate=False)

    def action_last(self) -> None:
        """Go to the last finding."""
        self.select(len(self._found) - 1)

    def on_click(self, event: events.Click) -> None:
        """Select the finding that was clicked."""
        row = event.y + round(self.scroll_y)
        for place, (first, after) in enumerate(self._spans):
            if first <= row < after:
                self.select(place)

    def _reveal(self) -> None:
        if self._at >= len(self._spans):
            return
        if self._at == 0:  # with what is above it, however much of it fits below
            self.scroll_home(animate=False)
            return
        (first, after), top, room = self._spans[self._at], round(self.scroll_y), self.page_lines()
        if first < top or after - first > room:
            self.scroll_to(y=first, animate=False)
        elif after > top + room:
            self.scroll_to(y=after - room, animate=False)

    # -- doing

    def action_open_file(self) -> None:
        """Open the file in the editor, at the line."""
        if self.run is not None and self.selected is not None:
            self.run_worker(self._mending.open(self.run, self.selected), exit_on_error=False)

    def action_exempt_finding(self) -> None:
        """Ask for a reason and show what would be written."""
        if self.run is not None and self.selected is not None:
            work = self._mending.exempt(self.run, self.selected)
            self.run_worker(work, group="deciding", exit_on_error=False)

    def action_recheck(self) -> None:
        """Let the guardrails read the file of the project's folder again."""
        if self.run is not None and self.selected is not None:
            self.run_worker(self._recheck(self.run, self.selected.path), exit_on_error=False)

    async def _recheck(self, run: str, path: str) -> None:
        found = await self._mending.recheck(run, path)
        if found is not None and run == self.run:
            self._checked[path] = (self._desk.clock.now(), found)
            self.redraw()
            self.call_after_refresh(self._reveal)

    def _load(self) -> None:
        """Fetch the code of the selected finding, once."""
        one = self.selected
        if self.is_mounted and self.run is not None and one and (one.path, one.line) not in self._code:
            run, path, line = self.run, one.path, one.line

            async def work() -> None:  # made only when it begins: another selection may cancel it before
                await self._load_code(run, path, line)

            load: Callable[[], Awaitable[None]] = work
            self.run_worker(load, group="code", exclusive=True, exit_on_error=False)

    async def _load_code(self, run: str, path: str, line: int) -> None:
        from screens.widgets.source_text import code_around  # noqa: PLC0415 (loads what colours code)

        code: Code
        try:
            text = await self._desk.console.migration_source(run, path)
            code = await asyncio.to_thread(code_around, text, path, line) if text is not None else ""
        except Exception as error:  # noqa: BLE001 (the finding is shown without; the person reads why)
            code = f"its code could not be read: {describe(error)}"
        if run == self.run:
            self._code[path, line] = code
            self.redraw()
            self.call_after_refresh(self._reveal)

    # -- drawing

    def _rows(self, width: int) -> list[Content]:
        report, found = self._report or {}, self._found
        if not found:
            return [
                content(("✓ ", Role.GOOD), "Nothing found."),
                content(("Migrations and sources were read; no rule objects.", Role.MUTED)),
            ]
        everything = findings_of(report)
        rows = list(_summary(everything, report))
        severity = path = None
        for place, one in enumerate(found):
            first = len(rows)
            if one.severity != severity:
                severity, path = one.severity, None
                look = SEVERITY_MARKS.get(severity) or Mark("·", severity, Role.MUTED)
                total = sum(other.severity == severity for other in everything)
                rows += [content(""), content((f"{look.glyph} {look.word.upper()} ({total})", look.role))]
            if one.path != path:
                path = one.path
                rows.append(content("  ", (clip(path, width - 2), Role.STRONG)))
            rows += self._finding(one, width, chosen=place == self._at)
            self._spans.append((first, len(rows)))
        if len(everything) > len(found):
            more = f"… {len(everything) - len(found)} more: opconsole report {self.run}"
            rows += [content(""), content((more, Role.WARN))]
        return rows

    def _finding(self, one: ShownFinding, width: int, *, chosen: bool) -> Iterator[Content]:
        look = VERDICTS.get(one.verdict) or Mark("·", one.verdict, Role.MUTED)
        back = " in downgrade()" if one.direction == "downgrade" else ""
        pointer = (POINTER, Role.ASKS) if chosen else (" ", Role.PLAIN)
        name = (f"  {one.rule}{back}", Role.STRONG if chosen else Role.PLAIN)
        yield content("  ", pointer, " ", (f"line {one.line}  ", Role.MUTED), (str(look), look.role), name)
        code = self._code.get((one.path, one.line), "") if chosen else ""
        if code and not isinstance(code, str):
            yield from _drawn(code, width)
        elif one.statement:
            yield from folded(one.statement, width, indent=6, role=Role.STRONG, limit=500)
        if isinstance(code, str) and code:
            yield from folded(code, width, indent=6, role=Role.MUTED)
        if one.message:
            yield from folded(one.message, width, indent=6)
        if one.fix:
            yield from folded(f"fix: {one.fix}", width, indent=6, role=Role.GOOD)
        if one.reason:
            yield from folded(f"exempt: {one.reason}", width, indent=6, role=Role.BUSY)
        if chosen and one.path in self._checked:
            yield from self._now(*self._checked[one.path])

    def _now(self, at: datetime, found: Sequence[ShownFinding]) -> Iterator[Content]:
        when = moment(at, self._desk.clock.now())
        yield content("      ", (f"In the project's folder, checked {when}:", Role.MUTED))
        if not found:
            yield content("        ", ("✓ nothing found", Role.GOOD))
        for one in found[:20]:
            look = VERDICTS.get(one.verdict) or Mark("·", one.verdict, Role.MUTED)
            yield content("        ", (str(look), look.role), f"  line {one.line}  {one.rule}")
        if len(found) > 20:
            yield content("        ", (f"… {len(found) - 20} more: opconsole check", Role.WARN))


def _summary(found: Sequence[ShownFinding], report: Mapping[str, object]) -> Iterator[Content]:
    blocking = sum(one.verdict == "block" for one in found)
    if blocking:
        said = "1 violation blocks" if blocking == 1 else f"{blocking} violations block"
        yield content((f"■ {said} this run", Role.BAD))
    count = f"{len(found)} finding{'' if len(found) == 1 else 's'}"
    yield content((f"{count} for {safe(report.get('environment', ''))}", Role.MUTED))


def _drawn(code: Sequence[CodeLine], width: int) -> Iterator[Content]:
    digits = len(str(code[-1].number))
    for line in code:
        sign = (f"      {HERE} ", Role.ASKS) if line.here else ("        ", Role.PLAIN)
        number = (f"{line.number:>{digits}} │ ", Role.STRONG if line.here else Role.MUTED)
        room = max(8, width - 11 - digits)
        yield content(sign, number, line.text.truncate(room, ellipsis=True))
