"""The outbox: what the journal has decided leaves for files and channels, and waits here until it has left.

Each thing was put in by the same transaction as the change it tells of, so nothing is lost by a crash. What
fails is tried again, less and less often, shown to people, and holds up nothing but its own lane.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from opconsole.host import Host
from opconsole.journal import ops
from opconsole.journal.records import OutboxRow
from opconsole.journal.wake import changes
from opconsole.journal.writer import AuditOp, Op

FIRST_WAIT = 1.0
"""Seconds before a delivery that failed is tried again; doubled each time, up to the kind's longest wait."""

PAGE = 1000
"""Messages read from the journal at once."""


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of some messages."""

    done: frozenset[int]
    """Numbers of those that left, or that nobody needs any more."""
    error: str | None = None
    """Why the others stay; None with others left means that they only have to wait."""
    wait: float | None = None
    """Seconds after which the others are tried again, where the delivery itself knows."""


class Delivery(Protocol):
    """A way out for one kind of message."""

    longest_wait: float
    """Seconds between two tries, at most."""

    def lane(self, row: OutboxRow) -> str:
        """Name what the message goes to; messages of one lane leave one after the other."""
        ...

    def send(self, host: Host, rows: Sequence[OutboxRow]) -> Sent:
        """Deliver messages of one kind and project, oldest first. Runs in a thread; may raise anything."""
        ...


_Group = tuple[str, str, str]
"""Lane, kind and project."""


@dataclass(slots=True)
class _Backlog:
    """Messages of one group that are still here."""

    rows: list[OutboxRow] = field(default_factory=list)
    not_before: float = 0.0  # by the loop's clock
    failures: int = 0


class Outbox:
    """Delivers what waits. Whoever holds the host lock has one for each set of deliveries."""

    def __init__(self, host: Host, deliveries: Mapping[str, Delivery]) -> None:
        self._host = host
        self._deliveries = deliveries
        self._seen = 0
        self._backlogs: dict[_Group, _Backlog] = {}
        self._delivering = asyncio.Lock()

    async def serve(self) -> None:
        """Deliver whatever comes, for as long as the engine is hosted."""
        async with contextlib.aclosing(changes(self._host.place)) as news:  # type: ignore[type-var]
            waiting = aiter(news)
            upcoming = asyncio.ensure_future(anext(waiting))
            again: float | None = None
            try:
                while True:
                    await asyncio.wait({upcoming}, timeout=again)
                    if upcoming.done():
                        upcoming.result()
                        upcoming = asyncio.ensure_future(anext(waiting))
                    again = await self.deliver()
            finally:
                upcoming.cancel()
                await asyncio.gather(upcoming, return_exceptions=True)

    async def deliver(self) -> float | None:
        """Deliver what can be; give the seconds after which something wants another try."""
        async with self._delivering:
            await self._take_in()
            now = asyncio.get_running_loop().time()
            lanes: dict[str, list[_Group]] = {}
            for group, backlog in self._backlogs.items():
                if backlog.not_before <= now:
                    lanes.setdefault(group[0], []).append(group)
            # Lanes side by side: a channel that hangs keeps no queue file waiting, nor another channel.
            await asyncio.gather(*(self._deliver_lane(groups) for groups in lanes.values()))
            self._backlogs = {group: backlog for group, backlog in self._backlogs.items() if backlog.rows}
            later = [backlog.not_before for backlog in self._backlogs.values()]
            return max(0.0, min(later) - asyncio.get_running_loop().time()) if later else None

    async def _take_in(self) -> None:
        """Read what is new. Only this process writes messages, so none appears below those seen."""
        while True:
            rows = await self._host.read(
                self._host.reader.open_outbox, PAGE, after=self._seen, kinds=tuple(self._deliveries)
            )
            for row in rows:
                group = (self._deliveries[row.kind].lane(row), row.kind, row.project)
                self._backlogs.setdefault(group, _Backlog()).rows.append(row)
                self._seen = row.seq
            if len(rows) < PAGE:
                return

    async def _deliver_lane(self, groups: Sequence[_Group]) -> None:
        for group in groups:
            backlog, delivery = self._backlogs[group], self._deliveries[group[1]]
            rows = list(backlog.rows)
            try:
                sent = await asyncio.to_thread(delivery.send, self._host, rows)
            except Exception as fault:  # noqa: BLE001 - one message must not end the engine; it is shown
                sent = Sent(frozenset(), f"{group[1]} of {group[2]} could not be delivered: {_told(fault)}")
            await self._record(backlog, rows, sent, delivery.longest_wait)

    async def _record(
        self, backlog: _Backlog, rows: Sequence[OutboxRow], sent: Sent, longest_wait: float
    ) -> None:
        now = self._host.clock.now()
        writes: list[Op | AuditOp] = [
            ops.end_outbox(row.seq, now, sent.error if sent.error and row.error else None)
            for row in rows
            if row.seq in sent.done
        ]
        left = [row for row in rows if row.seq not in sent.done]
        kept: list[OutboxRow] = []
        for index, row in enumerate(left):
            # One try is one line: those behind the first only take over a reason that is new to them.
            told = sent.error is not None and (index == 0 or row.error != sent.error)
            if told:
                writes.append(ops.end_outbox(row.seq, None, sent.error))
            kept.append(replace(row, attempts=row.attempts + 1, error=sent.error) if told else row)
        if left and sent.error is not None and backlog.failures == 0 and left[0].attempts == 0:
            detail = {"priority": "P1", "text": sent.error}
            writes.append(ops.event(now, "alert", left[0].project, detail=detail))
        if writes:
            await self._host.journal.commit(*writes)
        backlog.rows = kept
        if not left:
            backlog.failures, backlog.not_before = 0, 0.0
            return
        wait = sent.wait
        if wait is None:
            wait = min(longest_wait, FIRST_WAIT * 2 ** min(backlog.failures, 16))
            backlog.failures += 1
        backlog.not_before = asyncio.get_running_loop().time() + wait


def _told(fault: Exception) -> str:
    return f"{type(fault).__name__}: {fault}" if not isinstance(fault, (OSError, ValueError)) else str(fault)
