"""Reading a workspace: its queue files and its journal as the views that screens and commands show.

Nothing here creates, upgrades or changes anything. All of it blocks for a moment: on an event loop, call it
in a thread. One `Reading` may be asked by several threads.
"""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from sqlalchemy import Engine

from opconsole.journal.errors import JournalMissingError
from opconsole.journal.hosting import host_alive
from opconsole.journal.location import JournalPlace, locate
from opconsole.journal.reader import JournalReader
from opconsole.journal.records import Approval, Phase, QueueRow, ReleaseRow, Run
from opconsole.journal.upgrade import open_database
from opconsole.locking import executor_words
from opconsole.plans import digest
from opconsole.settings import SETTINGS_FILE
from opconsole.standing_rules import frozen_words, waiting_policy, wants_signature
from opconsole.step_facts import ProgramFacts, programs_of
from opconsole.task_list import TaskList
from opconsole.task_views import Present, TaskViews, graph_of, seen, state_word
from opconsole.view_making import ENTRY_FAULTY, ENTRY_GONE, ENTRY_UNREADABLE, entry_note
from opconsole.views import EnvironmentView, HeldView, QueueView, RunView, Snapshot, TaskView
from opconsole.workspace import Workspace
from queues.queue_file import QueueFile, read_queue
from queues.states import RunState
from queues.tasks import Task, TaskKind


class UnclearIdError(LookupError):
    """An ID that names no run, or more than one task."""

    def __init__(self, text: str, message: str, candidates: tuple[str, ...] = ()) -> None:
        self.text = text
        self.candidates = candidates
        """What would be clear."""
        super().__init__(message)


_Stamp = tuple[int, ...] | None


@dataclass(frozen=True, slots=True)
class _JournalStamp:
    """What tells one state of the journal from another."""

    newest: int
    """Its newest event."""
    database: _Stamp
    log: _Stamp

    @property
    def inode(self) -> int | None:
        """Which file it is, whatever stands in it."""
        return self.database[2] if self.database else None


@dataclass(frozen=True, slots=True)
class _Moment:
    """What the files and the journal looked like, so that reading them again can be spared."""

    files: tuple[_Stamp, ...]
    journal: _JournalStamp | None
    worker_alive: bool

    def same_files(self, other: _Moment) -> bool:
        """Whether the queue files are those of another moment, and the journal goes on from there."""
        if self.files != other.files or None in self.files:
            return False
        if self.journal is None or other.journal is None:
            return self.journal is other.journal
        return self.journal.inode == other.journal.inode and self.journal.newest >= other.journal.newest


@dataclass(frozen=True, slots=True)
class _Known:
    """What was made of a moment."""

    moment: _Moment
    tasks: TaskList
    queues: tuple[QueueView, ...]
    open_states: tuple[RunState, ...]
    ended_badly: tuple[datetime, ...]


