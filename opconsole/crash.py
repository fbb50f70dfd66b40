"""What is left of a console that failed: a few words for the person, and a file that says where it happened.

Neither has the values of variables: among them are plans, sentences and settings that are nobody's business
in a terminal's scroll-back or in a report of a fault.
"""

from __future__ import annotations

import os
import traceback
from datetime import datetime
from pathlib import Path

from guardrails.sanitise import sanitise
from opconsole import __version__

KEPT = 10
"""Files of crashes that are kept; older ones make room."""


def record_crash(error: BaseException, folder: Path | None, now: datetime) -> str:
    """Write down where *error* happened, readable by its owner alone, and give the words for the terminal.

    With no *folder*, or one that cannot be written, the words say so: telling a fault never fails itself.
    """
    what = sanitise(f"{type(error).__name__}: {error}", single_line=True, limit=300)
    words = [f"opconsole failed by a fault of its own: {what}"]
    if folder is None:
        return words[0]
    path = folder / f"crash-{now:%Y%m%dT%H%M%S}-{os.getpid()}.log"
    try:
        _write(path, f"opconsole {__version__}, {now.isoformat(timespec='seconds')}\n\n{_trace(error)}")
        for old in sorted(folder.glob("crash-*.log"))[:-KEPT]:
            old.unlink(missing_ok=True)
    except OSError as fault:
        words.append(f"Where it happened could not be written to {path}: {fault.strerror or fault}")
    else:
        words.append(f"Where it happened is in {path}: that is what a report needs")
    return "\n".join(words)


def _trace(error: BaseException) -> str:
    lines = traceback.TracebackException.from_exception(error, capture_locals=False).format()
    return sanitise("".join(lines))  # an error quotes what it stumbled over


def _write(path: Path, text: str) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(path, flags, 0o600), "w", encoding="utf-8", errors="backslashreplace") as file:
        file.write(text)
