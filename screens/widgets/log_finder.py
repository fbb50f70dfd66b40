"""One search through a log: near the reader first, then the rest, then whatever is written."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

from screens.widgets.log_file import LogFile, Segment
from screens.widgets.log_search import Hits, SearchError, Wanted, search_segment

BATCH = 8
"""Segments that are searched between two looks at the screen: about two megabytes."""


class Finder:
    """What is searched for, and what was found so far. Numbers are the log's: it must be indexed wholly."""

    def __init__(self) -> None:
        self.wanted: Wanted | None = None
        self.hits = Hits()
        self.share: float | None = None
        """How much is searched, from 0 to 1; None while nothing is searched."""
        self.fault = ""
        """Why the search could not be done."""
        self._until = 0

    def begin(self, wanted: Wanted | None) -> None:
        """Search for something else from now on; None: for nothing."""
        self.wanted, self.hits, self.fault, self._until = wanted, Hits(), "", 0
        self.share = None if wanted is None else 0.0

    async def search(self, log: LogFile, near: int) -> AsyncIterator[None]:
        """Search all of a log, from a line back to the beginning and then on to the end.

        Yields whenever more is found or known. Threads do the work.
        """
        wanted = self.wanted
        if wanted is None:
            return
        segments = log.segments()
        self._until = segments[-1][0] + segments[-1][1].count if segments else 0
        split = sum(first <= near for first, _ in segments)
        batches = [segments[max(0, end - BATCH) : end] for end in range(split, 0, -BATCH)]
        batches += [segments[at : at + BATCH] for at in range(split, len(segments), BATCH)]
        try:
            for done, batch in enumerate(batches, 1):
                found = await asyncio.to_thread(_search, log, batch, wanted)
                if wanted is not self.wanted:
                    return
                self.hits.add(found)
                self.share = done / len(batches)
                yield
        except SearchError as error:
            if wanted is self.wanted:
                self.fault = str(error)
        if wanted is self.wanted:
            self.share = None
            yield

    async def go_on(self, log: LogFile) -> bool:
        """Search what was written since; True when something was found."""
        wanted = self.wanted
        if wanted is None or self.fault:
            return False
        segments = [one for one in log.segments() if one[0] + one[1].count > self._until]
        if not segments:
            return False
        since, self._until = self._until, segments[-1][0] + segments[-1][1].count
        try:
            found = await asyncio.to_thread(_search, log, segments, wanted)
        except SearchError as error:
            self.fault = str(error)
            return True
        new = [number for number in found if number >= since]
        if wanted is self.wanted:
            self.hits.add(new)
        return bool(new)


def _search(log: LogFile, segments: Sequence[tuple[int, Segment]], wanted: Wanted) -> list[int]:
    return [number for first, segment in segments for number in search_segment(log, first, segment, wanted)]
