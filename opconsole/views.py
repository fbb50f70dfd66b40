"""What people see: tasks, runs, approvals and environments as values, for the screens and the command line.

Everything here is read; nothing is changed. The journal is the truth, the queue file adds what was asked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the console's first picture loads only what it shows
    from opconsole.journal.records import Approval, JsonMap, Run, StepRow, VoteRow
    from opconsole.known import KnownFacts
    from opconsole.logs import LogLine


@dataclass(frozen=True, slots=True)
class TaskView:
    """One line of a queue."""

    project: str
    task: str
    kind: str
    """deployment, migration, rollback, provisioning or other; other ones are listed and never run."""
    description: str
    environment: str | None
    version: str | None
    state: str
    """A run's state; or for a task without a run: pending, ready, blocked (by a dependency, or by its file's
    word), claimed (complete in the file, unknown to the journal), invalid, or the file's own word for other
    kinds. A run that its process left behind is interrupted, one whose cancel is under way cancelling."""
    reason: str
    """Why it is in that state; empty where nothing needs saying."""
    waits_for: str
    """What has to happen before it goes on, in a few words: a dependency, an approval, a decision."""
    gate: str | None
    """The kind of gate its environment has; None where the environment is unknown."""
    depends_on: tuple[str, ...]
    priority: int
    run: str | None
    """Its latest run."""
    attempt: int
    unverified: bool
    """A succeeded production run that nobody has verified yet."""
    started_at: datetime | None
    finished_at: datetime | None

    @property
    def key(self) -> str:
        """``project:ID``."""
        return f"{self.project}:{self.task}"


@dataclass(frozen=True, slots=True)
class RunView:
    """One run with everything a person may want to know of it."""

    run: Run
    steps: tuple[StepRow, ...]
    approvals: tuple[Approval, ...]
    log: Path
    usual_seconds: float | None
    """How long the last successful run of this kind took there; None: there was none."""
    usual_steps: Mapping[str, float] = field(default_factory=dict)
    """How many seconds each step of that run took, by its name."""
    last_plan: JsonMap | None = None
    """The plan of the last successful run of this kind there."""

    votes: tuple[VoteRow, ...] = ()
    """What people answered to its approvals, oldest first."""
    signed: bool = False
    """Its approval must be signed."""
    altered: bool = False
    """The plan that waits is not the one that its digest names: somebody edited the journal."""
    entry_note: str = ""
    """What an edit of its entry means for the approval that waits; empty: its plan is for this entry."""

    def votes_on(self, approval: Approval) -> tuple[VoteRow, ...]:
        """Give the answers to one approval."""
        return tuple(vote for vote in self.votes if vote.approval == approval.id)

    @property
    def waiting(self) -> Approval | None:
        """The approval that waits for an answer."""
        return next((one for one in self.approvals if one.state == "waiting"), None)

    @property
    def known(self) -> KnownFacts | None:
        """What target and database said when the run got stuck; None where nobody could ask."""
        from opconsole.known import known_facts  # noqa: PLC0415 (the first picture needs none)

        return known_facts(self.run.known)

    def last_lines(self, count: int) -> list[LogLine]:
        """Read the last lines of the log. Blocks for a moment: on an event loop, call it in a thread."""
        from opconsole.logs import tail  # noqa: PLC0415 (the first picture needs none)

        return tail(self.log, count)


@dataclass(frozen=True, slots=True)
class QueueView:
    """A project's queue: whether it is started, and what is wrong with its file."""

    project: str
    started: bool
    file: Path
    faults: tuple[str, ...]
    """One sentence a fault, with line, task, field, found and allowed."""
    missing: bool = False
    """There is no such file yet; adding a task makes it."""
    broken: bool = False
    """The file as a whole cannot be used: what is listed of it is what was known before."""
    changed: str = ""
    """What somebody changed in the file since a person looked, in a few words; empty: nothing."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All that the operations screen shows, as of one moment."""

    workspace: str
    tasks: Sequence[TaskView]
    """Of all queues; the very same object as long as nothing about them changes."""
    queues: tuple[QueueView, ...]
    running: int
    waiting: int
    """Runs that wait for an approval or a decision."""
    failed_today: int
    worker_alive: bool
    frozen: str = ""
    """Who froze everything, since when and why; empty while nobody did."""
    policy_waits: str = ""
    """The id of a policy that the settings loosen and nobody has approved; empty where there is none."""
    settings_changed: bool = False
    """The settings were saved after the worker began, which goes by what it read then."""


@dataclass(frozen=True, slots=True)
class HeldView:
    """Which run holds an environment, and who works on it."""

    task: str
    run: str
    state: str
    """Of the run, as people see it."""
    since: datetime | None
    executor: str
    """The process that works on it, for people; empty while a person decides."""
    lease_until: datetime | None
    suspect: bool
    """Its executor has not been heard of in time, or is gone: a worker goes on, or a person unlocks."""


@dataclass(frozen=True, slots=True)
class EnvironmentView:
    """What an environment runs now, by the journal's word."""

    project: str
    environment: str
    gate: str
    version: str | None
    release: str | None
    revision: str | None
    url: str | None
    deployed_at: datetime | None
    deployed_by: str | None
    running: str | None
    """The task that runs there now."""
    waiting: str | None
    """The task that waits there for a person."""
    held: HeldView | None = None
    """Which run holds it: only that run may change it."""
    frozen: str | None = None
    """Why nothing may begin there now; None: nothing keeps it."""
