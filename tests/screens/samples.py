"""Tasks, runs, approvals and plans as they look in a real workspace, for the tests of the screens."""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from guardrails.environments import GateKind
from opconsole.audit import GENESIS, entry_hash
from opconsole.audit_check import ChainCheck, Found
from opconsole.checkpoints import SignedCheckpoint
from opconsole.clock import iso
from opconsole.inbox import WaitingPolicy
from opconsole.journal.records import (
    Approval,
    ApprovalState,
    AuditRow,
    Phase,
    PolicyRow,
    PolicyState,
    Purpose,
    Run,
    StepRow,
    StepState,
)
from opconsole.journal.run_lines import Decided, RunLine
from opconsole.record import ToldRun
from opconsole.run_filter import PastRun, past_run
from opconsole.run_report import make_report, markdown
from opconsole.views import EnvironmentView, QueueView, RunView, TaskView
from queues.states import RunState

if TYPE_CHECKING:
    from .fake_console import FakeRecord

PROVISIONING: dict[str, object] = {
    "task": "karematch:PROVISION-001",
    "project": "karematch",
    "environment": "aws",
    "action": "provision",
    "version": {"from": None, "to": None},
    "provisioning": {
        "resource": {
            "type": "s3_bucket",
            "name": "karematch-user-uploads",
            "purpose": "S3 bucket for user uploads",
            "properties": {"storage_gb": 1024, "noncurrent_days": 90},
        },
        "business_case": {
            "justification": "Store profile photos",
            "cost_estimate": "$50/month (1TB storage + transfer)",
            "alternatives": ["Use existing bucket", "Cloudflare R2"],
            "risk_assessment": ["Security: private"],
        },
        "cost": {
            "monthly_usd": "52.91",
            "lines": [{"what": "storage, 1126.40 GB", "monthly_usd": "25.91"}],
            "assumptions": ["1,000,000 writes"],
            "prices_as_of": "2025-06-01",
            "unknown": [],
        },
        "account": "123456789012",
        "region": "eu-central-1",
        "stack": "opconsole-karematch-user-uploads",
        "change_set": {"name": "c", "changes": [["Add", "Main", "AWS::S3::Bucket", ""]]},
    },
    "steps": [{"name": "execute", "kind": "probe", "argv": None}],
}
BLOCKED_SOURCE = """\"\"\"Drop the users of the old system.\"\"\"

from alembic import op

revision = "8b13"
down_revision = "77c0"

THIRTY_DAYS = "now() - interval '30 days'"


def upgrade() -> None:
    op.add_column("users", Column("seen", DateTime))
    op.create_index("ix_users_seen", "users", ["seen"])

    op.execute("DROP TABLE old_users")
    op.execute(
        "UPDATE users SET seen = now() "
        "WHERE seen IS NULL"
    )

    # Sessions are only a cache.
    op.execute("DELETE FROM sessions WHERE created_at < now() - interval '30 days'")


def downgrade() -> None:
    op.drop_column("users", "seen")
"""
NOW = datetime(2026, 3, 2, 14, 5, 30, tzinfo=UTC)


