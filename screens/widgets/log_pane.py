"""The log with its status line, and a line to search it or to name a file with."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult, SuspendNotSupported
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Input, Static

from screens.editor import NoEditorError, editor_command, pager_command
from screens.leaving import leave_to
from screens.look import Role
from screens.widgets.log_export import ExportStopped, export
from screens.widgets.log_line import Times
from screens.widgets.log_view import LogView
from screens.widgets.text import TextView
from screens.words import Piece, content, safe

REMEMBERED = 50
"""Searches that the arrow keys bring back."""


class SearchLine(Input):
    """What to search for, as a text or an expression."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+r", "switch", "Text or expression"),
        Binding("up", "recall(-1)", "Earlier search"),
        Binding("down", "recall(1)", "Later search"),
    ]

    def __init__(self) -> None:
        super().__init__(id="log-search", compact=True)
        self.expression = False
        self._before: list[str] = []
        self._at = 0

    def on_mount(self) -> None:
        """Say what is asked for."""
        self._label()

    def remember(self) -> None:
        """Keep what was searched for."""
        if self.value and self.value not in self._before[-1:]:
            self._before = [*self._before, self.value][-REMEMBERED:]
        self._at = len(self._before)

    def action_switch(self) -> None:
        """Search for an expression instead of a text, or the other way round."""
        self.expression = not self.expression
        self._label()

    def action_recall(self, step: int) -> None:
        """Bring back an earlier search."""
        if self._before:
            self._at = max(0, min(len(self._before) - 1, self._at + step))
            self.value = self._before[self._at]
            self.cursor_position = len(self.value)

    def _label(self) -> None:
        kind, other = ("expression", "text") if self.expression else ("text", "expression")
        self.placeholder = f"search the whole log for a {kind}; ctrl+r: for {other}"
        self.border_title = kind
        self.set_class(self.expression, "-expression")


