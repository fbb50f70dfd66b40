"""Housekeeping: clears away what retention lets go, once a day and by command, and puts it on record."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import Engine

from opconsole.artifacts import ArtifactStore
from opconsole.clock import iso
from opconsole.host import Host
from opconsole.journal import ops
from opconsole.journal.location import JournalPlace
from opconsole.journal.upkeep import AT_ONCE, asked_about, delete_old, old_rows, release_facts, run_facts
from opconsole.retention import Clearance, clearance
from opconsole.settings.model import Journal
from opconsole.sources import SourceStore
from opconsole.trees import remove_tree

FIRST_LOOK = 600.0
"""Seconds from a worker's start to its first clearing, so that a restart does not begin with it."""

BETWEEN = 24 * 3600.0
"""Seconds from one clearing to the next."""

UNUSED = 24 * 3600.0
"""Seconds for which nothing may have used a copy that goes: a run in preparation needs its own."""

NAMED = 200
"""How many runs, exports and artifacts an audit entry names of each; it always says how many there were."""


@dataclass(frozen=True, slots=True)
class Cleared:
    """What was removed."""

    runs: tuple[str, ...]
    sources: tuple[str, ...]
    artifacts: tuple[str, ...]
    rows: int
    faults: tuple[str, ...] = ()
    """What could not be removed, and why."""

    @property
    def nothing(self) -> bool:
        """Whether nothing was removed."""
        return not (self.runs or self.sources or self.artifacts or self.rows)

    def __str__(self) -> str:
        if self.nothing:
            return "nothing is old enough to be removed"
        return (
            f"removed the folders of {len(self.runs)} runs, {len(self.sources)} exports, "
            f"{len(self.artifacts)} artifacts and {self.rows} old rows"
        )


class Housekeeper:
    """Clears away for whoever hosts the engine."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._at_work = asyncio.Lock()

    async def serve(self) -> None:
        """Clear away once a day, for as long as the engine is hosted."""
        await self._host.clock.sleep(FIRST_LOOK)
        while True:
            await self.clear(self._host.operator)
            await self._host.clock.sleep(BETWEEN)

    async def clear(self, by: str) -> Cleared:
        """Remove what may go; the journal says who had it removed, and what it was."""
        async with self._at_work:
            host = self._host
            now, settings = host.clock.now(), host.workspace.settings.journal
            allowed = await host.read(look, host.reader.engine, settings, now)
            faults: list[str] = []
            rows = await self._delete_rows(allowed)
            runs = await asyncio.to_thread(_remove_runs, host.place, allowed.runs, faults)
            sources = await self._prune(host.sources, allowed.sources, faults)
            artifacts = await self._prune(host.artifacts, allowed.artifacts, faults)
            cleared = Cleared(runs, sources, artifacts, rows, tuple(faults))
            await self._record(by, allowed, cleared)
            return cleared

    async def _prune(
        self, store: SourceStore | ArtifactStore, keep: frozenset[str], faults: list[str]
    ) -> tuple[str, ...]:
        try:
            return tuple(await store.prune(keep, unused_for=UNUSED))
        except OSError as error:
            faults.append(str(error))
            return ()

    async def _delete_rows(self, allowed: Clearance) -> int:
        for old in allowed.rows:
            for through in range(min(AT_ONCE, old.through), old.through + AT_ONCE, AT_ONCE):
                await self._host.journal.commit(
                    delete_old(old.table, min(through, old.through), allowed.before)
                )
        return sum(old.count for old in allowed.rows)

    async def _record(self, by: str, allowed: Clearance, cleared: Cleared) -> None:
        if cleared.nothing and not cleared.faults:
            return
        now = self._host.clock.now()
        writes = [
            ops.audit(
                now,
                by,
                "pruned",
                self._host.place.id,
                before=iso(allowed.before),
                counts={
                    "runs": len(cleared.runs),
                    "sources": len(cleared.sources),
                    "artifacts": len(cleared.artifacts),
                    **{old.table: old.count for old in allowed.rows},
                },
                runs=cleared.runs[:NAMED],
                sources=cleared.sources[:NAMED],
                artifacts=cleared.artifacts[:NAMED],
                faults=cleared.faults[:NAMED],
            )
        ]
        project = next(iter(self._host.workspace.settings.projects), "")
        told = ops.event(now, "pruned", project, detail={"text": str(cleared), "by": by})
        alerts = [
            ops.event(now, "alert", project, detail={"priority": "P2", "text": f"not removed: {fault}"})
            for fault in cleared.faults[:1]
        ]
        await self._host.journal.commit(*writes, told, *alerts)


def look(engine: Engine, settings: Journal, now: datetime) -> Clearance:
    """Look what may go now. Changes nothing; blocks for a moment."""
    before = now - timedelta(days=settings.keep_days)
    return clearance(
        settings,
        now,
        runs=run_facts(engine),
        releases=release_facts(engine),
        asked_about=asked_about(engine),
        rows=old_rows(engine, before),
    )


def kept_folders(place: JournalPlace, runs: Sequence[str]) -> list[Path]:
    """Give the folders that are still there of these runs."""
    return [folder for run in runs if (folder := place.runs / run).is_dir()]


def _remove_runs(place: JournalPlace, runs: Sequence[str], faults: list[str]) -> tuple[str, ...]:
    removed = []
    for folder in kept_folders(place, runs):
        try:
            remove_tree(folder)
        except OSError as error:
            faults.append(str(error))
        else:
            removed.append(folder.name)
    return tuple(removed)
