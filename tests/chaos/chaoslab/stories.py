"""Stories: a deployment with migrations, hosts that die while it goes on, and an operator who stays."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from chaoslab.hosts import Host, Nursery, strays
from chaoslab.invariants import Facts, Witness, violations
from chaoslab.operating import Operator
from chaoslab.project import Workspace, entry
from opconsole.journal.hosting import HostLock
from opconsole.journal.location import JournalPlace, locate
from opconsole.journal.reader import JournalReader
from opconsole.journal.upgrade import open_database
from opconsole.journal.records import RequestKind

LOOK = 0.02
"""Seconds between two looks at a journal while nothing else tells that something happened."""
PATIENCE = 60.0
"""Seconds after which a story that has not come to its end is stuck."""


@dataclass(frozen=True, slots=True)
class Story:
    """What is deployed, and where."""

    name: str
    environment: str
    sick: bool


STORIES = {
    story.name: story
    for story in (
        Story("success", "development", sick=False),
        Story("rollback", "staging", sick=True),
        Story("approved", "production", sick=False),
        Story("halted", "production", sick=True),
    )
}


@dataclass(frozen=True, slots=True)
class Death:
    """How one host dies: at a commit of its own, or after so many seconds."""

    commit: int = 0
    when: str = "before"
    how: str = "kill"
    after: float | None = None


@dataclass(slots=True)
class Told:
    """How a story went."""

    commits: int
    seconds: float
    deaths: int
    ends: str
    """The states of its runs."""
    faults: list[str]
    decisions: list[str] = field(default_factory=list)


class Lab:
    """One workspace with its baseline, and a nursery of hosts."""

    def __init__(self, base: Path) -> None:
        self.workspace = Workspace(base)
        told = base / "told"
        told.mkdir(parents=True)
        self.nursery = Nursery(told)

    async def baseline(self) -> None:
        """Deploy 1.0.0 everywhere, and keep that."""
        self.workspace.make()
        with self.opened(create=True) as (place, reader):
            operator = Operator(self.workspace, place, reader, 0)
            operator.ask(None, RequestKind.START, {"project": "app"})
            host = self.nursery.start(self.workspace)
            await self._until(host, reader, operator, Witness(), [], sorted(self.workspace.entries()))
            await host.end()
        self.workspace.keep()

    @contextmanager
    def opened(self, *, create: bool = False) -> Iterator[tuple[JournalPlace, JournalReader]]:
        """Give the workspace's journal for reading."""
        before = os.environ.get("OPCONSOLE_STATE_DIR")
        os.environ["OPCONSOLE_STATE_DIR"] = str(self.workspace.state)
        try:
            place = locate(self.workspace.root, create=create)
        finally:
            if before is None:
                del os.environ["OPCONSOLE_STATE_DIR"]
            else:
                os.environ["OPCONSOLE_STATE_DIR"] = before
        if place is None:
            raise LookupError("no journal")
        if create:
            with _present(HostLock.try_acquire(place)):
                open_database(place, host=True).dispose()
        engine = open_database(place, host=False)
        try:
            yield place, JournalReader(engine)
        finally:
            engine.dispose()

    def prepare(self, story: Story) -> None:
        """Put the baseline back, and queue the story's deployment."""
        self.workspace.restore()
        self.workspace.next_version(sick=story.sick)
        self.workspace.queue(*self.workspace.entries().values(), entry("TWO", story.environment, "1.1.0"))

    async def play(
        self,
        story: Story,
        deaths: Sequence[Death] = (),
        *,
        seed: int = 0,
        aftermath: bool = False,
        during: Callable[[JournalReader], None] | None = None,
    ) -> Told:
        """Play a story with hosts that die, then one that does not, and say what does not hold.

        With *aftermath* a healthy version follows, which must succeed whatever had happened.
        """
        started = time.monotonic()
        self.prepare(story)
        told = Told(0, 0.0, 0, "", [])
        with self.opened() as (place, reader):
            operator = Operator(self.workspace, place, reader, seed)
            witness = Witness()
            try:
                await self._through(deaths, told, reader, operator, witness, during)
                if aftermath:
                    await self._afterwards(story, told, reader, operator, witness)
            except AssertionError as fault:
                told.faults.append(str(fault))
            await self._nobody_left()
            ours = [run for run in reversed(reader.history()) if run.version != "1.0.0"]
            told.ends = " ".join(f"{run.task}:{run.state.value}" for run in ours)
            told.faults += witness.look(reader)
            told.faults += violations(Facts(self.workspace, reader, reader.history()))
            told.decisions = operator.decisions
        told.seconds = time.monotonic() - started
        return told

    async def _through(
        self,
        deaths: Sequence[Death],
        told: Told,
        reader: JournalReader,
        operator: Operator,
        witness: Witness,
        during: Callable[[JournalReader], None] | None,
    ) -> None:
        for death in [*deaths, None]:
            hosting = {"die_at": death.commit, "when": death.when, "how": death.how} if death else {}
            host = self.nursery.start(self.workspace, **hosting)  # type: ignore[arg-type]
            settled = await self._until(host, reader, operator, witness, told.faults, ["TWO"], death, during)
            if settled:
                await host.end()
                told.commits += host.commits
                return
            told.deaths += 1
            told.commits += host.commits

    async def _afterwards(
        self, story: Story, told: Told, reader: JournalReader, operator: Operator, witness: Witness
    ) -> None:
        self.workspace.write("app.txt", "third\n")
        self.workspace.queue(
            *self.workspace.entries().values(), entry("THREE", story.environment, "1.2.0")
        )
        host = self.nursery.start(self.workspace)
        await self._until(host, reader, operator, witness, told.faults, ["TWO", "THREE"])
        await host.end()
        run = reader.latest_run("app", "THREE")
        if run is None or run.state.value != "succeeded":
            told.faults.append(f"a healthy version afterwards: {run.state.value}: {run.reason}" if run else "")

    async def _until(
        self,
        host: Host,
        reader: JournalReader,
        operator: Operator,
        witness: Witness,
        faults: list[str],
        tasks: Sequence[str],
        death: Death | None = None,
        during: Callable[[JournalReader], None] | None = None,
    ) -> bool:
        """Follow a host until it dies as it should (False), or all tasks have come to an end (True)."""
        begun = time.monotonic()
        killed = False
        while True:
            faults += witness.look(reader)
            if host.gone:
                if host.told or not (killed or (death and death.commit)):
                    raise AssertionError(f"a host ended by itself: {host.told}")
                return False
            if operator.settled(tasks):
                return True
            if during is not None:
                during(reader)
            operator.act()
            now = time.monotonic() - begun
            if death and death.after is not None and now >= death.after and not killed:
                host.signal(9)
                killed = True
            if now > PATIENCE:
                stands = [f"{run.task} is {run.state.value}: {run.reason}" for run in reader.open_runs()]
                await host.end()
                raise AssertionError(f"stuck for {PATIENCE:.0f} s: {stands}; {host.told}")
            left = death.after - now if death and death.after is not None and not killed else LOOK
            await host.wait(max(0.0, min(LOOK, left)))

    async def _nobody_left(self) -> None:
        with suppress(TimeoutError):  # the invariants name who is left
            async with asyncio.timeout(15):
                while strays(self.workspace):  # noqa: ASYNC110 - no event tells of others' processes
                    await asyncio.sleep(LOOK)

    def close(self) -> None:
        """End the nursery."""
        self.nursery.close()


def _present(lock: HostLock | None) -> HostLock:
    if lock is None:
        raise LookupError("somebody hosts the workspace")
    return lock
