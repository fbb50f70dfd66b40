"""What the pipeline pane says of a run: how far it is, each step against the last success, its cascade."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from rich.cells import cell_len
from textual.content import Content

from opconsole.journal.records import Phase, StepRow, StepState
from opconsole.logs import ERRORS, NOTE, LogLine
from opconsole.programs import TraceState
from opconsole.step_facts import ProgramFacts
from opconsole.views import RunView, TaskView
from queues.states import RunState
from queues.tasks import TaskKind
from screens.cascade import draw_cascade
from screens.look import STEP_MARKS, Role, run_mark, task_mark
from screens.plan_facts import plan_facts
from screens.words import Piece, bar, clip, content, duration, elapsed, folded, mark, moment, safe

PHASES = {Phase.PREFLIGHT: "Before anything changes", Phase.EFFECT: "Effects", Phase.ROLLBACK: "The way back"}
TITLE = 36
"""Cells of a step's title at most."""
BAR = 8
"""Cells of a step's bar against the last success."""
POINTER = "›"
LOG_SIGNS = {ERRORS: ("¦", Role.WARN), NOTE: ("›", Role.BUSY)}


@dataclass(frozen=True, slots=True)
class Opened:
    """What is shown of a step that was opened."""

    programs: tuple[ProgramFacts, ...] = ()
    log: tuple[LogLine, ...] = ()
    """The end of what it wrote."""
    fault: str = ""
    """Why it could not be read."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What is shown of a task and its run."""

    task: TaskView
    run: RunView | None
    cascade: tuple[TaskView, ...] = ()
    """The tasks that it is connected with, itself included."""
    chosen: int | None = None
    """The position of the step that the keys are about."""
    opened: Mapping[int, Opened] = field(default_factory=dict)
    """By position: the steps that are open; one without facts is being read."""
    plan: bool = False
    """The whole plan is shown."""


def draw_pipeline(shown: Shown, now: datetime, width: int) -> Iterator[Content | int]:
    """Draw a task and its run, line by line; a number says that the step at that position begins here."""
    task, run = shown.task, shown.run
    yield content((task.task, Role.STRONG), (f"  {task.project}", Role.MUTED))
    if task.description:
        yield content((safe(task.description, limit=400), Role.MUTED))
    if run is None and task.run is not None:
        yield content("")
        yield content(mark(task_mark(task)), ("  reading the run …", Role.MUTED))
        return
    if run is None:
        yield from _without_run(task)
        yield from draw_cascade(task.key, shown.cascade, now, width)
        return
    yield content("")
    yield from _head(task, run, now, width)
    yield from _steps(shown, run, now, width)
    yield from draw_cascade(task.key, shown.cascade, now, width)
    if run.run.preflight and run.run.state not in (RunState.PREFLIGHT, RunState.PENDING):
        yield content("")
        yield content(("Pre-flight validation", Role.MUTED))
        for passed, text in run.run.preflight:
            yield content("  ", ("✓ " if passed else "✗ ", Role.GOOD if passed else Role.BAD), text)
    yield from _plan(run, width, whole=shown.plan)
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
    # The task's reason says as well what an edit of its entry means, once it is about the same state.
    if reason := (task.reason if task.state == record.state else "") or record.reason:
        role = Role.ASKS if record.state is RunState.WAITING or record.state.undecided else Role.PLAIN
        yield from folded(reason, width, indent=0, role=role)
    if advice := _advice(task, run):
        yield content((advice, Role.BUSY))
    yield from _progress(run, now, width)
    for step in run.steps:  # told here as well: further down it may be out of sight
        if step.state is StepState.RUNNING and not record.state.final:
            told = clip(f"{step.title}  {step.detail or ''}", max(10, width - 2)).rstrip()
            yield content((f"{STEP_MARKS[step.state].glyph} ", Role.BUSY), told)


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


def _steps(shown: Shown, run: RunView, now: datetime, width: int) -> Iterator[Content | int]:
    titles = [min(TITLE, cell_len(safe(step.title))) for step in run.steps]
    room = min(max(titles, default=0), max(10, width - 14))
    phase: Phase | None = None
    for step in run.steps:
        if step.phase is not phase:
            phase = step.phase
            yield content("")
            yield content((PHASES[phase], Role.MUTED))
        yield step.position
        chosen = step.position == shown.chosen
        yield from _step(step, now, room, width, usual=run.usual_steps.get(step.name), chosen=chosen)
        if step.position in shown.opened:
            yield from _opened(step, shown.opened[step.position], width)
    if not run.steps:
        yield content("")
        yield content(("Its steps are not planned yet.", Role.MUTED))


