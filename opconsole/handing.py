"""Secrets that programs get in files: where the files lie, and that a crash leaves none of them behind.

The shim makes them and takes them away when its program has ended (`opconsole.shim`). They lie in memory
where the system has a file system there, else in the journal's folder: a folder for each run and program.
"""

from __future__ import annotations

import os
import shutil
import stat
from contextlib import suppress
from pathlib import Path

from opconsole.journal.location import JournalPlace

MEMORY = Path("/dev/shm")  # noqa: S108 - not a temporary file: a folder of our own in it, checked
"""Linux keeps in memory, never on a disk, what lies here."""

NAME = "handed"


def in_memory() -> Path | None:
    """Give the folder that is kept in memory; None where this system has none that we may write."""
    return MEMORY if MEMORY.is_dir() and os.access(MEMORY, os.W_OK | os.X_OK) else None


def handed(place: JournalPlace, run: str, *, make: bool = False) -> Path:
    """Give the folder for the files of a run's programs; *make* the one that it lies in. Blocks."""
    *memory, disk = _roots(place)
    for root in memory:
        with suppress(OSError):
            if make:
                root.mkdir(mode=0o700, exist_ok=True)
            # Anybody may make folders there: one that is not ours alone is none to put secrets into.
            if _ours(root) or not (make or root.is_symlink() or root.exists()):
                return root / run
    return disk / run


def forget(folder: Path) -> None:
    """Remove files with secrets, where they are still there. Blocks; raises OSError."""
    with suppress(FileNotFoundError, NotADirectoryError):
        shutil.rmtree(folder)
    with suppress(OSError):  # others are in it
        folder.parent.rmdir()


def tidy(place: JournalPlace) -> None:
    """Remove our folders themselves where nothing is in them; nobody may be about to use them. Blocks."""
    for root in _roots(place):
        if _ours(root):
            with suppress(OSError):
                root.rmdir()


def left_behind(place: JournalPlace) -> list[Path]:
    """Give the folders with files of programs that began and were perhaps not seen to their end. Blocks."""
    return sorted(folder for root in _roots(place) if _ours(root) for folder in root.glob("*/*"))


def _roots(place: JournalPlace) -> list[Path]:
    memory = in_memory()
    first = [memory / f"opconsole-{os.geteuid()}-{place.id}"] if memory else []
    return [*first, place.root / NAME]


def _ours(root: Path) -> bool:
    try:
        facts = root.lstat()
    except FileNotFoundError:
        return False
    private = stat.S_ISDIR(facts.st_mode) and not facts.st_mode & (stat.S_IRWXG | stat.S_IRWXO)
    return private and facts.st_uid == os.geteuid()
