"""The console in a real terminal: start, quit, resize, mouse, few colours, read-only, a crash."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import stat
import struct
import sys
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest
from test_cascade import PROJECT, Program, Terminal

SANE = ("\x1b[?1049l", "\x1b[?25h", "\x1b[?1000l")
"""The first screen is back, the cursor is shown, and the mouse is the terminal's again."""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    program = Program(tmp_path_factory.mktemp("terminal"))
    assert program.run("demo", "--headless", "--dir", str(program.demo)).returncode == 0
    yield program
    assert program.here("worker", "--stop").returncode in (0, 2)
    assert program.run("demo", "--stop", str(program.demo)).returncode == 0


def opened(program: Program, *words: str, columns: int = 120, lines: int = 40, **environ: str) -> Terminal:
    given = {**program.environ, **environ}
    terminal = Terminal(program.argv("-C", str(program.demo), *words), given, columns, lines)
    terminal.until("DEPLOY-STAGING-001")
    return terminal


def left(terminal: Terminal) -> str:
    """Quit, and give what the terminal got after that."""
    terminal.read()
    before = len(terminal.raw)
    terminal.send("q")
    assert terminal.end() == 0
    return terminal.raw[before:].decode("utf-8", "replace")


def test_it_starts_is_resized_shows_its_screens_and_leaves_the_terminal_as_it_was(program: Program) -> None:
    terminal = opened(program)
    size = struct.pack("HHHH", 24, 80, 0, 0)
    terminal.screen.resize(24, 80)
    fcntl.ioctl(terminal.descriptor, termios.TIOCSWINSZ, size)
    os.kill(terminal.pid, signal.SIGWINCH)
    terminal.until(lambda text: "Pipeline" not in text and "DEPLOY-STAGING-001" in text)
    terminal.press_until("3", "3 Environments")
    terminal.until("DEVELOPMENT")
    terminal.until("healthy")
    terminal.press_until("2", "2 Approvals")
    terminal.press_until("1", "1 Operations")
    terminal.until("● worker")
    end = left(terminal)
    assert all(part in end for part in SANE)
    assert "The worker goes on" in end


def test_the_first_picture_is_whole_and_drawn_from_the_top_down(program: Program) -> None:
    terminal = opened(program)
    left(terminal)
    top, below = terminal.raw.index(b"1 Operations"), terminal.raw.index(b"Queue")
    assert top < below, "something was painted before the picture was whole"


def test_the_mouse_selects_and_the_wheel_is_not_needed(program: Program) -> None:
    terminal = opened(program)
    row = next(at for at, line in enumerate(terminal.text.split("\n")) if "DEPLOY-STAGING-001" in line)
    terminal.send(f"\x1b[<0;20;{row + 1}M\x1b[<0;20;{row + 1}m")
    terminal.until(r"› *\S+ \S+ +DEPLOY-STAGING-001")
    left(terminal)


def test_few_colours_and_none_lose_no_word(program: Program) -> None:
    parts = ("1 Operations", "Queue", "DEPLOY-STAGING-001", "● worker", "q Quit")
    few = opened(program, TERM="xterm", COLORTERM="", TEXTUAL_ANIMATIONS="none")
    few.until(lambda text: all(part in text for part in parts))
    left(few)
    assert b"\x1b[38;2;" not in few.raw, "a terminal of 16 colours gets none of 16 million"
    none = opened(program, NO_COLOR="1")
    none.until(lambda text: all(part in text for part in parts))
    left(none)


def test_a_read_only_console_refuses_and_a_worker_starts_beside_it(program: Program) -> None:
    assert program.here("worker", "--stop").returncode in (0, 2)
    terminal = opened(program, "--read-only")
    terminal.until("no worker")
    terminal.press_until("a", "opened read-only")
    other = opened(program)
    other.until("● worker")
    terminal.until("● worker")
    left(other)
    assert "The worker goes on" in left(terminal)


def test_a_crash_of_a_screen_leaves_the_terminal_sane_and_the_worker_at_work(
    program: Program, tmp_path: Path
) -> None:
    crashing = tmp_path / "crashing.py"
    crashing.write_text(
        "import sys\n"
        "from screens.approvals import ApprovalsScreen\n"
        "def broken(self):\n"
        "    hidden = '-'.join(('hunter2', 'of', 'a', 'variable'))\n"
        "    raise RuntimeError('a fault of the screen')\n"
        "ApprovalsScreen.compose = broken\n"
        "from opconsole.cli.main import main\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    argv = [sys.executable, str(crashing), "-C", str(program.demo)]
    environ = {**program.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    terminal = Terminal(argv, environ, columns=140)
    terminal.until("DEPLOY-STAGING-001")
    terminal.until("● worker")
    terminal.send("2")
    assert terminal.end() == 1
    end = terminal.raw.decode("utf-8", "replace")
    assert all(part in end for part in SANE)
    assert "RuntimeError: a fault of the screen" in end
    assert "a worker that was at work goes on without the console" in end
    [crash] = Path(program.environ["OPCONSOLE_STATE_DIR"]).rglob("crash-*.log")
    assert stat.S_IMODE(crash.stat().st_mode) == 0o600
    assert "in broken" in crash.read_text()
    assert "hunter2-of-a-variable" not in end + crash.read_text()
    asked = program.here("queue", "start", PROJECT)
    assert asked.returncode == 0, asked.stderr
    assert program.here("worker", "--stop").returncode == 0, "it was still there to be asked"


def test_a_console_that_was_told_to_ignore_the_hang_up_ends_with_its_terminal_all_the_same(
    program: Program,
) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup has it; the program inherits it
    try:
        terminal = opened(program)
    finally:
        signal.signal(signal.SIGHUP, before)
    terminal.taken_away()


def test_a_journal_that_cannot_be_read_is_said_on_a_terminal_that_is_as_it_was(
    program: Program, tmp_path: Path
) -> None:
    state = tmp_path / "state"
    shutil.copytree(program.environ["OPCONSOLE_STATE_DIR"], state)
    for file in state.rglob("journal.sqlite3*"):
        file.unlink() if file.suffix != ".sqlite3" else file.write_bytes(b"no database " * 400)
    environ = {**program.environ, "OPCONSOLE_STATE_DIR": str(state)}
    terminal = Terminal(program.argv("-C", str(program.demo)), environ)
    assert terminal.end() == 1
    said = terminal.raw.decode("utf-8", "replace")
    assert "the journal is damaged" in said[said.rindex(SANE[0]) :]
    assert all(part in said for part in SANE)