def _step(
    step: StepRow, now: datetime, room: int, width: int, *, usual: float | None, chosen: bool
) -> Iterator[Content]:
    look = STEP_MARKS[step.state]
    took = elapsed(step.started_at, step.finished_at, now)
    title = clip(step.title, room)
    title += " " * (room - cell_len(title))
    time = (duration(took) if took is not None else "").rjust(8)
    strong = Role.MUTED if step.state in (StepState.PENDING, StepState.SKIPPED) else Role.PLAIN
    pointer = (f"{POINTER} ", Role.ASKS) if chosen else "  "
    pieces: list[Piece] = [pointer, (look.glyph, look.role), " ", (title, strong), (time, Role.MUTED)]
    left = width - room - 12
    if usual is not None and left >= BAR + 14:
        pieces += _against(took, usual, over=step.finished_at is not None)
        left -= BAR + 13
    if step.state is StepState.FAILED:
        yield content(*pieces, ("  failed", Role.BAD))
        yield from folded(step.detail, width, indent=4, role=Role.BAD)
        return
    # A step that goes on may say how far it has come.
    speaks = step.state in (StepState.SUCCEEDED, StepState.PENDING, StepState.RUNNING)
    told = safe(step.detail) if speaks else look.word
    if not told and step.state is StepState.RUNNING:
        told = look.word
    if told and left >= 10:
        pieces.append((f"  {clip(told, left - 2)}", look.role if told == look.word else Role.MUTED))
    yield content(*pieces)


def _against(took: float | None, usual: float, *, over: bool) -> Iterator[Piece]:
    """Draw how long a step took against the last success."""
    full, empty = bar((took or 0.0) / usual if usual > 0 else 1.0, BAR)
    slow = took is not None and took > 1.5 * usual and took - usual > 1
    role = Role.WARN if slow else Role.GOOD if over else Role.BUSY
    yield "  "
    yield full, role
    yield empty, Role.MUTED
    yield f" {'▲' if slow else ' '}{duration(usual)}".ljust(11), role if slow else Role.MUTED


def _opened(step: StepRow, opened: Opened, width: int) -> Iterator[Content]:
    if opened.fault:
        yield from folded(opened.fault, width, indent=6, role=Role.BAD)
    for program in opened.programs:
        yield from _program(program, width)
    if not opened.programs and step.argv:
        yield from folded(f"$ {shlex.join(step.argv)}", width, indent=6, role=Role.STRONG)
        yield content("      ", ("planned; what stands in {} is known when it runs", Role.MUTED))
    elif not opened.programs:
        yield content("      ", ("no program of its own: opconsole does it", Role.MUTED))
    for line in opened.log:
        sign, role = LOG_SIGNS.get(line.stream, ("│", Role.PLAIN))
        yield content("      ", (f"{sign} ", Role.MUTED), (clip(line.display(), max(10, width - 8)), role))
    if opened.log:
        yield content("      ", ("l: the log from here", Role.MUTED))


def _program(program: ProgramFacts, width: int) -> Iterator[Content]:
    yield from folded(f"$ {shlex.join(program.argv)}", width, indent=6, role=Role.STRONG)
    yield content("      ", (f"in {clip(program.folder, max(10, width - 9))}", Role.MUTED))
    result = program.result
    if result is None:
        word = "runs" if program.state is TraceState.RUNNING else "what became of it is unknown"
        yield content("      ", (word, Role.BUSY if program.state is TraceState.RUNNING else Role.ASKS))
    else:
        took = duration((result.ended_at - result.started_at).total_seconds())
        said = "exited with status 0" if result.ok else result.reason or result.ending.value
        yield content("      ", (said, Role.GOOD if result.ok else Role.BAD), (f" after {took}", Role.MUTED))
    if program.variables:
        yield from folded(f"knows {', '.join(program.variables)}", width, indent=6, role=Role.MUTED)


def _plan(run: RunView, width: int, *, whole: bool) -> Iterator[Content]:
    approval = run.waiting
    plan = approval.plan if approval is not None else run.run.plan
    sealed = approval.digest if approval is not None else run.run.plan_digest
    if plan is None or sealed is None:
        return
    yield content("")
    if not whole:
        short = sealed.removeprefix("sha256:")[:12]
        yield content(("Plan  ", Role.MUTED), short, ("  p: all of it", Role.MUTED))
        return
    yield content(("Plan", Role.MUTED), ("  p: less", Role.MUTED))
    yield from folded(sealed, width, indent=2)
    facts = plan_facts(plan)
    rows = [
        ("does", " ".join(part for part in (facts.action, facts.project, facts.environment) if part)),
        ("version", f"{facts.version_from or '–'} → {facts.version_to or '–'}"),
        ("commit", facts.commit[:19]),
        ("artifact", facts.artifact[:26]),
        ("target", facts.target),
        ("gate", facts.gate),
        ("database", facts.database),
        ("revision", f"{facts.revision_from or '–'} → {facts.revision_to or '–'}" if facts.database else ""),
    ]
    for name, value in rows:
        if value:
            yield content("  ", (name.ljust(10), Role.MUTED), clip(value, max(10, width - 12)))
    for step in facts.steps:
        yield content(
            "  ", (step.name.ljust(10), Role.MUTED), clip(step.program or "by itself", max(10, width - 12))
        )
    for one in facts.migrations:
        sign = ("↔ ", Role.GOOD) if one.reversible else ("✗ not reversible ", Role.BAD)
        yield content("  ", sign, clip(one.path or one.revision, max(10, width - 20)))
    for finding in facts.findings:
        said = f"{finding.verdict}  {finding.rule}  {finding.path}:{finding.line}"
        yield content("  ", (clip(said, max(10, width - 2)), Role.WARN))


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
