"""The commands about provisioning, as thin functions that import what they do when they run."""
# ruff: noqa: PLC0415 - each command imports what it needs, so that --version and check load none of it

from __future__ import annotations

from typing import Annotated

import typer

from opconsole.cli.output import CommandContext

provision = typer.Typer(no_args_is_help=True, help="AWS resources with a business case.")


@provision.command("plan")
def plan(
    ctx: typer.Context,
    what: Annotated[
        str, typer.Argument(metavar="TASK|FILE|-", help="A task of a queue, or a file with one entry.")
    ],
    project: Annotated[str | None, typer.Option("--project", help="Whose entry the file holds.")] = None,
) -> int:
    """Show what a request would come to: its document, its cost and its template. AWS is not asked."""
    from opconsole.cli.provision import provision_plan

    if not isinstance(ctx.obj, CommandContext):
        raise TypeError("a command was called without its context")
    return provision_plan(ctx.obj, what, project)
