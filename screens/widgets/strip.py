"""The strip on top: what runs, what waits, what failed today, and whether the worker lives."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.content import Content

from screens.look import Role
from screens.widgets.text import TextView
from screens.words import Piece, content, safe

if TYPE_CHECKING:  # the console's first picture loads only what it shows
    from opconsole.views import Snapshot


class StatusStrip(TextView):
    """One line that sums the workspace up."""

    DEFAULT_CSS = """
    StatusStrip { height: 1; padding: 0 1; background: $panel; text-wrap: nowrap; text-overflow: ellipsis; }
    """

    _state: tuple[Snapshot | None, str, bool, bool] = (None, "", False, False)

    def __init__(self, place: str = "") -> None:
        super().__init__()
        self._place = place

    def show(
        self, snapshot: Snapshot | None, operator: str, *, read_only: bool, starting: bool = False
    ) -> None:
        """Show the present state; None: it is not known yet. *starting*: a worker is about to begin."""
        self._state = (snapshot, operator, read_only, starting)
        self.on_resize()

    def on_resize(self) -> None:
        """Say it in as many words as there is room for."""
        snapshot, operator, read_only, starting = self._state
        full = draw_strip(snapshot, operator, read_only=read_only, starting=starting, place=self._place)
        # Before it is laid out it is as wide as the screen: so the first picture has all of it.
        room = self.content_size.width or self.app.size.width - 2
        if full.cell_length > room:
            full = draw_strip(
                snapshot, "", read_only=read_only, starting=starting, place=self._place, short=True
            )
        self.put(full, resizes=False)


def draw_strip(
    snapshot: Snapshot | None,
    operator: str,
    *,
    read_only: bool,
    starting: bool = False,
    place: str = "",
    short: bool = False,
) -> Content:
    """Draw the strip: the screen's name first; what wants a person comes before what only tells."""
    pieces: list[Piece] = [(place or "opconsole", Role.STRONG)]
    if snapshot is None:
        return content(*pieces, ("  reading the workspace …", Role.MUTED))
    if not short:
        pieces.append((f"  {safe(snapshot.workspace, limit=24)}  ", Role.MUTED))
    if read_only:
        pieces.append(("  read-only", Role.ASKS))
    if snapshot.frozen:
        pieces.append(("  ■ everything is frozen", Role.ASKS))
    if snapshot.policy_waits:
        pieces.append(("  ◆ a policy waits", Role.ASKS))
    counts = (
        (snapshot.running, "▶", "running", Role.BUSY),
        (snapshot.waiting, "◆", "waiting" if short else "waiting for you", Role.ASKS),
        (snapshot.failed_today, "✗", "failed" if short else "failed today", Role.BAD),
    )
    for count, glyph, word, role in counts:
        pieces.append((f"  {glyph} {count} {word}", role if count else Role.MUTED))
    if snapshot.worker_alive and snapshot.settings_changed:
        old = ", old settings" if short else " with the settings of before"
        pieces.append((f"   ● worker{old}", Role.WARN))
    elif snapshot.worker_alive:
        pieces.append(("   ● worker", Role.GOOD))
    elif starting:
        pieces.append(("   ◌ worker begins", Role.MUTED))
    else:
        pieces.append(("   ○ no worker", Role.WARN))
    pieces.append((f"   {safe(operator, limit=20)}", Role.MUTED))
    return content(*pieces)
