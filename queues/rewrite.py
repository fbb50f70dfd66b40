"""Replaces a file that others edit too, losing nobody's edit: lock, read, write beside, exchange, compare.

Between reading a file and replacing it somebody else may save theirs. On Linux the two files are exchanged in
one step, so that what was displaced can be looked at: if it is not what was read, it is put back and the edit
is made again on top of it. Elsewhere the displaced file is held by a second name for the same comparison.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import secrets
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from queues.queue_file import read_bytes
from queues.queue_parser import FileFaultError

MAX_TRIES = 20
"""Times that somebody may save the file between our reading and our writing before we give up."""
LOCK_SECONDS = 10.0


class QueueWriteError(Exception):
    """A queue file could not be written; what it held is as it was."""

    def __init__(self, path: Path, reason: str) -> None:
        self.path = path
        self.reason = reason
        super().__init__(f"{path} was not changed: {reason}")


@dataclass(frozen=True, slots=True)
class Rewritten:
    """How a rewrite went."""

    written: bool
    """False when there was nothing to change."""
    merges: int = 0
    """How often somebody else's edit came in between and was built upon."""
    kept: tuple[Path, ...] = ()
    """Files left beside, each holding an edit that could not be brought together with another."""


def rewrite(path: Path, edit: Callable[[bytes], bytes | None]) -> Rewritten:
    """Replace the file's bytes by what *edit* makes of them; None leaves the file alone.

    *edit* is called again for every version of the file that turns up meanwhile; whatever it raises is
    passed on and leaves the file alone. Raises FileFaultError when the file cannot be read or is not safe to
    trust, and QueueWriteError when it cannot be written (no room, no permission, or saved by others again and
    again). May block: call it in a thread.
    """
    path = Path(os.path.realpath(path))
    kept: list[Path] = []
    with _locked(path):
        for merges in range(MAX_TRIES):
            old = read_bytes(path)
            new = edit(old)
            if new is None or new == old:
                return Rewritten(written=False, merges=merges, kept=tuple(kept))
            try:
                done = _replace(path, old, new, kept)
            except OSError as error:
                raise QueueWriteError(path, error.strerror or str(error)) from error
            if done:
                return Rewritten(written=True, merges=merges, kept=tuple(kept))
    raise QueueWriteError(path, f"somebody saved it {MAX_TRIES} times while it was being written; try again")


def exchange(one: Path, other: Path) -> bool:
    """Exchange two files in one step; False where the system or the file system cannot."""
    function = getattr(_LIBC, "renameat2", None)
    if function is None:
        return False
    if (
        function(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), ctypes.c_uint(_RENAME_EXCHANGE))
        == 0
    ):
        return True
    number = ctypes.get_errno()
    if number in (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EPERM):
        return False
    raise OSError(number, os.strerror(number), str(other))


def write_beside(path: Path, data: bytes, like: os.stat_result | None = None) -> Path:
    """Write a new file into the folder of *path*, safe on the disk, with mode and owner of *like*."""
    beside = path.with_name(f".{path.name}.{secrets.token_hex(6)}.tmp")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            if like is not None:
                _take_after(file.fileno(), like)
            os.fsync(file.fileno())
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    return beside


def sync_folder(folder: Path) -> None:
    """Make the names in a folder safe on the disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the lock of a file's writers: a file of its own, for the file itself is replaced."""
    lock = path.with_name(f".{path.name}.lock")
    try:
        mode = stat.S_IMODE(path.stat().st_mode) & 0o664
    except OSError as error:
        raise FileFaultError(
            "file", f"cannot be read: {error.strerror or error}", "a readable file"
        ) from error
    try:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, mode)
    except OSError as error:
        raise QueueWriteError(path, error.strerror or str(error)) from error
    try:
        _wait_for_lock(descriptor, path)
        yield
    finally:
        os.close(descriptor)


def _wait_for_lock(descriptor: int, path: Path) -> None:
    deadline = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise QueueWriteError(path, f"another program held its lock for {LOCK_SECONDS:g} s") from None
            time.sleep(0.02)  # flock itself cannot wait for a limited time
        else:
            return


def _replace(path: Path, old: bytes, new: bytes, kept: list[Path]) -> bool:
    """Put *new* in the file's place if it still holds *old*; False if it does not, and keep that."""
    beside = write_beside(path, new, path.stat())
    try:
        if exchange(beside, path):
            done = _settle(path, beside, old, new, kept)
        else:
            done = _replace_by_name(path, beside, old, kept)
    except BaseException:
        # Whichever file has our bytes may go; one that has others' is never removed.
        _remove_ours(beside, new)
        raise
    sync_folder(path.parent)
    return done


def _settle(path: Path, displaced: Path, old: bytes, new: bytes, kept: list[Path]) -> bool:
    """After an exchange: done if the displaced file is what was read, else put it back."""
    if displaced.read_bytes() == old:
        displaced.unlink()
        return True
    exchange(displaced, path)
    if displaced.read_bytes() == new:
        displaced.unlink()
    else:  # saved on top of ours within the last microseconds: neither of two others' edits may go
        kept.append(_keep(path, displaced))
    return False


def _replace_by_name(path: Path, beside: Path, old: bytes, kept: list[Path]) -> bool:
    """Replace without exchanging: the old file keeps a second name until it has been compared."""
    second = path.with_name(f".{path.name}.{secrets.token_hex(6)}.old")
    try:
        os.link(path, second)
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.EMLINK, errno.ENOSYS):
            raise
        return _replace_blindly(path, beside, old)
    if second.read_bytes() != old or not _is_one_file(path, second):
        second.unlink()
        beside.unlink()
        return False
    beside.replace(path)
    if second.read_bytes() == old:
        second.unlink()
    else:
        kept.append(_keep(path, second))
    return True


def _replace_blindly(path: Path, beside: Path, old: bytes) -> bool:
    """Replace on a file system without links, comparing just before."""
    if path.read_bytes() != old:
        beside.unlink()
        return False
    beside.replace(path)
    return True


def _is_one_file(one: Path, other: Path) -> bool:
    return os.path.samestat(one.stat(), other.stat())


def _keep(path: Path, displaced: Path) -> Path:
    """Give a displaced file a name that a person will find."""
    kept = path.with_name(f"{path.name}.displaced-{secrets.token_hex(4)}")
    displaced.rename(kept)
    return kept


def _remove_ours(beside: Path, new: bytes) -> None:
    with suppress(OSError):
        if beside.read_bytes() == new:
            beside.unlink()


def _take_after(descriptor: int, like: os.stat_result) -> None:
    mine = os.fstat(descriptor)
    if (mine.st_uid, mine.st_gid) != (like.st_uid, like.st_gid):
        # An ordinary user cannot give files away; the group may still be one of theirs.
        for owner, group in ((like.st_uid, like.st_gid), (-1, like.st_gid)):
            try:
                os.fchown(descriptor, owner, group)
            except PermissionError:
                continue
            break
    os.fchmod(descriptor, stat.S_IMODE(like.st_mode))


_LIBC = ctypes.CDLL(None, use_errno=True)
_AT_FDCWD = -100
_RENAME_EXCHANGE = 2
