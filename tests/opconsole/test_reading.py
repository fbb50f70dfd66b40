"""Queue files and the journal together say where every task stands; the journal's word wins."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from opconsole.journal import ops
from opconsole.journal.errors import JournalMissingError
from opconsole.journal.hosting import HostLock
from opconsole.journal.location import JournalPlace, locate
from opconsole.journal.reader import JournalReader
from opconsole.journal.records import Approval, ApprovalState, Phase, Purpose, Run, StepRow, StepState
from opconsole.journal.upgrade import open_database
from opconsole.journal.writer import AuditOp, JournalWriter, Op
from opconsole.reading import Reading, UnclearIdError, open_reading
from opconsole.views import TaskView
from opconsole.workspace import Workspace
from queues.states import RunState

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SETTINGS = "".join(
    f"""
[projects.{project}]
path = "{project}"
[projects.{project}.environments.development]
target = {{type = "releases", path = "deployed/dev"}}
[projects.{project}.environments.production]
target = {{type = "releases", path = "deployed/production"}}
"""
    for project in ("shop", "till")
)


def deploy(task: str, environment: str = "dev", *after: str, **more: object) -> dict[str, object]:
    words = {"agent_type": "deployment", "environment": environment, "version": "2.1.0"}
    return {"id": task, **words, "depends_on": list(after), **more}


class Bench:
    """A workspace with a journal, a reading of it, and ways to write into both."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "tasks").mkdir(parents=True)
        root.chmod(0o755)
        (root / "opconsole.toml").write_text(SETTINGS)
        (root / "opconsole.toml").chmod(0o644)
        self.queue()
        self.queue(project="till")
        self.workspace = Workspace.open(root)
        found = locate(root, create=True)
        assert found is not None
        self.place: JournalPlace = found
        with self.host():
            open_database(self.place, host=True).dispose()
        self.writer = JournalWriter(self.place, on_fatal=lambda _: None)
        self.writer.start()
        self.reading = open_reading(self.workspace)

    def host(self) -> HostLock:
        lock = HostLock.try_acquire(self.place)
        assert lock is not None
        return lock

    def queue(self, *entries: dict[str, object], project: str = "shop") -> None:
        path = self.root / "tasks" / f"work_queue_{project}.json"
        path.write_text(json.dumps({"project": project, "features": list(entries)}))
        path.chmod(0o644)

    def write(self, *submission: Op | AuditOp) -> None:
        self.writer.commit_sync(*submission)

    def run(self, task: str, state: RunState, environment: str = "development", **more: Any) -> Run:
        fields: dict[str, Any] = {"project": "shop", "attempt": 1, **more}
        run = Run(
            id=f"r-{fields['project']}-{task}-{fields['attempt']}",
            task=task,
            kind="deployment",
            action="deploy",
            environment=environment,
            version="2.1.0",
            state=state,
            epoch=1,
            requested_by="ana",
            created_at=NOW,
            started_at=NOW,
            **fields,
        )
        self.write(ops.insert_run(run), ops.event(NOW, "run", run.project, run=run.id))
        return run

    def approval(self, run: Run, purpose: Purpose = Purpose.GO_AHEAD) -> None:
        waiting = ApprovalState.WAITING
        self.write(
            ops.insert_approval(
                Approval(f"a-{run.id}", run.id, purpose, "sha256:00", {}, 1, (), waiting, NOW, "ana")
            )
        )

    def tasks(self) -> dict[str, TaskView]:
        return {view.key: view for view in self.reading.snapshot().tasks}

    def stand(self, task: str) -> tuple[str, str]:
        view = self.tasks()[f"shop:{task}"]
        return view.state, view.waits_for


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    monkeypatch.setenv("OPCONSOLE_STATE_DIR", str(tmp_path / "state"))
    made = Bench(tmp_path / "workspace")
    yield made
    made.reading.close()
    made.writer.close()


