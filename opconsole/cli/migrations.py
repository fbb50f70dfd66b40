"""The commands that look at migrations, and change nothing: ``migrations show``, ``sql`` and ``validate``."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import closing
from typing import TypeVar

from guardrails.environments import resolve_environment
from guardrails.findings import Report, Verdict
from guardrails.reports import check_report
from guardrails.sanitise import sanitise
from opconsole.cli.output import CommandContext, ExitStatus, UsageError, counted, plain, table
from opconsole.reading import open_reading
from opconsole.settings.model import STRICTNESS
from opconsole.steps import StepFailed
from opconsole.surroundings import Site
from opconsole.surveying import Looked, Looking, look
from opconsole.workspace import Workspace

T = TypeVar("T")


def show_migrations(context: CommandContext, project: str, environment: str, version: str | None) -> int:
    """Show where an environment's database stands, and which migrations a task would run."""

    async def find(looking: Looking) -> Looked:
        return await looking.way(None)

    looked = _look(context, project, environment, version, find)
    if isinstance(looked, str):
        return _failed(context, looked)
    way = looked.way
    if context.json:
        context.document(
            {
                "project": project,
                "environment": way.site.environment,
                "database": way.database,
                "version": looked.source.version,
                "commit": looked.source.commit,
                "revision": looked.revision,
                "head": way.end,
                "reversible": way.reversible,
                "migrations": [step.to_json() for step in way.steps],
            }
        )
        return ExitStatus.DONE
    context.say(f"{plain(way.database)} stands at {plain(looked.revision)}")
    source = f"{looked.source.version} ({looked.source.commit[:19]})"
    if not way.steps:
        context.say(f"That is the head of {plain(source)}: there is nothing to run.")
        return ExitStatus.DONE
    context.say(f"To {plain(way.end)}, the head of {plain(source)}, {counted(len(way.steps), 'migration')}:")
    rows = [
        (plain(step.revision), "yes" if step.reversible else "no", plain(step.path), plain(step.description))
        for step in way.steps
    ]
    context.say(table(["REVISION", "REVERSIBLE", "FILE", "DESCRIPTION"], rows, context.width))
    words = f"migrations sql {project} {way.site.environment}"
    context.say(f"Their SQL: {context.command(words)}")
    return ExitStatus.DONE


def show_sql(
    context: CommandContext,
    project: str,
    environment: str,
    version: str | None,
    *,
    to: str | None,
    back: bool,
) -> int:
    """Print the SQL that migrating would run, from where the database stands; nothing is run."""

    async def find(looking: Looking) -> tuple[Looked, str]:
        looked = await looking.way(to, back=back)
        return looked, await looking.sql(looked)

    found = _look(context, project, environment, version, find)
    if isinstance(found, str):
        return _failed(context, found)
    looked, sql = found
    way = looked.way
    start, end = (way.end, way.start) if looked.back else (way.start, way.end)
    if context.json:
        context.document({"from": start, "to": end, "sql": sql})
        return ExitStatus.DONE
    if not way.steps:
        context.warn(f"{plain(way.database)} stands at {plain(looked.revision)}: there is nothing to run.")
        return ExitStatus.DONE
    told = f"What {counted(len(way.steps), 'migration')} would run, from {plain(start)} to {plain(end)}"
    context.warn(f"{told}; nothing was run.")
    context.say(sanitise(sql).rstrip("\n"))
    return ExitStatus.DONE


def validate_migrations(
    context: CommandContext, projects: Sequence[str], environment: str | None, version: str | None
) -> int:
    """Check all migrations of projects for an environment: no deployment, no database.

    Without an *environment*, each project's strictest one.
    """
    workspace = context.workspace()
    wanted = projects or [name for name, one in workspace.settings.projects.items() if one.migrations]
    if not wanted:
        context.warn("No project has [projects.….migrations]: there is nothing to validate.")
        return ExitStatus.DONE
    documents: list[object] = []
    worst = ExitStatus.DONE

    async def find(looking: Looking) -> Report:
        return (await asyncio.to_thread(looking.check)).report

    for project in wanted:
        report = _look(context, project, environment or _strictest(workspace, project), version, find)
        if isinstance(report, str):
            documents.append({"project": project, "verdict": "block", "error": report})
            context.warn(f"{plain(project)}: {plain(report)}")
            worst = worst if worst is ExitStatus.BLOCKED else ExitStatus.FAILED
            continue
        documents.append({"project": project, **report.to_json()})
        if report.verdict is Verdict.BLOCK:
            worst = ExitStatus.BLOCKED
        if not context.json:
            context.say(f"{plain(project)}, {counted(len(report.files), 'migration')}, {report.environment}:")
            context.say(check_report(report).rstrip("\n"))
    if context.json:
        context.document(documents)
    return worst


def _strictest(workspace: Workspace, project: str) -> str:
    """Name the project's environment whose gate is the strictest; the last one of several."""
    places = workspace.environments(project)
    if not places:
        raise UsageError(f"{plain(project)} has no environment yet; add one to opconsole.toml")
    return max(reversed(list(places)), key=lambda name: STRICTNESS.index(places[name]))


def _look(
    context: CommandContext,
    project: str,
    environment: str,
    version: str | None,
    find: Callable[[Looking], Awaitable[T]],
) -> T | str:
    """Find something out about an environment's migrations; a text says why that was not possible."""
    workspace = context.workspace()
    name = resolve_environment(environment, workspace.environments(project))
    serving = _serving(workspace, project, name) if version is None else None
    site = Site(workspace, context.environ, project, name)

    async def ask() -> T:
        async with look(site, version.removeprefix("v") if version else None, serving=serving) as looking:
            if looking.source.note:
                context.warn(plain(looking.source.note))
            return await find(looking)

    try:
        return asyncio.run(ask())
    except StepFailed as failure:
        return failure.reason


def _serving(workspace: Workspace, project: str, environment: str) -> str | None:
    with closing(open_reading(workspace)) as reading:
        views = reading.environments()
    return next(
        (view.version for view in views if (view.project, view.environment) == (project, environment)), None
    )


def _failed(context: CommandContext, reason: str) -> int:
    context.warn(sanitise(reason))
    return ExitStatus.FAILED
