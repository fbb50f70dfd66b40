"""The pipeline of one run: what it is, how far it has come, and every step with its state and time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from rich.cells import cell_len
from textual.content import Content

from opconsole.clock import Clock
from opconsole.journal.records import Phase, StepRow, StepState
from opconsole.views import RunView, TaskView
from queues.states import RunState
from queues.tasks import TaskKind
from screens.look import STEP_MARKS, Role, run_mark, task_mark
from screens.widgets.scroll_pane import ScrollPane
from screens.widgets.ticking import Ticking
from screens.words import Piece, bar, clip, content, duration, elapsed, folded, lines, mark, moment, safe

PHASES = {Phase.PREFLIGHT: "Before anything changes", Phase.EFFECT: "Effects", Phase.ROLLBACK: "The way back"}
TITLE = 36
"""Cells of a step's title at most."""


class PipelineView(ScrollPane):
    """Shows the selected task's latest run."""

    def __init__(self, clock: Clock, *, id: str | None = None) -> None:  # noqa: A002 (Textual's word for it)
        super().__init__(id=id)
        self._clock = clock
        self._shown_task: TaskView | None = None
        self._shown_run: RunView | None = None
        self._ticking = Ticking(self, self.redraw)

    def show_run(self, task: TaskView | None, run: RunView | None) -> None:
        """Show another task, and its run as far as it is loaded."""
        other = (task.key if task else None) != (self._shown_task.key if self._shown_task else None)
        self._shown_task, self._shown_run = task, run
        self._ticking.run(on=run is not None and not run.run.state.final)
        self.redraw()
        if other:
            self.scroll_home(animate=False)

    def draw(self, width: int) -> Content:
        """Give the text for a width in cells."""
        if self._shown_task is None:
            return content(("Select a task to see its pipeline.", Role.MUTED))
        return lines(draw_pipeline(self._shown_task, self._shown_run, self._clock.now(), width))


def draw_pipeline(task: TaskView, run: RunView | None, now: datetime, width: int) -> Iterator[Content]:
    """Draw a task and its run, line by line."""
    yield content((task.task, Role.STRONG), (f"  {task.project}", Role.MUTED))
    if task.description:
        yield content((safe(task.description, limit=400), Role.MUTED))
    if run is None and task.run is not None:
        yield content("")
        yield content(mark(task_mark(task)), ("  reading the run …", Role.MUTED))
        return
    if run is None:
        yield from _without_run(task)
        return
    yield content("")
    yield from _head(task, run, now, width)
    yield from _steps(run, now, width)
    if run.run.preflight and run.run.state not in (RunState.PREFLIGHT, RunState.PENDING):
        yield content("")
        yield content(("Pre-flight validation", Role.MUTED))
        for passed, text in run.run.preflight:
            yield content("  ", ("✓ " if passed else "✗ ", Role.GOOD if passed else Role.BAD), text)
    yield from _record(run, now)


def _without_run(task: TaskView) -> Iterator[Content]:
    yield content("")
    yield content(mark(task_mark(task)), ("  has not run", Role.MUTED))
    if task.reason:
        yield content(task.reason)
    if task.waits_for:
        yield content(("waits for ", Role.MUTED), task.waits_for)
    where = [text for text in (task.kind, task.environment, task.version) if text]
    yield content(("  ".join(where), Role.MUTED))
    if task.kind == TaskKind.OTHER:
        yield content(("Another program's task: it is listed, never run and never changed.", Role.MUTED))
    elif task.depends_on:
        yield content(("after  ", Role.MUTED), ", ".join(task.depends_on))


def _head(task: TaskView, run: RunView, now: datetime, width: int) -> Iterator[Content]:
    record = run.run
    facts: list[Piece] = [mark(run_mark(record.state, unverified=task.unverified))]
    if record.overridden:
        facts.append(("  overridden", Role.WARN))
    facts.append((f"  {record.action} ", Role.MUTED))
    facts.append((record.environment, Role.STRONG))
    before = record.previous_version
    facts.append(
        f"  {before} → {record.version}" if before and record.version else f"  {record.version or ''}"
    )
    if record.attempt > 1:
        facts.append((f"  attempt {record.attempt}", Role.MUTED))
    yield content(*facts)
    if record.reason:
        role = Role.ASKS if record.state is RunState.WAITING or record.state.undecided else Role.PLAIN
        yield from folded(record.reason, width, indent=0, role=role)
    if advice := _advice(task, run):
        yield content((advice, Role.BUSY))
    yield from _progress(run, now, width)


