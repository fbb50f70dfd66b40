"""`opconsole` alone: open the console on the workspace, with a worker behind it."""

from __future__ import annotations

import asyncio

from opconsole.app import run_console
from opconsole.cli.asking import interactive
from opconsole.cli.output import CommandContext, ExitStatus
from opconsole.cli.worker import ensure_worker, worker_log
from opconsole.client import Client
from opconsole.journal.records import RequestKind
from opconsole.workspace import Workspace


def open_console(context: CommandContext) -> int:
    """Open the console on the workspace."""
    return open_console_on(context, context.workspace())


def open_console_on(context: CommandContext, workspace: Workspace, *, start: str | None = None) -> int:
    """Open the console on a workspace, with a worker behind it; start the queue of the project *start*."""
    if not interactive(context):
        context.warn("the console needs a terminal; opconsole status, queue list and history tell the same")
        return ExitStatus.USAGE
    client = Client.open(workspace)
    try:
        # Asked first: with nobody hosting, the client answers and takes the lock that a worker starts with.
        if start is not None:
            asyncio.run(client.ask(RequestKind.START, {"project": start}))
        if not ensure_worker(workspace, client.place):
            context.warn(f"the worker did not start; see {worker_log(client.place)}")
        approvals = workspace.settings.approvals
        return run_console(client, guard=approvals.guard, countdown=approvals.countdown)
    finally:
        client.close()
