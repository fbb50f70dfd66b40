"""Run reports: the story of one run — what was planned, what happened, who decided, where things stand.

One maker for the command line and for the Markdown that is kept in the workspace. Text from outside is
made harmless here, once, for terminals and for Markdown alike.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from guardrails.sanitise import sanitise
from opconsole.clock import iso
from opconsole.history import proof_of
from opconsole.journal.records import ReleaseRow, Run
from opconsole.logs import LogLine
from opconsole.spent import waited, worked
from opconsole.view_making import state_word
from opconsole.views import RunView
from queues.states import RunState

TAIL = 40
"""Last lines of the log in a report of a run that did not succeed."""

TOLD = frozenset(
    {
        RunState.SUCCEEDED,
        RunState.FAILED,
        RunState.ROLLED_BACK,
        RunState.HALTED,
        RunState.INTERRUPTED,
        RunState.BLOCKED,
    }
)
"""States in which a run's report is written into the workspace."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a report: lines, or a table."""

    heading: str
    lines: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    verbatim: bool = False
    """The lines stand as a program wrote them."""


@dataclass(frozen=True, slots=True)
class RunReport:
    """The story of one run; every text in it is one harmless line."""

    title: str
    lines: tuple[str, ...]
    parts: tuple[Part, ...]


def make_report(
    view: RunView, serving: ReleaseRow | None, tail: Sequence[LogLine], *, unverified: bool
) -> RunReport:
    """Tell a run's story. *serving* is what the journal says serves in its environment now."""
    run = view.run
    return RunReport(
        title=_line(f"{_kind(run.state)}: {run.key}, {run.action} {run.version or ''} in {run.environment}"),
        lines=tuple(_head(view, unverified=unverified)),
        parts=tuple(
            part
            for part in (
                Part("Plan", tuple(_planned(run))),
                _steps(view),
                Part("Pre-flight", tuple(_preflight(run))),
                Part("Decisions", tuple(_decisions(view))),
                Part("Findings", tuple(_findings(run.report))),
                Part("Where things stand", tuple(_standing(view, serving))),
                Part("Last lines of the log", tuple(_tail(run, tail)), verbatim=True),
            )
            if part.lines or part.rows
        ),
    )


def markdown(report: RunReport) -> str:
    """Write a report as Markdown in which nothing from outside is markup."""
    out = [f"# {_escaped(report.title)}", ""]
    out += [f"{_escaped(line)}  " for line in report.lines]
    for part in report.parts:
        out += ["", f"## {part.heading}", ""]
        if part.columns:
            out.append("| " + " | ".join(part.columns) + " |")
            out.append("|" + "---|" * len(part.columns))
            out += ["| " + " | ".join(_escaped(cell) for cell in row) + " |" for row in part.rows]
        elif part.verbatim:
            out += [f"    {line}" for line in part.lines]  # indented: no line can end it
        else:
            out += [f"- {_escaped(line)}" for line in part.lines]
    return "\n".join(out) + "\n"


def report_name(run: Run) -> str:
    """Give the file name of a run's report: the same each time, and of no other run."""
    task = re.sub(r"[^A-Za-z0-9_.-]+", "-", run.task).strip(".-")[:60] or "task"
    return f"{run.created_at:%Y-%m-%d}-{run.project}-{task}-{run.attempt}-{run.id}.md"


def took(start: datetime | None, end: datetime | None) -> float | None:
    """Give a duration in seconds; None while one of its ends is not known."""
    return None if start is None or end is None else round((end - start).total_seconds(), 3)


# -- the parts --------------------------------------------------------------------------------------------


def _kind(state: RunState) -> str:
    if state is RunState.SUCCEEDED:
        return "Deployment report"
    return "Incident report" if state in TOLD else "Report"


def _head(view: RunView, *, unverified: bool) -> Iterator[str]:
    run = view.run
    mark = ", not verified yet" if unverified else ", overridden" if run.overridden else ""
    yield _line(f"{state_word(run)}{mark}" + (f": {run.reason}" if run.reason else ""))
    yield _line(f"run {run.id}, attempt {run.attempt}")
    yield _line(f"asked for by {run.requested_by} at {iso(run.created_at)}")
    if run.started_at is not None:
        yield f"started {iso(run.started_at)}, ended {iso(run.finished_at) or '-'}"
    if told := _spent(view):
        yield told


