"""What must hold after every story, whoever was killed when."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise

from chaoslab.hosts import strays
from chaoslab.project import ENVIRONMENTS, ODD, Line, Workspace
from opconsole.audit import Checkpoint, verify_chain
from opconsole.journal.reader import JournalReader
from opconsole.journal.records import Approval, ApprovalState, Phase, Purpose, Run, StepRow, StepState
from opconsole.journal.upkeep import contradictions
from opconsole.migrating import UNKNOWN
from opconsole.plans import digest
from queues.states import RunState

ONCE = {"restart": "restart", "upgrade": "migrate", "downgrade": "migrate-back"}
"""Programs that run once for each of their steps that began, as long as their shims are left alone."""

_BY_A_PERSON = ("overridden by", "aborted by")


@dataclass(slots=True)
class Witness:
    """What was seen of a journal while its hosts were killed."""

    runs: dict[str, RunState] = field(default_factory=dict)
    checkpoint: Checkpoint | None = None

    @property
    def seq(self) -> int:
        """How long the audit chain has become."""
        return self.checkpoint.seq if self.checkpoint else 0

    def look(self, reader: JournalReader) -> list[str]:
        """Look at the journal; give what has been taken back that must stay."""
        faults = []
        now = {run.id: run for run in reader.history()}
        for run_id, state in self.runs.items():
            if run_id not in now:
                faults.append(f"run {run_id} ({state.value}) is lost")
            elif state.final and now[run_id].state is not state:
                faults.append(f"run {run_id} was {state.value} and is {now[run_id].state.value} now")
        self.runs.update({run.id: run.state for run in now.values()})
        rows = reader.audit()
        fault = verify_chain(rows, self.checkpoint)
        if fault is not None:
            faults.append(f"the audit chain: {fault}")
        if rows:
            self.checkpoint = Checkpoint(rows[-1].seq, rows[-1].hash)
        return faults


@dataclass(frozen=True, slots=True)
class Facts:
    """A journal and its world, after a story."""

    workspace: Workspace
    reader: JournalReader
    runs: Sequence[Run]
    in_time: bool = True
    """False when a clock was changed: moments then say nothing of an order."""
    shims_lived: bool = True
    """False when shims were killed: their programs, which had no end, then may be run again."""
    echoes_stayed: bool = True
    """False when somebody turned the queue file back: its statuses then may be older than the journal's."""


def violations(facts: Facts) -> list[str]:
    """Give every sentence that does not hold; an empty list when all is well."""
    return [
        *_every_effect_was_approved(facts),
        *_one_run_at_a_time(facts),
        *_nothing_twice(facts),
        *_databases_stand_as_recorded(facts),
        *_targets_serve_as_recorded(facts),
        *_nothing_is_held_or_left_open(facts),
        *_nothing_keeps_a_lease(facts),
        *_the_queue_file_is_whole(facts),
        *contradictions(facts.reader.engine),
        *(f"a process was left: {one}" for one in strays(facts.workspace).items()),
    ]


def _steps(facts: Facts, run: Run, *phases: Phase) -> list[StepRow]:
    return [
        step
        for step in facts.reader.steps(run.id)
        if step.phase in phases and step.name != "compare" and step.started_at is not None
    ]


def _every_effect_was_approved(facts: Facts) -> Iterator[str]:
    for run in facts.runs:
        if run.environment != "production":
            continue
        approvals = facts.reader.approvals_of(run.id)
        for approval in approvals:
            if digest(approval.plan) != approval.digest:
                yield f"{run.task}: the approval's digest is not that of its plan"
        for phase, purpose in ((Phase.EFFECT, Purpose.GO_AHEAD), (Phase.ROLLBACK, Purpose.REVERT)):
            begun = [step.started_at for step in _steps(facts, run, phase) if step.started_at]
            if begun and not _approved(facts, run, approvals, purpose, min(begun)):
                yield f"{run.task}: {phase.value} steps began without an approved {purpose.value}"


def _approved(
    facts: Facts, run: Run, approvals: Sequence[Approval], purpose: Purpose, before: datetime
) -> bool:
    return any(
        approval.purpose is purpose
        and approval.state is ApprovalState.APPROVED
        and (purpose is Purpose.REVERT or approval.digest == run.plan_digest)
        and approval.decided_at is not None
        and (approval.decided_at <= before or not facts.in_time)
        for approval in approvals
    )


def _one_run_at_a_time(facts: Facts) -> Iterator[str]:
    for line in facts.workspace.lines():
        if line.program in ("restart", "health") and not line.own:
            yield f"{line.program} of run {line.run} ran in {line.environment}, which the run did not hold"
    for environment in ENVIRONMENTS:
        spans = sorted(_spans(facts, environment))
        for (_, end, one), (begin, _, other) in pairwise(spans):
            if begin < end and facts.in_time:
                yield f"runs {one} and {other} overlapped in {environment}"


