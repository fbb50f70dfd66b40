"""Real terminals that go away: a pty whose other end is closed, which sends SIGHUP to what runs in it."""

from __future__ import annotations

import asyncio
import fcntl
import os
import pty
import subprocess
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from chaoslab.project import Workspace

_IN_TERMINAL = """
import fcntl, os, sys, termios
os.setsid()
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.executable, [sys.executable, "-m", "opconsole", *sys.argv[1:]])
"""


class Terminal:
    """A terminal with opconsole in it; what it writes is taken and forgotten."""

    def __init__(self, workspace: Workspace, words: tuple[str, ...]) -> None:
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, b"\x18\0\x50\0\0\0\0\0")
        names = {name: value for name, value in os.environ.items() if not name.startswith("OPCONSOLE_")}
        self._process = subprocess.Popen(
            [sys.executable, "-c", _IN_TERMINAL, "-C", str(workspace.root), *words],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={
                **names,
                "OPCONSOLE_STATE_DIR": str(workspace.state),
                "HOME": str(workspace.live),
                "TERM": "xterm-256color",
            },
        )
        os.close(theirs)
        asyncio.get_running_loop().add_reader(self._ours, self._take)
        self._open = True

    @property
    def ended(self) -> bool:
        """True once its program has ended."""
        return self._process.poll() is not None

    def hang_up(self) -> None:
        """Take the terminal away: the kernel sends SIGHUP to what runs in it."""
        if self._open:
            self._open = False
            asyncio.get_running_loop().remove_reader(self._ours)
            os.close(self._ours)

    def end(self) -> None:
        """Take it away, and see that nothing is left of it."""
        self.hang_up()
        if not self.ended:
            self._process.kill()
        self._process.wait()

    def _take(self) -> None:
        with suppress(OSError):  # its other end was closed: the program has ended
            if os.read(self._ours, 65536):
                return
        asyncio.get_running_loop().remove_reader(self._ours)


@contextmanager
def in_terminal(workspace: Workspace, *words: str) -> Iterator[Terminal]:
    """Run opconsole with these words in a terminal of its own."""
    terminal = Terminal(workspace, words)
    try:
        yield terminal
    finally:
        terminal.end()
