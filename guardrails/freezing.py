"""Freeze windows: when no effect may begin, by the calendar of a time zone; pure functions of a moment.

A window recurs by week days and hours, or is dated. Its end is not part of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, time, timedelta, tzinfo

ROUNDS = 400
"""Windows that are followed one after the other when the end of a freeze is looked for."""


@dataclass(frozen=True, slots=True)
class Weekly:
    """A window on certain days of every week."""

    name: str
    days: frozenset[int]
    """Days on which it begins; Monday is 0."""
    begin: time
    end: time | None
    """Not after *begin*: on the next day. None: the day's end."""
    zone: tzinfo

    def until(self, now: datetime) -> datetime | None:
        """Give the end of the window that *now* lies in; None outside."""
        local = now.astimezone(self.zone)
        for day in (local.date(), local.date() - timedelta(days=1)):
            if day.weekday() not in self.days:
                continue
            overnight = self.end is None or self.end <= self.begin
            last = day + timedelta(days=1) if overnight else day
            # Wall time, so that a window keeps its hours when the clocks are changed.
            begins = datetime.combine(day, self.begin, self.zone)
            ends = datetime.combine(last, self.end or time(), self.zone)
            if begins <= now < ends:
                return ends
        return None


@dataclass(frozen=True, slots=True)
class Dated:
    """A window from one moment to another."""

    name: str
    since: datetime
    end: datetime

    def until(self, now: datetime) -> datetime | None:
        """Give the end of the window where *now* lies in it; None outside."""
        return self.end if self.since <= now < self.end else None


Window = Weekly | Dated


@dataclass(frozen=True, slots=True)
class Freeze:
    """What freezes a moment, and when that is over."""

    names: tuple[str, ...]
    until: datetime | None
    """None: no end is in sight."""

    def __str__(self) -> str:
        end = f" until {self.until:%Y-%m-%d %H:%M %Z}".rstrip() if self.until else ""
        return f"frozen{end} ({', '.join(self.names)})"


def frozen(windows: Iterable[Window], now: datetime) -> Freeze | None:
    """Say what freezes *now*; windows that follow without a gap are one freeze."""
    known = list(windows)
    names: list[str] = []
    until = now
    for _ in range(ROUNDS):
        ends = [(end, window.name) for window in known if (end := window.until(until)) is not None]
        if not ends:
            return Freeze(tuple(names), until) if names else None
        until, name = max(ends, key=lambda one: one[0])
        names += [name] if name not in names else []
    return Freeze(tuple(names), None)
