"""Calls something whenever it is wanted: soon, never twice at once, no more often than the eye follows."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from textual.css.query import NoMatches

PERIOD = 0.1
"""Seconds between two calls at least: ten times a second."""
TRIES = 50
"""How often a call may find a part of its screen missing before that is a fault."""


class Latest:
    """However often it is wanted, the call is made once more after the last time."""

    def __init__(self, call: Callable[[], Awaitable[None]], period: float = PERIOD) -> None:
        self._call = call
        self._period = period
        self._wanted = asyncio.Event()

    def want(self) -> None:
        """Have it called soon."""
        self._wanted.set()

    async def run(self) -> None:
        """Call whenever it is wanted; for ever. The call itself must handle its errors.

        A screen is put together, and taken down, piece by piece: where one is not there (yet, or any more),
        it is tried again for a while.
        """
        missed = 0
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            try:
                await self._call()
            except NoMatches:
                missed += 1
                if missed > TRIES:
                    raise
                self._wanted.set()
            else:
                missed = 0
            await asyncio.sleep(self._period)
