"""The columns of the history, and the charts of what is shown of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from textual.content import Content

from guardrails.environments import GateKind
from opconsole.history import decided_words
from opconsole.metrics import Figures, measure
from opconsole.run_filter import PastRun
from queues.states import RunState
from queues.tasks import TaskKind
from screens.charts import share_bar, sparks
from screens.look import TASK_MARKS, Mark, Role
from screens.widgets.columns import Cell, Column
from screens.words import Piece, clip, content, duration

LATEST = 24
"""Successes of a place whose durations are drawn."""


@dataclass(frozen=True, slots=True)
class Chart:
    """What is drawn of one environment."""

    figures: Figures
    durations: tuple[float, ...]
    """Seconds at work of the latest successful deployments, the oldest first."""


def charts(
    rows: Sequence[PastRun], gates: Mapping[tuple[str, str], GateKind], now: datetime
) -> tuple[Chart, ...]:
    """Count what is shown, by project and environment. Takes a moment: call it in a thread."""
    found = measure((row.line for row in rows), (), gates, since=None, until=now)
    took: defaultdict[tuple[str, str], list[float]] = defaultdict(list)
    for row in rows:  # the newest first
        run, each = row.line.run, took[row.line.run.project, row.line.run.environment]
        good = run.state is RunState.SUCCEEDED and run.kind == TaskKind.DEPLOYMENT and not run.overridden
        if good and row.line.worked is not None and len(each) < LATEST:
            each.append(row.line.worked)
    return tuple(
        Chart(one, tuple(reversed(took[one.project or "", one.environment or ""]))) for one in found.places
    )


def draw_charts(shown: Sequence[Chart], width: int) -> Iterator[Content]:
    """Draw success and durations of each environment, three lines each."""
    if not shown:
        yield content(("Nothing that is shown has ended.", Role.MUTED))
    for place, chart in enumerate(shown):
        if place:
            yield content("")
        yield from _chart(chart, width)


def _chart(chart: Chart, width: int) -> Iterator[Content]:
    figures = chart.figures
    done, rate = figures.deployments, figures.deployments.success_rate
    yield content((clip(f"{figures.project} {figures.environment}", width), Role.STRONG))
    if rate is None:
        yield content((f"  {done.total} deployments, none succeeded or failed", Role.MUTED))
    else:
        full, empty = share_bar(rate, max(6, min(20, width - 24)))
        told: list[Piece] = ["  ", (full, Role.GOOD), (empty, Role.BAD), f" {rate:4.0%}"]
        yield content(*told, (f"  {done.succeeded} of {done.succeeded + done.failed}", Role.MUTED))
    if figures.working is not None:
        usual = f" median {duration(figures.working.median)}, 90 % in {duration(figures.working.p90)}"
        room = max(4, width - 4 - len(usual))
        yield content("  ", (sparks(chart.durations[-room:]), Role.BUSY), (usual, Role.MUTED))


def state_mark(row: PastRun) -> Mark:
    """Give the mark of a run's state."""
    if row.unverified:
        return Mark("✓", "unverified", Role.WARN)
    return TASK_MARKS.get(row.state) or Mark("·", row.state, Role.MUTED)


def columns(several: Callable[[], bool]) -> list[Column[PastRun]]:
    """Give the columns of the history; *several* says whether there are runs of more than one project."""

    def state(row: PastRun) -> Cell:
        look = state_mark(row)
        return f"{look}{' overridden' if row.line.run.overridden else ''}", look.role

    def when(row: PastRun) -> Cell:
        return f"{row.line.when.astimezone(UTC):%Y-%m-%d %H:%M}", Role.MUTED

    def seconds(value: float | None) -> Cell:
        return (duration(value) if value else "–"), Role.MUTED

    def asked(row: PastRun) -> str:
        return row.line.run.requested_by

    def decided(row: PastRun) -> str:
        return decided_words(row.line)

    return [
        Column("When (UTC)", 16, when, lambda row: row.line.when),
        Column("State", 13, state, lambda row: row.state),
        Column(
            "Task", 14, lambda row: (row.line.run.task, Role.PLAIN), lambda row: row.line.run.task, grows=3
        ),
        Column(
            "Project",
            10,
            lambda row: (row.line.run.project, Role.MUTED),
            lambda row: row.line.run.project,
            grows=1,
            folds=3,
            tells=several,
        ),
        Column(
            "Environment",
            11,
            lambda row: (row.line.run.environment, Role.PLAIN),
            lambda row: row.line.run.environment,
        ),
        Column(
            "Version",
            8,
            lambda row: (row.line.run.version or "–", Role.PLAIN),
            lambda row: row.line.run.version or "",
            folds=1,
        ),
        Column(
            "At work",
            9,
            lambda row: seconds(row.line.worked),
            lambda row: row.line.worked or 0.0,
            right=True,
            folds=2,
        ),
        Column(
            "Waited",
            9,
            lambda row: seconds(row.line.waited),
            lambda row: row.line.waited,
            right=True,
            folds=5,
        ),
        Column("Asked by", 10, lambda row: (asked(row), Role.MUTED), asked, grows=1, folds=6),
        Column("Decided by", 18, lambda row: (decided(row), Role.MUTED), decided, grows=2, folds=4),
    ]
