"""The clock: the one place that time comes from, so that tests can hand in another."""

from __future__ import annotations

import asyncio
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Tells the time and waits."""

    def now(self) -> datetime:
        """Give the present time, in UTC."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait so many seconds."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        """Give the present time, in UTC."""
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        """Wait so many seconds."""
        await asyncio.sleep(seconds)


class HostClock:
    """The clock of whoever hosts a journal: the machine's time, and the time that decides.

    What decides (of expiry, waits, freezes and keys) never runs backwards within a journal: it begins with
    the latest moment on record, and where the machine's clock says an earlier one it goes on as time passes.
    """

    def __init__(self, machine: Clock, latest: datetime | None) -> None:
        """*latest* is the latest moment that the journal knows."""
        self._machine = machine
        self._last = latest
        self._since = time.monotonic()
        self._lock = threading.Lock()

    def now(self) -> datetime:
        """Give the machine's time, in UTC, as the records have it."""
        told = self._machine.now()
        self._hear(told)
        return told

    def decides(self) -> datetime:
        """Give the time to decide by, in UTC."""
        return self._hear(self._machine.now())

    async def sleep(self, seconds: float) -> None:
        """Wait so many seconds."""
        await self._machine.sleep(seconds)

    def _hear(self, told: datetime) -> datetime:
        with self._lock:
            since = time.monotonic()
            if self._last is not None:
                told = max(told, self._last + timedelta(seconds=since - self._since))
            self._last, self._since = told, since
            return told


def iso(moment: datetime | None) -> str | None:
    """Write a moment as the contract has it: ISO 8601 in UTC, with milliseconds."""
    if moment is None:
        return None
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
