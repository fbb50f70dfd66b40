"""The engine: schedules the started queues of one workspace, answers requests, and sends the outbox.

Exactly one process hosts it, by a held lock: the worker, or `opconsole run` in the foreground.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine, Hashable, Iterable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace

from guardrails.environments import GateKind
from opconsole.answers import FollowUp, Then
from opconsole.attempt import Attempt
from opconsole.checkpointing import CheckpointService
from opconsole.deliveries import FILES
from opconsole.ending import let_go
from opconsole.host import Host
from opconsole.housekeeping import Housekeeper
from opconsole.journal import ops
from opconsole.journal.errors import JournalBusyError, JournalFullError
from opconsole.journal.hosting import HostLock
from opconsole.journal.records import ApprovalState, LockRow, RequestKind, Run
from opconsole.locking import executor_words, held_words, within_sight
from opconsole.looking import look_again
from opconsole.notifying import CHANNELS
from opconsole.outbox import Outbox
from opconsole.outcomes import ended
from opconsole.recovery import LEFT_BEHIND, forget_files, interrupt
from opconsole.requests import Answerer
from opconsole.runs import environment_of, first_run
from opconsole.services import Services
from opconsole.standing import standing
from opconsole.stories import advance
from queues.queue_file import QueueFile, read_queue
from queues.scheduler import Outcome, Scheduler, SchedulerError, TaskState
from queues.states import RunState
from queues.tasks import Task, TaskKey

EXPIRY_LOOK = 30.0
"""Seconds between two looks for requests that have expired."""

CHECKPOINT_LOOK = 60.0
"""Seconds between two looks whether the audit chain wants a checkpoint."""

LOOK_BACK = 5
"""How many of an environment's latest runs may have left its target held when their process died."""


