"""How long a live worker takes to answer a request, and what it and a console cost while nothing happens.

Beside it stands SQLite's own insert of a row, one at a time, on the same disk (synchronous=FULL).
Run it with ``python benchmarks/requests.py [requests] [idle seconds]``.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import pty
import select
import signal
import sqlite3
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import time
from contextlib import closing, suppress
from pathlib import Path

from opconsole.client import Client
from opconsole.journal.hosting import holder, host_alive
from opconsole.journal.location import locate
from opconsole.journal.records import RequestKind
from opconsole.workspace import Workspace

SETTINGS = """
[projects.shop]
path = "."
[projects.shop.environments.development.target]
type = "releases"
path = "target"
"""
PATIENCE = 60.0
SETTLING = 5.0
"""Seconds that the console is given to have shown all."""


def main(requests: int, idle: float) -> None:
    """Print the times."""
    with tempfile.TemporaryDirectory(prefix="opconsole-bench-") as folder:
        os.environ["OPCONSOLE_STATE_DIR"] = f"{folder}/state"
        root = Path(folder) / "workspace"
        root.mkdir()
        (root / "opconsole.toml").write_text(SETTINGS)
        (root / "opconsole.toml").chmod(0o644)
        tell("raw sqlite3 insert", raw(Path(folder), requests))
        command = [sys.executable, "-m", "opconsole", "-C", str(root), "worker"]
        worker = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            asyncio.run(ask(root, requests, idle, worker.pid))
        finally:
            worker.terminate()
            worker.wait()


async def ask(root: Path, requests: int, idle: float, worker: int) -> None:
    """Ask one after the other, then only watch."""
    place = locate(root, create=True)
    deadline = time.monotonic() + PATIENCE
    while place is None or not host_alive(place) or (who := holder(place)) is None or who.pid != worker:
        if time.monotonic() > deadline:
            raise TimeoutError("the worker did not come up")
        await asyncio.sleep(0.05)
    client = await asyncio.to_thread(Client.open, Workspace.open(root, environ={}), operator="bench")
    times = []
    for _ in range(requests):
        started = time.perf_counter()
        answer = await client.ask(RequestKind.PAUSE, {"project": "shop"})
        times.append(time.perf_counter() - started)
        if not answer.granted:
            raise RuntimeError(answer.text)
    tell("request to its answer", times)
    client.close()
    console, screen = await asyncio.to_thread(open_console, root)
    taking = asyncio.ensure_future(asyncio.to_thread(take_all, screen))
    try:
        await asyncio.sleep(SETTLING)
        before, started = [spent(worker), spent(console)], time.monotonic()
        await asyncio.sleep(idle)
        took = time.monotonic() - started
        after = [spent(worker), spent(console)]
        shares = [(now - then) / took * 100 for now, then in zip(after, before, strict=True)]
        memory = [resident(worker), resident(console)]
    finally:
        os.kill(console, signal.SIGTERM)
        await taking
        await asyncio.to_thread(os.waitpid, console, 0)
        os.close(screen)
    print(
        f"idle for {took:.0f} s: worker {shares[0]:.2f} %, console {shares[1]:.2f} % of one core, "
        f"goal 1 % together; {memory[0]:.0f} MB and {memory[1]:.0f} MB of memory, goal 150 MB each"
    )


def open_console(root: Path) -> tuple[int, int]:
    """Open the console in a terminal, and wait until it shows the worker; give process and terminal."""
    pid, screen = pty.fork()
    if not pid:
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
        os.environ["TERM"] = "xterm-256color"
        os.execv(sys.executable, [sys.executable, "-m", "opconsole", "-C", str(root)])
    seen, deadline = b"", time.monotonic() + PATIENCE
    while "● worker".encode() not in seen:
        if time.monotonic() > deadline:
            raise TimeoutError("the console did not show the worker")
        if select.select([screen], [], [], 0.1)[0]:
            seen += os.read(screen, 65536)
    return pid, screen


def take_all(screen: int) -> None:
    """Take what the console writes, as a terminal does, until it has ended."""
    with suppress(OSError):
        while os.read(screen, 65536):
            pass


def raw(folder: Path, count: int) -> list[float]:
    """Insert rows with sqlite3 alone, one transaction each."""
    times = []
    with closing(sqlite3.connect(folder / "raw.sqlite3", isolation_level=None)) as connection:
        connection.executescript(
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;CREATE TABLE requests (id PRIMARY KEY, payload)"
        )
        for number in range(count):
            started = time.perf_counter()
            connection.execute("INSERT INTO requests VALUES (?, ?)", (f"q-{number}", '{"project": "shop"}'))
            times.append(time.perf_counter() - started)
    return times


def tell(name: str, times: list[float]) -> None:
    """Print the median and what 95 of 100 stay below."""
    median, p95 = statistics.median(times) * 1000, statistics.quantiles(times, n=20)[-1] * 1000
    print(f"{name:<24} p50 {median:7.2f} ms   p95 {p95:7.2f} ms   ({len(times)} times)")


def resident(pid: int) -> float:
    """Give the megabytes of memory that a process has."""
    lines = Path(f"/proc/{pid}/status").read_text("utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) / 1024


def spent(pid: int) -> float:
    """Give the seconds of processor time that a process has had."""
    fields = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200, float(sys.argv[2]) if len(sys.argv) > 2 else 30.0)
