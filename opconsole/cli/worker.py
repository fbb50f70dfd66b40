"""`opconsole worker`: the engine as a service for all projects of the workspace; starting and ending one."""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from opconsole.cli.output import CommandContext, ExitStatus
from opconsole.journal.hosting import HostLock, holder, host_alive
from opconsole.journal.location import JournalPlace, locate
from opconsole.journal.wake import changes
from opconsole.operators import operator_name
from opconsole.systemd import Notifier
from opconsole.workspace import Workspace
from queues.outcomes import TaskState

if TYPE_CHECKING:  # whoever only starts one needs no engine
    from opconsole.engine import Engine

STOP_PATIENCE = 30.0
"""Seconds to wait for a worker to end."""

BRIEF_HOLD = 2.0
"""Seconds for which a command may hold the host lock to answer its own request."""

BRIEF_LOOK = 0.3
"""Seconds after which whoever still holds the host lock is taken for a worker."""

START_PATIENCE = 15.0
"""Seconds to wait for a worker to take the workspace's lock."""


def run_worker(context: CommandContext, *, stop: bool) -> int:
    """Be the worker of the workspace until it is told to end; or tell the present one to."""
    workspace = context.workspace()
    if stop:
        stopped = stop_worker(workspace.root)
        context.say("the worker has ended" if stopped else "no worker is alive for this workspace")
        return ExitStatus.DONE
    from opconsole.preload import preload  # noqa: PLC0415 (loads all that a worker may need)

    with contextlib.suppress(AttributeError, OSError, RuntimeError, ValueError):  # where stderr is no file
        faulthandler.enable()  # a crash of the interpreter itself leaves word in the worker's log
    systemd = Notifier.taken_from(os.environ)
    systemd.tell("STATUS=takes the workspace's lock")
    preload()
    place = _place(workspace)
    lock = take_lock(place)
    if lock is None:
        context.warn("a worker is alive for this workspace already; stop it with: opconsole worker --stop")
        return ExitStatus.FAILED
    with lock:
        context.say(f"worker of {workspace.root}, process {os.getpid()}; TERM ends it")
        asyncio.run(_serve(workspace, place, lock, context, systemd))
    return ExitStatus.DONE


def _place(workspace: Workspace) -> JournalPlace:
    place = locate(workspace.root, create=True)
    if place is None:
        raise LookupError(f"there is no journal for {workspace.root}")
    return place


def end_at_once(error: BaseException) -> None:
    """End this process because its journal cannot be written any more; the next one reads back.

    At once, and not by unwinding: that would cancel the runs' tasks, and with them stop the programs that the
    next process adopts.
    """
    try:
        sys.stderr.write(f"opconsole: the journal cannot be written any more: {error}\n")
        sys.stderr.flush()
    finally:  # what keeps the journal from being written may keep this line from it, too
        os._exit(ExitStatus.FAILED)


def take_lock(place: JournalPlace) -> HostLock | None:
    """Take the host lock; a command that holds it for a moment, to answer its own request, is waited for."""
    deadline = time.monotonic() + BRIEF_HOLD
    while (lock := HostLock.try_acquire(place)) is None and time.monotonic() < deadline:
        time.sleep(0.05)
    return lock


async def _serve(
    workspace: Workspace, place: JournalPlace, lock: HostLock, context: CommandContext, systemd: Notifier
) -> None:
    from opconsole.engine import Engine  # noqa: PLC0415 (whoever only starts a worker needs none)
    from opconsole.host import open_host  # noqa: PLC0415

    async with open_host(workspace, place, operator=operator_name(), on_fatal=end_at_once) as host:
        engine = Engine(host, lock)
        loop = asyncio.get_running_loop()

        def stop() -> None:
            systemd.tell("STOPPING=1", "STATUS=ends; running steps are left for the next worker")
            engine.stop()

        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop)
        loop.add_signal_handler(signal.SIGHUP, lambda: None)  # its terminal's end is not its own
        await engine.prepare()
        await engine.start_recorded()
        systemd.tell("READY=1", f"STATUS={_standing(engine)}")
        telling = asyncio.ensure_future(_keep_telling(engine, systemd))
        left = await engine.serve()
        telling.cancel()
        await asyncio.gather(telling, return_exceptions=True)
        if left:
            context.say(f"{left} runs are left as they are; they go on when a worker starts again")
            context.stdout.flush()
            await asyncio.to_thread(host.journal.close)
            # A normal end would cancel the runs' tasks, and with them stop the programs that are to go on.
            os._exit(ExitStatus.DONE)


async def _keep_telling(engine: Engine, systemd: Notifier) -> None:
    """Keep the line that ``systemctl status`` shows true."""
    told = ""
    async with contextlib.aclosing(changes(engine.host.place)) as news:  # type: ignore[type-var]
        async for _ in news:
            text = _standing(engine)
            if text != told and not systemd.tell(f"STATUS={text}"):
                return  # nobody listens
            told = text


def _standing(engine: Engine) -> str:
    counts = engine.scheduler.counts()
    waiting = counts[TaskState.PARKED] + counts[TaskState.HELD]
    return f"{counts[TaskState.RUNNING]} running, {waiting} waiting for a person"


def ensure_worker(workspace: Workspace, place: JournalPlace) -> bool:
    """Start a detached worker unless somebody hosts the engine; True when one is alive afterwards."""
    if host_alive(place):
        time.sleep(BRIEF_LOOK)  # a command that answers its own request is gone by then
        if host_alive(place):
            return True
    log = place.root / "worker.log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            # -P: a folder queues/ or guardrails/ of the workspace is not to be taken for a package of ours.
            [sys.executable, "-P", "-m", "opconsole", "-C", str(workspace.root), "worker"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=workspace.root,
            start_new_session=True,
        )
    deadline = time.monotonic() + START_PATIENCE
    while time.monotonic() < deadline:
        if host_alive(place):
            _let_go(process)
            return True
        if process.poll() is not None:
            return host_alive(place)
        time.sleep(0.02)
    return host_alive(place)


def worker_log(place: JournalPlace) -> Path:
    """Give the file that a detached worker writes its messages to."""
    return place.root / "worker.log"


def stop_worker(root: Path) -> bool:
    """Tell the worker of a workspace to end, and wait; False when none is alive."""
    place = locate(root, create=False)
    if place is None or not host_alive(place):
        return False
    who = holder(place)
    if who is None:
        return False
    os.kill(who.pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_PATIENCE
    while host_alive(place):
        if time.monotonic() > deadline:
            raise TimeoutError(f"the worker, process {who.pid}, has not ended in {STOP_PATIENCE:.0f} s")
        time.sleep(0.05)
    return True


def _let_go(process: subprocess.Popen[bytes]) -> None:
    """Forget a child that outlives us, without the warning that it still runs."""
    process.returncode = 0
