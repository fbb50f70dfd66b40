"""Reading a small file that must be trusted: its facts are checked on the very file that is then read."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path


def read_checked(path: Path, check: Callable[[os.stat_result], None], *, limit: int) -> bytes:
    """Give the content of *path*, at most one byte more than *limit*.

    *check* sees the opened file's facts first and raises what speaks against reading it: a check by name
    could look at another file than the one that is read. Raises OSError where it cannot be opened.
    """
    # Without O_NONBLOCK a named pipe in the file's place would hang the caller.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        check(os.fstat(descriptor))
        return _read(descriptor, limit + 1)
    finally:
        os.close(descriptor)


def _read(descriptor: int, limit: int) -> bytes:
    parts = bytearray()
    while len(parts) < limit and (part := os.read(descriptor, limit - len(parts))):
        parts += part
    return bytes(parts)