def _advice(task: TaskView, run: RunView) -> str:
    state = run.run.state
    if state is RunState.WAITING:
        return "a: look at the plan, then approve or reject."
    if state.undecided:
        return "a: revert, override or abort."
    if task.unverified:
        return "Look at production, then record it: a, then the verification."
    if state is RunState.BLOCKED and run.run.report is not None:
        return "v: what the guardrails found, and how to fix it."
    if state in (RunState.FAILED, RunState.CANCELLED, RunState.REJECTED, RunState.ROLLED_BACK):
        return "l: the log. a: run again."
    return ""


def _progress(run: RunView, now: datetime, width: int) -> Iterator[Content]:
    took = elapsed(run.run.started_at, run.run.finished_at, now)
    if took is None:
        return
    usual, state = run.usual_seconds, run.run.state
    if state not in (RunState.RUNNING, RunState.PREFLIGHT) or usual is None:
        more = f"  usually {duration(usual)}" if usual is not None else ""
        worked = _worked(run, now)
        told = duration(took) if took - worked < 2 else f"{duration(took)} in all, {duration(worked)} at work"
        yield content((f"{told}{more}", Role.MUTED))
        return
    worked = _worked(run, now)
    told = f"  {duration(worked)} of about {duration(usual)}"
    full, empty = bar(worked / usual if usual > 0 else 1.0, max(8, width - cell_len(told)))
    yield content((full, Role.BUSY), (empty, Role.MUTED), (told, Role.MUTED))


def _worked(run: RunView, now: datetime) -> float:
    """Give the seconds of its steps: waiting for a person is no part of how long a run takes."""
    return sum(elapsed(step.started_at, step.finished_at, now) or 0.0 for step in run.steps)


def _steps(run: RunView, now: datetime, width: int) -> Iterator[Content]:
    titles = [min(TITLE, cell_len(safe(step.title))) for step in run.steps]
    room = min(max(titles, default=0), max(10, width - 14))
    phase: Phase | None = None
    for step in run.steps:
        if step.phase is not phase:
            phase = step.phase
            yield content("")
            yield content((PHASES[phase], Role.MUTED))
        yield from _step(step, now, room, width)
    if not run.steps:
        yield content("")
        yield content(("Its steps are not planned yet.", Role.MUTED))


def _step(step: StepRow, now: datetime, room: int, width: int) -> Iterator[Content]:
    look = STEP_MARKS[step.state]
    took = elapsed(step.started_at, step.finished_at, now)
    title = clip(step.title, room)
    title += " " * (room - cell_len(title))
    time = (duration(took) if took is not None else "").rjust(8)
    strong = Role.MUTED if step.state in (StepState.PENDING, StepState.SKIPPED) else Role.PLAIN
    pieces: list[Piece] = ["  ", (look.glyph, look.role), " ", (title, strong), (time, Role.MUTED)]
    if step.state is StepState.FAILED:
        yield content(*pieces, ("  failed", Role.BAD))
        yield from folded(step.detail, width, indent=4, role=Role.BAD)
        return
    told = look.word if step.state not in (StepState.SUCCEEDED, StepState.PENDING) else safe(step.detail)
    left = width - room - 16
    if told and left >= 8:
        pieces.append((f"  {clip(told, left)}", look.role if told == look.word else Role.MUTED))
    yield content(*pieces)


def _record(run: RunView, now: datetime) -> Iterator[Content]:
    record = run.run
    yield content("")
    yield content(("Record", Role.MUTED))
    rows: list[tuple[str, str]] = [
        ("run", record.id),
        ("asked", f"{record.requested_by}, {moment(record.created_at, now)}"),
    ]
    if record.started_at and record.finished_at:
        rows.append(("ran", f"{moment(record.started_at, now)} – {moment(record.finished_at, now)}"))
    if record.commit_id:
        rows.append(("commit", record.commit_id[:19]))
    if record.release:
        rows.append(("release", record.release))
    if record.revision_before or record.revision_after:
        rows.append(("database", f"{record.revision_before or '–'} → {record.revision_after or '–'}"))
    if record.plan_digest:
        rows.append(("plan", record.plan_digest.removeprefix("sha256:")[:12]))
    for approval in run.approvals:
        if approval.decided_by and approval.decided_at:
            said = f"{approval.state.value} by {approval.decided_by}, {moment(approval.decided_at, now)}"
            rows.append(("decision", f"{said}: {approval.reason}" if approval.reason else said))
    if record.verified_by and record.verified_at:
        rows.append(("verified", f"by {record.verified_by}: {record.verified_reason or ''}"))
    for name, value in rows:
        yield content("  ", (name.ljust(10), Role.MUTED), value)