def _spans(facts: Facts, environment: str) -> Iterator[tuple[datetime, datetime, str]]:
    for run in facts.runs:
        steps = _steps(facts, run, Phase.EFFECT, Phase.ROLLBACK) if run.environment == environment else []
        begun = [step.started_at for step in steps if step.started_at]
        if begun:
            yield min(begun), run.finished_at or datetime.max.replace(tzinfo=begun[0].tzinfo), run.id


def _nothing_twice(facts: Facts) -> Iterator[str]:
    begun = Counter(_key(line) for line in facts.workspace.lines() if line.when == "begin")
    runs = {run.id: run for run in facts.runs}
    for (program, run_id, subject), times in begun.items():
        if program in ONCE and times > 1 and facts.shims_lived:
            run = runs[run_id]
            forward = subject.startswith(f"{run.version}-")
            phases = [Phase.EFFECT if forward else Phase.ROLLBACK] if program == "restart" else list(Phase)
            steps = [step for step in _steps(facts, run, *phases) if step.name == ONCE[program]]
            if times > len(steps):
                yield f"{program} {subject} of run {run_id} ran {times} times in {len(steps)} steps"


def _key(line: Line) -> tuple[str, str, str]:
    return line.program, line.run, line.subject


def _databases_stand_as_recorded(facts: Facts) -> Iterator[str]:
    undecided = {run.environment for run in facts.runs if not run.state.final}
    for environment in ENVIRONMENTS:
        release = facts.reader.current_release("app", environment)
        if release is None or release.revision is None or environment in undecided:
            continue  # a release without migrations says nothing of a database
        found = facts.workspace.revision(environment)
        decided = any(run.id == release.run and run.reason.startswith(_BY_A_PERSON) for run in facts.runs)
        told = decided and release.revision == UNKNOWN  # honest: a person ended what nobody could tell of
        if found != release.revision and not told:
            yield (
                f"the database of {environment} stands at {found}, but {release.name} is recorded with "
                f"{release.revision}"
            )
        tables = facts.workspace.tables(environment)
        wanted = {f"t{number:04}" for number in range(1, int(found or 0) + 1)}
        if tables != wanted:
            yield f"the database of {environment} says {found}, but has {sorted(tables)}"


def _targets_serve_as_recorded(facts: Facts) -> Iterator[str]:
    undecided = {run.environment for run in facts.runs if not run.state.final}
    for environment in ENVIRONMENTS:
        release = facts.reader.current_release("app", environment)
        serves = facts.workspace.current(environment)
        if environment not in undecided and serves != (release.name if release else None):
            yield f"{environment} serves {serves}, but {release.name if release else None} is recorded"


def _nothing_is_held_or_left_open(facts: Facts) -> Iterator[str]:
    for run in facts.runs:
        if not run.state.final:
            if not run.state.undecided and run.state is not RunState.WAITING:
                yield f"{run.task} is left {run.state.value}"
            continue
        for step in facts.reader.steps(run.id):
            if step.state in (StepState.PENDING, StepState.RUNNING):
                yield f"{run.task} is {run.state.value}, but its step {step.name} is {step.state.value}"
        lock = facts.reader.lock("app", run.environment)
        if lock is not None and lock.run == run.id:
            yield f"{run.task} is {run.state.value}, but it has the lock of {run.environment}"
        if facts.workspace.holder(run.environment) == run.id:
            yield f"{run.task} is {run.state.value}, but the target of {run.environment} is held by it"


def _nothing_keeps_a_lease(facts: Facts) -> Iterator[str]:
    for environment in ENVIRONMENTS:
        lock = facts.reader.lock("app", environment)
        if lock is not None and lock.lease_until is not None:
            yield f"{environment} has a lease of {lock.run}, though nobody works on anything"


def _the_queue_file_is_whole(facts: Facts) -> Iterator[str]:
    entries = facts.workspace.entries()
    for row in facts.reader.open_outbox():
        yield f"{row.kind} has not left the outbox: {row.error}"
    latest = {run.task: run for run in sorted(facts.runs, key=lambda run: run.seq)}
    for task, entry in entries.items():
        for name, value in ODD.items():
            if entry.get(name) != value:
                yield f"the queue's entry {task} has lost {name}: {entry.get(name)!r}"
        run = latest.get(task)
        if run is not None and facts.echoes_stayed and entry["status"] != run.state.file_status:
            yield f"the queue says {entry['status']} of {task}, which is {run.state.value}"
