"""The commands ``doctor`` and ``serve``, as thin functions that import what they do when they run."""
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


@setup.command()
def serve(
    ctx: typer.Context,
    *,
    host: Annotated[
        str, typer.Option("--host", metavar="HOST", help="An address of loopback.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", metavar="N", min=0, max=65535, help="Default: 0, any free one.")
    ] = 0,
    write: Annotated[
        bool, typer.Option("--write", help="Allow changes; without it the pages only show.")
    ] = False,
) -> int:
    """Show the console in a browser of this machine, read-only unless asked otherwise."""
    from opconsole.cli.serve import serve_console

    return serve_console(_context(ctx), host=host, port=port, write=write)


@setup.command("serve-page", hidden=True)
def serve_page(ctx: typer.Context, write: Annotated[bool, typer.Option("--write")] = False) -> int:
    """Be the console of one page of a browser; opconsole serve starts it."""
    from opconsole.cli.serve import be_page

    return be_page(_context(ctx), write=write)


def _context(ctx: typer.Context) -> CommandContext:
    if not isinstance(ctx.obj, CommandContext):
        raise TypeError("a command was called without its context")
    return ctx.obj
