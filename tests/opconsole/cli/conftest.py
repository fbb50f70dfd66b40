"""A workspace with settings, queues and, where a test wants one, a real journal; and a way to command."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from opconsole.cli.main import run_command
from opconsole.journal import ops
from opconsole.journal.hosting import HostLock
from opconsole.journal.location import JournalPlace, locate
from opconsole.journal.records import Approval, ApprovalState, Purpose, ReleaseRow, Run
from opconsole.journal.upgrade import open_database
from opconsole.journal.writer import AuditOp, JournalWriter, Op
from opconsole.plans import digest as plan_digest
from queues.states import RunState

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
PLAN = {"task": "DEPLOY-PROD"}
DIGEST = plan_digest(PLAN)
SETTINGS = """
[projects.shop]
path = "shop"
[projects.shop.environments.development]
target = {type = "releases", path = "deployed/dev"}
[projects.shop.environments.staging]
target = {type = "releases", path = "deployed/staging"}
[projects.shop.environments.production]
target = {type = "releases", path = "deployed/production"}
url = "http://127.0.0.1:1/"
"""


def entry(task: str, environment: str, **more: object) -> dict[str, object]:
    return {
        "id": task,
        "description": f"Deploy to {environment}",
        "agent_type": "deployment",
        "environment": environment,
        "version": "2.1.0",
        **more,
    }


@dataclass
class Answered:
    """What a command did."""

    status: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)


@dataclass
class Desk:
    """A workspace, and the person in front of it."""

    root: Path
    entry: Callable[..., dict[str, object]] = entry
    now: datetime = NOW
    digest: str = DIGEST
    _writer: JournalWriter | None = None
    environ: dict[str, str] = field(default_factory=lambda: {"OPCONSOLE_PROGRAM": "opconsole"})

    def give(self, *arguments: str, inside: bool = True) -> Answered:
        """Give a command, by default in the workspace."""
        out, err = io.StringIO(), io.StringIO()
        line = ["-C", str(self.root), *arguments] if inside else list(arguments)
        status = run_command(line, stdout=out, stderr=err, environ={**os.environ, **self.environ})
        return Answered(int(status), out.getvalue(), err.getvalue())

    def settings(self, text: str) -> None:
        (self.root / "opconsole.toml").write_text(text)
        (self.root / "opconsole.toml").chmod(0o644)

    def queue(self, *entries: dict[str, object], project: str = "shop") -> Path:
        path = self.root / "tasks" / f"work_queue_{project}.json"
        path.write_text(json.dumps({"project": project, "features": list(entries)}, indent=2))
        path.chmod(0o644)
        return path

    @property
    def place(self) -> JournalPlace:
        found = locate(self.root, create=True)
        assert found is not None
        return found

    def write(self, *submission: Op | AuditOp) -> None:
        """Write into the journal, making it first where there is none."""
        if self._writer is None:
            lock = HostLock.try_acquire(self.place)
            assert lock is not None
            with lock:
                open_database(self.place, host=True).dispose()
            self._writer = JournalWriter(self.place, on_fatal=lambda _: None)
            self._writer.start()
        self._writer.commit_sync(*submission)

    def run(self, task: str, environment: str, state: RunState, **more: Any) -> Run:
        """Record a run that began at noon and, where it is over, took ninety seconds."""
        fields: dict[str, Any] = {"project": "shop", "attempt": 1, "reason": "", "version": "2.1.0", **more}
        run = Run(
            id=fields.pop("id", f"r-{task.lower()}-{fields['attempt']}"),
            task=task,
            kind="deployment",
            action="deploy",
            environment=environment,
            state=state,
            epoch=1,
            requested_by="ana",
            created_at=NOW,
            started_at=NOW,
            **fields,
        )
        self.write(ops.insert_run(run))
        if state.final:
            self.write(ops.update_run(run.id, 1, finished_at=NOW + timedelta(seconds=90)))
        return run

    def release(self, run: Run) -> None:
        """Record that a run's release serves."""
        self.write(
            ops.insert_release(
                ReleaseRow(
                    project=run.project,
                    environment=run.environment,
                    name="2.1.0-1",
                    version="2.1.0",
                    commit_id="c" * 40,
                    source_digest=DIGEST,
                    artifact_digest=DIGEST,
                    migrations_path=None,
                    revision="0004",
                    run=run.id,
                    placed_at=NOW,
                    placed_by="ana",
                    current=True,
                )
            )
        )

    def approval(self, run: Run, **more: Any) -> Approval:
        """Record that a person is asked."""
        fields: dict[str, Any] = {"purpose": Purpose.GO_AHEAD, "tier": 2, "why": ("production",), **more}
        approval = Approval(
            id=f"a-{run.id}",
            run=run.id,
            digest=DIGEST,
            plan=PLAN,
            state=ApprovalState.WAITING,
            requested_at=NOW,
            requested_by="ana",
            **fields,
        )
        self.write(ops.insert_approval(approval))
        return approval

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.setenv("OPCONSOLE_STATE_DIR", str(tmp_path / "state"))
    root = tmp_path / "workspace"
    (root / "tasks").mkdir(parents=True)
    root.chmod(0o755)
    here = Desk(root)
    here.settings(SETTINGS)
    here.queue(
        entry("DEPLOY-DEV", "dev"),
        entry("DEPLOY-STAGING", "staging", depends_on=["DEPLOY-DEV"]),
        entry("DEPLOY-PROD", "production", depends_on=["DEPLOY-STAGING"]),
    )
    yield here
    here.close()
