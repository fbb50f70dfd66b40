"""The commands for sentences and for completion, as thin functions that import what they do when they run."""
# ruff: noqa: PLC0415 - each command imports what it needs, so that --version and check load none of it

from __future__ import annotations

from typing import Annotated

import typer

from opconsole.cli.output import CommandContext

sentences = typer.Typer()


@sentences.command("do")
def do_sentence(
    ctx: typer.Context,
    prompt: Annotated[
        list[str],
        typer.Argument(metavar="PROMPT", help='A sentence, "Deploy shop 1.2.3 to dev"; - reads one a line.'),
    ],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show the tasks.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Add and start them without asking.")] = False,
) -> int:
    """Turn a sentence into tasks, show them, and add and start them."""
    from opconsole.cli.do import do as act

    return act(_context(ctx), prompt, dry_run=dry_run, yes=yes)


@sentences.command()
def promote(
    ctx: typer.Context,
    project: Annotated[str, typer.Argument(metavar="PROJECT")],
    source: Annotated[str, typer.Argument(metavar="FROM")],
    target: Annotated[str, typer.Argument(metavar="TO")],
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show the task.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Add and start it without asking.")] = False,
) -> int:
    """Deploy the version that one environment runs to another."""
    from opconsole.cli.do import promote as act

    return act(_context(ctx), project, source, target, dry_run=dry_run, yes=yes)


@sentences.command()
def completion(ctx: typer.Context, shell: Annotated[str, typer.Argument(metavar="bash|zsh|fish")]) -> int:
    """Print the script that completes opconsole's command lines in a shell."""
    from opconsole.cli.completing import print_script

    return print_script(_context(ctx), shell)


@sentences.command("complete", hidden=True)
def complete_line(ctx: typer.Context, line: Annotated[str, typer.Argument(metavar="LINE")]) -> int:
    """Print what could stand at the end of LINE, for the shell's completion script."""
    from opconsole.cli.completing import print_candidates

    return print_candidates(_context(ctx), ctx.find_root().command, line)


def _context(ctx: typer.Context) -> CommandContext:
    if not isinstance(ctx.obj, CommandContext):
        raise TypeError("a command was called without its context")
    return ctx.obj
