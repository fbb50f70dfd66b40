"""One transaction of the journal: several submissions' operations, grouped, checked and chained.

An operation is a value; nothing here knows of threads or of who waits.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, Delete, Insert, Update, insert, select
from sqlalchemy.exc import SQLAlchemyError

from opconsole.audit import GENESIS, entry_hash
from opconsole.journal.database import begin
from opconsole.journal.errors import JournalError, StaleEpochError
from opconsole.journal.schema import audit

REFUSALS = (SQLAlchemyError, JournalError, ValueError, TypeError, OverflowError)
"""What `transact` raises when the database or the driver does not take an operation."""


@dataclass(frozen=True, slots=True)
class Op:
    """One statement with its values.

    *statement* is built once, at module level: the writer puts equal ones (the same object) together.
    *expect* is how many rows it must affect; with another number the submission fails as a whole.
    """

    statement: Insert | Update | Delete
    params: Mapping[str, object]
    expect: int | None = None


@dataclass(frozen=True, slots=True)
class AuditOp:
    """An entry for the audit chain; the writer gives it its number and its hashes. *detail* is JSON."""

    at: str
    actor: str
    action: str
    subject: str
    detail: str


_INSERT_AUDIT = insert(audit)
_LAST_AUDIT = select(audit.c.seq, audit.c.hash).order_by(audit.c.seq.desc()).limit(1)


@dataclass(slots=True)
class _Group:
    op: Op
    params: list[dict[str, object]] = field(default_factory=list)


def transact(connection: Connection, submissions: Sequence[Sequence[Op | AuditOp]], patience: float) -> None:
    """Write all *submissions* in one transaction of a `writing_engine`, or nothing of them.

    Raises one of `REFUSALS`; `JournalBusyError` when the lock was not to be had for *patience* seconds.
    """
    with begin(connection, patience):
        for group in _grouped(submissions):
            result = connection.execute(group.op.statement, group.params)
            if group.op.expect is not None and result.rowcount != group.op.expect * len(group.params):
                raise StaleEpochError(_stale_text(group, result.rowcount))
        entries = [op for ops in submissions for op in ops if isinstance(op, AuditOp)]
        if entries:
            connection.execute(_INSERT_AUDIT, _chained(connection, entries))


def _grouped(submissions: Iterable[Sequence[Op | AuditOp]]) -> list[_Group]:
    """Put equal statements together without changing the order within any submission."""
    groups: list[_Group] = []
    places: dict[tuple[object, ...], list[int]] = {}
    for ops in submissions:
        earliest = 0
        for op in ops:
            if isinstance(op, AuditOp):
                continue
            params = dict(op.params)
            # The names too: executemany takes them from its first row and drops what only later rows have.
            key = (id(op.statement), op.expect, tuple(params))
            known = places.setdefault(key, [])
            position = next((place for place in known if place >= earliest), None)
            if position is None:
                position = len(groups)
                known.append(position)
                groups.append(_Group(op))
            groups[position].params.append(params)
            earliest = position
    return groups


def _stale_text(group: _Group, affected: int) -> str:
    table = group.op.statement.table
    return (
        f"{affected} of {len(group.params)} rows of {table} were as expected: somebody else changed them "
        "meanwhile. Read the journal again before going on"
    )


def _chained(connection: Connection, entries: Sequence[AuditOp]) -> list[dict[str, object]]:
    last = connection.execute(_LAST_AUDIT).first()
    seq, previous = (last.seq, last.hash) if last is not None else (0, GENESIS)
    rows: list[dict[str, object]] = []
    for entry in entries:
        seq += 1
        own = entry_hash(
            seq=seq,
            at=entry.at,
            actor=entry.actor,
            action=entry.action,
            subject=entry.subject,
            detail=entry.detail,
            prev_hash=previous,
        )
        rows.append(
            {
                "seq": seq,
                "at": entry.at,
                "actor": entry.actor,
                "action": entry.action,
                "subject": entry.subject,
                "detail": entry.detail,
                "prev_hash": previous,
                "hash": own,
            }
        )
        previous = own
    return rows
