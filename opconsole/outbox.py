"""The outbox: what the journal has decided leaves for files: queue echoes, new entries, deployments.json.

Each thing left in the same transaction as the change it tells of, so nothing is lost by a crash; delivering
something twice changes nothing.
"""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from opconsole.host import Host
from opconsole.journal import ops
from opconsole.journal.records import OutboxRow
from queues.echo import DuplicateTaskError, EchoUpdate, append_tasks, write_echo
from queues.rewrite import QueueWriteError

FIRST_WAIT = 1.0
"""Seconds before a delivery that failed is tried again; doubled each time, up to LONGEST_WAIT."""
LONGEST_WAIT = 60.0


class Outbox:
    """Delivers what waits in the journal's outbox. Whoever holds the host lock has one."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._not_before: dict[int, float] = {}

    async def deliver(self) -> float | None:
        """Deliver what can be; give the seconds after which something that failed wants another try."""
        loop = asyncio.get_running_loop()
        waiting = await self._host.read(self._host.reader.open_outbox)
        due = [row for row in waiting if self._not_before.get(row.seq, 0.0) <= loop.time()]
        for group in _grouped(due):
            error = await asyncio.to_thread(self._send, group)
            await self._record(group, error, loop.time())
        later = [self._not_before[row.seq] for row in waiting if row.seq in self._not_before]
        return max(0.0, min(later) - loop.time()) if later else None

    async def _record(self, group: Sequence[OutboxRow], error: str | None, now: float) -> None:
        at = None if error else self._host.clock.now()
        for row in group:
            if error is None:
                self._not_before.pop(row.seq, None)
            else:
                wait = min(LONGEST_WAIT, FIRST_WAIT * 2 ** min(row.attempts, 10))
                self._not_before[row.seq] = now + wait
        writes = [ops.end_outbox(row.seq, at, error) for row in group]
        if error is not None and group[0].attempts == 0:
            moment = self._host.clock.now()
            writes.append(
                ops.event(moment, "alert", group[0].project, detail={"priority": "P1", "text": error})
            )
        await self._host.journal.commit(*writes)

    def _send(self, group: Sequence[OutboxRow]) -> str | None:
        """Deliver things of one kind and project; give why it could not be done."""
        row = group[0]
        try:
            if row.kind == "echo":
                return self._echo(row.project, group)
            if row.kind == "append":
                for item in group:
                    self._append(row.project, item.payload)
                return None
            self._log_deployments(row.project, [item.payload for item in group])
        except (OSError, ValueError, QueueWriteError) as fault:
            return f"{row.kind} of {row.project} could not be written: {fault}"
        return None

    def _echo(self, project: str, group: Sequence[OutboxRow]) -> str | None:
        path = self._host.workspace.queue_path(project)
        if not path.exists():
            return None  # the queue is gone; the journal keeps the truth
        latest = {str(row.payload["task"]): row.payload for row in group}
        result = write_echo(path, [_update(task, payload) for task, payload in latest.items()])
        return result.problem

    def _append(self, project: str, payload: Mapping[str, object]) -> None:
        entries = payload.get("entries")
        if not isinstance(entries, list):
            return
        for entry in entries:
            try:
                append_tasks(self._host.workspace.queue_path(project), [entry])
            except DuplicateTaskError:
                continue  # it was delivered before a crash

    def _log_deployments(self, project: str, entries: Sequence[Mapping[str, object]]) -> None:
        folder = self._host.workspace.project_path(project) / ".aibrain"
        folder.mkdir(exist_ok=True)
        append_deployments(folder / "deployments.json", entries)


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
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".deployments-")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(document, file, indent=2, ensure_ascii=False)
            file.write("\n")
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
        document = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        known: list[object] = []
        return {"deployments": known}, known
    except ValueError as fault:
        raise ValueError(f"{path} is not JSON ({fault}); move it away, and the log begins anew") from fault
    listed = document.get("deployments") if isinstance(document, dict) else None
    if not isinstance(listed, list):
        raise ValueError(f'{path} is not an object with a list "deployments"; move it away')  # noqa: TRY004
    return document, listed


def _grouped(rows: Sequence[OutboxRow]) -> list[list[OutboxRow]]:
    groups: dict[tuple[str, str], list[OutboxRow]] = {}
    for row in rows:
        groups.setdefault((row.kind, row.project), []).append(row)
    return list(groups.values())


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
