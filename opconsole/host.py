"""The host: what everything that writes runs shares — the workspace, the journal, the stores, the clock."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import ParamSpec, TypeVar
from weakref import WeakValueDictionary

from opconsole.artifacts import ArtifactStore
from opconsole.clock import Clock, HostClock, SystemClock
from opconsole.journal.hosting import executor_identity
from opconsole.journal.location import JournalPlace
from opconsole.journal.reader import JournalReader
from opconsole.journal.upgrade import open_database
from opconsole.journal.writer import JournalWriter
from opconsole.policy_watch import InForce, look_at_policy
from opconsole.sources import SourceStore
from opconsole.workspace import Workspace

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(slots=True, eq=False)
class Host:
    """Made once by whoever holds the workspace's host lock, and handed to all that work on runs."""

    in_force: InForce
    """The policy that everything is judged by; another one once a change of it was approved."""
    place: JournalPlace
    journal: JournalWriter
    reader: JournalReader
    sources: SourceStore
    artifacts: ArtifactStore
    clock: HostClock
    environ: Mapping[str, str]
    """The process's own variables: where ``env:NAME`` references are looked up, and nothing else."""
    executor: Mapping[str, object]
    """Who this is: machine, boot, process."""
    operator: str
    """The name that stands in the journal for what nobody else asked for."""
    at_work: set[str] = field(default_factory=set, repr=False)
    """Ids of the runs that this process works on now."""
    _builds: WeakValueDictionary[tuple[str, str, str], asyncio.Lock] = field(
        default_factory=WeakValueDictionary, repr=False
    )

    @property
    def workspace(self) -> Workspace:
        """The workspace, with its settings as far as they are in force."""
        return self.in_force.workspace

    def building(self, what: tuple[str, str, str]) -> asyncio.Lock:
        """Give the lock for building a project's version of a commit: only one run builds it at a time."""
        return self._builds.setdefault(what, asyncio.Lock())

    async def read(self, question: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Ask the journal's reader without blocking the event loop."""
        return await asyncio.to_thread(question, *args, **kwargs)

    def run_folder(self, run: str) -> Path:
        """Give the private folder of a run: its log, its steps' records, its working copy."""
        return self.place.runs / run

    def log(self, run: str) -> Path:
        """Give the log file of a run."""
        return self.run_folder(run) / "log"


@asynccontextmanager
async def open_host(
    workspace: Workspace,
    place: JournalPlace,
    *,
    operator: str,
    environ: Mapping[str, str] | None = None,
    clock: Clock | None = None,
    on_fatal: Callable[[BaseException], None] | None = None,
) -> AsyncIterator[Host]:
    """Open the journal for writing. The caller holds the host lock for as long as this lasts.

    *on_fatal* is called from the journal's thread when the journal cannot be trusted any more.
    """
    fatal: list[BaseException] = []

    def ended(error: BaseException) -> None:
        fatal.append(error)
        if on_fatal is not None:
            on_fatal(error)

    engine = await asyncio.to_thread(open_database, place, host=True)
    journal = JournalWriter(place, on_fatal=ended)
    journal.start()
    reader = JournalReader(engine)
    try:
        known = await asyncio.to_thread(reader.policy)
        told = HostClock(clock or SystemClock(), await asyncio.to_thread(reader.latest_moment))
        found, writes = await look_at_policy(workspace, known, now=told.decides(), by=operator)
        if writes:
            await journal.commit(*writes)
        yield Host(
            in_force=found,
            place=place,
            journal=journal,
            reader=reader,
            sources=SourceStore(place.sources),
            artifacts=ArtifactStore(place.artifacts),
            clock=told,
            environ=dict(os.environ) if environ is None else environ,
            executor=executor_identity().as_json(),
            operator=operator,
        )
    finally:
        await asyncio.to_thread(journal.close)
        engine.dispose()
    if fatal:
        raise fatal[0]
