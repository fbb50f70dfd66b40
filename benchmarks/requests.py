"""How long a live worker takes to answer a console's request, and what both cost while nothing happens.

Beside it stands SQLite's own insert of a row, one at a time, on the same disk (synchronous=FULL).
Run it with ``python benchmarks/requests.py [requests] [idle seconds]``.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import closing
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
    watching = asyncio.ensure_future(watch(client))
    await asyncio.sleep(2)
    before, started = [spent(worker), spent(os.getpid())], time.monotonic()
    await asyncio.sleep(idle)
    took = time.monotonic() - started
    after = [spent(worker), spent(os.getpid())]
    shares = [(now - then) / took * 100 for now, then in zip(after, before, strict=True)]
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    client.close()
    print(f"idle for {took:.0f} s: worker {shares[0]:.2f} %, client {shares[1]:.2f} % of one core")


async def watch(client: Client) -> None:
    """Look at everything whenever it changes, as a console does."""
    async for _ in client.changes():
        await client.snapshot()


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


def spent(pid: int) -> float:
    """Give the seconds of processor time that a process has had."""
    fields = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200, float(sys.argv[2]) if len(sys.argv) > 2 else 10.0)
