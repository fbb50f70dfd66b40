"""The console in a real terminal: start, quit, resize, mouse, and few colours."""

from __future__ import annotations

import fcntl
import os
import signal
import struct
import termios
from collections.abc import Iterator

import pytest
from test_cascade import Program, Terminal

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
    end = left(terminal)
    assert all(part in end for part in SANE)
    assert "The worker goes on" in end


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
