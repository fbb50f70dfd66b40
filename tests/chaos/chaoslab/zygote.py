"""The zygote: a process that has imported everything and forks hosts, which may be told when to die.

It reads one JSON object a line (see `Hosting`), forks, and answers with the host's process number. A host
is what `opconsole worker` is, with a counter at the journal's commits.
"""

from __future__ import annotations

import asyncio
import faulthandler
import json
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from opconsole.cli.worker import take_lock
from opconsole.engine import Engine
from opconsole.host import open_host
from opconsole.journal import writer
from opconsole.journal.location import locate
from opconsole.preload import preload
from opconsole.workspace import Workspace

REFUSED = "another host has the lock"
"""What a host says that did not get it."""


@dataclass(frozen=True, slots=True)
class Hosting:
    """How a host is to be, and when it is to die."""

    root: str
    state: str
    told: str
    """The file that gets its messages; empty when all went well."""
    commits: str
    """The file that says how many commits it has made."""
    die_at: int = 0
    """The commit at which it dies; 0: at none by its number."""
    at: str = ""
    """The beginning of what that commit tells the audit chain (see `told_by`); empty: at none by its name."""
    when: str = "before"
    """before or after that commit."""
    how: str = "kill"
    """kill (SIGKILL) or exit (os._exit)."""
    clock: float = 0.0
    """Seconds that its clock is ahead."""


class ShiftedClock:
    """The machine's clock, put forward or back."""

    def __init__(self, ahead: float) -> None:
        self._ahead = timedelta(seconds=ahead)

    def now(self) -> datetime:
        return datetime.now(UTC) + self._ahead

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def count_commits(hosting: Hosting) -> None:
    """Count the journal's commits, and die at the one that was named."""
    transact: Callable[..., None] = writer.transact
    counter = os.open(hosting.commits, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    made = 0

    def counted(*args: object, **more: object) -> None:
        nonlocal made
        made += 1
        here = made == hosting.die_at or any(name.startswith(hosting.at or "!") for name in told_by(*args))
        if here and hosting.when == "before":
            die(hosting.how)
        transact(*args, **more)
        os.pwrite(counter, f"{made}\n".encode(), 0)
        if here and hosting.when == "after":
            die(hosting.how)

    writer.transact = counted


def told_by(_connection: object, submissions: Sequence[Sequence[object]], *_: object) -> Iterator[str]:
    """Name what a commit tells the audit chain: an action, with its step where it has one."""
    for one in (one for submission in submissions for one in submission if isinstance(one, writer.AuditOp)):
        step = json.loads(one.detail).get("step")
        yield f"{one.action}:{step}" if step else one.action


def die(how: str) -> None:
    if how == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
        signal.pause()
    os._exit(9)


async def serve(hosting: Hosting) -> int:
    """Do as `opconsole worker` does."""
    workspace = Workspace.open(Path(hosting.root), environ={})
    place = locate(workspace.root, create=True)
    if place is None:
        raise LookupError("no journal")
    lock = take_lock(place)  # a program that its killed forerunner was just forking holds it for a moment
    if lock is None:
        print(REFUSED, file=sys.stderr)  # noqa: T201 - the answer
        return 0
    environ = {"HOME": hosting.root}
    clock = ShiftedClock(hosting.clock)
    with lock:
        async with open_host(workspace, place, operator="worker", environ=environ, clock=clock) as host:
            engine = Engine(host, lock)
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, engine.stop)
            await engine.prepare()
            await engine.start_recorded()
            if await engine.serve():
                await asyncio.to_thread(host.journal.close)
                os._exit(0)
    return 0


def be_host(hosting: Hosting) -> int:
    """Be the host in a process that was just forked."""
    os.setsid()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    nothing = os.open(os.devnull, os.O_RDWR)
    told = os.open(hosting.told, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for descriptor, source in ((0, nothing), (1, told), (2, told)):
        os.dup2(source, descriptor)
    faulthandler.enable(told)  # a crash of the interpreter itself tells where every thread was
    os.environ["OPCONSOLE_STATE_DIR"] = hosting.state
    count_commits(hosting)
    return asyncio.run(serve(hosting))


def main() -> None:
    preload()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for them here
    for line in sys.stdin:
        child = os.fork()
        if not child:
            status = 1
            try:
                status = be_host(Hosting(**json.loads(line)))
            except BaseException:  # noqa: BLE001 - whatever it was, it must be told and not unwind further
                traceback.print_exc()
            finally:
                sys.stderr.flush()
                os._exit(status)
        print(child, flush=True)  # noqa: T201 - the answer


if __name__ == "__main__":
    main()
