"""A reserved piece of disk, freed when the disk is full so that outcomes can still be recorded."""

from __future__ import annotations

import os
from pathlib import Path

BALLAST_BYTES = 1024 * 1024


class Ballast:
    """A file of random bytes that is deleted in need and put back when there is room again."""

    def __init__(self, path: Path, size: int = BALLAST_BYTES) -> None:
        self._path = path
        self._size = size

    @property
    def held(self) -> bool:
        """True while the space is reserved."""
        try:
            return self._path.stat().st_size >= self._size
        except FileNotFoundError:
            return False

    def release(self) -> bool:
        """Free the space; False when it was not held."""
        held = self.held
        self._path.unlink(missing_ok=True)
        return held

    def restore(self) -> bool:
        """Reserve the space again; False when the disk has no room for it."""
        if self.held:
            return True
        partial = self._path.with_name(self._path.name + ".new")
        try:
            descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            try:
                _fill(descriptor, self._size)
            finally:
                os.close(descriptor)
            partial.replace(self._path)
        except OSError:  # no room, no quota: the caller is told, and tries again later
            partial.unlink(missing_ok=True)
            return False
        return True


def _fill(descriptor: int, size: int) -> None:
    # Random bytes, for a file system that compresses or leaves holes would reserve nothing for zeros.
    left = size
    while left > 0:
        left -= os.write(descriptor, os.urandom(min(left, 65536)))
    os.fsync(descriptor)