class Reading:
    """Answers what people ask of a workspace."""

    def __init__(
        self, workspace: Workspace, place: JournalPlace | None, reader: JournalReader | None
    ) -> None:
        """Read *workspace* with the journal at *place*; without one, nothing has ever run."""
        self.workspace = workspace
        self.place = place
        self.reader = reader
        self._engine: Engine | None = None
        self._lock = threading.Lock()
        self._files: dict[Path, tuple[_Stamp, QueueFile]] = {}
        self._known: _Known | None = None
        self._views: TaskViews | None = None
        self._newest_run = 0

    def close(self) -> None:
        """Give the journal back, where `open_reading` opened it."""
        if self._engine is not None:
            self._engine.dispose()

    # -- what screens show

    def snapshot(self) -> Snapshot:
        """Give all that the operations screen shows. Costs little while nothing has changed."""
        with self._lock:
            known = self._look()
        now = datetime.now().astimezone()
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
        states = known.open_states
        policy = waiting_policy(self.reader)
        return Snapshot(
            workspace=self.workspace.name,
            tasks=known.tasks,
            queues=known.queues,
            running=sum(state in _AT_WORK for state in states),
            waiting=sum(state is RunState.WAITING or state.undecided for state in states),
            failed_today=sum(moment >= midnight for moment in known.ended_badly),
            worker_alive=known.moment.worker_alive,
            frozen=frozen_words(self.reader),
            policy_waits=policy.id if policy else "",
            settings_changed=known.moment.worker_alive and self.settings_changed,
        )

    def run(self, run_id: str) -> RunView | None:
        """Give one run with its steps and approvals; None where there is no such run."""
        run = self.reader.run(run_id) if self.reader else None
        if run is None or self.reader is None or self.place is None:
            return None
        last = self.reader.last_success(run.project, run.environment, run.kind)
        usual = self._usual_steps(last)
        approvals = tuple(self.reader.approvals_of(run.id))
        return RunView(
            run=self._seen(run),
            steps=tuple(self.reader.steps(run.id)),
            approvals=approvals,
            log=self.place.runs / run.id / "log",
            usual_seconds=sum(usual.values()) if usual else None,
            usual_steps=usual,
            last_plan=last.plan if last is not None and last.id != run.id else None,
            votes=tuple(vote for one in approvals for vote in self.reader.votes_of(one.id)),
            signed=wants_signature(self.reader, self.workspace),
            altered=any(one.state == "waiting" and digest(one.plan) != one.digest for one in approvals),
            entry_note=self._note_on(run) if run.state is RunState.WAITING else "",
        )

    def programs(self, run_id: str, position: int, name: str) -> tuple[ProgramFacts, ...]:
        """Give the programs that a step of a run has started."""
        return () if self.place is None else programs_of(self.place.runs / run_id, position, name)

    def durations(self) -> dict[tuple[str, str, str], float]:
        """Give the seconds that the last success took at work, by project, environment and kind of task."""
        settings = self.workspace.settings.projects
        found: dict[tuple[str, str, str], float] = {}
        for project in settings if self.reader else ():
            for environment in settings[project].environments:
                for kind in TaskKind:
                    last = self.reader.last_success(project, environment, kind.value) if self.reader else None
                    if usual := self._usual_steps(last):
                        found[project, environment, kind.value] = sum(usual.values())
        return found

    def environments(self) -> tuple[EnvironmentView, ...]:
        """Give what every environment runs, by the journal's word, in the order of the settings."""
        settings = self.workspace.settings
        open_runs = [self._seen(run) for run in self.reader.open_runs()] if self.reader else []
        return tuple(
            self._environment(project, name, open_runs)
            for project in settings.projects
            for name in settings.projects[project].environments
        )

    def history(
        self, project: str | None = None, environment: str | None = None, limit: int = 1000
    ) -> tuple[Run, ...]:
        """Give runs, newest first."""
        if self.reader is None:
            return ()
        return tuple(self._seen(run) for run in self.reader.history(project, environment, limit))

    def waiting_approvals(self) -> tuple[tuple[Approval, Run], ...]:
        """Give what waits for a person, with the run of each, oldest first."""
        if self.reader is None:
            return ()
        pairs = [(one, self.reader.run(one.run)) for one in self.reader.waiting_approvals()]
        return tuple((approval, run) for approval, run in pairs if run is not None)

    # -- finding

    def find_run(self, text: str) -> Run:
        """Give the run that an ID means: a run's id, or ``[project:]TASK`` for that task's latest run.

        Raises UnclearIdError, which names the candidates or says how to find them.
        """
        if self.reader is not None:
            run = self.reader.run(text)
            if run is not None:
                return self._seen(run)
            project, colon, task = text.rpartition(":")
            latest: dict[str, Run] = {}
            for run in self.reader.runs_of(task, project if colon else None):
                latest.setdefault(run.project, run)
            if len(latest) == 1:
                return self._seen(next(iter(latest.values())))
            if latest:
                raise _ambiguous(text, tuple(str(run.key) for run in latest.values()))
        found = self._tasks_called(text)
        if found:
            raise UnclearIdError(
                text, f"{found[0].key} has no run yet; `opconsole queue show {text}` says what it waits for"
            )
        raise UnclearIdError(
            text,
            f"{text!a} is neither a run's id nor a task; `opconsole history` lists the runs and "
            "`opconsole queue list` the tasks",
        )

    def find_task(self, text: str) -> TaskView:
        """Give the task that ``[project:]TASK`` or a run's id means. Raises UnclearIdError."""
        found = self._tasks_called(text)
        if not found and self.reader is not None:
            run = self.reader.run(text)
            found = self._tasks_called(str(run.key)) if run else []
        if len(found) == 1:
            return found[0]
        if found:
            raise _ambiguous(text, tuple(one.key for one in found))
        raise UnclearIdError(text, f"no queue has the task {text!a}; `opconsole queue list` shows the tasks")

    def task(self, project: str, task: str) -> Task | None:
        """Give a task's entry, with all its fields; None where its queue has no usable one."""
        file = self.queue_files().get(project)
        return next((one for one in file.tasks if one.id == task), None) if file else None

    def _note_on(self, run: Run) -> str:
        file = self.queue_files().get(run.project)
        if file is None or file.unusable:
            return ENTRY_UNREADABLE
        entry = next((task for task in file.tasks if task.id == run.task), None)
        if entry is not None:
            return entry_note(entry, run)
        return ENTRY_FAULTY if any(error.task == run.task for error in file.errors) else ENTRY_GONE

    def queue_files(self) -> dict[str, QueueFile]:
        """Give the queue file of every project, read again only where it has changed."""
        with self._lock:
            return self._read_files()[0]

    @property
    def worker_alive(self) -> bool:
        """Whether somebody hosts the engine."""
        return self.place is not None and host_alive(self.place)

    @property
    def settings_changed(self) -> bool:
        """Whether the settings were saved after whoever hosts the engine began."""
        if self.place is None:
            return False
        try:
            saved = (self.workspace.root / SETTINGS_FILE).stat().st_mtime_ns
            return saved > self.place.host_lock.stat().st_mtime_ns  # it is written when a host begins
        except FileNotFoundError:
            return False

    # -- looking

    def _look(self) -> _Known:
        alive = self.worker_alive
        journal = self._journal_stamp()  # before reading: what is written meanwhile is seen next time
        files, stamps = self._read_files()
        moment = _Moment(stamps, journal, alive)
        if self._known is not None and self._known.moment == moment:
            return self._known
        rows = self.reader.queues() if self.reader else {}
        views = self._brought_up_to(moment, files, rows)
        self._known = _Known(
            moment=moment,
            tasks=views.tasks,
            queues=tuple(_queue_view(project, file, rows, self.workspace) for project, file in files.items()),
            open_states=tuple(run.state for run in views.open_runs),
            ended_badly=tuple(views.ended_badly),
        )
        return self._known

    def _brought_up_to(
        self, moment: _Moment, files: dict[str, QueueFile], rows: dict[str, QueueRow]
    ) -> TaskViews:
        """Bring the views up to date by what has changed; make them anew for other files."""
        approvals = self.reader.waiting_approvals() if self.reader else []
        present = Present(
            approvals={one.run: one for one in approvals},
            started=frozenset(project for project, row in rows.items() if row.started),
            worker_alive=moment.worker_alive,
            frozen=bool(frozen_words(self.reader)),
        )
        views, self._views = self._views, None  # what fails halfway is not gone on with
        if views is None or self._known is None or not moment.same_files(self._known.moment):
            runs = list(self.reader.latest_runs().values()) if self.reader else []
            gates = {project: self.workspace.environments(project) for project in files}
            first = self._known is None
            views = TaskViews(files, gates, graph_of(files), runs, present)
            if not first:  # the first time whoever asks can show some before the rest is made
                views.tasks.complete()
            self._newest_run = 0
        else:
            runs = self._changed_runs(views, self._known.moment)
            views.update(runs, present)
        self._newest_run = max([self._newest_run, *[run.seq for run in runs]])
        self._views = views
        return views

    def _changed_runs(self, views: TaskViews, since: _Moment) -> list[Run]:
        if self.reader is None or since.journal is None:
            return []
        known_open = [run.id for run in views.open_runs]
        return self.reader.runs_changed(self._newest_run, since.journal.newest, known_open)

    def _read_files(self) -> tuple[dict[str, QueueFile], tuple[_Stamp, ...]]:
        files: dict[str, QueueFile] = {}
        stamps: list[_Stamp] = []
        for project in self.workspace.settings.projects:
            path = self.workspace.queue_path(project)
            stamp = _stamp(path)
            known = self._files.get(path)
            if known is None or known[0] != stamp or stamp is None:
                environments = self.workspace.environments(project)
                file = read_queue(path, project=project, environments=environments)
                if file.unusable and known is not None:
                    # What it held is still what people have in mind, and what runs: it stays listed.
                    file = replace(file, tasks=known[1].tasks)
                known = stamp, file
                self._files[path] = known
            files[project] = known[1]
            stamps.append(stamp)
        return files, tuple(stamps)

    def _journal_stamp(self) -> _JournalStamp | None:
        """Tell one state of the journal from another: by its files' times, and by its newest event."""
        if self.place is None or self.reader is None:
            return None
        log = self.place.database.with_name(self.place.database.name + "-wal")
        newest = self.reader.last_event()  # first: asking may make the log's file
        return _JournalStamp(newest, _stamp(self.place.database), _stamp(log))

    # -- helpers

    def _seen(self, run: Run) -> Run:
        return seen(run, worker_alive=self.worker_alive) if run.state in _AT_WORK else run

    def _tasks_called(self, text: str) -> list[TaskView]:
        return [view for view in self.snapshot().tasks if text in (view.task, view.key)]

    def _environment(self, project: str, name: str, open_runs: list[Run]) -> EnvironmentView:
        settings = self.workspace.environment(project, name)
        release = self.reader.current_release(project, name) if self.reader else None
        restored = self._restored(release) if release else None
        here = [run for run in open_runs if (run.project, run.environment) == (project, name)]
        waits = (run.task for run in here if run.state is RunState.WAITING or run.state.undecided)
        return EnvironmentView(
            project=project,
            environment=name,
            gate=settings.gate.value,
            version=release.version if release else None,
            release=release.name if release else None,
            revision=release.revision if release else None,
            url=settings.url,
            deployed_at=restored.finished_at if restored else release.placed_at if release else None,
            deployed_by=restored.requested_by if restored else release.placed_by if release else None,
            running=next((run.task for run in here if run.state in _AT_WORK), None),
            waiting=next(waits, None),
            held=self._held(project, name),
            frozen=self._frozen(project, name),
        )

    def _frozen(self, project: str, environment: str) -> str | None:
        """Say why no effect may begin there now: somebody froze everything, or the calendar does."""
        window = self.workspace.freeze(project, environment, datetime.now().astimezone())
        return frozen_words(self.reader) or (f"{environment} is {window}" if window else None)

    def _held(self, project: str, environment: str) -> HeldView | None:
        lock = self.reader.lock(project, environment) if self.reader else None
        run = self.reader.run(lock.run) if self.reader and lock and lock.run else None
        if lock is None or run is None:
            return None
        return HeldView(
            task=run.task,
            run=run.id,
            state=state_word(self._seen(run)),
            since=lock.acquired_at,
            executor=executor_words(lock.executor) if lock.executor else "",
            lease_until=lock.lease_until,
            suspect=run.state in _AT_WORK and (lock.expired or not self.worker_alive),
        )

    def _restored(self, release: ReleaseRow) -> Run | None:
        """Give the rollback that brought back the release that serves; None where its deployment did."""
        if self.reader is None:
            return None
        last = self.reader.last_success(release.project, release.environment, TaskKind.ROLLBACK.value)
        if last is None or last.release != release.name or last.finished_at is None:
            return None
        return last if last.finished_at > release.placed_at else None

    def _usual_steps(self, last: Run | None) -> dict[str, float]:
        """Give the seconds of the last successful run's steps: between them it may have waited for days."""
        if last is None or last.overridden or self.reader is None:
            return {}
        return {
            step.name: (step.finished_at - step.started_at).total_seconds()
            for step in self.reader.steps(last.id)
            if step.started_at and step.finished_at and step.phase is not Phase.ROLLBACK
        }


