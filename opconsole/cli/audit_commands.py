"""The commands below ``audit``, as thin functions that import what they do when they run."""
# ruff: noqa: PLC0415 - each command imports what it needs, so that --version and check load none of it

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from opconsole.cli.output import CommandContext

audit = typer.Typer(no_args_is_help=True, help="The chain of decisions and effects.")


@audit.command("show")
def audit_show(
    ctx: typer.Context,
    limit: Annotated[
        int | None, typer.Option("--limit", metavar="N", min=1, help="Only the newest N entries.")
    ] = None,
) -> int:
    """List the entries of the audit chain, oldest first."""
    from opconsole.cli.audit import show_audit

    return show_audit(_context(ctx), limit)


@audit.command("verify")
def audit_verify(
    ctx: typer.Context,
    checkpoint: Annotated[
        str | None,
        typer.Option(
            "--checkpoint", metavar="N:HASH", help="An entry noted earlier: shows what was cut off since."
        ),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option("--checkpoint-file", metavar="FILE", help="Checkpoints, beside those of the settings."),
    ] = None,
    signers: Annotated[
        Path | None,
        typer.Option("--signers", metavar="FILE", help="Allowed signers, in place of the settings'."),
    ] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Do not ask the git remote.")] = False,
) -> int:
    """Prove that no entry of the audit chain was edited, moved, taken out or cut off.

    It compares with every checkpoint that it can find, and tells where the clock was set back.
    """
    from opconsole.cli.audit_verify import verify_audit

    return verify_audit(_context(ctx), checkpoint, file, signers, offline=offline)


@audit.command("checkpoint")
def audit_checkpoint(
    ctx: typer.Context,
    to: Annotated[Path | None, typer.Option("--to", metavar="FILE", help="Append it to this file.")] = None,
    git: Annotated[
        str | None, typer.Option("--git", metavar="REMOTE", help="Push it to this git remote.")
    ] = None,
) -> int:
    """Note how far the audit chain goes where the journal is not; signed, where a key is configured.

    Without --to and --git it goes where the settings say.
    """
    from opconsole.cli.audit_verify import make_checkpoint

    return make_checkpoint(_context(ctx), to, git)


@audit.command("export")
def audit_export(
    ctx: typer.Context,
    form: Annotated[str, typer.Option("--format", metavar="jsonl|csv")] = "jsonl",
    file: Annotated[
        Path | None, typer.Option("--to", metavar="FILE", help="A new file. Default: standard output.")
    ] = None,
) -> int:
    """Write the whole audit chain as JSON lines, or as CSV that no spreadsheet runs."""
    from opconsole.cli.audit import export_audit

    return export_audit(_context(ctx), form, file)


def _context(ctx: typer.Context) -> CommandContext:
    if not isinstance(ctx.obj, CommandContext):
        raise TypeError("a command was called without its context")
    return ctx.obj
