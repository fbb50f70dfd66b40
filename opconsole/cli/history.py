"""The command ``history``: runs, newest first, filtered by the words of the history screen."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime

from guardrails.environments import GateKind, resolve_environment
from opconsole.cli.output import CommandContext, ExitStatus, UsageError, duration_text, plain, table
from opconsole.cli.shapes import line_json, seconds_between
from opconsole.cli.show import verification
from opconsole.clock import iso
from opconsole.history import decided_words, search
from opconsole.journal.run_lines import Span
from opconsole.reading import open_reading
from opconsole.run_filter import FilterError, PastRun, read_filter
from opconsole.workspace import AWS, Workspace


def show_history(
    context: CommandContext, words: Sequence[str], project: str | None, environment: str | None, limit: int
) -> int:
    """List the runs that all words let through, newest first."""
    workspace = context.workspace()
    if project is not None:
        workspace.project(project)
    span = Span(project, named_environment(workspace, project, environment))
    try:
        wanted = read_filter(" ".join(_whole(word) for word in words), datetime.now(UTC))
    except FilterError as error:
        raise UsageError(plain(str(error))) from error
    with closing(open_reading(workspace)) as reading:
        found: list[PastRun] = []
        if reading.reader is not None:
            alive = reading.worker_alive
            found = list(search(workspace, reading.reader, wanted, limit, worker_alive=alive, span=span))
    if context.json:
        context.document([line_json(run) for run in found])
        return ExitStatus.DONE
    if not found and wanted.tests:
        context.say("No run matches all of these words.")
        return ExitStatus.DONE
    if not found:
        context.say(f"Nothing has run yet; `{context.command('run --project P')}` starts a queue.")
        return ExitStatus.DONE
    context.say(table(_HEADINGS, [_row(context, run) for run in found], context.width))
    return ExitStatus.DONE


def named_environment(workspace: Workspace, project: str | None, environment: str | None) -> str | None:
    """Give the environment that a name or alias means. Raises UnknownEnvironmentError."""
    if environment is None or environment == AWS:
        return environment
    projects = [project] if project is not None else list(workspace.settings.projects)
    defined: dict[str, GateKind] = {}
    for one in projects:
        defined.update(workspace.environments(one))
    return resolve_environment(environment, defined)


def _whole(word: str) -> str:
    """Keep together what the shell kept together: ``"lock timeout"`` is one word."""
    minus, rest = ("not:", word[4:]) if word.startswith("not:") else ("", word)
    if not any(character.isspace() for character in rest) or '"' in rest:
        return minus + rest
    name, colon, value = rest.partition(":")
    return f'{minus}{name}:"{value}"' if colon and " " not in name else f'{minus}"{rest}"'


def _row(context: CommandContext, past: PastRun) -> tuple[str, ...]:
    line, run = past.line, past.line.run
    when = iso(line.when) or ""
    return (
        f"{when[:10]} {when[11:19]}Z",
        plain(run.project),
        plain(run.task),
        str(run.attempt),
        plain(run.environment),
        plain(run.version or "-"),
        context.state(past.state) + verification(run, unverified=past.unverified),
        duration_text(seconds_between(run.started_at, run.finished_at)),
        duration_text(line.worked),
        duration_text(line.waited) if line.waited else "",
        plain(decided_words(line)),
        run.id,
        plain(run.reason),
    )


_HEADINGS = (
    "WHEN",
    "PROJECT",
    "TASK",
    "ATTEMPT",
    "ENVIRONMENT",
    "VERSION",
    "STATE",
    "TOOK",
    "AT WORK",
    "WAITED",
    "DECIDED BY",
    "RUN",
    "REASON",
)
