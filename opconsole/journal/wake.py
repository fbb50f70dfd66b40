"""Waking up when the journal changed: by inotify within a millisecond, by asking once a second otherwise.

Each commit ends with `touch`, which changes the time of an empty file. Should a notice be lost, or the
system have no inotify, SQLite's ``data_version`` tells the same, asked on a connection of its own (it ignores
a connection's own commits and stands still inside an open read).
"""

from __future__ import annotations

import asyncio
import ctypes
import errno
import os
import select
import struct
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, closing, suppress
from pathlib import Path

from opconsole.journal.database import PATIENCE_SECONDS, connect
from opconsole.journal.location import JournalPlace

FALLBACK_SECONDS = 1.0
"""How often ``data_version`` is asked where inotify tells of changes."""


def touch(wake: Path) -> None:
    """Tell everybody that waits that the journal changed."""
    try:
        os.utime(wake)
    except FileNotFoundError:
        wake.touch(mode=0o600)


class Stop:
    """Ends a `Watch` from another thread."""

    def __init__(self) -> None:
        self.descriptor, self._write = os.pipe()
        self._lock = threading.Lock()
        self._open = True
        self.asked = False

    def ask(self) -> None:
        """End the waiting at once; harmless when it has ended already."""
        with self._lock:
            self.asked = True
            if self._open:
                os.write(self._write, b"x")

    def close(self) -> None:
        """Give the descriptors back; from then on nothing waits on them."""
        with self._lock:
            if self._open:
                self._open = False
                os.close(self.descriptor)
                os.close(self._write)


class Watch:
    """Waits for changes of one journal, in one thread."""

    def __init__(self, place: JournalPlace, stop: Stop | None = None) -> None:
        """Begin to watch: a change after this is seen by the first `wait`. The journal must exist."""
        self._stop = stop or Stop()
        with ExitStack() as opened:
            opened.callback(self._stop.close)
            self._connection = opened.enter_context(
                closing(connect(place.database, mode="rw", timeout=PATIENCE_SECONDS))
            )
            self._notices = _Notices(place.wake) if sys.platform == "linux" else None
            if self._notices is not None:
                opened.callback(self._notices.close)
            self._version = self._data_version()
            self._shortest = FALLBACK_SECONDS if self._notices is not None else _SHORTEST_SECONDS
            self._interval = self._shortest
            self._opened = opened.pop_all()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for a change; False after *timeout* seconds without one, or when stopped."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while not self._stop.asked:
            left = self._interval if deadline is None else min(self._interval, deadline - time.monotonic())
            noticed = self._noticed(max(left, 0.0))
            version = self._data_version()
            if (noticed or version != self._version) and not self._stop.asked:
                self._version = version
                self._interval = self._shortest
                return True
            # Without notices: ask often after a change, then less and less.
            self._interval = min(self._interval * 2, FALLBACK_SECONDS)
            if deadline is not None and time.monotonic() >= deadline:
                return False
        return False

    def close(self) -> None:
        """Give everything back; not while another thread waits."""
        self._opened.close()

    def __enter__(self) -> Watch:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _noticed(self, timeout: float) -> bool:
        poll = select.poll()
        poll.register(self._stop.descriptor, select.POLLIN)
        if self._notices is not None:
            poll.register(self._notices.descriptor, select.POLLIN)
        found = {descriptor for descriptor, _ in poll.poll(timeout * 1000)}
        if self._notices is None or self._notices.descriptor not in found:
            return False
        self._notices.drain()
        return True

    def _data_version(self) -> int:
        return int(self._connection.execute("PRAGMA data_version").fetchone()[0])


def wait_change(place: JournalPlace, timeout: float, check: Callable[[], bool]) -> bool:
    """Wait until *check* says yes, asking it now and after each change; False after *timeout* seconds."""
    deadline = time.monotonic() + timeout
    with Watch(place) as watch:
        while not check():
            if not watch.wait(deadline - time.monotonic()):
                return check()
    return True


async def changes(place: JournalPlace, *, every: float | None = None) -> AsyncIterator[None]:
    """Yield once at the start and then after each change of the journal; several at once count as one.

    With *every*, yield also after so many seconds without a change. The watching begins before the first
    yield, so whoever reads the journal after each yield misses nothing. It blocks in a thread of its own;
    cancelling or closing the iterator ends it at once.
    """
    loop = asyncio.get_running_loop()
    changed = asyncio.Event()
    failures: list[Exception] = []

    def tell(failure: Exception | None) -> None:
        if failure is not None:
            failures.append(failure)
        changed.set()

    stop = Stop()
    threading.Thread(target=_watch, args=(place, stop, loop, tell), name="journal-watch", daemon=True).start()
    try:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(every):
                    await changed.wait()
            changed.clear()
            if failures:
                raise failures[0]
            yield
    finally:
        stop.ask()


def _watch(
    place: JournalPlace,
    stop: Stop,
    loop: asyncio.AbstractEventLoop,
    tell: Callable[[Exception | None], None],
) -> None:
    failure: Exception | None = None
    try:
        with Watch(place, stop) as watch:
            loop.call_soon_threadsafe(tell, None)
            while watch.wait():
                loop.call_soon_threadsafe(tell, None)
    except Exception as error:  # noqa: BLE001 - raised again where somebody waits
        failure = error
    if failure is not None and not loop.is_closed():
        loop.call_soon_threadsafe(tell, failure)


# -- inotify ----------------------------------------------------------------------------------------------

_SHORTEST_SECONDS = 0.02
_IN_ATTRIB = 0x4
_IN_DELETE_SELF = 0x400
_IN_MOVE_SELF = 0x800
_IN_IGNORED = 0x8000
_EVENT = struct.Struct("iIII")


class _Notices:
    """Linux's own notices about one file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._libc = ctypes.CDLL(None, use_errno=True)
        self.descriptor = self._checked(self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))
        self._add()

    def drain(self) -> None:
        """Take all notices; begin anew when the file itself was replaced."""
        lost = False
        while True:
            try:
                data = os.read(self.descriptor, 65536)
            except BlockingIOError:
                break
            offset = 0
            while offset < len(data):
                _, mask, _, length = _EVENT.unpack_from(data, offset)
                lost = lost or bool(mask & (_IN_IGNORED | _IN_DELETE_SELF | _IN_MOVE_SELF))
                offset += _EVENT.size + length
        if lost:
            self._add()

    def close(self) -> None:
        """Give the descriptor back."""
        os.close(self.descriptor)

    def _add(self) -> None:
        mask = _IN_ATTRIB | _IN_DELETE_SELF | _IN_MOVE_SELF
        for _ in range(3):
            self._path.touch(mode=0o600)  # before watching: the touch itself is no notice
            if self._libc.inotify_add_watch(self.descriptor, os.fsencode(self._path), mask) >= 0:
                return
            if ctypes.get_errno() != errno.ENOENT:
                break
        self._checked(-1)

    def _checked(self, result: int) -> int:
        if result < 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code), os.fspath(self._path))
        return result
