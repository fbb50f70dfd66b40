"""`opconsole` alone: open the console on the workspace, with a worker behind it."""

from __future__ import annotations

import asyncio

from opconsole.app import read_keys, run_console
from opconsole.attention import NO_SIGNS, Signs
from opconsole.cli.asking import interactive
from opconsole.cli.output import CommandContext, ExitStatus
from opconsole.cli.worker import ensure_worker, worker_log
from opconsole.client import Client
from opconsole.journal.records import RequestKind
from opconsole.settings import SETTINGS_FILE
from opconsole.settings.load import read_settings_file
from opconsole.settings.locate import key_lines, line_of
from opconsole.workspace import Workspace


def open_console(context: CommandContext, *, read_only: bool = False) -> int:
    """Open the console on the workspace."""
    return open_console_on(context, context.workspace(), read_only=read_only)


def open_console_on(
    context: CommandContext, workspace: Workspace, *, start: str | None = None, read_only: bool = False
) -> int:
    """Open the console on a workspace, with a worker behind it; start the queue of the project *start*.

    A read-only one starts neither: it shows what others do.
    """
    if not interactive(context):
        context.warn("the console needs a terminal; opconsole status, queue list and history tell the same")
        return ExitStatus.USAGE
    told = workspace.settings.notifications
    signs = Signs(told.bell, told.desktop)
    return console_on(context, workspace, start=start, read_only=read_only, signs=signs)


def console_on(
    context: CommandContext,
    workspace: Workspace,
    *,
    start: str | None = None,
    read_only: bool = False,
    signs: Signs = NO_SIGNS,
) -> int:
    """Do the same wherever Textual draws: on a terminal, or on a page of a browser."""
    settings = workspace.settings
    read_only = read_only or settings.console.read_only
    keys, notes = read_keys(settings.console.keys, key_places(workspace))
    for note in notes:
        context.warn(note)  # it is read again when the console is left
    client = Client.open(workspace, read_only=read_only)
    try:
        if not read_only:
            _start(context, client, start)
        guard, countdown = settings.approvals.guard, settings.approvals.countdown
        status = run_console(
            client,
            guard=guard,
            countdown=countdown,
            keys=keys,
            notes=notes,
            signs=signs,
            crashes=client.place.root,
            theme=settings.console.theme,
        )
        if status:
            context.warn("a worker that was at work goes on without the console")
        return status
    finally:
        client.close()


def _start(context: CommandContext, client: Client, project: str | None) -> None:
    # Asked first: with nobody hosting, the client answers and takes the lock that a worker starts with.
    if project is not None:
        asyncio.run(client.ask(RequestKind.START, {"project": project}))
    if not ensure_worker(client.workspace, client.place):
        context.warn(f"the worker did not start; see {worker_log(client.place)}")


def key_places(workspace: Workspace) -> dict[str, str]:
    """Say where the settings give an action other keys: the file and the line, by the action's name."""
    wanted = workspace.settings.console.keys
    if not wanted:
        return {}
    lines = key_lines(read_settings_file(workspace.root / SETTINGS_FILE))
    found = {name: line_of(("console", "keys", name), lines) for name in wanted}
    return {name: f"{SETTINGS_FILE}:{line}" if line else SETTINGS_FILE for name, line in found.items()}
