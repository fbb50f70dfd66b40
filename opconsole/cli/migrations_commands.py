"""The names, arguments and options of the commands about migrations; what they do is loaded when they run."""
# ruff: noqa: PLC0415 - each command imports what it needs, so that --version and check load none of it

from __future__ import annotations

from typing import Annotated

import typer

from opconsole.cli.output import CommandContext

migrations = typer.Typer(no_args_is_help=True, help="Look at migrations; nothing is changed.")

ProjectName = Annotated[str, typer.Argument(metavar="PROJECT")]
EnvironmentName = Annotated[str, typer.Argument(metavar="ENVIRONMENT")]
Version = Annotated[
    str | None,
    typer.Option("--at", metavar="VERSION", help="Default: the version that serves there, else HEAD."),
]


@migrations.command("show")
def show(
    ctx: typer.Context, project: ProjectName, environment: EnvironmentName, version: Version = None
) -> int:
    """Show where a database stands, and which migrations a task would run."""
    from opconsole.cli.migrations import show_migrations

    return show_migrations(_context(ctx), project, environment, version)


@migrations.command("sql")
def sql(
    ctx: typer.Context,
    project: ProjectName,
    environment: EnvironmentName,
    *,
    to: Annotated[
        str | None,
        typer.Option("--to", metavar="REVISION", help="Default: the head; with --back the one below."),
    ] = None,
    back: Annotated[bool, typer.Option("--back", help="The SQL of going back.")] = False,
    version: Version = None,
) -> int:
    """Print the SQL that migrating would run, as the project's own Alembic writes it."""
    from opconsole.cli.migrations import show_sql

    return show_sql(_context(ctx), project, environment, version, to=to, back=back)


@migrations.command("validate")
def validate(
    ctx: typer.Context,
    projects: Annotated[list[str] | None, typer.Argument(metavar="[PROJECT...]")] = None,
    environment: Annotated[
        str | None,
        typer.Option("--environment", metavar="E", help="For whose rules. Default: the strictest there is."),
    ] = None,
    version: Version = None,
) -> int:
    """Check all migrations of all projects, or of those named, with no deployment and no database."""
    from opconsole.cli.migrations import validate_migrations

    return validate_migrations(_context(ctx), projects or [], environment, version)


def _context(ctx: typer.Context) -> CommandContext:
    if not isinstance(ctx.obj, CommandContext):
        raise TypeError("a command was called without its context")
    return ctx.obj
