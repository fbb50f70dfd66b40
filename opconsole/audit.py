"""The audit chain: each entry carries the hash of the one before, so that tampering shows.

The chain alone finds an entry that was edited, moved or taken out of the middle. Entries cut off its end
are found only against a checkpoint, a (number, hash) that was noted somewhere else before
(`opconsole.checkpoints`). A clock that was set back breaks no chain; `clock_steps` tells of it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Protocol

GENESIS = "sha256:" + "0" * 64
"""What the first entry names as the hash of the one before it."""


class AuditEntry(Protocol):
    """One entry, as the journal's table ``audit`` holds it."""

    @property
    def seq(self) -> int:
        """Its place in the chain, from 1 without gaps; time may be set back, this cannot."""
        ...

    @property
    def at(self) -> str:
        """When it happened, by the clock of then; never used for the order."""
        ...

    @property
    def actor(self) -> str:
        """Who did it."""
        ...

    @property
    def action(self) -> str:
        """What was done."""
        ...

    @property
    def subject(self) -> str:
        """What it was done to."""
        ...

    @property
    def detail(self) -> str:
        """More about it, as JSON; hashed as the text it is."""
        ...

    @property
    def prev_hash(self) -> str:
        """The hash of the entry before, `GENESIS` for the first."""
        ...

    @property
    def hash(self) -> str:
        """The hash of this entry with *prev_hash*."""
        ...


class Fault(StrEnum):
    """What can be wrong with a chain."""

    EDITED = "edited"  # the content does not match its own hash
    REORDERED = "reordered"  # it does not follow the entry before it
    GAP = "gap"  # entries are missing before it
    TRUNCATED = "truncated"  # the chain ends before the checkpoint
    REPLACED = "replaced"  # sound in itself, but not the chain of the checkpoint


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """An entry's number and hash, noted outside the journal."""

    seq: int
    hash: str


@dataclass(frozen=True, slots=True)
class ChainFault:
    """The first place where a chain is broken."""

    fault: Fault
    seq: int
    found: str
    expected: str

    def __str__(self) -> str:
        return (
            f"audit entry {self.seq} is {self.fault.value}: found {self.found}, expected {self.expected}. "
            "Compare with a backup of the journal from before"
        )


def entry_hash(
    *, seq: int, at: str, actor: str, action: str, subject: str, detail: str, prev_hash: str
) -> str:
    """Give the hash of an entry: SHA-256 over its canonical JSON together with *prev_hash*."""
    entry = {
        "seq": seq,
        "at": at,
        "actor": actor,
        "action": action,
        "subject": subject,
        "detail": detail,
        "prev_hash": prev_hash,
    }
    text = json.dumps(entry, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return "sha256:" + hashlib.sha256(text.encode("ascii")).hexdigest()


def verify_chain(rows: Iterable[AuditEntry], *checkpoints: Checkpoint | None) -> ChainFault | None:
    """Give the first fault of a chain that is handed over in its stored order, or None when it is sound."""
    noted = {point.seq: point for point in checkpoints if point is not None}
    last_seq, last_hash = 0, GENESIS
    for row in rows:
        fault = _fault_of(row, last_seq, last_hash) or _replaced(row, noted.get(row.seq))
        if fault is not None:
            return fault
        last_seq, last_hash = row.seq, row.hash
    latest = max(noted, default=0)
    if last_seq < latest:
        return ChainFault(Fault.TRUNCATED, last_seq + 1, f"{last_seq} entries", f"at least {latest}")
    return None


@dataclass(frozen=True, slots=True)
class ClockStep:
    """An entry that says an earlier time than one before it: the clock was set back, or it is made up."""

    seq: int
    at: str
    before: str
    """The latest time of the entries before it."""

    def __str__(self) -> str:
        return (
            f"audit entry {self.seq} says {self.at}, after an entry of {self.before}: the clock was set back"
        )


def clock_steps(
    rows: Iterable[AuditEntry],
    witnessed: Mapping[int, str] = MappingProxyType({}),
    tolerance: timedelta = timedelta(minutes=1),
) -> list[ClockStep]:
    """Give the entries at which the time went back by more than *tolerance*.

    *witnessed* has the times of checkpoints by their entries' numbers: what follows one cannot be older.
    Entries of one moment may swap their times by a little, for they are written down before they are queued.
    """
    steps: list[ClockStep] = []
    latest: datetime | None = None
    for row in rows:
        at = _moment(row.at)
        if at is None:
            steps.append(ClockStep(row.seq, row.at, latest.isoformat() if latest else "no time"))
            continue
        if latest is not None and latest - at > tolerance:
            steps.append(ClockStep(row.seq, row.at, latest.isoformat()))
            latest = at  # told once: what follows is measured by the clock as it is now
        elif latest is None or at > latest:
            latest = at
        noted = _moment(witnessed.get(row.seq))
        latest = max(latest, noted) if noted is not None else latest
    return steps


def _moment(text: str | None) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text) if text else None
    except ValueError:
        return None
    return moment if moment is not None and moment.tzinfo is not None else None


def _replaced(row: AuditEntry, noted: Checkpoint | None) -> ChainFault | None:
    if noted is None or row.hash == noted.hash:
        return None
    return ChainFault(Fault.REPLACED, row.seq, row.hash, noted.hash)


def _fault_of(row: AuditEntry, last_seq: int, last_hash: str) -> ChainFault | None:
    if row.seq != last_seq + 1:
        kind = Fault.GAP if row.seq > last_seq + 1 else Fault.REORDERED
        return ChainFault(kind, row.seq, f"number {row.seq}", f"number {last_seq + 1}")
    if row.prev_hash != last_hash:
        return ChainFault(Fault.REORDERED, row.seq, f"predecessor {row.prev_hash}", last_hash)
    true_hash = entry_hash(
        seq=row.seq,
        at=row.at,
        actor=row.actor,
        action=row.action,
        subject=row.subject,
        detail=row.detail,
        prev_hash=row.prev_hash,
    )
    if row.hash != true_hash:
        return ChainFault(Fault.EDITED, row.seq, row.hash, true_hash)
    return None
