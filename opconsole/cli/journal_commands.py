"""The commands below ``journal``, as thin functions that import what they do when they run."""
# ruff: noqa: PLC0415 - each command imports what it needs, so that --version and check load none of it

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from opconsole.cli.output import CommandContext

journal = typer.Typer(no_args_is_help=True, help="The record of all runs.")


@journal.command("backup")
def journal_backup(
    ctx: typer.Context,
    file: Annotated[Path | None, typer.Argument(metavar="[FILE]", help="Default: a new file here.")] = None,
) -> int:
    """Write a checked copy of the journal; nobody need stop."""
    from opconsole.cli.journal import backup_journal

    return backup_journal(_context(ctx), file)


@journal.command("check")
def journal_check(
    ctx: typer.Context,
    quick: Annotated[bool, typer.Option("--quick", help="Leave the indexes out; faster.")] = False,
) -> int:
    """Say whether the journal is whole, its audit chain unbroken, and its rows agree."""
    from opconsole.cli.journal import check_journal

    return check_journal(_context(ctx), quick=quick)


@journal.command("prune")
def journal_prune(
    ctx: typer.Context,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be removed.")] = False,
) -> int:
    """Remove logs and copies of old runs that nothing needs, by the settings; the worker does it daily."""
    from opconsole.cli.journal import prune_journal

    return prune_journal(_context(ctx), dry_run=dry_run)


@journal.command("outbox")
def journal_outbox(ctx: typer.Context) -> int:
    """List what waits to be written into files or told to people, and why."""
    from opconsole.cli.journal import show_outbox

    return show_outbox(_context(ctx))


def _context(ctx: typer.Context) -> CommandContext:
    if not isinstance(ctx.obj, CommandContext):
        raise TypeError("a command was called without its context")
    return ctx.obj
