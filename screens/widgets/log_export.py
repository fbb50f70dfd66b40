"""Writes lines of a log into a file that is safe to open: without control sequences, with its stamps."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from guardrails.sanitise import sanitise
from screens.widgets.log_file import LogFile

Progress = Callable[[int], bool]
"""Is told how many lines are written; False ends the writing."""
STEP = 20_000


class ExportStopped(Exception):  # noqa: N818 - it reads as what happened
    """The person left while the file was written; what was written is gone again."""


def export(log: LogFile, numbers: Iterable[int] | None, target: Path, progress: Progress) -> int:
    """Write lines (None: all) into a new file of mode 0600; give how many. Blocks: call it in a thread.

    Raises FileExistsError where there is a file already, OSError, and ExportStopped.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    descriptor = os.open(target, flags, 0o600)
    written = 0
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            for raw in _raw_lines(log, numbers):
                file.write(sanitise(raw.decode("utf-8", "backslashreplace")) + "\n")
                written += 1
                if written % STEP == 0:
                    _go_on(progress, written)
    except BaseException:
        target.unlink(missing_ok=True)
        raise
    return written


def _go_on(progress: Progress, written: int) -> None:
    if not progress(written):
        raise ExportStopped


def _raw_lines(log: LogFile, numbers: Iterable[int] | None) -> Iterator[bytes]:
    if numbers is None:
        return (raw for _, raw in log.lines_from(0))
    return (log.raw(number) for number in numbers)
