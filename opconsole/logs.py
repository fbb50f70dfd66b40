"""Reads and follows the logs of steps, and writes our own notes into them.

The format is the shim's (`opconsole.shim`): one line per piece with its time and stream. Text is handed out
raw, as the program wrote it; whoever shows it asks `LogLine.display`, which is safe for a terminal.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import struct
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO

from guardrails.sanitise import sanitise

OUTPUT, ERRORS, NOTE, UNKNOWN = "o", "e", "n", "?"


@dataclass(frozen=True, slots=True)
class LogLine:
    """One piece of a log."""

    at: datetime | None
    """When it was written, in UTC; None where the line has not our format."""
    stream: str
    """``o`` output, ``e`` errors, ``n`` a note of opconsole, ``?`` not our format."""
    text: str
    """As the program wrote it: hostile. Show `display` instead."""
    unfinished: bool = False
    """The line was not over: the next piece of the same stream goes on with it."""

    def display(self, *, colours: bool = False, limit: int | None = None) -> str:
        """Give the text as one line that is safe to show."""
        return sanitise(self.text, colours=colours, single_line=False, limit=limit)


def parse_line(line: bytes | str) -> LogLine:
    """Read one line of a log, with or without its newline. What has not our format stays whole."""
    text = line.decode("utf-8", "backslashreplace") if isinstance(line, bytes) else line
    text = text.removesuffix("\n")
    if text[23:25] == "Z " and text[26:27] == " ":
        tag = text[25]
        stream = tag.lower()
        if stream in (OUTPUT, ERRORS) or tag == NOTE:
            with contextlib.suppress(ValueError):
                return LogLine(datetime.fromisoformat(text[:24]), stream, text[27:], unfinished=tag != stream)
    return LogLine(None, UNKNOWN, text)


def append_note(path: Path, text: str) -> None:
    """Write a note of ours, one log line per line of the text. Raises OSError on a full disk."""
    now = datetime.now(UTC)
    stamp = f"{now:%Y-%m-%dT%H:%M:%S}.{now.microsecond // 1000:03d}Z"
    lines = [f"{stamp} n {line}\n" for line in sanitise(text, limit=_PIECE).split("\n")]
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    descriptor = os.open(path, flags, 0o600)
    try:
        os.write(descriptor, "".join(lines).encode())  # one write: never mixed with the shim's lines
    finally:
        os.close(descriptor)


def tail(path: Path, lines: int) -> list[LogLine]:
    """Give the last whole lines, reading backwards: the size of the log does not matter. [] without a log."""
    return [parse_line(line) for line in _last_lines(path, lines)[0]]


def part(path: Path, since: datetime, until: datetime | None, lines: int) -> list[LogLine]:
    """Give the last whole lines written between two moments; the size of the log does not matter."""
    with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
        end = os.fstat(file.fileno()).st_size
        first = _first_after(file, end, since - timedelta(milliseconds=1))  # stamps are cut to milliseconds
        last = end if until is None else _first_after(file, end, until)
        start = max(first, last - (lines + 1) * _LONGEST)
        file.seek(start)
        found = file.read(last - start).split(b"\n")
        whole = found[:-1] if start == first else found[1:-1]
        return [parse_line(line) for line in whole[-lines:]]
    return []


def _first_after(file: BinaryIO, size: int, moment: datetime) -> int:
    """Give the place of the first line that was written after a moment: lines stand in the order of time."""
    low, high = 0, size  # the line sought begins in [low, high]
    while low < high:
        middle = (low + high) // 2
        file.seek(max(0, middle - 1))
        begin = 0 if middle == 0 else middle - 1 + len(file.readline(_LONGEST))
        at, place, line = None, begin, b""
        while begin < high and at is None:  # what has no stamp goes with the next line that has one
            place = begin
            line = file.readline(_LONGEST)
            at, begin = parse_line(line).at, begin + len(line)
            if not line:
                break
        if at is None or at > moment:
            high = middle
        else:
            low = place + len(line)
    file.seek(low)
    return low


class LogCursor:
    """A place in a log that grows: gives what is new, from the start again when the file was replaced or cut.

    Starts at the beginning of the log, or at its present end.
    """

    def __init__(self, path: Path, *, from_end: bool = False) -> None:
        self.path = path
        self.behind = False
        """True when there was more to read than one batch holds."""
        self._offset = 0
        self._identity: tuple[int, int] | None = None
        self._rest = b""  # of a line whose end is not written yet
        if from_end:
            with contextlib.suppress(FileNotFoundError):
                facts = path.stat()
                self._identity = (facts.st_dev, facts.st_ino)
                self._offset = _last_lines(path, 0)[1]

    def read_new(self) -> list[LogLine]:
        """Give the lines written since the last call, at most about a megabyte of them."""
        try:
            descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except FileNotFoundError:
            return []
        try:
            self._find_place(os.fstat(descriptor))
            return self._take(os.pread(descriptor, _BATCH, self._offset))
        finally:
            os.close(descriptor)

    async def read_new_async(self) -> list[LogLine]:
        """Do the same without keeping the event loop waiting for the disk.

        In one thread from opening to closing: who is cancelled meanwhile leaves no descriptor open.
        """
        return await asyncio.to_thread(self.read_new)

    def _find_place(self, facts: os.stat_result) -> None:
        identity = (facts.st_dev, facts.st_ino)
        if identity != self._identity or facts.st_size < self._offset:
            self._identity = identity
            self._offset = 0
            self._rest = b""

    def _take(self, data: bytes) -> list[LogLine]:
        self._offset += len(data)
        self.behind = len(data) == _BATCH
        *whole, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > _LONGEST:  # not written by us: do not gather it for ever
            whole.append(self._rest)
            self._rest = b""
        return [parse_line(line) for line in whole if line]


async def follow(path: Path, *, from_end: bool = False) -> AsyncIterator[list[LogLine]]:
    """Give the lines of a log as they come, in batches, at most twenty a second; it never ends by itself.

    The log need not be there yet. Close the iterator (`aclosing`) to let go of the system's watch.
    """
    loop = asyncio.get_running_loop()
    cursor = await asyncio.to_thread(LogCursor, path, from_end=from_end)
    with contextlib.closing(_Changes(path)) as changes:
        while True:
            started = loop.time()
            if lines := await cursor.read_new_async():
                yield lines
                await asyncio.sleep(max(0.0, started + _PERIOD - loop.time()))
            if not cursor.behind:
                await changes.wait()


async def grows(path: Path) -> AsyncIterator[None]:
    """Yield at once and then whenever a file may have been written to, at most twenty times a second.

    The file need not be there yet. Close the iterator (`aclosing`) to let go of the system's watch.
    """
    loop = asyncio.get_running_loop()
    with contextlib.closing(_Changes(path)) as changes:
        while True:
            started = loop.time()
            yield
            await asyncio.sleep(max(0.0, started + _PERIOD - loop.time()))
            await changes.wait()


class _Changes:
    """Wakes when something was written under a name: by inotify, elsewhere by looking less and less often."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._changed = asyncio.Event()
        self._seen = self._look()
        self._descriptor = _watch_folder(path.parent)
        if self._descriptor is not None:
            asyncio.get_running_loop().add_reader(self._descriptor, self._read_events)

    async def wait(self) -> None:
        """Return when the file has changed since the last call, or may have."""
        pause = _PERIOD
        while not self._changed.is_set():
            longest = _FALLBACK if self._descriptor is not None else pause
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(longest):
                    await self._changed.wait()
            pause = min(_FALLBACK, pause * 1.5)
            if self._look() != self._seen:  # also what no event tells of: other file systems, a late folder
                break
        self._changed.clear()
        self._seen = self._look()

    def close(self) -> None:
        if self._descriptor is not None:
            asyncio.get_running_loop().remove_reader(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = None

    def _look(self) -> tuple[int, int, int] | None:
        try:
            facts = self._path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        return facts.st_ino, facts.st_size, facts.st_mtime_ns

    def _read_events(self) -> None:
        assert self._descriptor is not None  # noqa: S101
        try:
            events = os.read(self._descriptor, 65536)
        except BlockingIOError:
            return  # woken for nothing
        name = os.fsencode(self._path.name)
        at = 0
        while at < len(events):
            _, mask, _, length = struct.unpack_from("iIII", events, at)
            at += 16 + length
            if mask & _IN_OVERFLOW or events[at - length : at].rstrip(b"\0") == name:
                self._changed.set()


def _watch_folder(folder: Path) -> int | None:
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = int(libc.inotify_init1(os.O_CLOEXEC | os.O_NONBLOCK))
    if descriptor < 0:
        return None  # too many watches on this machine: look instead
    if libc.inotify_add_watch(descriptor, os.fsencode(folder), _IN_MODIFY | _IN_CREATE | _IN_MOVED_TO) < 0:
        os.close(descriptor)
        return None
    return descriptor


def _last_lines(path: Path, count: int) -> tuple[list[bytes], int]:
    """Give the last whole lines, and where the last of them ends."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        return [], 0
    try:
        at = os.fstat(descriptor).st_size
        end = at
        blocks: list[bytes] = []
        newlines = 0
        furthest = max(0, at - (count + 2) * _LONGEST)  # lines are bounded: a file without any is not ours
        while at > furthest and newlines <= count:
            start = max(furthest, at - _BLOCK)
            block = os.pread(descriptor, at - start, start)
            blocks.append(block)
            newlines += block.count(b"\n")
            at = start
    finally:
        os.close(descriptor)
    text = b"".join(reversed(blocks))
    whole, newline, rest = text.rpartition(b"\n")
    end -= len(rest)
    lines = [line for line in whole.split(b"\n") if line] if newline else []
    return lines[-count:] if count else [], end


_PIECE = 16 * 1024
_LONGEST = 64 * 1024
_BLOCK = 64 * 1024
_BATCH = 1024 * 1024
_PERIOD = 0.05
_FALLBACK = 1.0
_IN_MODIFY, _IN_CREATE, _IN_MOVED_TO, _IN_OVERFLOW = 0x2, 0x100, 0x80, 0x4000
