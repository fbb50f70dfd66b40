"""Watches over a migration's sessions in the database: a migration is over when the database says so.

The program's end is not the migration's: a server may go on with a statement whose client is gone.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from opconsole.databases import DatabaseError, Marks, Work
from opconsole.migration_database import ask_database
from opconsole.steps import StepInterrupted
from opconsole.surroundings import Site

END_LIMIT = 30.0
"""Seconds in which sessions that were told to end have to be gone."""

PATIENCE = 1.0
"""Seconds in which a session that ends with its program is gone; nothing need be said of it."""

NOTE_EVERY = 15.0
"""Seconds between two notes while waiting."""


@dataclass(frozen=True, slots=True)
class Watch:
    """What tells a migration's sessions from others, and where notes about them go."""

    site: Site
    config: Path
    marks: Marks
    note: Callable[[str], None]

    async def until_over(self, patience: float, *, certain: bool) -> None:
        """Wait until the database has nothing more of the migration.

        After *patience* seconds it is told to end what carries the migration's name, and that is verified.
        *certain* says that the program ended by itself: only sessions of its name can be at work then.
        Raises StepInterrupted when something remains, or nobody can tell.
        """
        waiting = _Waiting(self, time.monotonic() + patience, certain=certain)
        pause = 0.05
        while not await waiting.over():
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, 1.0)


class _Waiting:
    def __init__(self, watch: Watch, deadline: float, *, certain: bool) -> None:
        self._watch = watch
        self._deadline = deadline
        self._certain = certain
        self._told_to_end = False
        self._next_note = time.monotonic() + PATIENCE
        self._strangers: set[int] | None = None
        self._noted = False

    async def over(self) -> bool:
        """Look once. True when nothing is left; raises StepInterrupted when it is too late."""
        late = time.monotonic() >= self._deadline
        try:
            left = self._ours(await self._ask_at_work())
        except DatabaseError as error:
            if late:
                raise StepInterrupted(
                    f"nobody can tell whether the migration is over: {error}; look at the database's sessions"
                ) from error
            self._say(f"cannot see yet whether the database is done with the migration: {error}")
            return False
        if not left:
            if self._noted:
                self._watch.note("the database is done with the migration")
            return True
        words = " and ".join(map(str, left))
        if not late:
            self._say(f"the program is over, the database is not: waiting for {words}")
        elif self._told_to_end or not any(one.named for one in left):
            raise StepInterrupted(
                f"the migration's program is over, but the database still works for it in {words}; "
                "wait until that is over, or end it there, then decide"
            )
        else:
            await self._end(left, words)
        return False

    def _ours(self, work: Sequence[Work]) -> list[Work]:
        """Leave out what cannot be the migration's: without its name, and come later or at rest meanwhile."""
        strangers = set() if self._certain else {one.id for one in work if not one.named}
        self._strangers = strangers if self._strangers is None else self._strangers & strangers
        return [one for one in work if one.named or one.id in self._strangers]

    async def _ask_at_work(self) -> Sequence[Work]:
        marks = self._watch.marks
        return await ask_database(
            self._watch.site, self._watch.config, lambda database: database.at_work(marks)
        )

    async def _end(self, left: Sequence[Work], words: str) -> None:
        self._watch.note(f"the time is up: telling the database to end {words}")
        self._noted = self._told_to_end = True
        self._deadline = time.monotonic() + END_LIMIT
        try:
            await ask_database(self._watch.site, self._watch.config, lambda database: database.end(left))
        except DatabaseError as error:
            self._watch.note(f"that could not be done: {error}")  # whether they go, the next look tells

    def _say(self, text: str) -> None:
        now = time.monotonic()
        if now >= self._next_note:
            self._noted = True
            self._next_note = now + NOTE_EVERY
            self._watch.note(text)
