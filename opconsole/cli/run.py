"""`opconsole run`: start a project's queue and follow it until nothing more can run."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import TextIO

from guardrails.sanitise import sanitise
from opconsole.cli.advice import advise, failed_state, outcomes_of, waiting_for_people
from opconsole.cli.asking import ask_about, ask_decision, ask_on_terminal
from opconsole.cli.cascade import summaries
from opconsole.cli.output import CommandContext, ExitStatus, counted, interactive, plain, worst
from opconsole.cli.policy import out_of_force, warn_of_policy
from opconsole.cli.queue_commands import fault_line
from opconsole.cli.report import stuck_lines
from opconsole.cli.worker import end_at_once
from opconsole.client import HOST_LOOK, Client
from opconsole.clock import iso
from opconsole.engine import Engine
from opconsole.host import open_host
from opconsole.ids import new_request_id
from opconsole.journal import ops
from opconsole.journal.hosting import HostLock, host_alive
from opconsole.journal.reader import JournalReader
from opconsole.journal.records import Approval, EventRow, RequestKind, RequestRow, Run
from opconsole.journal.wake import changes
from opconsole.signing import SigningError
from opconsole.signing_client import sign_approval
from opconsole.standing_rules import wants_signature
from opconsole.workspace import Workspace
from queues.graph import NAMES_SHOWN
from queues.scheduler import TaskState

HOST_GONE = 5.0
"""Seconds for which nobody hosts the engine before `run` does: a service manager is quicker."""


def run_project(context: CommandContext, project: str, max_iterations: int | None) -> int:
    """Start the queue and follow it; give the exit status of the contract."""
    workspace = context.workspace()
    workspace.project(project)
    client = Client.open(workspace)
    try:
        ask = interactive(context)
        return asyncio.run(run_queue(context, workspace, client, project, max_iterations, ask=ask))
    finally:
        client.close()


async def run_queue(
    context: CommandContext,
    workspace: Workspace,
    client: Client,
    project: str,
    cap: int | None,
    *,
    ask: bool,
) -> int:
    """Host the engine for the queue, or follow whoever hosts it; *ask* a person about what waits."""
    since = await asyncio.to_thread(client.reader.last_event)
    teller = Teller(client.reader, project, since, context.stdout, as_json=context.json)
    lock = await asyncio.to_thread(HostLock.try_acquire, client.place)
    if lock is None:
        followed = await _follow(context, client, teller, cap)
        if not isinstance(followed, HostLock):
            return followed
        context.warn("the worker has ended; its work goes on here")
        lock = followed
    with lock:
        async with open_host(workspace, client.place, operator=client.operator, on_fatal=end_at_once) as host:
            session = _Session(context, Engine(host, lock), client, teller)
            return await session.run(cap, ask=ask)


class Teller:
    """Tells the events of one project as they come: a line each, or one JSON object a line."""

    def __init__(
        self, reader: JournalReader, project: str, since: int, out: TextIO, *, as_json: bool
    ) -> None:
        self.project = project
        self.runs: dict[str, str] = {}
        """The runs that events were about, with the last state told."""
        self.idle = False
        """True once the engine has said that nothing more can run for now."""
        self._reader = reader
        self._seen = since
        self._out = out
        self._as_json = as_json

    async def catch_up(self) -> None:
        """Tell what happened since the last call."""
        for event in await asyncio.to_thread(self._reader.events_after, self._seen):
            self._seen = event.seq
            if event.project == self.project:
                self._take(event)

    def say(self, text: str) -> None:
        """Print a line for people; events alone go out as JSON."""
        if not self._as_json:
            self._print(text)

    def _take(self, event: EventRow) -> None:
        if event.event == "idle":
            self.idle = True
            return
        if event.run is not None and event.event == "run" and event.state is not None:
            self.runs[event.run] = event.state
        if self._as_json:
            self._print(json.dumps(_document(event), ensure_ascii=True, default=str))
        elif event.event == "step" and event.state == "running":
            self._show_for_now(_line(event, "▸"))
        else:
            known = _GLYPHS if event.event in {"run", "step"} else {}
            self._print(_line(event, known.get(event.state or "", " ")))

    def _show_for_now(self, line: str) -> None:
        """Show what goes on until the next line takes its place; only a terminal can do that."""
        if self._out.isatty():
            width = shutil.get_terminal_size().columns
            print(f"\r\x1b[K{line[: width - 1]}", end="", file=self._out, flush=True)

    def _print(self, line: str) -> None:
        start = "\r\x1b[K" if self._out.isatty() and not self._as_json else ""
        print(f"{start}{line}", file=self._out, flush=True)


class _Session:
    """`opconsole run` as the engine of one queue."""

    def __init__(self, context: CommandContext, engine: Engine, client: Client, teller: Teller) -> None:
        self._context = context
        self._engine = engine
        self._client = client
        self._teller = teller

    async def run(self, cap: int | None, *, ask: bool) -> int:
        engine, project = self._engine, self._teller.project
        await engine.prepare()
        faulty = await _name_faults(self._context, self._client, project)
        async with engine.services(), _telling(self._teller, self._client):
            await self._ask_engine(RequestKind.START, {"project": project, "max_attempts": cap})
            await engine.until_idle()
            while ask and await self._decided():
                await engine.until_idle()
        await self._teller.catch_up()
        exhausted = engine.scheduler.exhausted(project)
        counts = engine.scheduler.counts(project)
        if exhausted and counts[TaskState.READY]:
            self._teller.say(exhausted)
        return await _end(self._context, self._client, self._teller, faulty=faulty)

    async def _decided(self) -> bool:
        """Ask a person about everything that waits; False when nothing (more) was decided."""
        decided = False
        for run, approval in await waiting_for_people(self._client, self._teller.project):
            await self._teller.catch_up()
            try:
                kind, payload = await self._ask_person(run, approval)
            except EOFError:
                return False
            if kind is None:
                decided = True
                continue
            try:
                if kind is RequestKind.APPROVE and approval is not None:
                    payload |= await asyncio.to_thread(self._signature, run, approval, payload)
                answer = await self._ask_engine(kind, payload)
            except SigningError as error:
                self._teller.say(plain(str(error)))
                continue
            self._teller.say(answer)
            decided = True
        return decided

    def _signature(self, run: Run, approval: Approval, payload: Mapping[str, object]) -> dict[str, object]:
        """Sign an approval where the policy wants that; ssh-keygen asks on this terminal."""
        client, environ = self._client, self._context.environ
        if not wants_signature(client.reader, client.workspace):
            return {}
        reason = str(payload.get("reason") or "")
        signature = sign_approval(client.place.id, run, approval, reason, key=None, environ=environ, ask=True)
        return {"signature": signature}

    async def _ask_person(
        self, run: Run, approval: Approval | None
    ) -> tuple[RequestKind | None, dict[str, object]]:
        """Ask, until the person has answered here or somebody has elsewhere."""
        say = self._teller.say
        if approval is None:
            view = await self._client.run(run.id)
            known = await asyncio.to_thread(lambda: list(stuck_lines(view)) if view else [])
            asking = asyncio.ensure_future(ask_decision(run, ask_on_terminal, say, known))
        else:
            asking = asyncio.ensure_future(ask_about(run, approval, ask_on_terminal, say))
        elsewhere = asyncio.ensure_future(self._changed(run))
        try:
            await asyncio.wait({asking, elsewhere}, return_when=asyncio.FIRST_COMPLETED)
            if not asking.done():
                say(f"\n{run.task} was decided elsewhere")
                return None, {}
            return asking.result()
        finally:
            for one in (asking, elsewhere):
                one.cancel()
            await asyncio.gather(asking, elsewhere, return_exceptions=True)

    async def _changed(self, run: Run) -> None:
        async for _ in changes(self._client.place):
            now = await asyncio.to_thread(self._client.reader.run, run.id)
            if now is None or now.state is not run.state:
                return

    async def _ask_engine(self, kind: RequestKind, payload: dict[str, object]) -> str:
        host = self._engine.host
        request = RequestRow(
            id=new_request_id(),
            kind=kind,
            payload=payload,
            created_at=host.clock.now(),
            created_by=self._client.operator,
        )
        await host.journal.commit(ops.insert_request(request))
        await self._engine.answer_requests()
        answered = await host.read(host.reader.request, request.id)
        return sanitise(answered.answer or "", single_line=True) if answered else ""


async def _follow(context: CommandContext, client: Client, teller: Teller, cap: int | None) -> int | HostLock:
    """Start the queue at the worker that is alive, and follow it until it says that it is idle.

    Gives the host's lock where the worker has ended before, and no other came.
    """
    answer = await client.ask(RequestKind.START, {"project": teller.project, "max_attempts": cap})
    if not answer.granted:
        print(sanitise(answer.text), file=context.stderr)
        return ExitStatus.FAILED
    faulty = await _name_faults(context, client, teller.project)
    seen = time.monotonic()
    async with contextlib.aclosing(changes(client.place, every=HOST_LOOK)) as news:  # type: ignore[type-var]
        async for _ in news:
            await teller.catch_up()
            if teller.idle:
                break
            if await asyncio.to_thread(host_alive, client.place):
                seen = time.monotonic()
            elif time.monotonic() - seen > HOST_GONE:
                lock = await asyncio.to_thread(HostLock.try_acquire, client.place)
                if lock is not None:
                    return lock
    return await _end(context, client, teller, faulty=faulty)


@asynccontextmanager
async def _telling(teller: Teller, client: Client) -> AsyncIterator[None]:
    """Tell events while something else goes on."""

    async def tell() -> None:
        async for _ in changes(client.place):
            await teller.catch_up()

    telling = asyncio.ensure_future(tell())
    try:
        yield
    finally:
        telling.cancel()
        await asyncio.gather(telling, return_exceptions=True)


async def _name_faults(context: CommandContext, client: Client, project: str) -> bool:
    """Name the faults of the queue file as `queue validate` does; True where it has any."""
    path = client.workspace.queue_path(project)
    if not await asyncio.to_thread(path.exists):
        context.warn(f"{project} has no queue yet; {context.command('queue add FILE')} makes one")
        return False
    file = (await asyncio.to_thread(client.reading.queue_files))[project]
    for fault in file.errors[:NAMES_SHOWN]:
        context.warn(fault_line(file.name, fault))
    if len(file.errors) > NAMES_SHOWN:
        more = counted(len(file.errors) - NAMES_SHOWN, "more fault")
        context.warn(f"and {more}; {context.command('queue validate')} names them all")
    return bool(file.errors)


async def _end(context: CommandContext, client: Client, teller: Teller, *, faulty: bool) -> int:
    """Say what to do next; give the exit status of what happened, of what waits and of what cannot go on."""
    known = [await asyncio.to_thread(client.reader.run, run_id) for run_id in teller.runs]
    runs = [run for run in known if run is not None]
    failed = [run for run in runs if failed_state(run.state)]
    snapshot = await client.snapshot()
    for line in summaries(
        snapshot.tasks, [str(run.key) for run in runs if failed_state(run.state) or run.state.undecided]
    ):
        teller.say(line)
    blocked = await advise(context, client, teller.project, failed, teller.say)
    policy = await asyncio.to_thread(warn_of_policy, context, client.reader)
    unknown = out_of_force(policy, snapshot.tasks, teller.project) if policy else []
    for task in unknown[:NAMES_SHOWN]:
        context.warn(f"{plain(task.task)} does not run: {task.environment} waits for that approval")
    states = [run.state for run in runs]
    states += [run.state for run, _ in await waiting_for_people(client, teller.project)]
    outcomes = [*outcomes_of(states, blocked), *[ExitStatus.WAITING] * bool(unknown)]
    return worst([*outcomes, ExitStatus.USAGE] if faulty else outcomes)


def _document(event: EventRow) -> dict[str, object]:
    document: dict[str, object] = {
        "at": iso(event.at),
        "event": event.event,
        "project": event.project,
        "task": event.task,
        "run": event.run,
        "step": event.step,
        "state": event.state,
    }
    return {**document, **{name: value for name, value in event.detail.items() if name not in document}}


_GLYPHS = {"succeeded": "✓", "failed": "✗", "skipped": "-", "waiting": "⏸", "blocked": "✗", "halted": "✗"}


def _line(event: EventRow, glyph: str) -> str:
    at = event.at.astimezone().strftime("%H:%M:%S")
    detail: Callable[[str], object] = event.detail.get
    told = detail("reason") or detail("detail") or detail("text") or detail("title") or ""
    head = f"{at} {glyph} {event.task or event.project:<20} {detail('environment') or '':<12}"
    word = event.state if event.event in {"run", "step", "queue"} else event.event
    what = f"{event.step}: {told}" if event.step else f"{(word or '').upper()} {told}"
    if event.step and word in {"failed", "cancelled", "interrupted", "skipped"}:
        what = f"{event.step} {word}: {told}"
        if str(told).startswith(f"{event.step} {word}"):  # a step's own reason begins like that, too
            what = str(told)
    return sanitise(f"{head} {what}".rstrip(), single_line=True)
