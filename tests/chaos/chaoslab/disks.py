"""Small disks of their own, to fill up."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class NotPossibleError(Exception):
    """This machine has not what a trouble needs."""


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[None]:
    """Put a small disk of its own under a folder, with what the folder holds. Raises NotPossibleError."""
    aside = folder.with_name(f"{folder.name}.aside")
    shutil.copytree(folder, aside, symlinks=True)
    argv = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=700", "tmpfs", str(folder)]
    if subprocess.run(argv, capture_output=True, check=False).returncode:
        raise NotPossibleError("mounting is not allowed here; try it under: unshare --map-root-user --mount")
    try:
        shutil.copytree(aside, folder, symlinks=True, dirs_exist_ok=True)
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """Take what is left of a disk; give the file that takes it."""
    file = folder / "filling"
    with file.open("wb", buffering=0) as filling:
        for size in (65536, 4096, 1):
            try:
                while filling.write(bytes(size)):
                    pass
            except OSError:
                continue
    return file