def _spent(view: RunView) -> str:
    """Say how long it took, and how much of that it was at work and waited for a person."""
    run, working = view.run, worked(view.steps)
    told = [f"{working:.1f} s at work"] if working is not None else []
    waiting = waited(view.approvals, run.finished_at)
    told += [f"{waiting:.1f} s of waiting for a person's approval"] if waiting else []
    whole = took(run.started_at, run.finished_at)
    took_text = f"took {whole:.1f} s" if whole is not None else "so far"
    return f"{took_text}: {', '.join(told)}" if told else ""


def _planned(run: Run) -> Iterator[str]:
    plan = run.plan or {}
    if not plan:
        return
    yield _line(f"plan {run.plan_digest}")
    version = plan.get("version")
    if isinstance(version, dict):
        yield _line(f"version {version.get('from') or 'none'} -> {version.get('to') or 'none'}")
    for name in ("commit", "artifact"):
        if isinstance(plan.get(name), str):
            yield _line(f"{name} {plan[name]}")
    steps = plan.get("steps")
    for step in steps if isinstance(steps, list) else []:
        if isinstance(step, dict):
            argv = step.get("argv")
            program = " ".join(map(str, argv)) if isinstance(argv, list) else "by opconsole itself"
            yield _line(f"step {step.get('name')}: {program}")


def _steps(view: RunView) -> Part:
    rows = tuple(
        (
            step.phase.value,
            _line(step.title),
            step.state.value,
            (iso(step.started_at) or "-")[11:19] or "-",
            _seconds(took(step.started_at, step.finished_at)),
            _line(step.detail),
        )
        for step in view.steps
    )
    return Part("Steps", columns=("Phase", "Step", "State", "Began", "Took", "Detail"), rows=rows)


def _preflight(run: Run) -> Iterator[str]:
    for passed, text in run.preflight:
        yield _line(f"{'passed' if passed else 'FAILED'}  {text}")


def _decisions(view: RunView) -> Iterator[str]:
    for one in view.approvals:
        why = f": {one.reason}" if one.reason else ""
        by = f" by {one.decided_by} at {iso(one.decided_at)}" if one.decided_by else ""
        yield _line(f"{one.purpose.value} {one.state.value}{by}{why} (plan {one.digest}, tier {one.tier})")
        for vote in view.votes_on(one):
            reason = f": {vote.reason}" if vote.reason else ""
            worth = proof_of(verified=vote.verified)
            yield _line(f"vote to {vote.verdict} by {vote.by} ({worth}) at {iso(vote.at)}{reason}")
    run = view.run
    if run.verified_at is not None:
        who, why = run.verified_by or "", run.verified_reason or ""
        yield _line(f"verified by {who} at {iso(run.verified_at)}: {why}")


def _findings(report: Mapping[str, object] | None) -> Iterator[str]:
    files = (report or {}).get("files")
    for file in files if isinstance(files, list) else []:
        for finding in file.get("findings", []) if isinstance(file, dict) else []:
            said = f"{finding.get('verdict')} {finding.get('rule')} ({finding.get('severity')})"
            yield _line(f"{file.get('path')}:{finding.get('line')}: {said}: {finding.get('message')}")


def _standing(view: RunView, serving: ReleaseRow | None) -> Iterator[str]:
    run = view.run
    if run.revision_before or run.revision_after:
        yield _line(f"database: {run.revision_before or 'empty'} -> {run.revision_after or 'empty'}")
    if run.previous_version or run.release:
        before = run.previous_version or "nothing"
        yield _line(f"this run: release {run.release or 'none was placed'}, over {before}")
    if serving is not None:
        yield _line(f"now serving, by the journal: release {serving.name}, version {serving.version}")
        if serving.revision:
            yield _line(f"with the database at {serving.revision}")
    elif run.environment:
        yield "now serving, by the journal: nothing"
    if view.known is not None:
        yield f"as asked at {iso(view.known.asked_at)}:"
        yield from (_line(f"{name}: {value}") for name, value in view.known.facts())


def _tail(run: Run, tail: Sequence[LogLine]) -> Iterator[str]:
    if run.state is RunState.SUCCEEDED:
        return
    for line in tail:
        at = f"{line.at:%H:%M:%S} " if line.at else ""
        yield sanitise(f"{at}{line.text}", single_line=True, limit=400)


# -- harmless text ----------------------------------------------------------------------------------------


def _seconds(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds:.1f} s"


def _line(text: str) -> str:
    return sanitise(text, single_line=True, limit=2000).strip()


_MARKUP = re.compile(r"([\\`*_{}\[\]<>|#~&!])")


def _escaped(text: str) -> str:
    return _MARKUP.sub(r"\\\1", text)
