"""Reads the audit chain in pages: a long one is neither held in memory nor read in one transaction."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Engine, Row, Select, func, select

from opconsole.journal.records import AuditRow
from opconsole.journal.schema import audit

AT_ONCE = 5_000


class AuditPages:
    """The chain of a journal. Entries are only ever added: pages fit together."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def count(self) -> int:
        """Count the entries."""
        with self._engine.connect() as connection:
            return connection.execute(select(func.count()).select_from(audit)).scalar() or 0

    def entries(self) -> Iterator[AuditRow]:
        """Give all entries in the order of their numbers."""
        last: int | None = None
        while True:
            question = select(audit).order_by(audit.c.seq).limit(AT_ONCE)
            page = self._rows(question if last is None else question.where(audit.c.seq > last))
            yield from page
            if len(page) < AT_ONCE:
                return
            last = page[-1].seq

    def newest(self, limit: int, *, after: int | None = None) -> list[AuditRow]:
        """Give the newest entries, newest first: those behind number *after*."""
        question = select(audit).order_by(audit.c.seq.desc()).limit(limit)
        return self._rows(question if after is None else question.where(audit.c.seq > after))

    def _rows(self, question: Select[Any]) -> list[AuditRow]:
        with self._engine.connect() as connection:
            return [_entry(row) for row in connection.execute(question)]


def _entry(row: Row[Any]) -> AuditRow:
    values = row._mapping
    return AuditRow(**{column.name: values[column.name] for column in audit.columns})
