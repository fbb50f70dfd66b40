"""The command ``doctor``, as a thin function that imports what it does when it runs."""
# ruff: noqa: PLC0415 - each command imports what it needs, so that --version and check load none of it

from __future__ import annotations

from typing import Annotated

import typer

from opconsole.cli.output import CommandContext

setup = typer.Typer()


@setup.command()
def doctor(
    ctx: typer.Context,
    everything: Annotated[bool, typer.Option("--all", help="Also list what is well.")] = False,
    online: Annotated[bool, typer.Option("--online", help="Also ask AWS whose account it is.")] = False,
) -> int:
    """Check the set-up: settings, programs, targets, databases, journal, terminal; each with a fix."""
    from opconsole.cli.doctor import see_doctor

    return see_doctor(_context(ctx), everything=everything, online=online)


def _context(ctx: typer.Context) -> CommandContext:
    if not isinstance(ctx.obj, CommandContext):
        raise TypeError("a command was called without its context")
    return ctx.obj
