"""What the attacks need: a project that is deployed, a desk to command from, and a real terminal."""

from __future__ import annotations

import fcntl
import importlib.util
import io
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pyte
import pytest

from opconsole.cli.main import run_command

PATIENCE = 60.0


@dataclass(frozen=True)
class Answered:
    """What a command did."""

    status: int
    out: str
    err: str


def load(name: str) -> ModuleType:
    """Load another folder's conftest: its workspace is wanted here, too."""
    path = Path(__file__).parents[1] / name / "conftest.py"
    spec = importlib.util.spec_from_file_location(f"conftest_of_{name.replace('/', '_')}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[module.__name__] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


_pipeline = load("opconsole/pipeline")
clock, project, deploy, cascade, in_git = (
    _pipeline.clock,
    _pipeline.project,
    _pipeline.deploy,
    _pipeline.cascade,
    _pipeline.in_git,
)
migrations, alive, dying = _pipeline.migrations, _pipeline.alive, _pipeline.dying
desk = load("opconsole/cli").desk

_COLOUR = re.compile(rb"\x1b\[[0-9;:]*m")
_NEVER = {
    "an OSC 52 clipboard write": rb"\x1b\]52|\x9d52",
    "a title": rb"\x1b\][012];",
    "an OSC 8 link": rb"\x1b\]8;",
    "a report query": rb"\x1b\[(?:21t|6n|>[0-9]*q)",
    "a DCS, SOS, PM or APC string": rb"\x1b[PX^_]",
    "a C1 control": rb"\xc2[\x80-\x9f]",
    "a direction change": rb"\xe2\x80[\xaa-\xae]|\xe2\x81[\xa6-\xa9]",
    "a zero-width character": rb"\xe2\x80[\x8b-\x8f]|\xef\xbb\xbf",
    "a tag character": rb"\xf3\xa0[\x80-\x83]",
    "a backspace": rb"\x08",
    "a bell": rb"\x07",
    "a NUL": rb"\x00",
}


class Terminal:
    """A program in a real pseudo terminal: the bytes that reach it, and the screen that they make."""

    def __init__(self, argv: Sequence[str], environ: Mapping[str, str], *, size: tuple[int, int]) -> None:
        columns, lines = size
        self.bytes = b""
        self._screen = pyte.Screen(columns, lines)
        self._stream = pyte.ByteStream(self._screen)
        self.pid, self._descriptor = pty.fork()
        if self.pid == 0:
            # The size before the program: it may ask at once.
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
            os.execvpe(argv[0], list(argv), dict(environ))
        fcntl.ioctl(self._descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    @property
    def text(self) -> str:
        return "\n".join(self._screen.display)

    def send(self, keys: str) -> None:
        os.write(self._descriptor, keys.encode())

    def read(self, seconds: float) -> bool:
        """Take what comes within so many seconds; False when the program has closed its terminal."""
        if not select.select([self._descriptor], [], [], seconds)[0]:
            return True
        try:
            data = os.read(self._descriptor, 65536)
        except OSError:  # the other end is closed
            return False
        self.bytes += data
        self._stream.feed(data)
        return bool(data)

    def until(self, holds: Callable[[str], object]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not holds(self.text):
            assert time.monotonic() < deadline, f"it never came:\n{self.text}"
            self.read(0.1)

    def settle(self, seconds: float = 0.3) -> None:
        """Take what comes until nothing has come for a moment."""
        while select.select([self._descriptor], [], [], seconds)[0] and self.read(0):
            pass

    def over(self) -> int:
        """Read to the end of the program; give its exit status."""
        deadline = time.monotonic() + PATIENCE
        while self.read(0.2):
            assert time.monotonic() < deadline, f"it never ended:\n{self.text}"
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def close(self) -> None:
        try:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        except (ProcessLookupError, ChildProcessError):
            pass
        os.close(self._descriptor)


@pytest.fixture
def terminal() -> Iterator[Callable[..., Terminal]]:
    """Run programs in terminals, which are closed at the end."""
    opened: list[Terminal] = []

    def run(
        argv: Sequence[str], environ: Mapping[str, str], *, size: tuple[int, int] = (150, 45)
    ) -> Terminal:
        opened.append(Terminal(argv, environ, size=size))
        return opened[-1]

    yield run
    for one in opened:
        one.close()


@pytest.fixture
def harmless() -> Callable[[bytes], None]:
    """Judge bytes that reached a terminal: nothing may be among them that only data would send."""

    def judge(data: bytes) -> None:
        data = re.sub(rb"\x1b\]22;[a-z-]*\x07", b"", data)  # Textual's own: the shape of the mouse pointer
        for what, pattern in _NEVER.items():
            found = re.search(pattern, data)
            assert found is None, f"{what}: {data[max(0, found.start() - 60) : found.end() + 60]!r}"

    return judge


@pytest.fixture(scope="session")
def program_environ() -> Callable[[Path], dict[str, str]]:
    """Give the variables of a program that keeps its state in a folder."""

    def environ(folder: Path) -> dict[str, str]:
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("OPCONSOLE_") and name not in {"COLUMNS", "LINES", "NO_COLOR"}
        }
        own = {"OPCONSOLE_STATE_DIR": str(folder / "state"), "HOME": str(folder), "TERM": "xterm-256color"}
        root = str(Path(__file__).parents[2])
        return {**kept, **own, "PYTHONPATH": root}

    return environ


@pytest.fixture
def command() -> Callable[..., Answered]:
    """Give commands in a workspace."""

    def give(root: Path, *words: str, **environ: str) -> Answered:
        out, err = io.StringIO(), io.StringIO()
        status = run_command(
            ["-C", str(root), *words], stdout=out, stderr=err, environ={**os.environ, **environ}
        )
        return Answered(int(status), out.getvalue(), err.getvalue())

    return give
