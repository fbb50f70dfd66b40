"""The client: how the console and the command line read the journal and ask for changes.

With somebody hosting the engine, a request is written into the journal and answered there. With nobody, the
client takes the host lock for a moment and answers its own request; it starts no effect.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from watchfiles import awatch

from opconsole.artifacts import ContentStore, NotStoredError
from opconsole.clock import Clock, SystemClock
from opconsole.console import Answer, Preview, QueueChanges
from opconsole.ids import new_request_id
from opconsole.inbox import WaitingPolicy
from opconsole.journal import ops
from opconsole.journal.errors import JournalMissingError, JournalOutdatedError
from opconsole.journal.hosting import HostLock, host_alive
from opconsole.journal.location import JournalPlace, locate
from opconsole.journal.reader import JournalReader
from opconsole.journal.records import Approval, RequestKind, RequestRow, Run
from opconsole.journal.upgrade import open_database
from opconsole.journal.wake import changes
from opconsole.journal.writer import write_once
from opconsole.operators import operator_name
from opconsole.queue_changes import QueueWatch
from opconsole.reading import Reading
from opconsole.seen import Seen
from opconsole.standing_rules import waiting_policy, wants_signature
from opconsole.step_facts import ProgramFacts
from opconsole.trees import UnsafeTreeError, inside
from opconsole.views import EnvironmentView, RunView, Snapshot
from opconsole.workspace import Workspace
from queues.sentences.known import Known

if TYPE_CHECKING:
    from opconsole.exempting import Checkout, Proposal
    from opconsole.record import JournalRecord

BEGINNING = 10.0
"""Seconds to wait for a worker that has just begun to make the journal, or to bring it up to date."""

PATIENCE = 15.0
"""Seconds to wait for an answer from whoever hosts the engine."""
LIFE_LOOK = 3.0
"""Seconds between two looks at whether a worker is alive, where nothing else changes."""
HOST_LOOK = 0.5
"""Seconds between two looks whether somebody still hosts the engine, while an answer is waited for."""
SHOWN_SOURCE = 64 * 1024
"""Bytes of a source file that are shown at most."""


class Client:
    """One person's way into a workspace. Satisfies the screens' `Console`."""

    def __init__(
        self,
        workspace: Workspace,
        place: JournalPlace,
        *,
        operator: str,
        clock: Clock | None = None,
        read_only: bool = False,
    ) -> None:
        self.workspace = workspace
        self.place = place
        self.operator = operator
        self.stays_read_only = read_only
        self._read_only = read_only
        self._clock = clock or SystemClock()
        self._engine = open_database(place, host=False)
        self.reader = JournalReader(self._engine)
        self.reading = Reading(workspace, place, self.reader)
        self._watch = QueueWatch(self.reading)

    @classmethod
    def open(cls, workspace: Workspace, *, operator: str | None = None, read_only: bool = False) -> Client:
        """Open a workspace, making its journal when it has none. Blocks: call it off the event loop."""
        place = locate(workspace.root, create=True)
        if place is None:
            raise LookupError(f"there is no journal for {workspace.root}")
        with contextlib.ExitStack() as stack:
            lock = HostLock.try_acquire(place)
            if lock is not None:  # nobody else can bring the schema up to date now
                stack.enter_context(lock)
                if not (read_only and place.database.exists()):  # one that only looks on leaves it alone
                    open_database(place, host=True).dispose()
        name = operator or operator_name()
        deadline = time.monotonic() + BEGINNING
        while True:
            try:
                return cls(workspace, place, operator=name, read_only=read_only)
            except (JournalMissingError, JournalOutdatedError):
                # A worker that has just begun holds the lock and is about to make the journal.
                if not host_alive(place) or time.monotonic() > deadline:
                    raise
                time.sleep(0.05)

    @cached_property
    def record(self) -> JournalRecord:
        """What was: runs, reports, metrics, the audit chain."""
        from opconsole.record import JournalRecord  # noqa: PLC0415 (the first picture needs none of it)

        return JournalRecord(self.reading, os.environ)

    @property
    def read_only(self) -> bool:
        """Whether every change is refused here."""
        return self._read_only

    @read_only.setter
    def read_only(self, on: bool) -> None:
        if self.stays_read_only and not on:
            raise PermissionError("this console was opened read-only; open another one to change something")
        self._read_only = on

    def close(self) -> None:
        """Give the journal back."""
        self._engine.dispose()

    # -- reading

    async def snapshot(self) -> Snapshot:
        """Give all that the operations screen shows."""
        return await asyncio.to_thread(lambda: self._watch.look(self.reading.snapshot()))

    async def run(self, run_id: str) -> RunView | None:
        """Give one run."""
        return await asyncio.to_thread(self.reading.run, run_id)

    async def programs(self, run_id: str, position: int, name: str) -> tuple[ProgramFacts, ...]:
        """Give the programs that a step of a run has started, in order."""
        return await asyncio.to_thread(self.reading.programs, run_id, position, name)

    async def approvals(self) -> tuple[tuple[Approval, Run], ...]:
        """Give what waits for approval, with the run of each, the oldest first."""
        return await asyncio.to_thread(self.reading.waiting_approvals)

    async def policy(self) -> WaitingPolicy | None:
        """Give the change of policy that waits for approval; None where none does."""
        return await asyncio.to_thread(self._policy)

    def _policy(self) -> WaitingPolicy | None:
        row = waiting_policy(self.reader)
        return WaitingPolicy(row, wants_signature(self.reader, self.workspace)) if row is not None else None

    async def durations(self) -> Mapping[tuple[str, str, str], float]:
        """Give the seconds that the last success took at work, by project, environment and kind of task."""
        return await asyncio.to_thread(self.reading.durations)

    async def environments(self) -> tuple[EnvironmentView, ...]:
        """Give what every environment runs."""
        return await asyncio.to_thread(self.reading.environments)

    async def look(self, environment: EnvironmentView) -> Seen:
        """Ask an environment's service and its target how it is now."""
        from opconsole.seeing import look  # noqa: PLC0415 (loads what runs programs, for this alone)

        names = await asyncio.to_thread(self._releases, environment)
        return await look(self.workspace, environment, os.environ, journal=self.place.id, known=names)

    def _releases(self, environment: EnvironmentView) -> list[str]:
        known = self.reader.releases(environment.project, environment.environment)
        return [release.name for release in known]

    async def migration_source(self, run_id: str, path: str) -> str | None:
        """Give the text of a file of the run's private copy, its first 64 KiB; None where it is not kept."""
        return await asyncio.to_thread(self._source, run_id, path)

    def _source(self, run_id: str, path: str) -> str | None:
        run = self.reader.run(run_id)
        if run is None or run.source_digest is None:
            return None
        try:
            tree = ContentStore(self.place.sources).path(run.source_digest)
            file = inside(tree, path)
        except (NotStoredError, UnsafeTreeError):
            return None  # pruned since, or no path of a copy
        if not file.is_file():
            return None
        with file.open("rb") as opened:
            return opened.read(SHOWN_SOURCE).decode("utf-8", "replace")

    async def migration_sql(self, run_id: str) -> str:
        """Give the SQL that the migrations of a waiting run's plan will run, as Alembic writes it offline."""
        from opconsole.plan_sql import plan_sql  # noqa: PLC0415 (loads what runs programs, for this alone)

        if self.read_only:
            raise PermissionError("this console is read-only, and Alembic would run the project's env.py")
        run = await asyncio.to_thread(self.reader.run, run_id)
        if run is None:
            raise LookupError(f"{run_id} is not on record any more")
        return await plan_sql(self.workspace, self.place, run, os.environ)

    async def checkout(self, run_id: str) -> Checkout | None:
        """Give the folder of the run's project, and how it is judged there; None where it is not known."""
        return await asyncio.to_thread(self._checkout, run_id)

    def _checkout(self, run_id: str) -> Checkout | None:
        from opconsole.checkouts import checkout_of  # noqa: PLC0415 (loads what reads migrations, for this alone)

        run = self.reader.run(run_id)
        if run is None:
            return None
        try:
            return checkout_of(self.workspace, run.project, run.environment)
        except ValueError:
            return None  # taken out of the settings since

    async def exempt(self, proposal: Proposal) -> Answer:
        """Write an exemption into the project's folder. The person has seen its diff."""
        from opconsole.exempting import ExemptionError, write  # noqa: PLC0415 (as above)

        if self.read_only:
            return Answer(granted=False, text="this console is read-only; nothing was written")
        try:
            await asyncio.to_thread(write, proposal)
        except ExemptionError as error:
            return Answer(granted=False, text=str(error))
        return Answer(granted=True, text=f"Written into {proposal.name}, line {proposal.line}.")

    def sign(self, about: str, reason: str, *, ask: bool) -> str:
        """Sign the approval that a run, or a policy, waits for. Raises SigningError."""
        from opconsole.signing import SigningError  # noqa: PLC0415 (loaded when it is first wanted)
        from opconsole.signing_client import sign_approval, sign_policy  # noqa: PLC0415

        policy = self._policy()
        if policy is not None and policy.row.id == about:
            return sign_policy(self.place.id, policy.row, reason, key=None, environ=os.environ, ask=ask)
        view = self.reading.run(about)
        approval = view.waiting if view else None
        if view is None or approval is None:
            raise SigningError("nothing waits for approval here any more; nothing was signed")
        return sign_approval(self.place.id, view.run, approval, reason, key=None, environ=os.environ, ask=ask)

    async def hear(self, text: str, project: str | None = None) -> Preview:
        """Say what a sentence comes to. Changes nothing."""
        from opconsole.adding import hear  # noqa: PLC0415 (loads a grammar, for this alone)

        return await hear(self.reading, text, project)

    async def read_entries(self, text: str, project: str | None = None) -> Preview:
        """Say what entries given as JSON come to. Changes nothing."""
        from opconsole.previewing import preview_text  # noqa: PLC0415 (loaded when it is first wanted)

        return await preview_text(self.reading, text, project)

    async def vocabulary(self, text: str = "", project: str | None = None) -> Known:
        """Give what a sentence or a form may speak of."""
        from opconsole.adding import vocabulary  # noqa: PLC0415 (loaded when it is first wanted)

        return await vocabulary(self.reading, text, project)

    async def add(self, preview: Preview, *, start: bool) -> Answer:
        """Put the tasks of a preview into their queues, and start these where that is wanted."""
        from opconsole.adding import add  # noqa: PLC0415 (as above)

        if self.read_only:
            return Answer(granted=False, text="this console is read-only; nothing was added")
        added = await add(self.workspace, preview)
        if isinstance(added, str):
            return Answer(granted=False, text=added)
        for name in added.projects:
            ids = [key.partition(":")[2] for key in added.keys if key.startswith(f"{name}:")]
            await asyncio.to_thread(self._watch.expect, name, ids)
        said = f"Added {', '.join(added.keys)}."
        for name in added.projects if start else ():
            answer = await self.ask(RequestKind.START, {"project": name})
            if not answer.granted:
                return Answer(
                    granted=False, text=f"{said} The queue of {name} was not started: {answer.text}"
                )
        return Answer(granted=True, text=said)

    async def queue_place(self, project: str, task: str | None) -> tuple[Path, int]:
        """Give a project's queue file to be edited, and the line of a task in it."""
        from opconsole.queue_adding import place_in_queue  # noqa: PLC0415 (as above)

        if self.read_only:
            raise PermissionError("this console is read-only; the queue was not opened")
        return await asyncio.to_thread(place_in_queue, self.workspace, project, task)

    async def queue_changes(self) -> tuple[QueueChanges, ...]:
        """Give how queue files differ from what they were when somebody looked at their changes."""
        return await asyncio.to_thread(lambda: self._watch.changes(self.reading.snapshot()))

    async def seen_changes(self, project: str) -> None:
        """Take a queue file as it is now for looked at."""
        await asyncio.to_thread(self._watch.seen, project)

    async def changes(self) -> AsyncIterator[None]:
        """Wake whenever the journal or a queue file may have changed."""
        woken = asyncio.Event()
        sources = [
            asyncio.ensure_future(self._tell(woken)),
            asyncio.ensure_future(self._tell_files(woken)),
            asyncio.ensure_future(self._tell_life(woken)),
        ]
        try:
            while True:
                await woken.wait()
                woken.clear()
                for source in sources:
                    if source.done():
                        source.result()
                yield
        finally:
            for source in sources:
                source.cancel()
            await asyncio.gather(*sources, return_exceptions=True)

    async def _tell(self, woken: asyncio.Event) -> None:
        try:
            async for _ in changes(self.place):
                woken.set()
        finally:
            woken.set()  # a failure must be heard, too

    async def _tell_life(self, woken: asyncio.Event) -> None:
        """Wake when a worker comes or goes (one that is killed changes no file), or settings are saved."""
        try:
            known = None
            while True:
                now = await asyncio.to_thread(self._life)
                if known is not None and now != known:
                    woken.set()
                known = now
                await asyncio.sleep(LIFE_LOOK)
        finally:
            woken.set()

    def _life(self) -> tuple[bool, bool]:
        return host_alive(self.place), self.reading.settings_changed

    async def _tell_files(self, woken: asyncio.Event) -> None:
        folder: Path = self.workspace.root / self.workspace.settings.workspace.queues
        place = folder if await asyncio.to_thread(folder.is_dir) else self.workspace.root
        try:
            async for _ in awatch(place, recursive=False, step=100):
                woken.set()
        finally:
            woken.set()

    # -- asking

    async def ask(self, kind: RequestKind, payload: Mapping[str, object]) -> Answer:
        """Ask for something and wait for the answer."""
        if self.read_only:
            return Answer(granted=False, text="this console is read-only; nothing was asked")
        request = RequestRow(
            id=new_request_id(),
            kind=kind,
            payload=payload,
            created_at=self._clock.now(),
            created_by=self.operator,
        )
        alive = await asyncio.to_thread(host_alive, self.place)
        lock = None if alive else await asyncio.to_thread(HostLock.try_acquire, self.place)
        if lock is None:
            await asyncio.to_thread(write_once, self.place, ops.insert_request(request))
            return await self._answer_of(request)
        with lock:
            return await self._answer_myself(request)

    async def _answer_of(self, request: RequestRow) -> Answer:
        """Wait for the answer; when nobody hosts the engine any more, give it."""
        with contextlib.suppress(TimeoutError):
            looks = changes(self.place, every=HOST_LOOK)
            async with asyncio.timeout(PATIENCE), contextlib.aclosing(looks):  # type: ignore[type-var]
                async for _ in looks:
                    row = await asyncio.to_thread(self.reader.request, request.id)
                    if row is not None and row.answered_at is not None:
                        return Answer(granted=bool(row.granted), text=row.answer or "")
                    if await asyncio.to_thread(host_alive, self.place):
                        continue
                    # A command held it for its own request, or the worker has ended.
                    if (lock := await asyncio.to_thread(HostLock.try_acquire, self.place)) is not None:
                        with lock:
                            return await self._answer_myself(request)
        return Answer(
            granted=False,
            pending=True,
            text=f"no answer within {PATIENCE:.0f} s; the request stays in the journal and may still be "
            "granted: look at the history, and whether the worker is alive; a rejection is heard first",
        )

    async def _answer_myself(self, request: RequestRow) -> Answer:
        from opconsole.answering import answer_alone  # noqa: PLC0415 (loads the engine's parts, for this alone)

        return await answer_alone(self.workspace, self.place, request, self._clock)
