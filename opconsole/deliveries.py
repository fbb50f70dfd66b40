"""Deliveries into files: queue echoes, new entries of queues, deployments.json, and reports.

Delivering something twice changes nothing, so a crash between a delivery and its record harms nothing.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from opconsole.host import Host
from opconsole.journal.records import OutboxRow
from opconsole.outbox import Delivery, Sent
from opconsole.reading import Reading
from opconsole.run_report import TAIL, make_report, markdown, report_name
from opconsole.view_making import is_unverified
from opconsole.withholding import masked, secrets_of
from queues.echo import DuplicateTaskError, EchoUpdate, append_tasks, write_echo
from queues.rewrite import QueueWriteError

LONGEST_WAIT = 60.0
"""Seconds between two tries at a file, at most."""


class Echo:
    """Writes tasks' states back into their queue file."""

    longest_wait = LONGEST_WAIT

    def lane(self, row: OutboxRow) -> str:
        """Everything of a project goes one after the other: an echo may be of an entry just appended."""
        return row.project

    def send(self, host: Host, rows: Sequence[OutboxRow]) -> Sent:
        """Write the latest state of each task, all at once."""
        project, numbers = rows[0].project, frozenset(row.seq for row in rows)
        path = host.workspace.queue_path(project)
        if not path.exists():
            return Sent(numbers)  # the queue is gone; the journal keeps the truth
        latest = {str(row.payload["task"]): row.payload for row in rows}
        try:
            problem = write_echo(path, [_update(task, payload) for task, payload in latest.items()]).problem
        except (OSError, ValueError, QueueWriteError) as fault:
            problem = f"echo of {project} could not be written: {fault}"
        return Sent(frozenset(), problem) if problem else Sent(numbers)


class Append:
    """Adds entries to a queue file."""

    longest_wait = LONGEST_WAIT

    def lane(self, row: OutboxRow) -> str:
        """See `Echo.lane`."""
        return row.project

    def send(self, host: Host, rows: Sequence[OutboxRow]) -> Sent:
        """Add each; one that cannot be added keeps no other from being added."""
        done, error = set(), None
        for row in rows:
            try:
                self._append(host.workspace.queue_path(row.project), row.payload)
            except (OSError, ValueError, QueueWriteError) as fault:
                error = f"append of {row.project} could not be written: {fault}"
            else:
                done.add(row.seq)
        return Sent(frozenset(done), error)

    def _append(self, path: Path, payload: Mapping[str, object]) -> None:
        entries = payload.get("entries")
        for entry in entries if isinstance(entries, list) else []:
            try:
                append_tasks(path, [entry])
            except DuplicateTaskError:
                continue  # it was delivered before a crash


class DeploymentLog:
    """Adds to a project's ``.aibrain/deployments.json``, which other programs read."""

    longest_wait = LONGEST_WAIT

    def lane(self, row: OutboxRow) -> str:
        """Each log by itself."""
        return f"{row.project} deployments.json"

    def send(self, host: Host, rows: Sequence[OutboxRow]) -> Sent:
        """Add all that is not there yet."""
        project = rows[0].project
        folder = host.workspace.project_path(project) / ".aibrain"
        try:
            folder.mkdir(exist_ok=True)
            if folder.is_symlink():  # the project's own files are not trusted: it could lead anywhere
                return Sent(frozenset(), f"{folder} is a link; make it a folder of the project")
            append_deployments(folder / "deployments.json", [row.payload for row in rows])
        except (OSError, ValueError) as fault:
            return Sent(frozenset(), f"deployments of {project} could not be written: {fault}")
        return Sent(frozenset(row.seq for row in rows))


class ReportFile:
    """Writes a run's report into the workspace, as the journal tells it now; again is the same file."""

    longest_wait = LONGEST_WAIT

    def lane(self, row: OutboxRow) -> str:
        """All reports one after the other: they share a folder."""
        return "reports"

    def send(self, host: Host, rows: Sequence[OutboxRow]) -> Sent:
        """Write each run's report once."""
        folder = host.workspace.root / host.workspace.settings.workspace.reports
        reading = Reading(host.workspace, host.place, host.reader)
        for run_id in {str(row.payload.get("run")): None for row in rows}:
            view = reading.run(run_id)
            if view is None:
                continue
            run = view.run
            serving = host.reader.current_release(run.project, run.environment)
            report = make_report(
                view, serving, view.last_lines(TAIL), unverified=is_unverified(host.workspace, run)
            )
            secrets = secrets_of(host.workspace, host.environ, run.project, run.environment)
            try:
                folder.mkdir(parents=True, exist_ok=True)
                _replace(folder / report_name(run), masked(markdown(report), secrets))
            except OSError as fault:
                return Sent(frozenset(), f"report of {run.project} could not be written: {fault}")
        return Sent(frozenset(row.seq for row in rows))


FILES: Mapping[str, Delivery] = {
    "echo": Echo(),
    "append": Append(),
    "deployments": DeploymentLog(),
    "report": ReportFile(),
}
"""What leaves for files, by kind."""


def append_deployments(path: Path, entries: Sequence[Mapping[str, object]]) -> None:
    """Add entries to a deployments.json, atomically; what is there of a run and status is not repeated.

    Raises ValueError when the file is not the object with a list that other programs read: it is left alone.
    """
    document, known = _read_log(path)
    seen = {(entry.get("run"), entry.get("status")) for entry in known if isinstance(entry, dict)}
    fresh = [dict(entry) for entry in entries if (entry.get("run"), entry.get("status")) not in seen]
    if not fresh:
        return
    known.extend(fresh)
    _replace(path, json.dumps(document, indent=2, ensure_ascii=False) + "\n")


def _replace(path: Path, text: str) -> None:
    """Write a whole file in one moment, with the mode that it had."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:60]}-")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        mode = path.stat().st_mode & 0o777 if path.exists() else 0o644
        Path(name).chmod(mode)
        Path(name).replace(path)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise


def _read_log(path: Path) -> tuple[dict[str, object], list[object]]:
    try:
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        with os.fdopen(os.open(path, flags), encoding="utf-8") as file:
            document = json.loads(file.read())
    except FileNotFoundError:
        known: list[object] = []
        return {"deployments": known}, known
    except ValueError as fault:
        raise ValueError(f"{path} is not JSON ({fault}); move it away, and the log begins anew") from fault
    listed = document.get("deployments") if isinstance(document, dict) else None
    if not isinstance(listed, list):
        raise ValueError(f'{path} is not an object with a list "deployments"; move it away')  # noqa: TRY004
    return document, listed


def _update(task: str, payload: Mapping[str, object]) -> EchoUpdate:
    attempts = payload.get("attempts")
    return EchoUpdate(
        task_id=task,
        status=str(payload["status"]),
        error=_text(payload.get("error")),
        attempts=attempts if isinstance(attempts, int) else None,
        last_attempt=_text(payload.get("last_attempt")),
        completed_at=_text(payload.get("completed_at")),
    )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
