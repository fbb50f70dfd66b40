"""The command ``report``: the story of one run — steps, decisions, findings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing

from opconsole.cli.output import CommandContext, ExitStatus, UsageError, duration_text, plain, table
from opconsole.cli.shapes import report_json, seconds_between, vote_words
from opconsole.cli.show import is_unverified
from opconsole.clock import iso
from opconsole.reading import open_reading
from opconsole.view_making import state_word
from opconsole.views import RunView

LAST_LINES = 8
"""Lines of the log that are laid out before a decision."""


def show_report(context: CommandContext, task: str) -> int:
    """Tell the story of a run."""
    workspace = context.workspace()
    with closing(open_reading(workspace)) as reading:
        view = reading.run(reading.find_run(task).id)
    if view is None:
        raise UsageError(f"{plain(task)} is gone from the journal")
    unverified = is_unverified(workspace, view.run)
    if context.json:
        context.document(report_json(view, unverified=unverified))
        return ExitStatus.DONE
    for line in _lines(context, view, unverified=unverified):
        context.say(line)
    return ExitStatus.DONE


def _lines(context: CommandContext, view: RunView, *, unverified: bool) -> Iterator[str]:
    run = view.run
    version = f" {run.version}" if run.version else ""
    yield plain(f"{run.key}: {run.action}{version} in {run.environment}, attempt {run.attempt} ({run.id})")
    mark = ", not verified yet" if unverified else ", overridden" if run.overridden else ""
    yield f"{context.state(state_word(run))}{mark}" + (f": {plain(run.reason)}" if run.reason else "")
    yield f"asked for by {plain(run.requested_by)} at {iso(run.created_at)}"
    if run.started_at is not None:
        took = duration_text(seconds_between(run.started_at, run.finished_at))
        yield f"started {iso(run.started_at)}, ended {iso(run.finished_at) or '-'}" + (
            f" ({took})" if took else ""
        )
    if run.revision_before or run.revision_after:
        yield plain(f"database: {run.revision_before or 'empty'} -> {run.revision_after or 'empty'}")
    if view.steps:
        rows = [
            (
                plain(step.phase.value),
                plain(step.title),
                context.state(step.state.value),
                duration_text(seconds_between(step.started_at, step.finished_at)),
                plain(step.detail),
            )
            for step in view.steps
        ]
        yield ""
        yield table(("PHASE", "STEP", "STATE", "TOOK", "DETAIL"), rows, context.width)
    if run.preflight:
        yield ""
        yield "Pre-flight:"
        yield from (f"  {'passed' if passed else 'FAILED'}  {plain(text)}" for passed, text in run.preflight)
    yield from _decisions(view)
    yield from stuck_lines(view)
    yield from _findings(run.report)
    yield ""
    yield f"log: {plain(str(view.log))}"


def stuck_lines(view: RunView) -> Iterator[str]:
    """Lay out what is known of a run that a person must decide about; nothing for any other."""
    if not view.run.state.undecided:
        return
    known = view.known
    yield ""
    if known is None:
        yield "Known: target and database were not asked; a worker asks them when it starts."
    else:
        yield f"Known, as asked at {iso(known.asked_at)}:"
        yield from (plain(f"  {name}: {value}") for name, value in known.facts())
    lines = view.last_lines(LAST_LINES)
    if lines:
        yield "The log's end:"
        yield from (f"  {line.display(limit=300)}" for line in lines)


def _decisions(view: RunView) -> Iterator[str]:
    if view.approvals or view.run.verified_at is not None:
        yield ""
        yield "Decisions:"
    for one in view.approvals:
        why = f": {plain(one.reason)}" if one.reason else ""
        by = f" by {plain(one.decided_by)} at {iso(one.decided_at)}" if one.decided_by else ""
        yield f"  {one.purpose.value} {one.state.value}{by}{why} (plan {one.digest}, tier {one.tier})"
        yield from (f"    {vote_words(vote)}" for vote in view.votes_on(one))
    if view.run.verified_at is not None:
        by = plain(view.run.verified_by or "")
        yield f"  verified by {by} at {iso(view.run.verified_at)}: {plain(view.run.verified_reason or '')}"


def _findings(report: Mapping[str, object] | None) -> Iterator[str]:
    files = (report or {}).get("files")
    first = True
    for file in files if isinstance(files, list) else []:
        for finding in file.get("findings", []) if isinstance(file, dict) else []:
            if first:
                yield ""
                yield "Findings:"
                first = False
            place = f"{file.get('path')}:{finding.get('line')}"
            said = f"{finding.get('verdict')} {finding.get('rule')} ({finding.get('severity')})"
            yield plain(f"  {place}: {said}: {finding.get('message')}")
