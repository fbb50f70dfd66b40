"""Leaves the terminal to another program until it ends, such as an editor or a pager."""

from __future__ import annotations

import signal
import subprocess
import sys
import termios
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from textual.app import App

_OTHERS = (signal.SIGINT, signal.SIGQUIT)
"""What keys of a terminal send to all that works in it: meanwhile they are meant for the other program."""


def leave_to(app: App[Any], argv: Sequence[str], folder: Path) -> str:
    """Let a program have the terminal, in a folder; give what was wrong with it and what to do, else nothing.

    Nothing else goes on meanwhile: there is no screen to keep alive. Raises SuspendNotSupported where there
    is no terminal to leave.
    """
    with app.suspend(), _terminal_kept():
        try:
            status = subprocess.run(argv, cwd=folder, check=False).returncode
        except OSError as error:
            return (
                f"{argv[0]} cannot be started: {error.strerror or error}. Leave with q (the worker goes on), "
                "set $VISUAL, $EDITOR or $PAGER to a program that is there, and open the console again."
            )
    if status < 0:
        return f"{argv[0]} was ended by {_signal(-status)}: look whether the file is as you want it."
    if status:
        return f"{argv[0]} ended with status {status}: look whether the file is as you want it."
    return ""


@contextmanager
def _terminal_kept() -> Iterator[None]:
    """Be deaf to what the terminal's keys send, and set the terminal afterwards as it was before.

    A program that crashed may leave it without echo or lines; the console would then leave it so, too.
    A handler, unlike ignoring, is not handed on to the program.
    """
    kept = {number: signal.signal(number, lambda *_: None) for number in _OTHERS}
    before = _settings()
    try:
        yield
    finally:
        if before is not None:
            termios.tcsetattr(sys.__stdin__.fileno(), termios.TCSANOW, before)  # type: ignore[union-attr]
        for number, handler in kept.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)


def _settings() -> list[Any] | None:
    try:
        return termios.tcgetattr(sys.__stdin__.fileno()) if sys.__stdin__ is not None else None
    except (termios.error, OSError, ValueError):  # no terminal
        return None


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
