"""Hosts in processes of their own: started by fork in a moment, killed, and looked for afterwards."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from chaoslab.project import Workspace
from chaoslab.zygote import REFUSED, Hosting

__all__ = ["REFUSED", "Host", "Nursery", "kill_all", "strays"]


class Host:
    """A host's process."""

    def __init__(self, pid: int, told: Path, commits: Path) -> None:
        self.pid = pid
        self._told = told
        self._commits = commits
        self._gone = asyncio.Event()
        try:
            self._descriptor = os.pidfd_open(pid)
        except ProcessLookupError:
            self._gone.set()
            return
        asyncio.get_running_loop().add_reader(self._descriptor, self._over)

    @property
    def gone(self) -> bool:
        """True once its process has ended."""
        return self._gone.is_set()

    @property
    def told(self) -> str:
        """What it had to say; a host that does well says nothing."""
        return self._told.read_text("utf-8", "replace") if self._told.exists() else ""

    @property
    def commits(self) -> int:
        """How many commits it has made."""
        text = self._commits.read_text().split() if self._commits.exists() else []
        return int(text[0]) if text else 0

    async def wait(self, seconds: float) -> bool:
        """Wait for its end, at most so long; True when it has ended."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._gone.wait()
        return self.gone

    def signal(self, number: int) -> None:
        """Send it a signal, by its descriptor: never to another process of the same number."""
        if not self.gone:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._descriptor, number)

    async def end(self) -> None:
        """Tell it to end as a service manager does, and wait."""
        self.signal(signal.SIGTERM)
        if not await self.wait(120):
            self.signal(signal.SIGKILL)
            await self.wait(20)
            raise AssertionError(f"a host did not end within 120 s of TERM: {self.told}")

    def _over(self) -> None:
        asyncio.get_running_loop().remove_reader(self._descriptor)
        os.close(self._descriptor)
        self._gone.set()


class Nursery:
    """Where hosts come from. Close it when done."""

    def __init__(self, folder: Path) -> None:
        """*folder* is for the hosts' messages; it must lie outside the workspaces."""
        self._folder = folder
        self._count = 0
        self._hosts: list[Host] = []
        path = os.pathsep.join(str(Path(one)) for one in sys.path if one)
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "chaoslab.zygote"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": path},
        )

    def start(self, workspace: Workspace, *, die_at: int = 0, **more: object) -> Host:
        """Start a host for a workspace; see `Hosting` for when it is to die."""
        if self._process.stdin is None or self._process.stdout is None:
            raise LookupError("the nursery has no pipes")
        self._count += 1
        told, commits = (self._folder / f"{self._count}.{name}" for name in ("told", "commits"))
        hosting = Hosting(
            root=str(workspace.root),
            state=str(workspace.state),
            told=str(told),
            commits=str(commits),
            die_at=die_at,
            **more,  # type: ignore[arg-type]  # the names are the record's own
        )
        self._process.stdin.write(json.dumps(asdict(hosting)) + "\n")
        self._process.stdin.flush()
        host = Host(int(self._process.stdout.readline()), told, commits)
        self._hosts.append(host)
        return host

    def clear(self) -> None:
        """Kill the hosts that a story left alive because something was wrong in it."""
        for host in self._hosts:
            host.signal(signal.SIGKILL)
        self._hosts.clear()

    def close(self) -> None:
        """End the zygote."""
        self._process.communicate()


def strays(workspace: Workspace) -> dict[int, str]:
    """Give the processes, other than this one, that have anything of the live workspace in use."""
    mark = str(workspace.live)
    found: dict[int, str] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        if folder.name == str(os.getpid()):
            continue
        try:
            line = (folder / "cmdline").read_bytes().decode("utf-8", "replace").replace("\0", " ")
            places = [str((folder / "cwd").readlink())]
            places += [str(one.readlink()) for one in (folder / "fd").iterdir()]
        except OSError:
            continue  # it has just ended, or is a kernel's thread
        if mark in line or any(place.startswith(mark) for place in places):
            found[int(folder.name)] = line
    return found


def kill_all(workspace: Workspace) -> None:
    """Kill every process of the workspace, as a machine does that loses its power."""
    for pid in strays(workspace):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
