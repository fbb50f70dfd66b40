"""Whose turn it is: tickets of ready tasks in order of urgency, at most one task in each lane.

Each lane has its own line, and only the head of a free lane's line stands in the common one. So ten
thousand tasks in one lane cost no more than in none: nothing is looked at twice because its lane is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from heapq import heappop, heappush

from queues.tasks import TaskKey


@dataclass(eq=False, slots=True)
class Ticket:
    """A ready task's place in line. A dead one is passed over."""

    key: TaskKey
    rank: tuple[int, int, str]
    lane: Hashable | None
    returning: bool = False
    """Its task holds the lane already and goes on in it."""
    alive: bool = True

    def __lt__(self, other: Ticket) -> bool:
        return (self.rank, self.key) < (other.rank, other.key)


class Lanes:
    """Hands out turns; knows who runs in a lane and who keeps one for a person's decision."""

    def __init__(self) -> None:
        self._line: list[Ticket] = []
        self._lanes: dict[Hashable, _Lane] = {}

    def enter(self, ticket: Ticket) -> None:
        """Queue up for a turn."""
        if ticket.lane is None:
            heappush(self._line, ticket)
            return
        lane = self._lanes.setdefault(ticket.lane, _Lane())
        heappush(lane.returning if ticket.returning else lane.waiting, ticket)
        self._offer(lane)

    def head(self, may_start: Callable[[Ticket], bool]) -> Ticket | None:
        """Return the ticket whose turn it is, without using it up.

        Tickets that may not start now die on the way; enter anew when they may.
        """
        while self._line:
            ticket = self._line[0]
            lane = None if ticket.lane is None else self._lanes.get(ticket.lane)
            current = ticket.lane is None or (lane is not None and lane.offered is ticket)
            if current and ticket.alive:
                if may_start(ticket):
                    return ticket
                ticket.alive = False
            heappop(self._line)
            if current and lane is not None:
                lane.offered = None
                self._offer(lane)
        return None

    def take(self, ticket: Ticket) -> None:
        """Use the ticket that `head` returned; its lane is taken until `hold` or `release`."""
        ticket.alive = False
        heappop(self._line)
        if ticket.lane is not None:
            self.occupy(ticket.lane, ticket.key)

    def occupy(self, name: Hashable, key: TaskKey) -> None:
        """Say that a task runs in the lane."""
        lane = self._lanes.setdefault(name, _Lane())
        lane.holders.add(key)
        lane.running = key
        self._offer(lane)

    def hold(self, name: Hashable | None, key: TaskKey) -> None:
        """Say that a task does not run but keeps the lane: nothing else starts in it."""
        if name is None:
            return
        lane = self._lanes.setdefault(name, _Lane())
        lane.holders.add(key)
        if lane.running == key:
            lane.running = None
        self._offer(lane)

    def release(self, name: Hashable | None, key: TaskKey) -> None:
        """Say that a task needs the lane no longer."""
        lane = self._lanes.get(name)
        if lane is None:
            return
        lane.holders.discard(key)
        if lane.running == key:
            lane.running = None
        self._offer(lane)

    def _offer(self, lane: _Lane) -> None:
        """Let the lane's line stand in the common one with whoever may use the lane next, if anybody may."""
        head: Ticket | None = None
        if lane.running is None:
            line = lane.returning if lane.holders else lane.waiting
            while line and not line[0].alive:
                heappop(line)
            head = line[0] if line else None
        if head is not lane.offered:
            lane.offered = head
            if head is not None:
                heappush(self._line, head)


@dataclass(slots=True)
class _Lane:
    holders: set[TaskKey] = field(default_factory=set)
    running: TaskKey | None = None
    waiting: list[Ticket] = field(default_factory=list)
    returning: list[Ticket] = field(default_factory=list)
    offered: Ticket | None = None
