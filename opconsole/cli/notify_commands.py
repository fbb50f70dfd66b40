"""The commands below ``notify``, as thin functions that import what they do when they run."""
# ruff: noqa: PLC0415 - each command imports what it needs, so that --version and check load none of it

from __future__ import annotations

from typing import Annotated

import typer

from opconsole.cli.output import CommandContext

notify = typer.Typer(no_args_is_help=True, help="Who is told of what, and whether it arrives.")


@notify.command("test")
def notify_test(
    ctx: typer.Context,
    channel: Annotated[str | None, typer.Argument(metavar="[CHANNEL]", help="Default: all of them.")] = None,
) -> int:
    """Send a message to a channel of the settings, or to all, and say whether it was taken."""
    from opconsole.cli.notify import try_channels

    return try_channels(_context(ctx), channel)


@notify.command("channels")
def notify_channels(ctx: typer.Context) -> int:
    """List the channels of the settings and what each is told."""
    from opconsole.cli.notify import list_channels

    return list_channels(_context(ctx))


def _context(ctx: typer.Context) -> CommandContext:
    if not isinstance(ctx.obj, CommandContext):
        raise TypeError("a command was called without its context")
    return ctx.obj
