"""What the screens need of the rest: one protocol, so that they can be shown without a worker."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from opconsole.journal.records import Approval, RequestKind, Run
from opconsole.views import EnvironmentView, RunView, Snapshot

if TYPE_CHECKING:  # the console's first picture loads only what it shows
    from opconsole.exempting import Checkout, Proposal
    from opconsole.inbox import WaitingPolicy
    from opconsole.record import Record
    from opconsole.seen import Seen
    from opconsole.step_facts import ProgramFacts
    from queues.sentences.known import Known


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a request."""

    granted: bool
    text: str
    """One sentence: what happens now, or why not and what to do."""
    pending: bool = False
    """Nobody has answered yet: it may still be granted."""


@dataclass(frozen=True, slots=True)
class Planned:
    """One task that would be added, for people; every text is as somebody wrote it."""

    project: str
    task: str
    what: str
    """What it does, in a few words."""
    facts: tuple[tuple[str, str], ...] = ()
    """Each with its name: environment, version, what its gate asks, what it waits for, cost."""
    warnings: tuple[str, ...] = ()
    """What would keep it from running as it stands, or from running at all."""
    json: str = ""
    """Its entry as it will stand in the queue file."""


@dataclass(frozen=True, slots=True)
class Preview:
    """What would be added to queues, or why there is nothing to add."""

    text: str
    """The sentence it comes from; empty for entries."""
    lines: tuple[str, ...]
    """For people, safe to show: the tasks and what their gates will ask, or the question, or the reason."""
    count: int
    """Tasks that would be added."""
    projects: tuple[str, ...]
    """Whose queues they would go to."""
    tasks: object
    """What the console adds; a screen only hands it back."""
    planned: tuple[Planned, ...] = ()
    """The tasks one by one."""
    faults: tuple[str, ...] = ()
    """Why entries cannot be added: a sentence each with line, task, field, found and allowed."""
    missing: tuple[str, ...] = ()
    """Of a sentence that says too little: what is missing, by the names of fields; a question for each."""


@dataclass(frozen=True, slots=True)
class Changed:
    """What became of one task of a queue file since somebody looked at it."""

    project: str
    task: str
    how: str
    """added, removed or changed."""
    fields: tuple[tuple[str, str, str], ...] = ()
    """Of a changed one: field, what it was, what it is; JSON, and "nothing" where there is no such field."""
    notes: tuple[str, ...] = ()
    """What this means for its run, and where the journal contradicts the file."""


@dataclass(frozen=True, slots=True)
class QueueChanges:
    """How a queue file differs from what it was when somebody looked at it."""

    project: str
    file: Path
    tasks: tuple[Changed, ...] = ()
    faults: tuple[str, ...] = ()
    """What is wrong with the file now."""
    broken: bool = False
    """It cannot be used at all: its tasks are those of before."""


class Console(Protocol):
    """Reads the workspace's present state and asks for changes. Never blocks the event loop."""

    read_only: bool
    """Whether every change is refused, by `ask` and `exempt` themselves. Can be switched."""
    stays_read_only: bool
    """It was opened read-only: switching it is refused."""
    operator: str
    """The name under which this person asks."""

    @property
    def record(self) -> Record:
        """What was: runs, reports, metrics, the audit chain."""
        ...

    async def snapshot(self) -> Snapshot:
        """Give all that the operations screen shows."""
        ...

    async def run(self, run_id: str) -> RunView | None:
        """Give one run."""
        ...

    async def programs(self, run_id: str, position: int, name: str) -> tuple[ProgramFacts, ...]:
        """Give the programs that a step of a run has started, in order."""
        ...

    async def approvals(self) -> tuple[tuple[Approval, Run], ...]:
        """Give what waits for approval, with the run of each, the oldest first."""
        ...

    async def policy(self) -> WaitingPolicy | None:
        """Give the change of policy that waits for approval; None where none does."""
        ...

    async def durations(self) -> Mapping[tuple[str, str, str], float]:
        """Give the seconds that the last success took at work, by project, environment and kind of task."""
        ...

    async def environments(self) -> tuple[EnvironmentView, ...]:
        """Give what every environment runs."""
        ...

    async def look(self, environment: EnvironmentView) -> Seen:
        """Ask an environment's service and its target how it is now. Changes nothing; may take seconds."""
        ...

    async def migration_source(self, run_id: str, path: str) -> str | None:
        """Give the text of a file of the run's private copy, its first 64 KiB; None where it is not kept.

        The text is as somebody wrote it: hostile. *path* is relative to the project, as plans and findings
        name it.
        """
        ...

    async def migration_sql(self, run_id: str) -> str:
        """Give the SQL that the migrations of a waiting run's plan will run, as Alembic writes it offline.

        Alembic loads the project's ``env.py`` for that, kept in a sandbox where the settings want one: a
        read-only console refuses by a PermissionError. Raises StepFailed where it cannot be written. The text
        is as somebody wrote it: hostile.
        """
        ...

    async def checkout(self, run_id: str) -> Checkout | None:
        """Give the folder of the run's project, and how it is judged there; None where it is not known."""
        ...

    async def exempt(self, proposal: Proposal) -> Answer:
        """Write an exemption into the project's folder. The person has seen its diff."""
        ...

    def sign(self, about: str, reason: str, *, ask: bool) -> str:
        """Sign the approval that a run, or a policy, waits for with this person's SSH key. Blocks.

        With *ask*, ssh-keygen has the terminal: nothing else may draw on it meanwhile. Raises SigningError.
        """
        ...

    async def hear(self, text: str, project: str | None = None) -> Preview:
        """Say what a sentence comes to. *project* is meant where it names none. Changes nothing."""
        ...

    async def read_entries(self, text: str, project: str | None = None) -> Preview:
        """Say what entries given as JSON come to: one, a list, or a queue file. Changes nothing.

        *project* is whose queue they go to where the text itself names none.
        """
        ...

    async def vocabulary(self, text: str = "", project: str | None = None) -> Known:
        """Give what a sentence or a form may speak of; *text* says of which projects the versions matter."""
        ...

    async def add(self, preview: Preview, *, start: bool) -> Answer:
        """Put the tasks of a preview into their queues, and start these where that is wanted."""
        ...

    async def queue_place(self, project: str, task: str | None) -> tuple[Path, int]:
        """Give a project's queue file to be edited, and the line of a task in it; makes an empty queue.

        Raises PermissionError where the console is read-only.
        """
        ...

    async def queue_changes(self) -> tuple[QueueChanges, ...]:
        """Give how queue files differ from what they were when somebody looked at their changes."""
        ...

    async def seen_changes(self, project: str) -> None:
        """Take a queue file as it is now for looked at."""
        ...

    def changes(self) -> AsyncIterator[None]:
        """Wake whenever the journal or a queue file may have changed."""
        ...

    async def ask(self, kind: RequestKind, payload: Mapping[str, object]) -> Answer:
        """Ask for something and wait for the answer.

        Payloads: approve {run, plan (digest), reason, environment (as typed), signature} ·
        reject {run, reason} · decide {run, verb: revert|override|abort, reason} · verify {run, reason} ·
        cancel {run} · retry {run} · start {project} · pause {project} ·
        unlock {project, environment, reason, foreign (the run of another workspace)}.
        """
        ...
