"""What a rollback loses: read from its migrations, counted by asking the database, and named for who decides.

Only what is in the plan's document is part of its digest: the names, and whether anything is there to lose.
The numbers change while people write, so they stand beside the plan.
"""

from __future__ import annotations

import ast
import asyncio
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from guardrails.findings import Direction
from guardrails.migrations.project import Sources
from guardrails.migrations.read import read_migration
from guardrails.operations import Condition, Operation, Thing, Verb
from opconsole.databases import Database, DatabaseError
from opconsole.migrating import MigrationPath
from opconsole.migration_database import ask_database
from opconsole.settings.model import Dialect
from opconsole.steps import StepFailed

COUNTING = 30.0
"""Seconds for counting everything that a rollback loses."""

SHOWN = 20
"""Losses that are named one by one."""


@dataclass(frozen=True, slots=True)
class Loss:
    """One thing whose data a downgrade takes away."""

    table: str
    column: str | None = None
    unknown: str = ""
    """Why it cannot be counted; empty: it can."""

    def __str__(self) -> str:
        return f"column {self.table}.{self.column}" if self.column else f"table {self.table}"


@dataclass(frozen=True, slots=True)
class Losses:
    """What is lost, in words, and whether anything is."""

    names: tuple[str, ...] = ()
    said: tuple[str, ...] = ()
    """One sentence each, with the number, or with why it is not counted."""
    data: bool = False
    """Something is there to lose, or nobody could tell."""

    def behind(self, versions: Sequence[str]) -> Losses:
        """Add the deployments that are taken back; what they brought can be deployed again."""
        if not versions:
            return self
        number = f"{len(versions)} deployment{'' if len(versions) == 1 else 's'}"
        return replace(self, said=(f"takes back {number}: {', '.join(versions)}", *self.said))

    def to_json(self) -> dict[str, object]:
        """Give what the plan says of it."""
        return {"names": list(self.names), "data": self.data}


NOTHING = Losses()


async def losses_of(way: MigrationPath | None) -> Losses:
    """Say what going that way back loses. Never fails: what cannot be told is said, and counts as lost."""
    if way is None or not way.steps:
        return Losses()
    found = await asyncio.to_thread(_read, way)
    if not found:
        return Losses()
    wanted = found[:SHOWN]
    try:
        counts = await ask_database(way.site, way.config, lambda database: _count(database, wanted))
    except (DatabaseError, StepFailed) as error:
        counts = [str(error)] * len(wanted)
    told = list(zip(wanted, counts, strict=True))
    said = [_sentence(loss, count) for loss, count in told]
    if len(found) > SHOWN:
        said.append(f"loses {len(found) - SHOWN} more tables and columns; not counted: too many")
    data = len(found) > SHOWN or any(isinstance(count, str) or count > 0 for _, count in told)
    return Losses(tuple(str(loss) for loss in found), tuple(said), data)


def read_losses(operations: Iterable[Operation]) -> Iterator[Loss]:
    """Say what operations of a downgrade take away."""
    for one in operations:
        if one.direction is not Direction.DOWNGRADE:
            continue
        names = one.names or ("(unnamed)",)
        if one.verb is Verb.UNKNOWN:
            yield Loss(
                "(unknown)", unknown=f"line {one.place.line}: {one.note or 'it could not be analysed'}"
            )
        elif one.thing is Thing.TABLE and one.verb in (Verb.DROP, Verb.TRUNCATE):
            yield from (_table(name) for name in names)
        elif one.thing is Thing.COLUMN and one.verb is Verb.DROP:
            yield from (_column(name) for name in names)
        elif one.thing is Thing.ROWS and one.verb is Verb.DELETE:
            some = one.condition is Condition.SOME
            for name in names:
                yield Loss(name, unknown="a condition says which of its rows") if some else _table(name)
        elif one.thing in (Thing.SCHEMA, Thing.DATABASE) and one.verb is Verb.DROP:
            yield from (Loss(name, unknown=f"the whole {one.thing.value} goes") for name in names)


def _read(way: MigrationPath) -> list[Loss]:
    found: dict[Loss, None] = {}
    root, sources, configured = Path(way.root), Sources(), way.site.settings.migrations
    grammar = (configured.dialect if configured else Dialect.POSTGRESQL).grammar
    for step in way.steps:
        path = root / step.path
        try:
            tree = ast.parse(path.read_bytes())
            file = read_migration(tree, step.path, grammar, sources.imports(path, root))
        except (OSError, SyntaxError, ValueError, RecursionError) as error:
            found[Loss("(unknown)", unknown=f"{step.path} cannot be read: {error}")] = None
            continue
        found |= dict.fromkeys(read_losses(file.operations))
    tables = {loss.table for loss in found if loss.column is None}
    return [
        loss for loss in found if loss.column is None or loss.table not in tables
    ]  # its table says it all


def _count(database: Database, wanted: Sequence[Loss]) -> list[int | str]:
    """Count one after the other; a text says why something is not counted."""
    deadline = time.monotonic() + COUNTING
    counts: list[int | str] = []
    for loss in wanted:
        left = deadline - time.monotonic()
        if loss.unknown:
            counts.append(loss.unknown)
        elif left <= 0:
            counts.append(f"counting took longer than {COUNTING:.0f} s")
        else:
            try:
                count = database.count(loss.table, loss.column, left)
            except DatabaseError as error:
                counts.append(str(error))
            else:
                # Not there: the migration that would drop it fails or does nothing; nothing is lost by it.
                counts.append(0 if count is None else count)
    return counts


def _sentence(loss: Loss, count: int | str) -> str:
    if isinstance(count, str):
        return f"loses {loss}; not counted: {count}"
    what = "values" if loss.column else "rows"
    what = what[:-1] if count == 1 else what
    return f"loses {loss}: {count} {what}" if count else f"drops {loss}, which is empty now"


def _table(name: str) -> Loss:
    return Loss(name) if name != "(unnamed)" else Loss(name, unknown="its name is not told")


def _column(name: str) -> Loss:
    table, dot, column = name.rpartition(".")
    return Loss(table, column) if dot else Loss(name, unknown="its table is not told")
