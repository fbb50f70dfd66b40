"""Whether a file's words are its owner's: who else may write it, or put another in its place."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Distrust:
    """What speaks against believing a file."""

    found: str
    allowed: str
    remedy: str


def distrust(file: os.stat_result, folder: os.stat_result, *, user: int) -> Distrust | None:
    """Say what is wrong with a file's mode and owner, or its folder's; None where nothing is.

    *user* is who reads it. A file may belong to them, to root, or to whoever owns the folder: the latter
    could put another one there anyway. In a sticky folder nobody can replace what is another's.
    """
    if file.st_mode & stat.S_IWOTH:
        return Distrust(
            f"mode {stat.filemode(file.st_mode)}, so that anybody may write it",
            "a file that others cannot write",
            "chmod o-w on the file",
        )
    if folder.st_mode & stat.S_IWOTH and not folder.st_mode & stat.S_ISVTX:
        return Distrust(
            f"a folder with mode {stat.filemode(folder.st_mode)}, so that anybody may replace it",
            "a folder that others cannot write",
            "chmod o-w on the folder",
        )
    if file.st_uid not in (user, 0, folder.st_uid):
        return Distrust(
            f"a file of user {file.st_uid}",
            f"a file of user {user}, of root, or of whoever owns its folder",
            "chown it",
        )
    return None
