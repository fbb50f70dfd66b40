"""Who hosts the engine: one process at a time holds a lock for as long as it lives.

The truth is the lock (flock), which the kernel frees when its holder dies. What the file says is for people.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from opconsole.journal.location import JournalPlace


@dataclass(frozen=True, slots=True)
class ExecutorIdentity:
    """Which process on which machine and boot: enough to tell it from any later one with the same number."""

    machine_id: str
    boot_id: str
    pid_namespace: str
    pid: int
    start_time: int  # clock ticks since boot; 0 where the system does not say

    def as_json(self) -> dict[str, str | int]:
        """Give it as the journal's columns *executor* hold it."""
        return asdict(self)


def executor_identity() -> ExecutorIdentity:
    """Identify this process."""
    return ExecutorIdentity(
        machine_id=_first_line(Path("/etc/machine-id"), Path("/var/lib/dbus/machine-id"))
        or socket.gethostname(),
        boot_id=_first_line(Path("/proc/sys/kernel/random/boot_id")),
        pid_namespace=_pid_namespace(),
        pid=os.getpid(),
        start_time=_start_time(),
    )


class HostLock:
    """The lock of whoever hosts the engine; held until `release` or the end of the process."""

    def __init__(self, place: JournalPlace, descriptor: int) -> None:
        self._place = place
        self._descriptor = descriptor

    @classmethod
    def try_acquire(cls, place: JournalPlace) -> HostLock | None:
        """Take the lock, or give None at once when another process holds it."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while True:
            descriptor = os.open(place.host_lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                taken = _flock(descriptor, fcntl.LOCK_EX)
                if taken and _is_at(descriptor, place.host_lock):
                    _describe(descriptor)
                    lock, descriptor = cls(place, descriptor), -1
                    return lock
            finally:
                if descriptor >= 0:
                    os.close(descriptor)
            if not taken and time.monotonic() >= deadline:
                return None
            # Somebody in `host_alive` holds it for microseconds, or the file was swapped: look again.
            time.sleep(_RETRY_SECONDS)

    @property
    def held(self) -> bool:
        """True until it is released."""
        return self._descriptor >= 0

    def release(self) -> None:
        """Let another process host the engine. Harmless when called twice."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> HostLock:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def host_alive(place: JournalPlace) -> bool:
    """Say whether some process, this one included, hosts the engine; creates nothing."""
    try:
        descriptor = os.open(place.host_lock, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        return not _flock(descriptor, fcntl.LOCK_SH)
    finally:
        os.close(descriptor)


def holder(place: JournalPlace) -> ExecutorIdentity | None:
    """Say who wrote itself into the lock's file last; ask `host_alive` whether it still holds the lock."""
    try:
        found = json.loads(place.host_lock.read_text("utf-8"))
        return ExecutorIdentity(
            machine_id=str(found["machine_id"]),
            boot_id=str(found["boot_id"]),
            pid_namespace=str(found["pid_namespace"]),
            pid=int(found["pid"]),
            start_time=int(found["start_time"]),
        )
    except (
        FileNotFoundError,
        ValueError,
        TypeError,
        KeyError,
        RecursionError,
    ):  # being written just now, or not ours
        return None


_PATIENCE_SECONDS = 0.02
_RETRY_SECONDS = 0.001


def _flock(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _describe(descriptor: int) -> None:
    text = json.dumps(executor_identity().as_json()).encode("utf-8") + b"\n"
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, text, 0)


def _first_line(*paths: Path) -> str:
    for path in paths:
        try:
            return path.read_text("ascii").strip()
        except (OSError, ValueError):  # not on this system
            continue
    return ""


def _pid_namespace() -> str:
    try:
        return str(Path("/proc/self/ns/pid").readlink())
    except OSError:  # not Linux
        return ""


def _start_time() -> int:
    if sys.platform != "linux":
        return 0
    # The name in parentheses may hold spaces and parentheses itself; field 22 counts from after it.
    status = Path("/proc/self/stat").read_text("utf-8", errors="replace")
    return int(status.rpartition(")")[2].split()[19])
