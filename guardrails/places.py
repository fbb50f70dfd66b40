"""How reports for other programs name a file: relative to the working folder where it lies in it."""

from __future__ import annotations

from pathlib import Path, PurePosixPath


def relative_name(path: str, base: Path | None = None) -> str:
    """Give a finding's path relative to *base* (default: the working folder), with ``/`` as separator."""
    folder = base if base is not None else Path.cwd()
    given = Path(path)
    if given.is_absolute() and given.is_relative_to(folder):
        given = given.relative_to(folder)
    return str(PurePosixPath(given))
