"""The command ``report``: the story of one run — plan, steps, decisions, findings, and where things stand."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

from opconsole.cli.output import CommandContext, ExitStatus, UsageError, plain, table
from opconsole.cli.shapes import report_json
from opconsole.clock import iso
from opconsole.reading import open_reading
from opconsole.run_report import TAIL, RunReport, make_report, markdown
from opconsole.view_making import is_unverified
from opconsole.views import RunView

LAST_LINES = 8
"""Lines of the log that are laid out before a decision."""

FORMS = ("text", "markdown", "json")


def show_report(context: CommandContext, task: str, form: str) -> int:
    """Tell the story of a run."""
    if form not in FORMS:
        raise UsageError(f"{form!a} is no format; allowed: {', '.join(FORMS)}")
    workspace = context.workspace()
    with closing(open_reading(workspace)) as reading:
        view = reading.run(reading.find_run(task).id)
        if view is None or reading.reader is None:
            raise UsageError(f"{plain(task)} is gone from the journal")
        serving = reading.reader.current_release(view.run.project, view.run.environment)
    unverified = is_unverified(workspace, view.run)
    if context.json or form == "json":
        context.document(report_json(view, unverified=unverified))
        return ExitStatus.DONE
    report = make_report(view, serving, view.last_lines(TAIL), unverified=unverified)
    if form == "markdown":
        context.stdout.write(markdown(report))
        return ExitStatus.DONE
    for line in _lines(context, report):
        context.say(line)
    context.say(f"\nlog: {plain(str(view.log))}")
    return ExitStatus.DONE


def _lines(context: CommandContext, report: RunReport) -> Iterator[str]:
    yield report.title
    yield from report.lines
    for part in report.parts:
        yield ""
        if part.columns:
            yield table(tuple(column.upper() for column in part.columns), list(part.rows), context.width)
        else:
            yield f"{part.heading}:"
            yield from (f"  {line}" for line in part.lines)


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