class Engine:
    """Hosts the work of one workspace, for as long as the host lock is held."""

    def __init__(self, host: Host, lock: HostLock) -> None:
        if not lock.held:
            raise ValueError("the engine needs the workspace's host lock")
        self.host = host
        self.queue_files: dict[str, QueueFile] = {}
        self.answerer = Answerer(host)
        self._outbox = Outbox(host, FILES)
        self._notices = Outbox(host, CHANNELS)
        self._checkpoints = CheckpointService(host)
        self._housekeeper = Housekeeper(host)
        self._latest: dict[tuple[str, str], Run] = {}
        self._idle: set[str] = set()
        self._behind_locks: set[str] = set()
        self._background: set[asyncio.Task[object]] = set()
        self._scheduling: asyncio.Future[None] | None = None
        self._adopted: dict[TaskKey, asyncio.Task[None]] = {}
        self._go_on: set[TaskKey] = set()
        self._stopped = asyncio.Event()
        self._answering = asyncio.Lock()
        self.scheduler = Scheduler(
            self,
            limit=host.workspace.settings.workspace.max_parallel,
            on_change=self._on_change,
            accepts_claim=self._accepts_claim,
        )

    # -- hosting

    async def prepare(self) -> None:
        """Read the queues, go on with runs that a process left behind, and with what was approved since."""
        await forget_files(self.host)
        await self.reload()
        for run in await self.host.read(self.host.reader.open_runs):
            if run.state in LEFT_BEHIND:
                await self._adopt(run)
            elif run.state.undecided and run.known is None:
                self._in_background(look_again(self.host, run))
        for key in await self._may_go_on():
            self._resume(key)
        for project, settings in self.host.workspace.settings.projects.items():
            for environment in settings.environments:
                for run in await self.host.read(self.host.reader.history, project, environment, LOOK_BACK):
                    await self._let_go(run)

    async def _adopt(self, run: Run) -> None:
        """Go on with a run whose process is gone, whether its queue is started or not: it had begun."""
        task = self._task_of(run.key)
        lock = await self.host.read(self.host.reader.lock, run.project, run.environment)
        if lock is not None and lock.run == run.id and not within_sight(run.executor, self.host.executor):
            await self._suspect(run, lock)
            return
        if task is None:
            gone = "its process ended, and its entry is gone from the queue"
            await self.host.journal.commit(*await interrupt(self.host, run, gone))
            return
        job = asyncio.ensure_future(self._carry_on(task, run))
        self._adopted[run.key] = job
        job.add_done_callback(lambda _: self._adoption_over(run.key))

    async def _suspect(self, run: Run, lock: LockRow) -> None:
        """Leave a run to a person whose executor cannot be seen from here: it may be alive."""
        text = (
            f"{run.task} holds {run.environment} and was worked on by {executor_words(lock.executor)}, which "
            f"cannot be seen from here; if nothing of it runs any more: opconsole unlock {run.project} "
            f"{run.environment} --reason …"
        )
        await self._alert(run.project, run.task, text)

    async def _carry_on(self, task: Task, run: Run) -> None:
        await self._advance(task, await self._claim(run))
        # What was decided while this was on its way out counts: so by the record, and no answer in between.
        async with self._answering:
            latest = await self.host.read(self.host.reader.run, run.id)
            with contextlib.suppress(LookupError):  # its entry has gone from the queue meanwhile
                self.scheduler.settle(run.key, ended(latest or run))
            if run.key in await self._may_go_on():
                self._go_on.add(run.key)

    def _adoption_over(self, key: TaskKey) -> None:
        self._adopted.pop(key, None)
        if key in self._go_on:
            self._go_on.discard(key)
            self._resume(key)

    def _task_of(self, key: TaskKey) -> Task | None:
        tasks = (task for file in self.queue_files.values() for task in file.tasks)
        return next((task for task in tasks if task.key == key), None)

    async def start(self, project: str, max_attempts: int | None) -> None:
        """Start a project's queue."""
        self._idle.discard(project)
        self.scheduler.start(project, max_attempts)

    async def start_recorded(self) -> None:
        """Start the queues that somebody started before."""
        for row in (await self.host.read(self.host.reader.queues)).values():
            if row.started:
                await self.start(row.project, row.max_attempts)

    async def until_idle(self) -> None:
        """Schedule until nothing runs and nothing could be started; needs the `services`."""
        try:
            await self.scheduler.run(until_idle=True)
            while self._background or self._adopted:
                await asyncio.gather(*self._background, *self._adopted.values())
                await self.scheduler.run(until_idle=True)
        except asyncio.CancelledError:
            await self._cancel_adopted(list(self._adopted))
            raise
        await self._deliver_all()

    async def _cancel_adopted(self, keys: Iterable[TaskKey]) -> None:
        jobs = [self._adopted[key] for key in keys if key in self._adopted]
        for job in jobs:
            job.cancel()
        await asyncio.gather(*jobs, return_exceptions=True)

    async def serve(self) -> int:
        """Schedule, answer and deliver until `stop`; give how many runs are being worked on then.

        Those are left as they are, their programs too: whoever hosts the engine next goes on with them. The
        process must end at once without cancelling its tasks (`os._exit`), for that would end the programs.
        """
        async with self.services():
            self._scheduling = asyncio.ensure_future(self.scheduler.run(until_idle=False))
            stopping = asyncio.ensure_future(self._stopped.wait())
            await asyncio.wait({self._scheduling, stopping}, return_when=asyncio.FIRST_COMPLETED)
            stopping.cancel()
            for project in self.host.workspace.settings.projects:
                self.scheduler.pause(project)
        if self._scheduling.done():
            self._scheduling.result()
        left = self.scheduler.counts()[TaskState.RUNNING] + len(self._adopted)
        if not left:
            await self.scheduler.stop()
            await self._scheduling
        await self._deliver_all()
        return left

    def stop(self) -> None:
        """Let `serve` come to its end."""
        self._stopped.set()

    def services(self) -> AbstractAsyncContextManager[None]:
        """Answer requests, deliver the outbox and watch the queue files for as long as this lasts."""
        return Services(
            self.host,
            answer=self.answer_requests,
            reload=self.reload,
            others=(self._outbox.serve, self._notices.serve, self._housekeeper.serve),
            periodic=((EXPIRY_LOOK, self._expire), (CHECKPOINT_LOOK, self._checkpoints.look)),
        ).running()

    # -- requests

    async def answer_requests(self) -> None:
        """Answer all that is asked, and do what follows."""
        async with self._answering:
            waiting = await self.host.read(self.host.reader.open_requests)
            # A no that came while nobody answered holds, whatever was said before it: to stop comes first.
            for request in sorted(waiting, key=lambda one: one.kind is not RequestKind.REJECT):
                reply = await self.answerer.answer(request)
                for follow_up in reply.follow_ups:
                    await self.follow(follow_up)

    async def follow(self, follow_up: FollowUp) -> None:
        """Do what an answer entails."""
        key = TaskKey(follow_up.subject)
        if follow_up.then is Then.START:
            await self.reload()
            await self.start(follow_up.subject, follow_up.max_attempts)
            self._tell_idle(follow_up.subject)
        elif follow_up.then is Then.PAUSE:
            self.scheduler.pause(follow_up.subject)
        elif follow_up.then is Then.RELOAD:
            await self.reload()
        elif follow_up.then is Then.PRUNE:
            self._in_background(self._housekeeper.clear(follow_up.subject))
        elif follow_up.then is Then.RESUME:
            self._resume(key)
        elif follow_up.then is Then.CANCEL:
            self._in_background(self._cancel(key))
        elif follow_up.then is Then.RETRY:
            await self.reload()
            with contextlib.suppress(SchedulerError):  # it is loaded as pending already
                self.scheduler.retry(key)
        elif follow_up.then is Then.SETTLE:
            await self._settle(key)

    async def _cancel(self, key: TaskKey) -> None:
        await self._cancel_adopted([key])
        with contextlib.suppress(LookupError):
            await self.scheduler.cancel(key)

    async def _settle(self, key: TaskKey) -> None:
        project, _, task = key.partition(":")
        run = await self.host.read(self.host.reader.latest_run, project, task)
        if run is not None:
            await self._let_go(run)
            with contextlib.suppress(LookupError):  # its entry is gone from the queue
                self.scheduler.settle(key, ended(run))
            if run.state.final:
                await self._look_behind(project)

    async def _let_go(self, run: Run) -> None:
        """Let go of the target that a final run may hold still: its process died, or a person ended it."""
        fault = await let_go(self.host, run) if run.state.final else None
        if fault:
            self._in_background(self._alert(run.project, run.task, fault))

    def _resume(self, key: TaskKey) -> None:
        if key in self._adopted:
            return  # it looks for itself what was decided meanwhile, once it is on its way out
        try:
            self.scheduler.resume(key)
        except SchedulerError:
            return  # it goes on already
        except LookupError:
            project, _, task = key.partition(":")
            text = f"{task} may go on, but its entry is gone from the queue: put it back, or cancel its run"
            self._in_background(self._alert(project, task, text))

    async def _alert(self, project: str, task: str, text: str) -> None:
        detail = {"priority": "P1", "text": text}
        await self.host.journal.commit(
            ops.event(self.host.clock.now(), "alert", project, task=task, detail=detail)
        )

    async def _deliver_all(self) -> None:
        """Deliver what can be before the engine ends; what cannot be waits for the next one."""
        await asyncio.gather(self._outbox.deliver(), self._notices.deliver())

    async def _expire(self) -> None:
        for follow_up in await self.answerer.expire():
            await self.follow(follow_up)

    def _in_background(self, work: Coroutine[object, object, object]) -> None:
        task: asyncio.Task[object] = asyncio.ensure_future(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    # -- the queues

    async def reload(self) -> None:
        """Read the queue files again and hand their tasks to the scheduler."""
        workspace = self.host.workspace
        files: dict[str, QueueFile] = {}
        for project in workspace.settings.projects:
            path = workspace.queue_path(project)
            environments = workspace.environments(project)
            if await asyncio.to_thread(path.exists):
                files[project] = await asyncio.to_thread(
                    read_queue, path, project=project, environments=environments
                )
        self.queue_files = files
        self._latest = await self.host.read(self.host.reader.latest_runs)
        tasks = [task for file in files.values() for task in file.tasks]
        self.scheduler.load(tasks, lambda task: standing(task, self._latest))

    async def _may_go_on(self) -> list[TaskKey]:
        """Find the waiting runs that nobody is asked about any more: what they waited for came meanwhile."""
        found = []
        for run in await self.host.read(self.host.reader.open_runs):
            if run.state is RunState.WAITING:
                approvals = await self.host.read(self.host.reader.approvals_of, run.id)
                if not any(one.state is ApprovalState.WAITING for one in approvals):
                    found.append(run.key)
        return found

    def _accepts_claim(self, task: Task) -> bool:
        if task.environment is None:
            return False
        return self.host.workspace.gate(task.project, task.environment).kind is not GateKind.PRODUCTION

    # -- dispatching

    def lane(self, task: Task) -> Hashable | None:
        """Give the environment that only one run of a project may change at a time."""
        return (task.project, environment_of(task)) if task.kind.ours else None

    async def dispatch(self, task: Task) -> Outcome:
        """Run the task's attempt, or go on with the open one, as far as nobody has to decide."""
        run = await self.host.read(self.host.reader.latest_run, task.project, task.id)
        if run is not None and (run.state.undecided or run.state is RunState.SUCCEEDED):
            return ended(run)
        held = await self._held_by_another(task, run)
        if held is not None:
            self._behind_locks.add(task.project)
            return Outcome(TaskState.PARKED, held)
        if run is None or run.state.final:
            run = await self._fresh(task, run)
        else:
            run = await self._claim(run)
        return await self._advance(task, run)

    async def _advance(self, task: Task, run: Run) -> Outcome:
        steps = await self.host.read(self.host.reader.steps, run.id)
        await asyncio.to_thread(self.host.run_folder(run.id).mkdir, mode=0o700, parents=True, exist_ok=True)
        self.host.at_work.add(run.id)
        try:
            return await advance(Attempt(self.host, task, run, position=len(steps)))
        finally:
            self.host.at_work.discard(run.id)

    async def _held_by_another(self, task: Task, run: Run | None) -> str | None:
        """Say which other run holds the task's environment: one whose entry is gone keeps no lane."""
        environment = run.environment if run and not run.state.final else environment_of(task)
        lock = await self.host.read(self.host.reader.lock, task.project, environment)
        if lock is None or lock.run is None or (run is not None and lock.run == run.id):
            return None
        holder = await self.host.read(self.host.reader.run, lock.run)
        return None if holder is None else held_words(holder, lock)

    async def _look_behind(self, project: str) -> None:
        """Let those go on that waited for a run to let go of their environment."""
        if project not in self._behind_locks:
            return
        self._behind_locks.discard(project)
        await self.reload()
        for key in await self._may_go_on():
            self._resume(key)

    async def _fresh(self, task: Task, before: Run | None) -> Run:
        run = first_run(self.host, task, attempt=before.attempt + 1 if before else 1)
        now = self.host.clock.now()
        await self.host.journal.commit(
            ops.insert_run(run),
            ops.audit(now, self.host.operator, "run-created", run.id, task=str(run.key), attempt=run.attempt),
        )
        return run

    async def _claim(self, run: Run) -> Run:
        """Take an open run over: from now on only this process may change it."""
        await self.host.journal.commit(
            ops.update_run(run.id, run.epoch, epoch=run.epoch + 1, executor=dict(self.host.executor)),
            ops.take_over_lock(replace(run, epoch=run.epoch + 1), self.host.executor),
        )
        claimed = await self.host.read(self.host.reader.run, run.id)
        if claimed is None:
            raise LookupError(f"run {run.id} is gone from the journal")
        return claimed

    # -- telling

    def _on_change(self, key: TaskKey, state: TaskState, reason: str) -> None:
        del reason
        project = key.partition(":")[0]
        if state in (TaskState.SUCCEEDED, TaskState.FAILED) and project in self._behind_locks:
            self._in_background(self._look_behind(project))
        if state in (TaskState.RUNNING, TaskState.READY):
            self._idle.discard(project)
        else:
            self._tell_idle(project)

    def _tell_idle(self, project: str) -> None:
        """Tell whoever follows a started queue that nothing more of it can run for now."""
        counts = self.scheduler.counts(project)
        busy = counts[TaskState.RUNNING] or (
            counts[TaskState.READY] and self.scheduler.exhausted(project) is None and not self.scheduler.idle
        )
        if busy or project in self._idle or not self.scheduler.started(project):
            return
        self._idle.add(project)
        self._in_background(self._say_idle(project))

    async def _say_idle(self, project: str) -> None:
        try:
            await self.host.journal.commit(ops.event(self.host.clock.now(), "idle", project))
        except (JournalFullError, JournalBusyError):
            self._idle.discard(project)  # it is told with the next change