class LogPane(Vertical):
    """A log, what is known of it, and a line to search it with."""

    DEFAULT_CSS = """
    LogPane {
        & > #log-empty { display: none; height: 1fr; padding: 1 2; color: $foreground-muted; }
        & > #log-status { height: 1; padding: 0 1; color: $foreground-muted; text-wrap: nowrap; }
        & > Input { display: none; background: $panel; padding: 0 1; }
        &.-searching > #log-search { display: block; }
        &.-saving > #log-save { display: block; }
        &.-searching > #log-status, &.-saving > #log-status { display: none; }
        &.-empty > LogView, &.-empty > #log-status { display: none; }
        &.-empty > #log-empty { display: block; }
    }
    """

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 (Textual's word for it)
        super().__init__(id=id)
        self.view = LogView(id="log-view")
        """The log itself."""
        self._status_line = TextView(id="log-status")
        self._written: int | None = None
        """Lines that are written so far, while a file is written."""
        self._stopped = False

    def compose(self) -> ComposeResult:
        """Put the log over its status line."""
        self.add_class("-empty")  # until there is a log
        yield Static(
            content("No run yet, so there is no log. A started queue runs what is ready: a, then Start."),
            id="log-empty",
        )
        yield self.view
        yield self._status_line
        yield SearchLine()
        yield Input(placeholder="write it into which file? esc: none", id="log-save", compact=True)

    def show_log(self, path: Path | None) -> None:
        """Show another log; None: the empty state."""
        self.set_class(path is None, "-empty")
        self.view.show_log(path)
        self._show_status()

    # -- searching

    def begin_search(self) -> None:
        """Ask what to search for."""
        if not self.has_class("-empty"):
            self.remove_class("-saving")
            self.add_class("-searching")
            self.query_one(SearchLine).focus()

    def filter_hits(self) -> None:
        """Show only the hits, or all lines; ask what to search for where nothing is."""
        if self.view.finder.wanted is None:
            self.view.filter_next = True
            self.begin_search()
        else:
            self.view.show_only_hits(on=not self.view.only_hits)

    def end_search(self) -> bool:
        """Leave what is asked, end the selection, the filter or the search: the first of them that there is.

        False when there was none.
        """
        view = self.view
        if self._written is not None:
            self._stopped = True
            return True
        if self.has_class("-searching") or self.has_class("-saving"):
            view.filter_next = False
            self.remove_class("-searching", "-saving")
            view.focus()
            return True
        if view.end_selection():
            return True
        if view.only_hits:
            view.show_only_hits(on=False)
            return True
        if view.finder.wanted is not None or view.finder.fault:
            view.search("")
            return True
        return False

    @on(Input.Submitted, "#log-search")
    def _search(self, event: Input.Submitted) -> None:
        event.stop()
        line = self.query_one(SearchLine)
        line.remember()
        self.remove_class("-searching")
        self.view.focus()
        self.view.search(event.value, expression=line.expression)

    # -- copies

    async def copied(self) -> tuple[str, str]:
        """Give what to copy, the selected lines or those in view, and how to call it."""
        chosen = await asyncio.to_thread(self.view.chosen_text)
        if chosen is None:
            return self.view.text_in_view(), "the lines in view"
        lines = chosen.count("\n") + 1
        wanted = len(self.view.chosen_numbers() or ())
        self.view.end_selection()
        what = f"{lines:,} selected line{'' if lines == 1 else 's'}"
        return chosen, what if lines >= wanted else f"the first {lines:,} of {wanted:,} selected lines"

    @on(LogView.Wish)
    def _wish(self, event: LogView.Wish) -> None:
        event.stop()
        if self.view.log_file is None or self._written is not None:
            return
        if event.what == "save":
            line = self.query_one("#log-save", Input)
            line.value = safe(Path.home() / f"{self.view.log_file.path.parent.name}.log")
            self.add_class("-saving")
            line.focus()
        else:
            self._open(event.what)

    @on(Input.Submitted, "#log-save")
    def _save(self, event: Input.Submitted) -> None:
        event.stop()
        self.remove_class("-saving")
        self.view.focus()
        if event.value.strip():
            self._save_as(Path(event.value.strip()).expanduser())

    @work(group="export", exit_on_error=False)
    async def _save_as(self, target: Path) -> None:
        written = await self._write(target)
        if written is not None:
            self.view.end_selection()
            self._tell(f"Wrote {written:,} line{'' if written == 1 else 's'} to {target}.")

    @work(group="export", exit_on_error=False)
    async def _open(self, how: str) -> None:
        """Open a clean copy: the log itself may hold what steers a terminal, and is a record."""
        folder = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="opconsole-log-"))
        try:
            target = folder / "log"
            line = self._line_to_open()
            if await self._write(target) is None:
                return
            command = editor_command if how == "edit" else pager_command
            self._leave_to(command(os.environ, target, line), folder)
        except NoEditorError as error:
            self._tell(f"{error}.", wrong=True)
        except SuspendNotSupported:
            self._tell("Another program needs a real terminal; S saves the log into a file.", wrong=True)
        finally:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)

    def _line_to_open(self) -> int:
        """Give the line of the copy that the reader is at, counted from 1."""
        view = self.view
        at = view.place if view.place is not None else view.number_in_view()
        numbers = view.chosen_numbers()
        if numbers is None:
            return at + 1
        return next((place for place, number in enumerate(numbers, 1) if number >= at), 1)

    async def _write(self, target: Path) -> int | None:
        """Write the lines into a file, showing how far it is; None where that failed or was ended."""
        log, numbers = self.view.log_file, self.view.chosen_numbers()
        if log is None:
            return None
        loop = asyncio.get_running_loop()
        self._written, self._stopped = 0, False

        def progress(written: int) -> bool:
            loop.call_soon_threadsafe(self._progress, written)
            return not self._stopped

        try:
            return await asyncio.to_thread(export, log, numbers, target, progress)
        except FileExistsError:
            self._tell(f"There is a file {target} already; nothing was written. S asks again.", wrong=True)
        except ExportStopped:
            self._tell("Stopped; nothing was written.")
        except OSError as error:
            self._tell(f"{target} cannot be written: {error.strerror or error}.", wrong=True)
        finally:
            self._written = None
            self._stopped = True  # also where this task was cancelled: the thread ends
            self._show_status()
        return None

    def _progress(self, written: int) -> None:
        if self._written is not None:
            self._written = written
            self._show_status()

    def _leave_to(self, argv: Sequence[str], folder: Path) -> None:
        if fault := leave_to(self.app, argv, folder):
            self._tell(fault, wrong=True)

    def _tell(self, text: str, *, wrong: bool = False) -> None:
        self.app.notify(
            safe(text, limit=400), severity="warning" if wrong else "information", timeout=6, markup=False
        )

    # -- the status line

    @on(LogView.Changed)
    def _show_status(self) -> None:
        if self.is_mounted:
            self._status_line.put(self._status(), resizes=False)

    def _status(self) -> Content:
        view, log = self.view, self.view.log_file
        pieces: list[Piece] = []
        if self._written is not None:
            pieces.append((f"writing {self._written:,} lines …  esc stops  ", Role.BUSY))
        if (chosen := view.chosen) is not None:
            pieces.append((f"{len(chosen):,} selected: y copies, S saves  ", Role.ASKS))
        if view.following:
            pieces.append(("● following", Role.GOOD))
        elif view.unseen:
            pieces.append((f"{view.unseen:,} new line{'' if view.unseen == 1 else 's'} ↓", Role.ASKS))
        else:
            pieces.append(("○ not following", Role.MUTED))
        lines = f"  {view.count:,} line{'' if view.count == 1 else 's'}"
        so_far = f" so far ({log.share:.0%})" if log is not None and not view.complete else ""
        pieces.append((lines + so_far, Role.MUTED))
        pieces += self._search_status()
        ways = [
            *(["wrapped"] if view.wraps else []),
            *(["laid out"] if view.lays_out else []),
            *(["since the beginning"] if view.times is Times.RELATIVE else []),
        ]
        if ways:
            pieces.append(("  " + ", ".join(ways), Role.MUTED))
        return content(*pieces)

    def _search_status(self) -> list[Piece]:
        view, finder = self.view, self.view.finder
        if finder.fault:
            return [(f"  ✗ {finder.fault}", Role.BAD)]
        if finder.wanted is None:
            return []
        total = len(finder.hits)
        at = finder.hits.until(view.place) if view.place is not None and view.place in finder.hits else 0
        found = f"{at:,} of {total:,}" if at else f"{total:,} found" if total else "not found"
        if finder.share is not None:
            found = f"{f'{total:,} so far, ' if total else ''}searching {finder.share:.0%} …"
        only = ""
        if view.only_hits:
            only = "  only hits" + (f" ± {view.context}" if view.context else "")
        return [(f"  /{finder.wanted.text}  {found}{only}", Role.BUSY)]
