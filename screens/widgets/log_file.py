"""A log of any size, read by position: the tail first, then the rest of the index backwards.

The file is cut into segments of about a quarter of a megabyte at line ends. Only the segments' places and
counts of lines are kept, and the text of a few of them: memory does not grow with the size of a line, and
hardly with the size of the file.
"""

from __future__ import annotations

import contextlib
import os
from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from threading import RLock

from opconsole.logs import LogLine, parse_line

SEGMENT = 256 * 1024
"""Bytes of one segment."""
STAMP = 27
"""Bytes before the text of a line in our format."""
KEPT = 16
"""Segments whose text is kept."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of the file that begins at a line's beginning."""

    start: int
    end: int
    count: int


class LogFile:
    """Lines by number, counted from the beginning of what is indexed.

    Methods read the disk; all but `line` are for a thread. `indexed` says whether the beginning is reached:
    until then `index_more` puts lines before the others, and every line's number grows.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.indexed = False
        self._segments: list[Segment] = []
        self._firsts: list[int] = []
        self._count = 0
        self._texts: OrderedDict[int, list[bytes]] = OrderedDict()
        self._identity: tuple[int, int] | None = None
        self._began: datetime | None = None
        self._lock = RLock()

    @property
    def count(self) -> int:
        """How many lines are known."""
        return self._count

    def line(self, number: int) -> LogLine:
        """Give a line; an empty one where the file was cut meanwhile."""
        return parse_line(self.raw(number))

    def open(self) -> None:
        """Index the tail. A missing file has no lines yet."""
        with self._lock:
            self._segments, self._firsts, self._count, self.indexed = [], [], 0, False
            self._texts.clear()
            self._identity = self._began = None
            with self._opened() as descriptor:
                if descriptor is None:
                    self.indexed = True
                    return
                facts = os.fstat(descriptor)
                self._identity = (facts.st_dev, facts.st_ino)
                self._read_beginning(descriptor)
                end = _last_newline(descriptor, facts.st_size)
                self._segments = [_before(descriptor, end)] if end else [Segment(0, 0, 0)]
                self._renumber()

    def index_more(self, segments: int = 16) -> int:
        """Index so many segments before the first; give how many lines came before the others."""
        first = self._segments[0].start if self._segments else 0
        found: list[Segment] = []
        with self._opened() as descriptor:
            while descriptor is not None and first > 0 and len(found) < segments:
                found.append(_before(descriptor, first))
                first = found[-1].start
        with self._lock:  # only to publish: drawing must not wait for the disk
            before = self._count
            self._segments[:0] = reversed(found)
            self._renumber()
            if not found:
                self.indexed = True  # the log is gone
            return self._count - before

    def extend(self) -> bool:
        """Take in what was written since; True when the file is another one now and was opened anew."""
        with self._lock:
            with self._opened() as descriptor:
                if descriptor is None:
                    return False
                facts = os.fstat(descriptor)
                end = self._segments[-1].end if self._segments else 0
                same = (facts.st_dev, facts.st_ino) == self._identity and facts.st_size >= end
                if same:
                    self._append(descriptor, end, facts.st_size)
                    return False
            self.open()
            return True

    @property
    def share(self) -> float:
        """How much of the file is indexed, from 0 to 1."""
        with self._lock:
            if not self._segments or not self._segments[-1].end:
                return 1.0
            return 1 - self._segments[0].start / self._segments[-1].end

    @property
    def began(self) -> datetime | None:
        """When the first line of the file was written, as far as it says so."""
        return self._began

    def segments(self) -> list[tuple[int, Segment]]:
        """Give the segments, each with its first line's number."""
        with self._lock:
            return list(zip(self._firsts, self._segments, strict=True))

    def raw(self, number: int) -> bytes:
        """Give a line as it is in the file; nothing where the file was cut meanwhile."""
        with self._lock:
            if not 0 <= number < self._count:
                return b""
            place = bisect_right(self._firsts, number) - 1
            text = self._text(self._segments[place])
            offset = number - self._firsts[place]
            return text[offset] if offset < len(text) else b""

    def data(self, segment: Segment) -> bytes:
        """Give a segment's bytes without the last newline; what was cut off meanwhile is missing."""
        with self._opened() as descriptor:
            if descriptor is None:
                return b""
            return os.pread(descriptor, segment.end - segment.start, segment.start).removesuffix(b"\n")

    def lines_from(self, number: int, *, backwards: bool = False) -> Iterator[tuple[int, bytes]]:
        """Give raw lines with their numbers, from a number on in one direction."""
        with self._lock:
            segments, firsts = list(self._segments), list(self._firsts)
        order = range(len(segments))
        for place in reversed(order) if backwards else order:
            first, last = firsts[place], firsts[place] + segments[place].count - 1
            if (first > number) if backwards else (last < number):
                continue
            texts = list(enumerate(self._read(segments[place]), first))
            for at, text in reversed(texts) if backwards else texts:
                if (at <= number) if backwards else (at >= number):
                    yield at, text

    def find(self, number: int, wanted: Callable[[bytes], bool], *, backwards: bool = False) -> int | None:
        """Give the number of the next line that is wanted, from a number on in one direction."""
        return next((at for at, text in self.lines_from(number, backwards=backwards) if wanted(text)), None)

    def first_at(self, moment: datetime) -> int:
        """Give the number of the first line of a moment or later; lines stand in the order of time."""
        moment -= timedelta(microseconds=moment.microsecond % 1000)  # as stamps are cut

        def late(number: int) -> bool:
            at = self.line(number).at
            while at is None and number + 1 < self.count:  # what has no stamp goes with the next that has one
                number += 1
                at = self.line(number).at
            return at is None or at >= moment

        return bisect_left(range(self.count), True, key=late)

    # -- helpers

    @contextlib.contextmanager
    def _opened(self) -> Iterator[int | None]:
        try:
            descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW)
        except (FileNotFoundError, NotADirectoryError):
            yield None
            return
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def _read_beginning(self, descriptor: int) -> None:
        if self._began is None:
            self._began = parse_line(os.pread(descriptor, STAMP, 0)).at

    def _append(self, descriptor: int, end: int, size: int) -> None:
        self._read_beginning(descriptor)
        while end < size:
            data = os.pread(descriptor, min(SEGMENT, size - end), end)
            cut = data.rfind(b"\n") + 1
            if not cut and len(data) < SEGMENT:
                break  # the line is not over yet
            new = Segment(end, end + (cut or len(data)), _lines(data[: cut or len(data)]))
            last = self._segments[-1] if self._segments else None
            if last is not None and new.end - last.start <= SEGMENT:
                self._texts.pop(last.start, None)
                self._segments[-1] = Segment(last.start, new.end, last.count + new.count)
            else:
                self._segments.append(new)
                self._firsts.append(self._count)
            self._count += new.count
            end = new.end
        if not self._firsts:
            self._renumber()

    def _renumber(self) -> None:
        self._firsts, self._count = [], 0
        for segment in self._segments:
            self._firsts.append(self._count)
            self._count += segment.count
        self.indexed = not self._segments or self._segments[0].start == 0

    def _text(self, segment: Segment) -> list[bytes]:
        text = self._texts.get(segment.start)
        if text is None:
            text = self._texts[segment.start] = self._read(segment)
            if len(self._texts) > KEPT:
                self._texts.popitem(last=False)
        else:
            self._texts.move_to_end(segment.start)
        return text

    def _read(self, segment: Segment) -> list[bytes]:
        with self._opened() as descriptor:
            if descriptor is None:
                return []
            return _split(os.pread(descriptor, segment.end - segment.start, segment.start))


def _split(data: bytes) -> list[bytes]:
    lines = data.split(b"\n")
    if not lines[-1]:
        lines.pop()
    return lines


def _lines(data: bytes) -> int:
    return data.count(b"\n") + (not data.endswith(b"\n") if data else 0)


def _last_newline(descriptor: int, size: int) -> int:
    """Give the place behind the last newline; what follows is not over yet. Without any: the whole size."""
    at = size
    while at > 0:
        start = max(0, at - SEGMENT)
        found = os.pread(descriptor, at - start, start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        if size - start > 4 * SEGMENT:
            return size  # a line without end: show it as far as it is
        at = start
    return 0


def _before(descriptor: int, end: int) -> Segment:
    """Give the segment that ends at a place."""
    start = max(0, end - SEGMENT)
    data = os.pread(descriptor, end - start, start)
    if start > 0:
        cut = data.find(b"\n", 0, len(data) - 1)
        if cut >= 0:  # else one line fills it all: cut it where the segment is cut
            start += cut + 1
            data = data[cut + 1 :]
    return Segment(start, end, _lines(data))
