"""Stories: a deployment with migrations, hosts that die while it goes on, and an operator who stays."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path

from chaoslab.hosts import Host, Nursery, kill_all, strays
from chaoslab.invariants import Facts, Witness, violations
from chaoslab.operating import Operator
from chaoslab.project import Workspace, entry
from opconsole.journal.hosting import HostLock
from opconsole.journal.location import JournalPlace, locate
from opconsole.journal.reader import JournalReader
from opconsole.journal.records import RequestKind
from opconsole.journal.upgrade import open_database

LOOK = 0.02
"""Seconds between two looks at a journal while nothing else tells that something happened."""
GLANCE = 0.3
"""Seconds between two looks at a journal to which its host has committed nothing."""
FALLS = 3
"""So many hosts may end by themselves before a story is given up; each of them is a fault."""
PATIENCE = 240.0
"""Seconds without any change after which a story is stuck; programs start slowly on a busy machine."""


@dataclass(frozen=True, slots=True)
class Story:
    """What is deployed, and where."""

    name: str
    environment: str
    sick: bool
    migrates: bool = True
    verb: str = ""
    """What the operator decides first; empty: anything."""


STORIES = {
    story.name: story
    for story in (
        Story("success", "development", sick=False),
        Story("rollback", "staging", sick=True),
        Story("approved", "production", sick=False),
        Story("halted", "production", sick=True),
        Story("reverted", "production", sick=True, verb="revert"),
    )
}


QUICK = Story("quick", "development", sick=False, migrates=False)
GUARDED = Story("guarded", "production", sick=True, migrates=False)


@dataclass(frozen=True, slots=True)
class Death:
    """How one host dies: at a commit of its own, or after so many seconds."""

    commit: int = 0
    """The number of the commit; 0: none by its number."""
    when: str = "before"
    how: str = "kill"
    after: float | None = None
    power: bool = False
    """Every process of the workspace dies with it: shims, programs, Alembic."""
    clock: float = 0.0
    """Seconds that its clock is ahead."""
    at: str = ""
    """The beginning of what the commit tells the audit chain, with the step; empty: none by its name."""


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


class Stage:
    """Where a story is played: the journal, an operator, and a witness who remembers."""

    def __init__(
        self,
        lab: Lab,
        place: JournalPlace,
        reader: JournalReader,
        *,
        seed: int = 0,
        in_time: bool = True,
        verb: str = "",
    ) -> None:
        self.workspace = lab.workspace
        self.reader = reader
        self.place = place
        self.operator = Operator(lab.workspace, place, reader, seed=seed, verb=verb)
        self.another: Operator | None = None
        """A second person, at a console of her own."""
        self.meddle: Callable[[], object] | None = None
        """What somebody does to the workspace at every look; the queue's statuses then may be anything."""
        self.told = Told(0, 0.0, 0, "", [])
        self._nursery = lab.nursery
        self._witness = Witness()
        self._in_time = in_time
        self._shims_lived = True
        self._fell = 0

    def start(self, death: Death | None = None) -> Host:
        """Start a host."""
        if death is None:
            return self._nursery.start(self.workspace)
        return self._nursery.start(
            self.workspace,
            die_at=death.commit,
            at=death.at,
            when=death.when,
            how=death.how,
            clock=death.clock,
        )

    async def through(self, deaths: Sequence[Death], tasks: Sequence[str] = ("TWO",)) -> None:
        """Let one host after the other die, and one that does not bring all to an end."""
        self._shims_lived &= not any(death.power for death in deaths)
        for death in [*deaths, *[None] * FALLS]:
            host = self.start(death)
            settled = await self.follow(host, tasks, death)
            if settled:
                await host.end()
            else:
                self.told.deaths += 1
            self.told.commits += host.commits
            if settled:
                return

    async def follow(self, host: Host, tasks: Sequence[str] = ("TWO",), death: Death | None = None) -> bool:
        """Follow a host until it dies as it should (False), or all tasks have come to an end (True)."""
        begun = looked = changed = time.monotonic()
        killed, seen, known = False, (-1, -1), -1
        while True:
            now = time.monotonic()
            stands = (host.commits, self.workspace.ledger.stat().st_size)
            if host.gone or stands != seen or now - looked > GLANCE:
                seen, looked = stands, now
                self.told.faults += self._witness.look(self.reader)
                # By the audit chain: a host that is stuck goes on committing, for it renews its leases.
                if self._witness.seq != known:
                    known, changed = self._witness.seq, now
                if host.gone:
                    if host.told or not (killed or (death and (death.commit or death.at))):
                        # The next host goes on: what this one left must be as sound as after a kill.
                        self.told.faults.append(f"a host ended by itself: {host.told}")
                        self._fell += 1
                        self.must(self._fell < FALLS, "hosts end by themselves again and again")
                    return False
                if self.operator.settled(tasks):
                    return True
                self.operator.act()
                if self.another:
                    self.another.act()
                if self.meddle:
                    self.meddle()
            if death and death.after is not None and now - begun >= death.after and not killed:
                host.signal(signal.SIGKILL)
                killed = True
                if death.power:
                    kill_all(self.workspace)
            if now - changed > PATIENCE:
                rest = [f"{run.task} is {run.state.value}: {run.reason}" for run in self.reader.open_runs()]
                await host.end()
                raise AssertionError(f"nothing has changed for {PATIENCE:.0f} s: {rest}; {host.told}")
            left = death.after - (now - begun) if death and death.after is not None and not killed else LOOK
            await host.wait(max(0.0, min(LOOK, left)))

    async def until(self, condition: Callable[[], object], what: str) -> None:
        """Wait until something holds."""
        deadline = time.monotonic() + PATIENCE
        while not condition():
            if time.monotonic() > deadline:
                raise AssertionError(f"in vain: {what}")
            await asyncio.sleep(LOOK)

    def must(self, holds: object, what: str) -> None:
        """Hold that something is so."""
        if not holds:
            raise AssertionError(what)

    async def reloaded(self) -> None:
        """Let the host read the queue once more, and wait until it has, with all that it may start then."""
        self.operator.ask(None, RequestKind.RELOAD, {"project": "app"})
        await self.until(lambda: not self.reader.open_requests(), "the queue has not been read again")

    async def restarting(self) -> None:
        """Wait until the story's restart has begun. It goes on once the workspace's `hold` is gone."""
        await self.until(
            lambda: any((line.when, line.subject) == ("begin", "1.1.0-1") for line in self.workspace.lines()),
            "the restart has not begun",
        )

    async def afterwards(self, story: Story) -> None:
        """Deploy a healthy version, which must succeed."""
        self.workspace.write("app.txt", "third\n")
        self.workspace.settings()
        task = entry("THREE", story.environment, "1.2.0", migrates=story.migrates)
        self.workspace.queue(*self.workspace.entries().values(), task)
        await self.through((), ["TWO", "THREE"])
        run = self.reader.latest_run("app", "THREE")
        if run is None or run.state.value != "succeeded":
            self.told.faults.append(
                f"a healthy version afterwards: {run and run.state.value}: {run and run.reason}"
            )

    async def check(self) -> None:
        """Add what does not hold to what is told."""
        with suppress(TimeoutError):  # the invariants name who is left
            async with asyncio.timeout(PATIENCE):
                while strays(self.workspace):  # noqa: ASYNC110 - no event tells of others' processes
                    await asyncio.sleep(LOOK)
        runs = self.reader.history()
        ours = [run for run in reversed(runs) if run.version != "1.0.0"]
        self.told.ends = " ".join(f"{run.task}:{run.state.value}" for run in ours)
        self.told.faults += self._witness.look(self.reader)
        self.told.faults += violations(
            Facts(self.workspace, self.reader, runs, self._in_time, self._shims_lived, self.meddle is None)
        )
        self.told.decisions = self.operator.decisions


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
            stage = Stage(self, place, reader)
            stage.operator.ask(None, RequestKind.START, {"project": "app"})
            await stage.through((), sorted(self.workspace.entries()))
        self.workspace.keep()

    @contextmanager
    def opened(
        self, *, create: bool = False, of: Workspace | None = None
    ) -> Iterator[tuple[JournalPlace, JournalReader]]:
        """Give the workspace's journal for reading, or that of another that has the same state folder."""
        before = os.environ.get("OPCONSOLE_STATE_DIR")
        os.environ["OPCONSOLE_STATE_DIR"] = str(self.workspace.state)
        try:
            place = locate((of or self.workspace).root, create=create)
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

    @contextmanager
    def stage(
        self,
        story: Story,
        *,
        seed: int = 0,
        in_time: bool = True,
        within: AbstractContextManager[object] | None = None,
    ) -> Iterator[Stage]:
        """Put the baseline back, queue the story's deployment, and give the stage for it.

        *within* is entered once the baseline is back and before anybody opens the journal.
        """
        self.workspace.restore()
        self.workspace.next_version(sick=story.sick, migrates=story.migrates)
        task = entry("TWO", story.environment, "1.1.0", migrates=story.migrates)
        self.workspace.queue(*self.workspace.entries().values(), task)
        try:
            with within or nullcontext(), self.opened() as (place, reader):
                yield Stage(self, place, reader, seed=seed, in_time=in_time, verb=story.verb)
        finally:
            self.nursery.clear()

    async def play(
        self, story: Story, deaths: Sequence[Death] = (), *, seed: int = 0, aftermath: bool = False
    ) -> Told:
        """Play a story with hosts that die, then one that does not, and say what does not hold.

        With *aftermath* a healthy version follows, which must succeed whatever had happened.
        """
        in_time = len({death.clock for death in deaths} | {0.0}) == 1
        async with self.played(story, seed=seed, in_time=in_time) as stage:
            await stage.through(deaths)
            if aftermath:
                await stage.afterwards(story)
        return stage.told

    @asynccontextmanager
    async def played(
        self,
        story: Story,
        *,
        seed: int = 0,
        in_time: bool = True,
        within: AbstractContextManager[object] | None = None,
    ) -> AsyncIterator[Stage]:
        """Give a stage; what does not hold when the caller is done is told, not raised."""
        started = time.monotonic()
        with self.stage(story, seed=seed, in_time=in_time, within=within) as stage:
            try:
                yield stage
            except AssertionError as fault:
                stage.told.faults.append(str(fault))
                self.workspace.hold.unlink(missing_ok=True)
                self.nursery.clear()
            await stage.check()
        stage.told.seconds = time.monotonic() - started

    def close(self) -> None:
        """End the nursery."""
        self.nursery.close()


def _present(lock: HostLock | None) -> HostLock:
    if lock is None:
        raise LookupError("somebody hosts the workspace")
    return lock
