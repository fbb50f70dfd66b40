"""Puts operations into the context of those before them: fresh tables, transactions, locks, timeouts.

A lock on a table that the same script has made hurts nobody, CONCURRENTLY fails only inside a transaction,
and an ACCESS EXCLUSIVE lock hurts as long as what comes after it runs.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from guardrails.operations import Operation, Thing, Trait, Verb


def in_context(operations: Iterable[Operation], *, transactional: bool) -> list[Operation]:
    """Give the operations, in the order in which they run, with what those before them mean to them.

    *transactional*: a transaction is open from the beginning, as Alembic has it; whoever runs the script
    has then set timeouts, too. Otherwise it is a script that opens its own.
    """
    context = _Context(transaction=transactional, timeout=transactional)
    return [context.take(operation) for operation in operations]


_ALTERS = frozenset(
    {
        (Verb.CREATE, Thing.COLUMN),
        (Verb.DROP, Thing.COLUMN),
        (Verb.DROP, Thing.CONSTRAINT),
        (Verb.ALTER, Thing.NOT_NULL),
        (Verb.ALTER, Thing.COLUMN_TYPE),
        (Verb.RENAME, Thing.TABLE),
        (Verb.RENAME, Thing.COLUMN),
        (Verb.ADD, Thing.CHECK),
        (Verb.ADD, Thing.UNIQUE),
    }
)
"""What ALTER TABLE needs an ACCESS EXCLUSIVE lock for."""
_LOCKS = _ALTERS | {(Verb.DROP, Thing.TABLE), (Verb.TRUNCATE, Thing.TABLE)}
_WORKS = frozenset({(Verb.UPDATE, Thing.ROWS), (Verb.DELETE, Thing.ROWS), (Verb.VALIDATE, Thing.CONSTRAINT)})
_LOSES = frozenset(
    {
        (Verb.DROP, Thing.TABLE),
        (Verb.TRUNCATE, Thing.TABLE),
        (Verb.DELETE, Thing.ROWS),
        (Verb.UPDATE, Thing.ROWS),
    }
)
"""What does no harm to a temporary table of the same script: it goes with the session."""
_UNKNOWN = ("",)
"""A table whose name is only known when it runs."""


@dataclass(slots=True)
class _Context:
    transaction: bool
    timeout: bool
    fresh: set[str] = field(default_factory=set)
    temporary: dict[str, bool] = field(default_factory=dict)
    """Temporary tables, and whether the transaction's end drops them."""
    locked: bool = False
    added: set[str] = field(default_factory=set)
    """Tables that this transaction added a NOT VALID constraint to."""
    proved: set[str] = field(default_factory=set)

    def take(self, operation: Operation) -> Operation:
        """Give an operation its context, and note what it changes for those after it."""
        kind = (operation.verb, operation.thing)
        if operation.thing is Thing.TRANSACTION:
            self._turn(operation)
            return operation
        if kind == (Verb.SET, Thing.TIMEOUT):
            self.timeout = True
            return operation
        traits = set(operation.traits) | self._traits(operation, kind)
        self._note(operation, kind, traits)
        return operation if traits == operation.traits else replace(operation, traits=frozenset(traits))

    def _turn(self, operation: Operation) -> None:
        self.transaction = operation.verb is Verb.BEGIN
        self.locked = False
        self.added.clear()
        if operation.verb is Verb.END:
            self.temporary = {name: drops for name, drops in self.temporary.items() if not drops}

    def _traits(self, operation: Operation, kind: tuple[Verb, Thing]) -> set[Trait]:
        tables = _tables(operation)
        traits = set()
        if tables and all(table in self.fresh for table in tables):
            traits.add(Trait.FRESH)
        if kind in _LOSES and operation.names and all(map(self._is_temporary, operation.names)):
            traits.add(Trait.GONE_ANYWAY)
        if self.transaction:
            traits.add(Trait.IN_TRANSACTION)
            if kind == (Verb.VALIDATE, Thing.CONSTRAINT) and self.added & set(tables):
                traits.add(Trait.AFTER_ADDING)
            elif self.locked and kind in _WORKS and Trait.FRESH not in traits:
                traits.add(Trait.AFTER_LOCK)
        if kind == (Verb.ALTER, Thing.NOT_NULL) and self.proved & set(tables):
            traits.add(Trait.PROVED)
        if kind in _ALTERS and operation.sql and not self.timeout and Trait.FRESH not in traits:
            traits.add(Trait.NO_TIMEOUT)
        return traits

    def _is_temporary(self, name: str) -> bool:
        return name in self.temporary or name.startswith("pg_temp.")

    def _note(self, operation: Operation, kind: tuple[Verb, Thing], traits: set[Trait]) -> None:
        tables = _tables(operation)
        if kind == (Verb.CREATE, Thing.TABLE):
            self.fresh.update(tables)
            if Trait.TEMPORARY in traits:
                self.temporary |= dict.fromkeys(operation.names, Trait.ON_COMMIT_DROP in traits)
        elif kind == (Verb.DROP, Thing.TABLE):
            for name in operation.names:
                self.temporary.pop(name.removeprefix("pg_temp."), None)
                self.fresh.discard(_plain(name))
        elif kind == (Verb.RENAME, Thing.TABLE) and len(operation.names) == 2:
            old, new = map(_plain, operation.names)
            self.temporary.pop(old, None)
            self.fresh = self.fresh - {old, new} | ({new} if old in self.fresh else set())
        elif kind == (Verb.VALIDATE, Thing.CONSTRAINT) and Trait.AFTER_ADDING not in traits:
            self.proved.update(tables)
        if Trait.NOT_VALID in traits:
            self.added.update(tables)
        if Trait.NO_TIMEOUT in traits:
            self.timeout = True  # said once
        if kind in _LOCKS and Trait.FRESH not in traits and Trait.GONE_ANYWAY not in traits:
            self.locked = True


def _tables(operation: Operation) -> tuple[str, ...]:
    names = operation.names if operation.thing is Thing.TABLE else operation.tables
    if operation.verb is Verb.RENAME:
        names = operation.names[:1] if operation.thing is Thing.TABLE else operation.tables
    if not names and operation.thing in {Thing.ROWS, Thing.INDEX} and operation.verb is not Verb.CREATE:
        return ()
    return tuple(_plain(name) for name in names) or _UNKNOWN


def _plain(name: str) -> str:
    return name.removeprefix("public.")
