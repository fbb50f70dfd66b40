"""`opconsole` alone: open the console on the workspace, with a worker behind it."""

from __future__ import annotations

import asyncio
import signal
from contextlib import ExitStack
from typing import TYPE_CHECKING

from opconsole.app import read_keys, run_console
from opconsole.attention import NO_SIGNS, Signs
from opconsole.cli.output import CommandContext, ExitStatus, interactive
from opconsole.journal.location import locate
from opconsole.opening import Opening
from opconsole.operators import operator_name
from opconsole.settings import SETTINGS_FILE
from opconsole.settings.load import read_settings_file
from opconsole.settings.locate import key_lines, line_of
from opconsole.workspace import Workspace

if TYPE_CHECKING:
    from opconsole.client import Client


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
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        # As under nohup. A console whose terminal is gone has nothing to do: it would read its end for ever.
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
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
    place = locate(workspace.root, create=True)
    guard, countdown = settings.approvals.guard, settings.approvals.countdown
    with ExitStack() as closing:
        warnings: list[str] = []

        def opened() -> Client:
            from opconsole.client import Client  # noqa: PLC0415 (loads the journal, behind the first picture)

            client = Client.open(workspace, read_only=read_only)
            closing.callback(client.close)
            return client

        def look_after(client: Client) -> str:
            wrong = "" if read_only else _look_after_worker(client, start)
            warnings.extend([wrong] if wrong else [])
            return wrong

        status = run_console(
            Opening(operator_name(), opened, look_after, read_only=read_only),
            guard=guard,
            countdown=countdown,
            keys=keys,
            notes=notes,
            signs=signs,
            crashes=place.root if place else None,
            theme=settings.console.theme,
        )
        for warning in warnings:
            context.warn(warning)
        if status:
            context.warn("a worker that was at work goes on without the console")
        return status


def _look_after_worker(client: Client, project: str | None) -> str:
    """Start the queue of a project, and a worker where none is alive; say what is wrong, if anything is."""
    from opconsole.cli.worker import ensure_worker, worker_log  # noqa: PLC0415 (as above)
    from opconsole.journal.records import RequestKind  # noqa: PLC0415

    # Asked first: with nobody hosting, the client answers and takes the lock that a worker starts with.
    if project is not None:
        asyncio.run(client.ask(RequestKind.START, {"project": project}))
    if not ensure_worker(client.workspace, client.place):
        return f"the worker did not start; see {worker_log(client.place)}"
    return ""


def key_places(workspace: Workspace) -> dict[str, str]:
    """Say where the settings give an action other keys: the file and the line, by the action's name."""
    wanted = workspace.settings.console.keys
    if not wanted:
        return {}
    lines = key_lines(read_settings_file(workspace.root / SETTINGS_FILE))
    found = {name: line_of(("console", "keys", name), lines) for name in wanted}
    return {name: f"{SETTINGS_FILE}:{line}" if line else SETTINGS_FILE for name, line in found.items()}
