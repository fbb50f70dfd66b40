"""Keeps a log's index true to its file: the tail first, then the beginning, then whatever is written."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from typing import Protocol, cast

from opconsole.logs import grows
from screens.widgets.log_file import LogFile

PERIOD = 0.1
"""Seconds between two growths that are shown: for each, all in view is painted anew, and keys wait."""


class Reader(Protocol):
    """Whoever shows the log."""

    def log_opened(self, log: LogFile) -> None:
        """Show the tail of a log; also when the file is another one now."""
        ...

    def log_grown(self, log: LogFile, new: int) -> None:
        """So many lines came at the end."""
        ...

    def lines_before(self, log: LogFile, added: int) -> None:
        """So many lines came before the others: their numbers grew."""
        ...


async def feed(path: Path, reader: Reader) -> None:
    """Read a log and go on reading it, for ever. The disk is read in threads."""
    log = LogFile(path)
    await asyncio.to_thread(log.open)
    reader.log_opened(log)
    await _index(log, reader)
    async with aclosing(cast("AsyncGenerator[None, None]", grows(path))) as woken:
        async for _ in woken:
            before = log.count
            if await asyncio.to_thread(log.extend):
                reader.log_opened(log)
                await _index(log, reader)
            elif log.count != before:
                reader.log_grown(log, log.count - before)
                await asyncio.sleep(PERIOD)  # what comes meanwhile is painted together


async def _index(log: LogFile, reader: Reader) -> None:
    while not log.indexed:
        reader.lines_before(log, await asyncio.to_thread(log.index_more))
    reader.lines_before(log, 0)
