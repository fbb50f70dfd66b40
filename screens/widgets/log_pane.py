"""The log with its status line and its search line."""

from __future__ import annotations

from pathlib import Path

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Input, Static

from screens.look import Role
from screens.widgets.log_view import LogView
from screens.widgets.text import put
from screens.words import content


class LogPane(Vertical):
    """A log, what is known of it, and a line to search it with."""

    DEFAULT_CSS = """
    LogPane {
        & > #log-empty { display: none; height: 1fr; padding: 1 2; color: $foreground-muted; }
        & > #log-status { height: 1; padding: 0 1; color: $foreground-muted; }
        & > #log-search { display: none; }
        &.-searching > #log-search { display: block; }
        &.-searching > #log-status { display: none; }
        &.-empty > LogView, &.-empty > #log-status { display: none; }
        &.-empty > #log-empty { display: block; }
    }
    """

    def compose(self) -> ComposeResult:
        """Put the log over its status line."""
        yield Static(
            content("No run yet, so there is no log. A started queue runs what is ready: a, then Start."),
            id="log-empty",
        )
        yield LogView(id="log-view")
        yield Static(id="log-status")
        yield Input(placeholder="search the whole log", id="log-search", compact=True)

    def on_mount(self) -> None:
        """Begin without a log."""
        self.add_class("-empty")

    @property
    def view(self) -> LogView:
        """The log itself."""
        return self.query_one(LogView)

    def show_log(self, path: Path | None) -> None:
        """Show another log; None: the empty state."""
        self.set_class(path is None, "-empty")
        self.view.show_log(path)
        self._show_status()

    def begin_search(self) -> None:
        """Ask what to search for."""
        if not self.has_class("-empty"):
            self.add_class("-searching")
            self.query_one(Input).focus()

    def end_search(self) -> bool:
        """Leave the search line, or forget the search; False when there was neither."""
        if self.has_class("-searching"):
            self.remove_class("-searching")
            self.view.focus()
            return True
        if self.view.pattern:
            self.view.search("")
            return True
        return False

    @on(Input.Submitted, "#log-search")
    def _search(self, event: Input.Submitted) -> None:
        event.stop()
        self.remove_class("-searching")
        self.view.focus()
        self.view.search(event.value)

    @on(LogView.Changed)
    def _show_status(self) -> None:
        put(self.query_one("#log-status", Static), self._status(), resizes=False)

    def _status(self) -> Content:
        view = self.view
        lines = f"{view.count:,} line{'' if view.count == 1 else 's'}{'' if view.complete else ' so far'}"
        pieces: list[tuple[str, Role]] = []
        if view.following:
            pieces.append(("● following", Role.GOOD))
        elif view.unseen:
            pieces.append((f"{view.unseen:,} new line{'' if view.unseen == 1 else 's'} ↓", Role.ASKS))
        else:
            pieces.append(("○ not following", Role.MUTED))
        pieces.append((f"  {lines}", Role.MUTED))
        if view.wraps:
            pieces.append(("  wrapped", Role.MUTED))
        if view.pattern:
            at = view.hits.index(view.place) + 1 if view.place in view.hits else 0
            found = (
                "searching …"
                if view.searching
                else f"{at} of {len(view.hits):,}"
                if view.hits
                else "not found"
            )
            pieces.append((f"  /{view.pattern}  {found}", Role.BUSY))
        return content(*pieces)