def open_reading(workspace: Workspace) -> Reading:
    """Open a workspace for reading; one without a journal has never run anything. Creates nothing.

    Raises JournalError where there is a journal that cannot be read. Call `Reading.close` in the end.
    """
    place = locate(workspace.root, create=False)
    if place is None:
        return Reading(workspace, None, None)
    try:
        engine = open_database(place, host=False)
    except JournalMissingError:
        if any(place.runs.iterdir()):
            raise  # something has run: the journal is lost, not young
        return Reading(workspace, place, None)
    reading = Reading(workspace, place, JournalReader(engine))
    reading._engine = engine
    return reading


def _ambiguous(text: str, candidates: tuple[str, ...]) -> UnclearIdError:
    names = ", ".join(candidates)
    return UnclearIdError(text, f"{text!a} is a task of several projects; name one: {names}", candidates)


def _stamp(path: Path) -> _Stamp:
    try:
        facts = os.stat(path)  # noqa: PTH116 - the journal's files are looked at by this and nothing else
    except OSError:
        return None
    return facts.st_mtime_ns, facts.st_size, facts.st_ino, facts.st_mode


def _queue_view(project: str, file: QueueFile, rows: dict[str, QueueRow], workspace: Workspace) -> QueueView:
    row = rows.get(project)
    return QueueView(
        project=project,
        started=row is not None and row.started,
        file=workspace.queue_path(project),
        faults=tuple(
            f"line {error.line}: {f'{error.task}: ' if error.task else ''}{error.message}"
            for error in file.errors
        ),
        missing=file.unusable and not file.digest and not workspace.queue_path(project).exists(),
        broken=file.unusable,
    )


_AT_WORK = frozenset({RunState.PREFLIGHT, RunState.RUNNING})
