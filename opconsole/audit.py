"""The audit chain: each entry carries the hash of the one before, so that tampering shows.

The chain alone finds an entry that was edited, moved or taken out of the middle. Entries cut off its end
are found only against a checkpoint, a (number, hash) that was noted somewhere else before.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
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


def verify_chain(rows: Iterable[AuditEntry], checkpoint: Checkpoint | None = None) -> ChainFault | None:
    """Give the first fault of a chain that is handed over in its stored order, or None when it is sound."""
    last_seq, last_hash = 0, GENESIS
    for row in rows:
        fault = _fault_of(row, last_seq, last_hash, checkpoint)
        if fault is not None:
            return fault
        last_seq, last_hash = row.seq, row.hash
    if checkpoint is not None and last_seq < checkpoint.seq:
        return ChainFault(Fault.TRUNCATED, last_seq + 1, f"{last_seq} entries", f"at least {checkpoint.seq}")
    return None


def _fault_of(
    row: AuditEntry, last_seq: int, last_hash: str, checkpoint: Checkpoint | None
) -> ChainFault | None:
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
    if checkpoint is not None and row.seq == checkpoint.seq and row.hash != checkpoint.hash:
        return ChainFault(Fault.REPLACED, row.seq, row.hash, checkpoint.hash)
    return None
