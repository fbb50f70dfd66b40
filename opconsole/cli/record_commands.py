"""The commands ``history``, ``metrics`` and ``exempt``, as thin functions that import late."""
# ruff: noqa: PLC0415 - each command imports what it needs, so that --version and check load none of it

from __future__ import annotations

from typing import Annotated

import typer

from opconsole.cli.output import CommandContext

record = typer.Typer()

ProjectOption = Annotated[str | None, typer.Option("--project", help="Only this project.")]
EnvironmentOption = Annotated[str | None, typer.Option("--environment", metavar="E")]


@record.command()
def history(
    ctx: typer.Context,
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[WORD...]",
            help="Only what matches all words: text, or state: env: project: task: kind: action: version: "
            "who: run: since: until: took:, for example state:failed env:prod since:7d took:>5m. "
            "not: before a word takes away what it finds.",
        ),
    ] = None,
    project: ProjectOption = None,
    environment: EnvironmentOption = None,
    limit: Annotated[int, typer.Option("--limit", metavar="N", min=1, help="The newest N runs.")] = 1000,
) -> int:
    """List the runs, newest first."""
    from opconsole.cli.history import show_history

    return show_history(_context(ctx), words or [], project, environment, limit)


@record.command()
def metrics(
    ctx: typer.Context,
    project: ProjectOption = None,
    environment: EnvironmentOption = None,
    since: Annotated[
        str | None,
        typer.Option("--since", metavar="DATE", help="Runs that ended since; or 30d ago. Default: all."),
    ] = None,
    form: Annotated[str, typer.Option("--format", metavar="text|json|prometheus")] = "text",
) -> int:
    """Count deployments, rollbacks, migrations, violations, and how long things take."""
    from opconsole.cli.metrics import show_metrics

    return show_metrics(_context(ctx), project, environment, since, form)


@record.command()
def exempt(
    ctx: typer.Context,
    place: Annotated[str, typer.Argument(metavar="PATH:LINE", help="As `check` prints it.")],
    rule: Annotated[str, typer.Argument(metavar="RULE")],
    reason: Annotated[str, typer.Argument(metavar="REASON", help="It stands in the code and in reports.")],
    until: Annotated[
        str | None, typer.Option("--until", metavar="DATE", help="The last day, such as 2027-01-31.")
    ] = None,
    *,
    project: Annotated[str | None, typer.Option("--project", help="Where the file is in several.")] = None,
    environment: Annotated[
        str | None, typer.Option("--environment", metavar="E", help="Judged for it. Default: production.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Write it without asking.")] = False,
) -> int:
    """Exempt a finding: shows the diff of the comment, asks, and writes it into the project's folder."""
    from opconsole.cli.exempt import exempt_finding

    wish = reason, until
    return exempt_finding(_context(ctx), place, rule, wish, project=project, environment=environment, yes=yes)


def _context(ctx: typer.Context) -> CommandContext:
    if not isinstance(ctx.obj, CommandContext):
        raise TypeError("a command was called without its context")
    return ctx.obj
