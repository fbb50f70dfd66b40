"""Measures how fast a key is answered while the journal is flooded, beside a bare Textual app, in one run.

python -m benchmarks.flood [--rate N] [--seconds N]        (default: 10,000 events a second for 6 seconds)

A process of its own hosts a demo workspace's journal and writes events into it as a worker's many tasks do:
each hands in its own, and the writer puts them together into durable commits. The console, in Textual's test
driver, watches it all; keys go to it and to a bare app by turns, so that a busy moment hits both. The goal is
50 ms above the bare app at 95 of 100 keys.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from textual import events
from textual.app import App, ComposeResult
from textual.widgets import Static

GOAL = 0.05
KEY = "f12"
PATIENCE = 30.0
ROUNDS = 50
"""A second, in each of which what is due is handed in."""


def main() -> None:
    """Flood a journal and print what a key takes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--write", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.write is not None:
        write(given.write, given.rate, given.seconds)
        return
    with tempfile.TemporaryDirectory(prefix="opconsole-bench-") as folder:
        os.environ["OPCONSOLE_STATE_DIR"] = str(Path(folder) / "state")
        asyncio.run(measure(Path(folder) / "demo", given.rate, given.seconds))


def write(workspace: Path, rate: int, seconds: float) -> None:
    """Host the journal and write events, as many a second as asked for; print how many it were."""
    from opconsole.journal import ops  # noqa: PLC0415 - the state's place is in the environment
    from opconsole.journal.hosting import HostLock  # noqa: PLC0415
    from opconsole.journal.location import locate  # noqa: PLC0415
    from opconsole.journal.writer import JournalWriter  # noqa: PLC0415

    place = locate(workspace, create=True)
    lock = HostLock.try_acquire(place) if place is not None else None
    if place is None or lock is None:
        raise RuntimeError("the demo's journal is hosted by somebody else")

    async def flood(writer: JournalWriter) -> int:
        began, written = time.monotonic(), 0
        async with asyncio.TaskGroup() as tasks:
            while (passed := time.monotonic() - began) < seconds:
                now, due = datetime.now(UTC), int(passed * rate)
                for number in range(written, due):
                    told = ops.event(now, "note", "credentialmate", detail={"number": number})
                    tasks.create_task(writer.commit(told))
                written = due
                await asyncio.sleep(1 / ROUNDS)
        return written

    def die(error: BaseException) -> None:
        raise SystemExit(str(error))

    with lock:
        writer = JournalWriter(place, on_fatal=die)
        writer.start()
        print("ready", flush=True)
        sys.stdin.readline()
        began, used = time.monotonic(), time.process_time()
        written = asyncio.run(flood(writer))
        print(f"{written} {time.monotonic() - began} {time.process_time() - used}", flush=True)
        writer.close()


class Answering:
    """Notes when a key that nobody wants has been through the focused widget and all above it."""

    pressed: asyncio.Event

    def on_key(self, event: events.Key) -> None:
        """Note it."""
        if event.key == KEY:
            self.pressed.set()


class Bare(Answering, App[None]):
    """Textual alone."""

    def compose(self) -> ComposeResult:
        """Show a word."""
        yield Static("bare")


async def measure(workspace: Path, rate: int, seconds: float) -> None:
    """Press keys in both apps while events come, and while none do."""
    from opconsole.app import OpconsoleApp  # noqa: PLC0415 - the state's place is set first
    from opconsole.client import Client  # noqa: PLC0415
    from opconsole.demo.make import make_demo  # noqa: PLC0415
    from opconsole.workspace import Workspace  # noqa: PLC0415

    class Watching(Answering, OpconsoleApp):
        """The console."""

    demo = await asyncio.to_thread(make_demo, workspace)
    client = await asyncio.to_thread(Client.open, Workspace.open(demo.directory))
    command = [sys.executable, "-m", "benchmarks.flood", "--write", str(demo.directory), "--rate", str(rate)]
    writer = await asyncio.create_subprocess_exec(
        *command, "--seconds", str(seconds), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert writer.stdin is not None
    assert writer.stdout is not None
    try:
        await writer.stdout.readline()
        async with AsyncExitStack() as stack:
            console, bare = Watching(client), Bare()
            presses = [await pressing(stack, one) for one in (console, bare)]
            await until(lambda: console.operations.is_mounted and console.operations.table.shown)
            quiet = await press_all(presses, len_enough(100))
            writer.stdin.write(b"go\n")
            await writer.stdin.drain()
            done = asyncio.ensure_future(writer.stdout.readline())
            loud = await press_all(presses, done.done)
            written, took, used = map(float, (await done).split())
        print(
            f"{written / took:,.0f} events/s, each handed in by itself and durable before its task goes on; "
            f"{used / written * 1000:.3f} s of processor time for 1,000"
        )
        tell("while nothing happens", quiet)
        tell("while events come", loud)
    finally:
        if writer.returncode is None:
            writer.kill()
        await writer.wait()
        client.close()


Press = Callable[[], Awaitable[float]]


async def pressing(stack: AsyncExitStack, app: Any) -> Press:
    """Start an app, and give what presses a key there and waits until it is handled."""
    await stack.enter_async_context(app.run_test(size=(120, 40)))

    async def press() -> float:
        app.pressed = asyncio.Event()
        began = time.perf_counter()
        app.simulate_key(KEY)
        async with asyncio.timeout(PATIENCE):
            await app.pressed.wait()
        return time.perf_counter() - began

    return press


def len_enough(count: int) -> Callable[[], bool]:
    """Be true after so many questions."""
    asked = iter(range(count))
    return lambda: next(asked, None) is None


async def press_all(presses: list[Press], done: Callable[[], bool]) -> list[list[float]]:
    """Press a key in each app by turns until it is enough; give the seconds of each app."""
    took: list[list[float]] = [[] for _ in presses]
    while not done():
        for times, press in zip(took, presses, strict=True):
            times.append(await press())
            await asyncio.sleep(0.01)
    return took


def tell(when: str, took: list[list[float]]) -> None:
    """Print what a key took in the console, and in the bare app."""
    ours, bare = (statistics.quantiles(times, n=20)[-1] for times in took)
    verdict = "ok" if ours - bare < GOAL else "MISSED"
    print(
        f"a key {when} ({len(took[0])} presses): {ours * 1000:.1f} ms, bare app {bare * 1000:.1f} ms (95 %); "
        f"worst {max(took[0]) * 1000:.1f} / {max(took[1]) * 1000:.1f} ms; goal 50 ms above: {verdict}"
    )


async def until(met: Callable[[], object]) -> None:
    """Wait for a condition."""
    deadline = time.monotonic() + PATIENCE
    while not met():
        if time.monotonic() > deadline:
            raise TimeoutError("the console did not show its queue")
        await asyncio.sleep(0.01)


if __name__ == "__main__":
    main()