def test_without_a_journal_nothing_ever_ran_and_nothing_is_created(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPCONSOLE_STATE_DIR", str(tmp_path / "state"))
    root = tmp_path / "workspace"
    (root / "tasks").mkdir(parents=True)
    root.chmod(0o755)
    (root / "opconsole.toml").write_text(SETTINGS)
    (root / "opconsole.toml").chmod(0o644)
    reading = open_reading(Workspace.open(root))
    assert reading.snapshot().tasks == ()
    assert reading.history() == ()
    assert reading.run("r-1") is None
    assert [view.version for view in reading.environments()] == [None] * 4
    assert not (tmp_path / "state").exists()


def test_a_journal_that_was_begun_and_never_written_is_young_and_one_with_runs_is_lost(bench: Bench) -> None:
    bench.reading.close()
    bench.writer.close()
    for file in bench.place.root.glob("journal.sqlite3*"):
        file.unlink()
    assert open_reading(bench.workspace).reader is None
    (bench.place.runs / "r-1").mkdir()
    with pytest.raises(JournalMissingError):
        open_reading(bench.workspace)


def test_tasks_without_a_run_are_ready_or_wait_for_what_they_depend_on(bench: Bench) -> None:
    bench.queue(deploy("A"), deploy("B", "dev", "A"), deploy("C", "prod", "A", "B", "X1", "X2", "X3"))
    assert bench.stand("A") == ("ready", "its queue to be started")
    assert bench.stand("B") == ("pending", "A")
    bench.queue(*(deploy(name) for name in "ABCDE"), deploy("F", "prod", *"ABCDE"))
    assert bench.stand("F") == ("pending", "A, B, C and 2 more")


def test_a_ready_task_of_a_started_queue_waits_for_a_worker_a_slot_or_its_environment(bench: Bench) -> None:
    bench.queue(deploy("A"), deploy("B"), deploy("C", "prod"))
    bench.write(ops.set_queue("shop", started=True, max_attempts=None, at=NOW, by="ana"))
    assert bench.stand("A") == ("ready", "a worker")
    with bench.host():
        assert bench.stand("A") == ("ready", "a free slot")
        bench.run("A", RunState.RUNNING)
        assert bench.stand("B") == ("ready", "A in development")
        assert bench.stand("C") == ("ready", "a free slot")
    assert bench.reading.snapshot().queues[0].started


@pytest.mark.parametrize(
    ("state", "waits_for"),
    [
        (RunState.SUCCEEDED, ""),
        (RunState.FAILED, ""),
        (RunState.HALTED, "a decision: revert, override or abort"),
        (RunState.INTERRUPTED, "a decision: revert, override or abort"),
        (RunState.PENDING, "a worker"),
    ],
)
def test_the_latest_runs_state_wins_over_the_file(bench: Bench, state: RunState, waits_for: str) -> None:
    bench.queue(deploy("A", status="complete"))
    bench.run("A", RunState.FAILED)
    bench.run("A", state, attempt=2)
    assert bench.stand("A") == (state.value, waits_for)
    assert bench.tasks()["shop:A"].attempt == 2


def test_a_waiting_run_says_what_its_approval_is_for(bench: Bench) -> None:
    bench.queue(deploy("A"), deploy("B", "prod"), deploy("C", "prod"))
    bench.approval(bench.run("A", RunState.WAITING))
    bench.approval(bench.run("B", RunState.WAITING, "production"), Purpose.REVERT)
    bench.run("C", RunState.WAITING, "production")
    assert bench.stand("A") == ("waiting", "approval")
    assert bench.stand("B") == ("waiting", "approval of its rollback")
    behind = "B in production (its rollback waits for approval)"
    assert bench.stand("C") == ("waiting", f"approved; {behind}")
    assert bench.reading.snapshot().waiting == 3


def test_a_failed_dependency_blocks_with_the_reason_and_its_later_success_unblocks(bench: Bench) -> None:
    bench.queue(deploy("A"), deploy("B", "dev", "A"), deploy("C", "dev", "B"))
    bench.run("A", RunState.FAILED, reason="tests failed")
    assert bench.stand("B") == ("blocked", "")
    assert bench.tasks()["shop:B"].reason == "blocked by A: failed: tests failed"
    assert bench.tasks()["shop:C"].reason == "blocked by A: failed: tests failed"
    bench.run("A", RunState.SUCCEEDED, attempt=2)
    assert bench.stand("B")[0] == "ready"
    assert bench.stand("C")[0] == "pending"


def test_a_claim_of_the_file_opens_development_and_never_production(bench: Bench) -> None:
    bench.queue(deploy("A", status="complete"), deploy("B", "dev", "A"), deploy("C", "prod", "A"))
    assert bench.stand("A")[0] == "claimed"
    assert bench.stand("B")[0] == "ready"
    assert bench.stand("C")[0] == "blocked"


def test_pending_in_the_file_over_a_success_is_shown_and_needs_retry(bench: Bench) -> None:
    bench.queue(deploy("A", status="pending"))
    bench.run("A", RunState.SUCCEEDED)
    view = bench.tasks()["shop:A"]
    assert view.state == "succeeded"
    assert "retry" in view.reason


def test_only_pending_starts_whatever_else_the_file_says(bench: Bench) -> None:
    bench.queue(deploy("A", status="parked"), deploy("B", "dev", "A"))
    assert bench.tasks()["shop:A"].state == "blocked"
    assert bench.tasks()["shop:A"].reason == "its file says parked; only pending starts"
    assert bench.stand("B")[0] == "blocked"


def test_tasks_of_other_kinds_are_listed_with_the_files_own_word(bench: Bench) -> None:
    bench.queue({"id": "BUG-1", "agent_type": "bugfix", "status": "in_review"}, {"id": "ART-1"})
    assert bench.stand("BUG-1") == ("in_review", "")
    assert bench.stand("ART-1") == ("pending", "")


def test_an_entry_that_cannot_be_used_is_invalid_and_what_waits_for_it_says_so(bench: Bench) -> None:
    bench.queue(deploy("A", "nowhere"), deploy("B", "dev", "A"))
    view = bench.tasks()["shop:A"]
    assert view.state == "invalid"
    assert "environment" in view.reason
    assert bench.tasks()["shop:B"].reason == "waits for A, whose entry cannot be used"
    (fault,) = bench.reading.snapshot().queues[0].faults
    assert fault.startswith("line 1: A: environment")


def test_a_cycle_blocks_and_is_named(bench: Bench) -> None:
    bench.queue(deploy("A", "dev", "B"), deploy("B", "dev", "A"))
    assert bench.stand("A")[0] == "blocked"
    assert "A → B → A" in bench.tasks()["shop:A"].reason


def test_an_open_run_is_listed_although_its_entry_is_gone(bench: Bench) -> None:
    bench.approval(bench.run("GONE", RunState.WAITING))
    bench.run("OLD", RunState.SUCCEEDED)
    assert bench.stand("GONE") == ("waiting", "approval")
    assert "shop:OLD" not in bench.tasks()


def test_what_a_process_left_behind_is_interrupted_and_never_running(bench: Bench) -> None:
    bench.queue(deploy("A"))
    run = bench.run("A", RunState.RUNNING)
    with bench.host():
        assert bench.stand("A")[0] == "running"
        assert bench.reading.snapshot().running == 1
    assert bench.stand("A")[0] == "interrupted"
    assert bench.reading.snapshot().running == 0
    assert bench.reading.history()[0].state is RunState.INTERRUPTED
    found = bench.reading.run(run.id)
    assert found is not None
    assert found.run.state is RunState.INTERRUPTED
    assert bench.reading.environments()[0].waiting == "A"


def test_a_production_success_is_unverified_until_somebody_verified_it(bench: Bench) -> None:
    bench.queue(deploy("A", "prod"), deploy("B"))
    run = bench.run("A", RunState.SUCCEEDED, "production", reason="deployed; manual verification required")
    bench.run("B", RunState.SUCCEEDED)
    assert bench.tasks()["shop:A"].unverified
    assert bench.tasks()["shop:A"].reason.startswith("deployed; manual verification required")
    assert not bench.tasks()["shop:B"].unverified
    verified = ops.update_run(run.id, 1, verified_at=NOW, verified_by="ana")
    bench.write(verified, ops.event(NOW, "verified", "shop", run=run.id))
    assert not bench.tasks()["shop:A"].unverified
    assert bench.tasks()["shop:A"].reason.startswith("deployed; verified by ana")


def test_failed_today_counts_what_ended_badly_since_midnight(bench: Bench) -> None:
    today = bench.run("A", RunState.FAILED)
    long_ago = bench.run("B", RunState.ROLLED_BACK)
    bench.write(
        ops.update_run(today.id, 1, finished_at=datetime.now(UTC)),
        ops.update_run(long_ago.id, 1, finished_at=datetime.now(UTC) - timedelta(days=2)),
    )
    assert bench.reading.snapshot().failed_today == 1


def test_nothing_is_made_anew_while_nothing_has_changed_and_every_change_is_seen(bench: Bench) -> None:
    bench.queue(*(deploy(f"T-{number}") for number in range(100)))
    first = bench.reading.snapshot()
    assert bench.reading.snapshot().tasks is first.tasks
    bench.run("T-1", RunState.SUCCEEDED)
    second = bench.reading.snapshot()
    assert second.tasks is not first.tasks
    bench.queue(deploy("ONLY"))
    assert [view.task for view in bench.reading.snapshot().tasks] == ["ONLY"]


def test_several_threads_may_ask_at_once(bench: Bench) -> None:
    bench.queue(*(deploy(f"T-{number}") for number in range(50)))
    counted: list[int] = []
    threads = [
        threading.Thread(target=lambda: counted.append(len(bench.reading.snapshot().tasks))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counted == [50] * 8


def test_the_usual_time_adds_up_the_steps_and_not_the_waiting_for_people(bench: Bench) -> None:
    run = bench.run("A", RunState.SUCCEEDED, finished_at=NOW + timedelta(days=3))
    for position, seconds in enumerate((2, 5)):
        begun = NOW + timedelta(days=position)
        step = StepRow(run.id, position, Phase.EFFECT, f"s{position}", "", "probe", StepState.PENDING)
        bench.write(
            ops.plan_step(step),
            ops.start_step(run.id, position, begun),
            ops.end_step(run.id, position, StepState.SUCCEEDED, begun + timedelta(seconds=seconds)),
        )
    now = bench.reading.run(bench.run("B", RunState.WAITING).id)
    assert now is not None
    assert now.usual_seconds == 7.0
    assert now.log == bench.place.runs / now.run.id / "log"


def test_an_id_is_a_run_or_a_task_and_an_unclear_one_is_refused_with_its_candidates(bench: Bench) -> None:
    bench.queue(deploy("A"), deploy("NEW"))
    first = bench.run("A", RunState.FAILED)
    latest = bench.run("A", RunState.SUCCEEDED, attempt=2)
    find = bench.reading.find_run
    assert find(first.id).id == first.id
    assert find("A").id == find("shop:A").id == latest.id
    bench.run("A", RunState.FAILED, project="till")
    with pytest.raises(UnclearIdError, match="till:A, shop:A") as unclear:
        find("A")
    assert unclear.value.candidates == ("till:A", "shop:A")
    with pytest.raises(UnclearIdError, match="NEW has no run yet"):
        find("NEW")
    for unknown in ("B", "shop:B", "", ":", "r-nope", "\x1b[2J"):
        with pytest.raises(UnclearIdError, match="opconsole history") as error:
            find(unknown)
        assert "\x1b" not in str(error.value)


def test_a_task_is_found_by_its_name_or_its_run(bench: Bench) -> None:
    bench.queue(deploy("A", ticket="OPS-7"))
    run = bench.run("A", RunState.SUCCEEDED)
    assert bench.reading.find_task("A").key == bench.reading.find_task(run.id).key == "shop:A"
    entry = bench.reading.task("shop", "A")
    assert entry is not None
    assert entry.raw["ticket"] == "OPS-7"
    assert bench.reading.task("shop", "B") is None


def test_a_reader_of_somebody_elses_can_be_shared(bench: Bench) -> None:
    engine = open_database(bench.place, host=False)
    shared = Reading(bench.workspace, bench.place, JournalReader(engine))
    bench.run("A", RunState.SUCCEEDED)
    assert shared.find_run("A").state is RunState.SUCCEEDED
    shared.close()
    assert len(shared.history()) == 1  # still open: it was not ours to close
    engine.dispose()


def test_only_open_runs_and_those_that_may_have_changed_are_read_again(bench: Bench) -> None:
    done = bench.run("DONE", RunState.SUCCEEDED, "production")
    waiting = bench.run("WAITING", RunState.WAITING)
    running = bench.run("RUNNING", RunState.RUNNING)
    reader = bench.reading.reader
    assert reader is not None
    event, known = reader.last_event(), [waiting.id, running.id]
    newest = max(run.seq for run in reader.open_runs())
    assert [run.id for run in reader.runs_changed(newest, event, known)] == known
    bench.write(ops.update_run(running.id, 1, state=RunState.FAILED))
    again = bench.run("DONE", RunState.PENDING, attempt=2)
    changed = reader.runs_changed(newest, reader.last_event(), known)
    assert [(run.id, run.state) for run in changed] == [
        (waiting.id, RunState.WAITING),
        (running.id, RunState.FAILED),
        (again.id, RunState.PENDING),
    ]
    event, newest = reader.last_event(), newest + 1
    bench.write(ops.update_run(done.id, 1, verified_at=NOW), ops.event(NOW, "verified", "shop", run=done.id))
    assert done.id in [run.id for run in reader.runs_changed(newest, event, [waiting.id])]


def test_a_change_of_one_run_leaves_the_views_of_all_others_as_they_are(bench: Bench) -> None:
    bench.queue(*(deploy(f"T-{number}") for number in range(20)))
    first = tuple(bench.reading.snapshot().tasks)
    run = bench.run("T-7", RunState.FAILED)
    second = bench.reading.snapshot()
    kept = [old is new for old, new in zip(first, second.tasks, strict=True)]
    assert kept == [number != 7 for number in range(20)]
    bench.write(ops.event(NOW, "idle", "shop"))
    assert bench.reading.snapshot().tasks is second.tasks
    bench.write(
        ops.update_run(run.id, 1, finished_at=datetime.now(UTC)), ops.event(NOW, "run", "shop", run=run.id)
    )
    assert bench.reading.snapshot().failed_today == 1


def test_settings_that_are_saved_after_the_worker_began_are_told(bench: Bench) -> None:
    settings = bench.root / "opconsole.toml"
    with bench.host():
        assert not bench.reading.snapshot().settings_changed
        later = bench.place.host_lock.stat().st_mtime_ns + 1_000_000
        os.utime(settings, ns=(later, later))
        assert bench.reading.snapshot().settings_changed
    assert not bench.reading.snapshot().settings_changed, "the next worker reads them"


def test_an_entry_that_cannot_be_told_is_not_said_to_be_gone(bench: Bench) -> None:
    bench.queue(deploy("A"))
    run = bench.run("A", RunState.WAITING)
    bench.approval(run)

    def note() -> str:
        view = bench.reading.run(run.id)
        assert view is not None
        return view.entry_note

    bench.queue(deploy("A", "nowhere"))
    assert note() == "its entry in the queue file has a fault"
    (bench.root / "tasks" / "work_queue_shop.json").write_text("{ broken")
    assert note() == "its queue file cannot be used now"
    bench.queue()
    assert note() == "its entry is gone from the queue file"