@dataclass
class Samples:
    """Makes tasks, runs and approvals as they look in a real workspace."""

    folder: Path

    def task(self, name: str = "DEPLOY-PROD-001", **changes: Any) -> TaskView:
        given: dict[str, Any] = {
            "project": "credentialmate",
            "task": name,
            "kind": "deployment",
            "description": "Deploy v2.1.0 to production with migrations",
            "environment": "production",
            "version": "2.1.0",
            "state": "pending",
            "reason": "",
            "waits_for": "",
            "gate": "production",
            "depends_on": (),
            "priority": 2,
            "run": None,
            "attempt": 0,
            "unverified": False,
            "started_at": None,
            "finished_at": None,
        }
        return TaskView(**{**given, **changes})

    def run(self, task: TaskView, state: RunState, **changes: Any) -> tuple[TaskView, RunView]:
        number = f"run-{task.task.lower()}"
        given: dict[str, Any] = {
            "id": number,
            "project": task.project,
            "task": task.task,
            "kind": task.kind,
            "action": "deploy",
            "environment": task.environment or "",
            "version": task.version,
            "attempt": 1,
            "state": state,
            "epoch": 1,
            "requested_by": "alice",
            "created_at": NOW - timedelta(seconds=95),
            "started_at": NOW - timedelta(seconds=90),
            "commit_id": "9f2c41d07be55a3c1e8890abf3127cd04d5e6f70",
            "previous_version": "2.0.0",
            "preflight": (
                (True, "All tests passed"),
                (True, "Migrations validated (reversible)"),
                (True, "No SQL safety violations"),
                (True, "No S3 safety violations"),
                (True, "Build successful"),
            ),
        }
        view = {
            name: changes.pop(name)
            for name in ("steps", "approvals", "usual_seconds", "usual_steps")
            if name in changes
        }
        run = Run(**{**given, **changes})
        task = replace(
            task,
            state=state.value,
            run=number,
            attempt=1,
            reason=run.reason,
            started_at=run.started_at,
            finished_at=run.finished_at,
        )
        log = self.folder / f"{number}.log"
        return task, RunView(
            run=run,
            steps=view.get("steps", self.steps(number)),
            approvals=view.get("approvals", ()),
            log=log,
            usual_seconds=view.get("usual_seconds", 100.0),
            usual_steps=view.get("usual_steps", {}),
        )

    def steps(self, run: str, *, at: int = 5) -> tuple[StepRow, ...]:
        """Give the steps of a deployment, of which the one at a place runs and those before are done."""
        rows = (
            (Phase.PREFLIGHT, "export", "Take a clean export", "v2.1.0 9f2c41d07be55a3c1e8", 0.4),
            (Phase.PREFLIGHT, "validate", "Validate migrations", "2 to apply", 1.2),
            (Phase.PREFLIGHT, "scan", "Scan for SQL and S3 calls", "118 files read", 0.9),
            (Phase.PREFLIGHT, "test", "Run the tests", "all tests passed", 21.3),
            (Phase.PREFLIGHT, "build", "Build", "built sha256:41aa09be2c7", 8.0),
            (Phase.EFFECT, "place", "Place the release", "2.1.0-1", 2.1),
            (Phase.EFFECT, "switch", "Switch to the release", "", 0.1),
            (Phase.EFFECT, "migrate", "Run migrations", "", 3.0),
            (Phase.EFFECT, "health", "Wait for health", "", 2.0),
        )
        steps = []
        for place, (phase, name, title, detail, seconds) in enumerate(rows):
            state = (
                StepState.SUCCEEDED if place < at else StepState.RUNNING if place == at else StepState.PENDING
            )
            start = NOW - timedelta(seconds=60 - 5 * place)
            steps.append(
                StepRow(
                    run=run,
                    position=place,
                    phase=phase,
                    name=name,
                    title=title,
                    kind="repeatable",
                    state=state,
                    started_at=start if place <= at else None,
                    finished_at=start + timedelta(seconds=seconds) if place < at else None,
                    detail=detail if place < at else "",
                )
            )
        return tuple(steps)

    def plan(self, **changes: Any) -> dict[str, object]:
        return {
            "project": "credentialmate",
            "environment": "production",
            "action": "deploy",
            "version": {"from": "2.0.0", "to": "2.1.0"},
            "commit": "9f2c41d07be55a3c1e8890abf3127cd04d5e6f70",
            "target": {"identity": "releases at deploy/production", "probed": True},
            "migrations": {
                "path": "backend/alembic/versions",
                "database": "sqlite:data/production.db",
                "from": "4be1",
                "to": "77c0",
                "files": [
                    {
                        "revision": "6a02",
                        "path": "backend/alembic/versions/6a02_add_email.py",
                        "description": "add email to users",
                        "reversible": True,
                    },
                    {
                        "revision": "77c0",
                        "path": "backend/alembic/versions/77c0_index_email.py",
                        "description": "index users by email",
                        "reversible": True,
                    },
                ],
            },
            "findings": [
                {
                    "path": "backend/jobs/clean.py",
                    "rule": "delete-where",
                    "verdict": "warn",
                    "line": 31,
                    "reason": None,
                }
            ],
            "steps": [
                {"name": "place", "kind": "repeatable", "argv": None},
                {"name": "switch", "kind": "probe", "argv": ["bin/restart", "{release_dir}"]},
                {"name": "migrate", "kind": "probe", "argv": ["alembic", "upgrade", "77c0"]},
                {"name": "health", "kind": "repeatable", "argv": None},
            ],
            "policy": {
                "gate": "production",
                "approval": "always",
                "quorum": 1,
                "four_eyes": False,
                "seniors": [],
                "wait": 0,
                "break_glass_wait": 300,
            },
            "approvers": [],
            "named_approvers": [],
            **changes,
        }

    def approval(self, run: str = "run-deploy-prod-001", **changes: Any) -> Approval:
        given: dict[str, Any] = {
            "id": "approval-1",
            "run": run,
            "purpose": Purpose.GO_AHEAD,
            "digest": "sha256:3c5e0d1f" + "ab" * 28,
            "plan": self.plan(),
            "tier": 2,
            "why": ("production always needs approval",),
            "state": ApprovalState.WAITING,
            "requested_at": NOW - timedelta(seconds=30),
            "requested_by": "alice",
        }
        return Approval(**{**given, **changes})

    def waiting(self, tier: int = 2, **changes: Any) -> tuple[TaskView, RunView]:
        """Give a task that waits for approval of a tier."""
        environment = {1: "development", 2: "production", 3: "production"}[tier]
        task = self.task(environment=environment, gate=environment, waits_for="approval", **changes)
        approval = self.approval(tier=tier, plan=self.plan(environment=environment))
        return self.run(
            task,
            RunState.WAITING,
            reason="waits for approval: production always needs approval",
            approvals=(approval,),
            steps=self.steps(f"run-{task.task.lower()}", at=5)[:5]
            + tuple(replace(s, state=StepState.PENDING) for s in self.steps("x", at=-1)[5:]),
        )

    def policy(self, **changes: Any) -> WaitingPolicy:
        """Give a change of policy that waits, with what it loosens and what holds already."""
        given: dict[str, Any] = {
            "id": "p-7c41d0",
            "digest": "sha256:5ad1" + "0c" * 30,
            "document": {},
            "in_force": {},
            "changes": ("credentialmate:staging deployment_limit: 900 → 600",),
            "loosens": (
                "credentialmate:production gate: production → staging",
                "credentialmate:production quorum: 2 → 1",
            ),
            "state": PolicyState.WAITING,
            "seen_at": NOW - timedelta(minutes=14),
            "seen_by": "alice",
        }
        signed = changes.pop("signed", False)
        return WaitingPolicy(PolicyRow(**{**given, **changes}), signed)

    def past(self, number: int, state: RunState = RunState.SUCCEEDED, **changes: Any) -> PastRun:
        """Give a run of the history: the higher its number, the longer ago."""
        end = NOW - timedelta(hours=7 * number)
        line = {name: changes.pop(name) for name in ("worked", "waited", "deciders") if name in changes}
        given: dict[str, Any] = {
            "id": f"run-{number}",
            "project": "credentialmate",
            "task": f"DEPLOY-{number:03}",
            "kind": "deployment",
            "action": "deploy",
            "environment": ("development", "staging", "production")[number % 3],
            "version": f"2.{number % 7}.0",
            "attempt": 1,
            "epoch": 1,
            "requested_by": "alice",
            "created_at": end - timedelta(minutes=5),
            "started_at": end - timedelta(minutes=4),
            "finished_at": end,
            "seq": 100_000 - number,
            **changes,
        }
        run = Run(state=state, **given)
        worked = line.get("worked", 40.0 + 13 * (number % 5))
        waited, at = line.get("waited", 0.0), end - timedelta(minutes=2)
        decisions = tuple(
            Decided(by, at, "approve", "go-ahead", verified=number % 2 == 0)
            for by in line.get("deciders", ())
        )
        return past_run(RunLine(run, worked, waited, decisions), unverified=False)

    def history(self, record: FakeRecord, count: int = 40) -> None:
        """Put runs into a record, some of which failed, with a report of each."""
        states = {3: RunState.FAILED, 8: RunState.ROLLED_BACK, 11: RunState.BLOCKED, 17: RunState.REJECTED}
        record.past = tuple(
            self.past(
                number,
                states.get(number, RunState.SUCCEEDED),
                waited=600.0 * number if number % 3 == 2 else 0.0,
                deciders=("bob",) if number % 3 == 2 else (),
                reason="health check failed: GET /health: 503" if number in (3, 8) else "",
            )
            for number in range(count)
        )
        kinds = ("development", "staging", "production")
        record.gates = {("credentialmate", kind): GateKind(kind) for kind in kinds}
        for row in record.past[:20]:
            run = replace(row.line.run, plan={"version": {"from": "2.0.0", "to": row.line.run.version}})
            log = self.folder / f"{run.id}.log"
            log.write_text(f"2026-03-02T14:05:00.120Z o this is the log of {run.task}\n")
            view = RunView(run, self.steps(run.id, at=9), (), log, 100.0)
            report = make_report(view, None, (), unverified=False)
            record.told[run.id] = ToldRun(report, markdown(report), '{"id": "' + run.id + '"}\n', run.id, log)

    def chain(self, record: FakeRecord, count: int = 60) -> None:
        """Put an audit chain into a record, with what came of verifying it."""
        rows: list[AuditRow] = []
        actions = ("run-created", "run-waiting", "approved", "effect-began", "effect-ended", "run-succeeded")
        for seq in range(1, count + 1):
            at = iso(NOW - timedelta(minutes=3 * (count - seq))) or ""
            entry = {
                "seq": seq,
                "at": at,
                "actor": ("alice", "bob")[seq % 2],
                "action": actions[seq % len(actions)],
                "subject": f"r-{seq // 6:04}",
                "detail": json.dumps({"reason": "as planned", "step": f"step {seq}"}),
                "prev_hash": rows[-1].hash if rows else GENESIS,
            }
            rows.append(AuditRow(**entry, hash=entry_hash(**entry)))
        record.chain = tuple(reversed(rows))
        noted = SignedCheckpoint("journal", count - 4, rows[-5].hash, rows[-5].at, "signature")
        record.check = ChainCheck(count, rows[-1], None, (), Found((noted,), signed=True))

    def blocked(self) -> tuple[TaskView, RunView]:
        """Give a task that the guardrails stopped."""
        finding = {
            "rule": "drop-table",
            "severity": "critical",
            "verdict": "block",
            "line": 15,
            "column": 5,
            "direction": "upgrade",
            "layer": "source",
            "statement": "DROP TABLE old_users",
            "message": "DROP TABLE causes irreversible data loss",
            "fix": "rename the table now, drop it in a later release",
            "reason": None,
        }
        milder = {
            **finding,
            "rule": "delete-where",
            "severity": "medium",
            "verdict": "warn",
            "line": 22,
            "statement": "DELETE FROM sessions WHERE created_at < now() - interval '30 days'",
            "message": "deletes rows",
            "fix": "check the condition on a copy first",
        }
        report = {
            "verdict": "block",
            "environment": "production",
            "files": [
                {
                    "path": "backend/alembic/versions/migration_001.py",
                    "verdict": "block",
                    "coverage": {"statements": 2, "analysed": 2},
                    "findings": [milder, finding],
                }
            ],
        }
        reason = (
            "blocked by guardrails: migration_001.py:15: drop-table: DROP TABLE causes irreversible data loss"
        )
        task = self.task("DEPLOY-PROD-002", version="2.2.0")
        return self.run(task, RunState.BLOCKED, reason=reason, report=report, finished_at=NOW)

    def provisioning(self, purpose: str = "S3 bucket for user uploads") -> RunView:
        """Make a run that waits for the approval of what it makes in AWS."""
        _, view = self.waiting(2)
        run = replace(view.run, kind="provisioning", action="provision", environment="aws", version=None)
        plan: Any = copy.deepcopy(PROVISIONING)
        plan["provisioning"]["resource"]["purpose"] = purpose
        assert view.waiting is not None
        return replace(view, run=run, approvals=(replace(view.waiting, plan=plan),))

    def blocked_source(self) -> str:
        """Give the file that the guardrails stopped, as its findings have it."""
        return BLOCKED_SOURCE

    def environment(self, name: str = "production", **changes: Any) -> EnvironmentView:
        given: dict[str, Any] = {
            "project": "credentialmate",
            "environment": name,
            "gate": name,
            "version": "2.1.0",
            "release": "2.1.0-1",
            "revision": "77c0",
            "url": f"https://{name}.example/",
            "deployed_at": NOW - timedelta(hours=5),
            "deployed_by": "alice",
            "running": None,
            "waiting": None,
        }
        return EnvironmentView(**{**given, **changes})

    def queue(self, **changes: Any) -> QueueView:
        given: dict[str, Any] = {
            "project": "credentialmate",
            "started": True,
            "file": Path("tasks/work_queue_credentialmate.json"),
            "faults": (),
        }
        return QueueView(**{**given, **changes})

    def log(self, run: RunView, lines: list[str]) -> None:
        """Write a run's log in the shim's format; a line begins with its stream."""
        stamp = "2026-03-02T14:05:{:02d}.120Z"
        text = "".join(f"{stamp.format(place % 60)} {line}\n" for place, line in enumerate(lines))
        run.log.write_text(text)
