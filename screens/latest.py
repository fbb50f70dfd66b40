"""Calls something whenever it is wanted: soon, never twice at once, no more often than the eye follows."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

PERIOD = 0.1
"""Seconds between two calls at least: ten times a second."""


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
        """Call whenever it is wanted; for ever. The call itself must handle its errors."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            await self._call()
            await asyncio.sleep(self._period)
