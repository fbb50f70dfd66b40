"""The audit screen: the chain of decisions and effects, one entry in full, and whether the chain is sound."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.content import Content

from opconsole.audit_check import ChainCheck
from opconsole.journal.records import AuditRow
from screens.actions import Scope, bindings
from screens.desk import Desk, describe
from screens.latest import Latest
from screens.list_screen import ListScreen
from screens.look import Role
from screens.saving import save_as
from screens.widgets.columns import Column
from screens.widgets.list_pane import ListPane
from screens.widgets.scroll_pane import ScrollPane
from screens.widgets.text import TextView
from screens.widgets.virtual_table import VirtualTable
from screens.words import content, folded, lines

PERIOD = 0.5
"""Seconds between two looks at the chain at least."""
LABEL = 12


class Entry(ScrollPane):
    """Shows one entry with everything in it."""

    entry: AuditRow | None = None

    def draw(self, width: int) -> Content:
        """Give the text for a width in cells."""
        if self.entry is None:
            return content(("Select an entry to see all of it.", Role.MUTED))
        return lines(_entry(self.entry, width))


class AuditScreen(ListScreen):
    """The chain, newest first. It is verified when the screen opens, and with `r`."""

    PLACE = "audit"
    BESIDE = "The entry"
    _detail: Entry
    DEFAULT_CSS = "AuditScreen #verdict { height: auto; padding: 0 1; }"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings(Scope.AUDIT)]

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._rows: tuple[AuditRow, ...] | None = None
        self._check: ChainCheck | None = None
        self._checked: int | None = None  # entries so far, while it is being verified
        self._fault = ""
        self._loading = Latest(self._load, PERIOD)
        empty = lines(
            [
                content("Nothing is on record yet."),
                content(("Every decision and every effect is written down here.", Role.MUTED)),
            ]
        )
        self._list: ListPane[AuditRow] = ListPane(
            "Audit", _columns(), lambda row: str(row.seq), _words, empty=empty, id="list"
        )
        self._detail = Entry()

    def over(self) -> ComposeResult:
        """Put what is known of the chain over its entries."""
        yield TextView(id="verdict")

    def begin(self) -> None:
        """Read the entries, and verify them."""
        self.run_worker(self._loading.run(), group="loading")
        self.action_check_chain()

    def on_resize(self) -> None:
        """Say in the new width how the chain stands."""
        if self._ready:
            self._show_verdict()

    # -- what is shown

    def _show_all(self) -> None:
        super()._show_all()
        self._loading.want()

    async def _load(self) -> None:
        try:
            rows = await self._desk.console.record.entries()
        except Exception as error:  # noqa: BLE001 (the screen goes on; the person hears of it)
            self._desk.tell(f"{describe(error)}. The chain could not be read.", wrong=True)
            return
        if rows is not self._rows:
            self._rows = rows
            self._list.show_rows(rows)
        self._select_wanted()
        self._show_entry()

    @on(VirtualTable.Selected)
    def _selected(self, event: VirtualTable.Selected) -> None:
        if not isinstance(event, VirtualTable.Opened):
            self._show_entry()

    @on(VirtualTable.Opened)
    def _opened(self) -> None:
        self._go_to_detail()

    def _show_entry(self) -> None:
        pane, row = self._detail, self._list.table.selected
        if row is not pane.entry:
            pane.entry = row
            pane.redraw()
            pane.action_first()

    # -- verifying

    def action_check_chain(self) -> None:
        """Verify the whole chain, in a thread."""
        if self._checked is None:
            self._checked = 0
            self.run_worker(self._verify(), group="verifying", exit_on_error=False)

    async def _verify(self) -> None:
        loop = asyncio.get_running_loop()
        self._fault = ""
        self._show_verdict()
        try:
            self._check = await self._desk.console.record.check_chain(
                partial(_tell_loop, loop, self._progress)
            )
        except Exception as error:  # noqa: BLE001 (the screen goes on; the person sees it)
            self._fault = f"{describe(error)}. It is not known whether the chain is sound; r tries again."
        finally:
            self._checked = None
        if not self.is_attached:
            return
        self._show_verdict()
        if self._check is not None and self._check.fault is not None and not self._fault:
            self._list.table.select(str(self._check.fault.seq))

    def _progress(self, count: int) -> None:
        if self._checked is not None and self.is_attached:
            self._checked = count
            self._show_verdict()

    def _show_verdict(self) -> None:
        width = max(30, self.app.size.width - 2)
        rows = verdict(self._check, self._checked, self._fault, self._rows or (), width)
        self.query_one("#verdict", TextView).put(lines(rows))

    # -- actions

    def action_export_chain(self) -> None:
        """Write the whole chain into a file."""
        text = "Every entry, as JSON lines; as CSV where the name ends in .csv. No file is written over."
        name = f"audit-{self._desk.clock.now():%Y-%m-%d}.jsonl"
        work = save_as(self._desk, "Export the chain", text, name, self._write)
        self.run_worker(work, group="saving", exit_on_error=False)

    async def _write(self, file: Path) -> str:
        return f"{await self._desk.console.record.export_chain(file)} entries"

    def action_copy(self) -> None:
        """Copy number and hash of the entry: what `audit verify --checkpoint` takes."""
        row = self._list.table.selected
        if row is not None:
            self.app.copy_to_clipboard(f"{row.seq}:{row.hash}")
            self._desk.tell("Copied number and hash, to be noted elsewhere.")


def _tell_loop(loop: asyncio.AbstractEventLoop, heard: Callable[[int], None], count: int) -> None:
    """Hand a count from another thread over to the event loop."""
    loop.call_soon_threadsafe(heard, count)


def verdict(
    check: ChainCheck | None, checked: int | None, fault: str, rows: tuple[AuditRow, ...], width: int
) -> Iterator[Content]:
    """Say how the chain stands: what is wrong first and loudly, then what to do."""
    if checked is not None:
        total = rows[0].seq if rows else 0
        share = f" of {total:,}" if total else ""
        yield content((f"◔ verifying the chain … {checked:,}{share}", Role.BUSY))
        return
    if fault:
        yield from folded(f"? {fault}", width, indent=0, role=Role.ASKS)
    elif check is not None:
        yield from _verdict(check, width)


def _verdict(check: ChainCheck, width: int) -> Iterator[Content]:
    found = check.found
    if check.fault is not None:
        broken = f"✗ THE AUDIT CHAIN IS BROKEN at entry {check.fault.seq}: it is {check.fault.fault.value}"
        yield content((broken, Role.BAD))
        told = f"found {check.fault.found}, expected {check.fault.expected}"
        yield from folded(told, width, indent=2, role=Role.BAD)
        yield from folded(
            "Change nothing more here. Keep a copy (opconsole journal backup), compare it with a backup from "
            "before and with the checkpoints elsewhere, and find out who could write the journal.",
            width,
            indent=2,
            role=Role.ASKS,
        )
    for text in found.forged:
        yield from folded(f"✗ FORGED: {text}", width, indent=0, role=Role.BAD)
    if check.sound:
        kind = "signed" if found.signed else "unsigned"
        many = "" if len(found.usable) == 1 else "s"
        compared = f", compared with {len(found.usable)} {kind} checkpoint{many}" if found.usable else ""
        yield content((f"✓ sound: {check.entries:,} entries{compared}", Role.GOOD))
    if found.newest is not None:
        newest = f"last checkpoint: entry {found.newest.seq} at {found.newest.at}"
        yield from folded(newest, width, indent=2, role=Role.MUTED)
    elif check.entries:
        none = "no checkpoint yet: what is cut off the end would not be seen; y copies number and hash"
        yield from folded(none, width, indent=2, role=Role.WARN)
    for text in (*map(str, check.steps[:3]), *found.warnings):
        yield from folded(f"! {text}", width, indent=2, role=Role.WARN)


def _entry(row: AuditRow, width: int) -> Iterator[Content]:
    told = (
        ("Number", str(row.seq)),
        ("At", row.at),
        ("Who", row.actor),
        ("What", row.action),
        ("Of", row.subject),
        ("Hash", row.hash),
        ("Before it", row.prev_hash),
    )
    for label, text in told:
        parts = folded(text, width, indent=LABEL)
        yield content((label.ljust(LABEL), Role.MUTED), parts[0].plain[LABEL:])
        yield from parts[1:]
    yield content("")
    yield content(("Detail", Role.MUTED))
    for line in _detail(row.detail):
        yield from folded(line, width, indent=2)


def _detail(text: str) -> list[str]:
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False).splitlines()
    except ValueError:
        return [text]


def _columns() -> list[Column[AuditRow]]:
    return [
        Column("No", 6, lambda row: (str(row.seq), Role.MUTED), lambda row: row.seq, right=True),
        Column("At (UTC)", 19, lambda row: (row.at[:19].replace("T", " "), Role.MUTED), lambda row: row.at),
        Column("What", 16, lambda row: (row.action, Role.PLAIN), lambda row: row.action, grows=1),
        Column("Who", 10, lambda row: (row.actor, Role.PLAIN), lambda row: row.actor, grows=1, folds=1),
        Column("Of", 18, lambda row: (row.subject, Role.MUTED), lambda row: row.subject, grows=1, folds=2),
    ]


def _words(row: AuditRow) -> str:
    return f"{row.seq} {row.at} {row.actor} {row.action} {row.subject} {row.detail} {row.hash}"
