"""The metrics screen: deployments, rollbacks, migrations, violations and durations over a span of time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.content import Content

from guardrails.families import Family
from opconsole.metrics import Figures, Metrics, Spread
from screens.actions import Scope, bindings
from screens.base import ConsoleScreen
from screens.charts import share_bar, sparks
from screens.desk import Desk, describe
from screens.latest import Latest
from screens.look import Role
from screens.widgets.heading import Heading
from screens.widgets.key_bar import KeyBar
from screens.widgets.scroll_pane import ScrollPane
from screens.words import Piece, clip, content, duration, folded, lines

SPANS: tuple[tuple[str, timedelta | None], ...] = (
    ("the last 90 days", timedelta(days=90)),
    ("the last year", timedelta(days=365)),
    ("all that is on record", None),
    ("the last 7 days", timedelta(days=7)),
    ("the last 30 days", timedelta(days=30)),
)
PERIOD = 5.0
"""Seconds between two counts at least: all runs of the span are read for one."""
LABEL = 18
BAR = 24


class MetricsText(ScrollPane):
    """Shows the figures."""

    metrics: Metrics | None = None
    span = SPANS[0][0]

    def draw(self, width: int) -> Content:
        """Give the text for a width in cells."""
        if self.metrics is None:
            return content(("counting …", Role.MUTED))
        return lines(draw_metrics(self.metrics, width))


class MetricsScreen(ConsoleScreen):
    """What is counted, of all and of each environment."""

    PLACE = "metrics"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings(Scope.METRICS)]

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._span = 0
        self._loading = Latest(self._load, PERIOD)
        self._text = MetricsText()

    def compose(self) -> ComposeResult:
        """Put the figures under their heading."""
        yield self.strip()
        yield Heading(metrics="Metrics")
        yield self._text
        yield KeyBar()

    def on_mount(self) -> None:
        """Begin to count."""
        self._ready = True
        self.query_one(Heading).activate(on=True)
        self._show_all()
        self._text.focus()
        self.run_worker(self._loading.run(), group="loading")

    def _show_all(self) -> None:
        super()._show_all()
        self._loading.want()

    async def _load(self) -> None:
        await self._count()

    async def _count(self) -> None:
        span, now = self._span, self._desk.clock.now()
        name, length = SPANS[span]
        try:
            found = await self._desk.console.record.metrics(None if length is None else now - length, now)
        except Exception as error:  # noqa: BLE001 (the screen goes on; the person hears of it)
            self._desk.tell(f"{describe(error)}. Nothing could be counted.", wrong=True)
            return
        if span == self._span:  # else another one is counted already
            self._text.metrics = found
            self._text.redraw()
            self.query_one(Heading).note(content((name, Role.MUTED)))

    def action_span(self) -> None:
        """Count the runs of the next span of time."""
        self._span = (self._span + 1) % len(SPANS)
        self.run_worker(self._count(), group="counting", exclusive=True, exit_on_error=False)

    def where(self) -> str:
        """Name the span."""
        return str(self._span)

    def go_to(self, where: str) -> None:
        """Go to a span of time."""
        if where.isdecimal() and int(where) < len(SPANS):
            self._span = int(where)
            self._loading.want()


def draw_metrics(metrics: Metrics, width: int) -> Iterator[Content]:
    """Draw the figures of all, then of each environment, then the lead times."""
    if not metrics.places:
        yield content("Nothing has ended in this span of time.")
        yield content(("w counts another one; 1 goes to the queue.", Role.MUTED))
        return
    if not metrics.complete:
        yield from folded("There are more runs than are counted; the oldest are missing.", width, indent=0)
    if len(metrics.places) > 1:
        yield content(("All projects and environments", Role.STRONG))
        yield from _figures(metrics.all, width)
        yield content("")
    for one in metrics.places:
        yield content((clip(f"{one.project} {one.environment}", width), Role.STRONG))
        yield from _figures(one, width)
        yield content("")
    if metrics.lead:
        yield content(("From development to production", Role.STRONG))
    for project, spread in metrics.lead.items():
        yield _row(project, _spread(spread, f"{spread.count} versions"))


def _figures(one: Figures, width: int) -> Iterator[Content]:
    done, rate = one.deployments, one.deployments.success_rate
    stopped = ((done.blocked, "blocked"), (done.rejected, "rejected"), (done.cancelled, "cancelled"))
    more = "".join(f", {number} {word}" for number, word in stopped if number)
    yield _row("Deployments", f"{done.total}: {done.succeeded} succeeded, {done.failed} failed{more}")
    if rate is not None:
        full, empty = share_bar(rate, max(6, min(BAR, width - LABEL - 10)))
        yield _row("Success", (full, Role.GOOD), (empty, Role.BAD), f" {rate:.0%}")
    if one.per_week is not None:
        weeks = f"{one.per_week:.1f} a week"
        yield _row("Successes a week", (sparks(one.weeks), Role.BUSY), f" {weeks}")
    if one.working is not None:
        yield _row("Time at work", _spread(one.working))
    if one.waiting is not None:
        yield _row("Wait for a person", _spread(one.waiting, f"{one.waiting.count} waited"))
    rollbacks = f"{one.automatic_rollbacks} automatic, {one.manual_rollbacks} manual"
    yield _row("Rollbacks", rollbacks)
    if one.migrations:
        yield _row("Migrations run", str(one.migrations))
    blocked = {Family.SQL: "SQL", Family.S3: "S3", Family.OTHER: "other"}
    told = ", ".join(f"{one.blocked[name]} {word}" for name, word in blocked.items() if one.blocked[name])
    if told:
        yield _row("Violations blocked", told)


def _row(label: str, *pieces: Piece) -> Content:
    return content((f"  {clip(label, LABEL)}".ljust(LABEL + 4), Role.MUTED), *pieces)


def _spread(spread: Spread, more: str = "") -> str:
    told = f"median {duration(spread.median)}, nine in ten in {duration(spread.p90)}"
    return f"{told}; {more}" if more else told
