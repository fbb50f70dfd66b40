"""A console in memory, and a clock that a test moves."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from guardrails.environments import STANDARD, GateKind
from opconsole.audit_check import ChainCheck, Found
from opconsole.audit_export import write_entries
from opconsole.console import Answer, Planned, Preview, QueueChanges
from opconsole.entries import EntriesError, given_entries, judge
from opconsole.exempting import Checkout, Proposal, write
from opconsole.inbox import WaitingPolicy
from opconsole.journal.records import (
    Approval,
    AuditRow,
    RequestKind,
    Run,
)
from opconsole.metrics import Metrics, measure
from opconsole.new_file import new_file
from opconsole.record import ToldRun
from opconsole.run_filter import PastRun
from opconsole.seen import Drift, Health, Seen
from opconsole.signing import SigningError
from opconsole.step_facts import ProgramFacts
from opconsole.views import EnvironmentView, QueueView, RunView, Snapshot, TaskView
from queues.sentences.known import Known, KnownProject, Serving

from .samples import NOW


@dataclass
class FakeRecord:
    """Shows what a test puts into it, and really writes the files that are asked for."""

    past: tuple[PastRun, ...] = ()
    told: dict[str, ToldRun] = field(default_factory=dict)
    chain: tuple[AuditRow, ...] = ()
    check: ChainCheck = field(default_factory=lambda: ChainCheck(0, None, None, (), Found()))
    gates: dict[tuple[str, str], GateKind] = field(default_factory=dict)
    counted: list[datetime | None] = field(default_factory=list)
    checks: int = 0

    async def runs(self) -> tuple[PastRun, ...]:
        return self.past

    async def report(self, run: str) -> ToldRun | None:
        return self.told.get(run)

    async def metrics(self, since: datetime | None, now: datetime) -> Metrics:
        self.counted.append(since)
        lines = [row.line for row in self.past]
        within = [one for one in lines if since is None or (one.run.finished_at or now) >= since]
        return measure(within, (), self.gates, since=since, until=now)

    async def entries(self) -> tuple[AuditRow, ...]:
        return self.chain

    async def check_chain(self, progress: Callable[[int], None]) -> ChainCheck:
        self.checks += 1
        await asyncio.to_thread(progress, len(self.chain))
        return self.check

    async def export_chain(self, file: Path) -> int:
        with new_file(file) as out:
            return write_entries(reversed(self.chain), out, file.suffix.removeprefix("."))

    async def save(self, text: str, file: Path) -> None:
        with new_file(file) as out:
            out.write(text)


@dataclass
class FakeConsole:
    """Shows what a test puts into it, and remembers what was asked."""

    tasks: tuple[TaskView, ...] = ()
    queues: tuple[QueueView, ...] = ()
    runs: dict[str, RunView] = field(default_factory=dict)
    read_only: bool = False
    stays_read_only: bool = False
    operator: str = "alice"
    asked: list[tuple[RequestKind, Mapping[str, object]]] = field(default_factory=list)
    answer: Answer = field(default_factory=lambda: Answer(granted=True, text="done"))
    fault: Exception | None = None
    worker_alive: bool = True
    shown: int = 0
    workspace: str = "demo"
    sources: dict[str, str] = field(default_factory=dict)
    sql: str = ""
    folder: Path | None = None
    record: FakeRecord = field(default_factory=FakeRecord)
    started: dict[tuple[str, str], tuple[ProgramFacts, ...]] = field(default_factory=dict)
    known: dict[tuple[str, str, str], float] = field(default_factory=dict)
    places: tuple[EnvironmentView, ...] = ()
    seen: dict[tuple[str, str], Seen] = field(default_factory=dict)
    looked: list[tuple[str, str]] = field(default_factory=list)
    heard: list[tuple[str, str | None]] = field(default_factory=list)
    added: list[tuple[str, bool]] = field(default_factory=list)
    read: list[tuple[str, str | None]] = field(default_factory=list)
    edited: tuple[QueueChanges, ...] = ()
    warnings: tuple[str, ...] = ()
    policy_asked: WaitingPolicy | None = None

    def __post_init__(self) -> None:
        self._changed = asyncio.Event()

    async def snapshot(self) -> Snapshot:
        self.shown += 1
        if self.fault:
            raise self.fault
        states = [task.state for task in self.tasks]
        return Snapshot(
            workspace=self.workspace,
            tasks=self.tasks,
            queues=self.queues,
            running=sum(state in ("running", "preflight") for state in states),
            waiting=sum(state in ("waiting", "halted", "interrupted") for state in states),
            failed_today=sum(state in ("failed", "blocked") for state in states),
            worker_alive=self.worker_alive,
            policy_waits=self.policy_asked.row.id if self.policy_asked else "",
        )

    async def run(self, run_id: str) -> RunView | None:
        if self.fault:
            raise self.fault
        return self.runs.get(run_id)

    async def programs(self, run_id: str, position: int, name: str) -> tuple[ProgramFacts, ...]:
        if self.fault:
            raise self.fault
        return self.started.get((run_id, name), ())

    async def approvals(self) -> tuple[tuple[Approval, Run], ...]:
        if self.fault:
            raise self.fault
        return tuple((view.waiting, view.run) for view in self.runs.values() if view.waiting)

    async def policy(self) -> WaitingPolicy | None:
        return self.policy_asked

    async def durations(self) -> Mapping[tuple[str, str, str], float]:
        if self.fault:
            raise self.fault
        return self.known

    async def environments(self) -> tuple[EnvironmentView, ...]:
        if self.fault:
            raise self.fault
        return self.places

    async def look(self, environment: EnvironmentView) -> Seen:
        self.looked.append((environment.project, environment.environment))
        seen = self.seen.get((environment.project, environment.environment))
        return seen or Seen(Health.HEALTHY, "GET /health: 200", Drift.SAME, f"it runs {environment.release}")

    async def migration_source(self, run_id: str, path: str) -> str | None:
        if self.fault:
            raise self.fault
        return self.sources.get(path) if run_id in self.runs else None

    async def migration_sql(self, run_id: str) -> str:
        if self.fault:
            raise self.fault
        return self.sql if run_id in self.runs else ""

    async def checkout(self, run_id: str) -> Checkout | None:
        if self.fault:
            raise self.fault
        known = self.folder is not None and run_id in self.runs
        return Checkout(self.folder, "production", GateKind.PRODUCTION) if known else None

    async def exempt(self, proposal: Proposal) -> Answer:
        if self.fault:
            raise self.fault
        write(proposal)
        return Answer(granted=True, text=f"Written into {proposal.name}, line {proposal.line}.")

    def sign(self, about: str, reason: str, *, ask: bool) -> str:
        raise SigningError(f"{about} {reason} {ask}")

    async def hear(self, text: str, project: str | None = None) -> Preview:
        self.heard.append((text, project))
        count = 1 if text.lower().startswith(("deploy", "promote")) else 0
        lines = ("DEPLOY-STAGING-003  credentialmate: Deploy v2.2.0 to staging", "    asks nobody")
        missing = () if count or "version" in text else ("version",)
        said = lines if count else ("Which version?",)
        return Preview(text, said, count, ("credentialmate",), None, (), (), missing)

    async def read_entries(self, text: str, project: str | None = None) -> Preview:
        """Take what the reader of queue files takes, as the client does, without a workspace."""
        self.read.append((text, project))
        try:
            judged = judge(
                given_entries(text), name="", project="credentialmate", environments=STANDARD, present=None
            )
        except EntriesError as error:
            return Preview("", (), 0, (), None, (), (f"line {error.line}: {error}",))
        faults = tuple(f"line {one.line}: {one.task}: {one.message}" for one in judged.errors)
        planned = tuple(
            Planned(
                "credentialmate",
                task.id,
                task.description,
                (("Environment", f"{task.environment} (gate)"), ("Gate", "asks nobody")),
                self.warnings,
                json.dumps(task.raw, indent=2),
            )
            for task in judged.tasks
        )
        return Preview("", (), 0 if faults else len(planned), ("credentialmate",), None, planned, faults)

    async def vocabulary(self, text: str = "", project: str | None = None) -> Known:
        places = {"development": GateKind.DEVELOPMENT, "staging": GateKind.STAGING}
        places["production"] = GateKind.PRODUCTION
        known = KnownProject(
            "credentialmate",
            places,
            versions=("2.2.0", "2.1.0"),
            serving={"staging": Serving("2.1.0")},
            served={"staging": ("2.1.0", "2.0.0")},
        )
        return Known({"credentialmate": known}, project)

    async def queue_place(self, project: str, task: str | None) -> tuple[Path, int]:
        if self.read_only:
            raise PermissionError("this console is read-only")
        return self.queues[0].file, 3

    async def queue_changes(self) -> tuple[QueueChanges, ...]:
        return self.edited

    async def seen_changes(self, project: str) -> None:
        self.edited = tuple(one for one in self.edited if one.project != project)

    async def add(self, preview: Preview, *, start: bool) -> Answer:
        self.added.append((preview.text, start))
        return self.answer

    async def changes(self) -> AsyncIterator[None]:
        while True:
            await self._changed.wait()
            self._changed.clear()
            yield

    async def ask(self, kind: RequestKind, payload: Mapping[str, object]) -> Answer:
        if self.fault:
            raise self.fault
        self.asked.append((kind, payload))
        return self.answer

    def change(self) -> None:
        self._changed.set()

    def put(self, task: TaskView, run: RunView | None = None) -> None:
        """Add a task with its run, or replace it."""
        others = tuple(one for one in self.tasks if one.key != task.key)
        place = next((i for i, one in enumerate(self.tasks) if one.key == task.key), len(others))
        self.tasks = (*others[:place], task, *others[place:])
        if run is not None:
            self.runs[run.run.id] = run


class FakeClock:
    """Stands still until a test moves it."""

    def __init__(self) -> None:
        self.at = NOW
        self.seconds = 1000.0

    def now(self) -> datetime:
        return self.at

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(min(seconds, 0.01))

    def monotonic(self) -> float:
        return self.seconds
