"""`opconsole demo`: make a demo workspace and show the guide's cascade on it, really deployed."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from shlex import quote

from guardrails.sanitise import sanitise
from opconsole.cli.output import CommandContext, ExitStatus, interactive, plain
from opconsole.cli.run import run_queue
from opconsole.cli.worker import stop_worker
from opconsole.client import Client
from opconsole.demo import services
from opconsole.demo.errors import DemoError
from opconsole.demo.make import MARKER, PROJECT, DemoWorkspace, default_directory, make_demo
from opconsole.journal.records import RequestKind, Run
from opconsole.workspace import Workspace
from queues.states import RunState

ROUNDS = 20
"""Decisions that the demo's own operator takes at most."""


def run_demo(context: CommandContext, directory: Path | None, *, headless: bool, yes: bool) -> int:
    """Make a demo workspace, or go on with one, and open it; headless, run its cascade."""
    try:
        place = (directory or default_directory()).expanduser().resolve()
        doing = "opening" if (place / MARKER).exists() else "making"
        context.say(f"{doing} the demo workspace in {plain(str(place))} …")
        (context.stderr if context.json else context.stdout).flush()
        demo = make_demo(place)
    except DemoError as error:
        context.warn(str(error))
        return ExitStatus.USAGE
    context = replace(context, directory=demo.directory)  # so that every hint names the demo
    workspace = Workspace.open(demo.directory)
    if headless or not interactive(context):
        return asyncio.run(_headless(context, workspace, demo, yes=yes))
    # Imported here: only a person at a terminal needs the screens.
    from opconsole.cli.console import open_console_on  # noqa: PLC0415

    status = open_console_on(context, workspace, start=PROJECT)
    context.say(f"The demo is in {plain(str(demo.directory))}; its services go on running.")
    context.say(f"  open it again:  {context.program} -C {quote(str(demo.directory))}")
    context.say(f"  end it:         {context.program} demo --stop {quote(str(demo.directory))}")
    return status


def stop_demo(context: CommandContext, directory: Path) -> int:
    """End a demo's services and its worker."""
    try:
        stopped = services.stop_demo(directory, stop_worker=stop_worker)
    except DemoError as error:
        context.warn(str(error))
        return ExitStatus.USAGE
    for one in stopped:
        context.say(f"{one.environment}: {sanitise(one.message, single_line=True)}")
    return ExitStatus.DONE if all(one.ok for one in stopped) else ExitStatus.FAILED


async def _headless(context: CommandContext, workspace: Workspace, demo: DemoWorkspace, *, yes: bool) -> int:
    client = await asyncio.to_thread(Client.open, workspace)
    try:
        status = await run_queue(context, workspace, client, PROJECT, None, ask=False)
        for _ in range(ROUNDS if yes else 0):
            if not await _decide_as_operator(context, client):
                break
            status = await run_queue(context, workspace, client, PROJECT, None, ask=False)
        if yes:
            await _verify_as_operator(context, client)
            return ExitStatus.DONE if await _all_succeeded(client) else max(status, ExitStatus.FAILED)
        _say_what_next(context, demo)
        return ExitStatus.DONE
    finally:
        client.close()


async def _decide_as_operator(context: CommandContext, client: Client) -> bool:
    """Approve what waits, as a person would who has read the plan."""
    decided = False
    for approval in await asyncio.to_thread(client.reader.waiting_approvals):
        run = await asyncio.to_thread(client.reader.run, approval.run)
        if run is None:
            continue
        payload = {
            "run": run.id,
            "plan": approval.digest,
            "reason": "the demo's operator approves",
            "environment": run.environment,
        }
        answer = await client.ask(RequestKind.APPROVE, payload)
        context.say(f"demo operator: {answer.text}")
        decided = decided or answer.granted
    return decided


async def _verify_as_operator(context: CommandContext, client: Client) -> None:
    for run in await asyncio.to_thread(client.reader.history, PROJECT, "production"):
        if run.state is RunState.SUCCEEDED and run.verified_at is None:
            payload = {"run": run.id, "reason": "the demo's operator looked at the service"}
            answer = await client.ask(RequestKind.VERIFY, payload)
            context.say(f"demo operator: {answer.text}")


async def _all_succeeded(client: Client) -> bool:
    runs: dict[tuple[str, str], Run] = await asyncio.to_thread(client.reader.latest_runs)
    return bool(runs) and all(run.state is RunState.SUCCEEDED for run in runs.values())


def _say_what_next(context: CommandContext, demo: DemoWorkspace) -> None:
    context.say(f"\nThe demo workspace is {plain(str(demo.directory))}. What next:")
    context.say(f"  see what waits, and how to approve it:  {context.command('approvals')}")
    context.say(f"  go on with what was approved:           {context.command(f'run --project {PROJECT}')}")
    for file in demo.next_files:
        add = context.command(f"queue add {quote(str(file))}")
        context.say(f"  after that, try {file.name}:  {add}")
    context.say(f"  open the console:  {context.program} -C {quote(str(demo.directory))}")
    context.say(f"  end its services:  {context.program} demo --stop {quote(str(demo.directory))}")
    for environment in demo.environments:
        context.say(f"  {environment.name}: {environment.url}")
