"""The audit chain shows tampering."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from opconsole.audit import GENESIS, Checkpoint, Fault, entry_hash, verify_chain


@dataclass(frozen=True)
class Entry:
    seq: int
    at: str
    actor: str
    action: str
    subject: str
    detail: str
    prev_hash: str
    hash: str


@pytest.fixture
def chain() -> list[Entry]:
    return _chain("ana", 5)


def _chain(actor: str, length: int) -> list[Entry]:
    entries: list[Entry] = []
    previous = GENESIS
    for seq in range(1, length + 1):
        own = _hash(Entry(seq, f"at {seq}", actor, "approve", "r-1", '{"n":1}', previous, ""))
        entries.append(Entry(seq, f"at {seq}", actor, "approve", "r-1", '{"n":1}', previous, own))
        previous = own
    return entries


def _hash(entry: Entry) -> str:
    return entry_hash(
        seq=entry.seq,
        at=entry.at,
        actor=entry.actor,
        action=entry.action,
        subject=entry.subject,
        detail=entry.detail,
        prev_hash=entry.prev_hash,
    )


def test_a_sound_chain_has_no_fault(chain: list[Entry]) -> None:
    assert verify_chain(chain) is None
    assert verify_chain([]) is None
    assert verify_chain(chain, Checkpoint(3, chain[2].hash)) is None
    assert verify_chain(chain, Checkpoint(5, chain[4].hash)) is None


@pytest.mark.parametrize("field", ["at", "actor", "action", "subject", "detail"])
def test_an_edited_field_shows(chain: list[Entry], field: str) -> None:
    chain[2] = replace(chain[2], **{field: "mallory"})
    fault = verify_chain(chain)
    assert fault is not None
    assert (fault.fault, fault.seq) == (Fault.EDITED, 3)
    assert "audit entry 3 is edited" in str(fault)


def test_an_edit_with_a_fresh_hash_shows_at_the_next_entry(chain: list[Entry]) -> None:
    edited = replace(chain[2], actor="mallory")
    chain[2] = replace(edited, hash=_hash(edited))
    fault = verify_chain(chain)
    assert fault is not None
    assert (fault.fault, fault.seq) == (Fault.REORDERED, 4)


def test_an_entry_taken_out_shows_as_a_gap(chain: list[Entry]) -> None:
    del chain[2]
    fault = verify_chain(chain)
    assert fault is not None
    assert (fault.fault, fault.seq) == (Fault.GAP, 4)


def test_an_entry_cut_off_the_beginning_shows(chain: list[Entry]) -> None:
    fault = verify_chain(chain[1:])
    assert fault is not None
    assert fault.fault is Fault.GAP


def test_exchanged_entries_show(chain: list[Entry]) -> None:
    chain[1], chain[2] = replace(chain[2], seq=2), replace(chain[1], seq=3)
    fault = verify_chain(chain)
    assert fault is not None
    assert (fault.fault, fault.seq) == (Fault.REORDERED, 2)


def test_entries_handed_over_in_another_order_show(chain: list[Entry]) -> None:
    fault = verify_chain([chain[0], chain[1], chain[1]])
    assert fault is not None
    assert fault.fault is Fault.REORDERED


def test_a_truncated_chain_shows_against_a_checkpoint_only(chain: list[Entry]) -> None:
    assert verify_chain(chain[:3]) is None
    fault = verify_chain(chain[:3], Checkpoint(5, chain[4].hash))
    assert fault is not None
    assert (fault.fault, fault.seq) == (Fault.TRUNCATED, 4)


def test_a_chain_written_anew_shows_against_a_checkpoint(chain: list[Entry]) -> None:
    fault = verify_chain(_chain("mallory", 5), Checkpoint(3, chain[2].hash))
    assert fault is not None
    assert (fault.fault, fault.seq) == (Fault.REPLACED, 3)
