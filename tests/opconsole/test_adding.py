"""Tasks added from the console, and edits of queue files by others: what a client says of both."""

from __future__ import annotations

import json
import subprocess
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from opconsole.client import Client
from opconsole.console import Preview
from opconsole.journal import ops
from opconsole.journal.hosting import HostLock
from opconsole.journal.records import Run
from opconsole.journal.writer import write_once
from opconsole.plans import entry_digest
from opconsole.view_making import ENTRY_CHANGED, ENTRY_GONE
from opconsole.workspace import Workspace
from queues.states import RunState

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SETTINGS = """
[projects.shop]
path = "shop"
[projects.shop.environments.development]
target = {type = "releases", path = "deployed/dev"}
[projects.shop.environments.staging]
target = {type = "releases", path = "deployed/staging"}
[projects.shop.environments.production]
target = {type = "releases", path = "deployed/production"}
"""


def deploy(name: str, environment: str = "staging", *after: str, **more: Any) -> dict[str, Any]:
    words = {"id": name, "agent_type": "deployment", "environment": environment, "version": "2.1.0"}
    return {**words, **({"depends_on": list(after)} if after else {}), **more}


class Bench:
    """A workspace with a client of it."""

    def __init__(self, root: Path) -> None:
        self.file = root / "tasks" / "work_queue_shop.json"
        self.file.parent.mkdir(parents=True)
        (root / "opconsole.toml").write_text(SETTINGS)
        shop = root / "shop"
        shop.mkdir()
        identity = ("-c", "user.name=ana", "-c", "user.email=ana@example.org")
        for words in (
            ("init", "-q"),
            (*identity, "commit", "-q", "--allow-empty", "-m", "first"),
            ("tag", "v2.0.0"),
            ("tag", "v2.1.0"),
        ):
            subprocess.run(["git", *words], cwd=shop, check=True, capture_output=True)
        self.queue()
        self.client = Client.open(Workspace.open(root, environ={}), operator="ana")

    def queue(self, *entries: dict[str, Any]) -> None:
        self.write(json.dumps({"project": "shop", "features": list(entries)}, indent=2))

    def write(self, text: str) -> None:
        self.file.write_text(text)
        self.file.chmod(0o644)

    def entries(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.file.read_text())["features"]
        return found

    async def run(self, task: str, state: RunState, **more: Any) -> None:
        """Record a run as the worker does, with the plan that was sealed for the entry as it is."""
        entry = self.client.reading.task("shop", task)
        assert entry is not None
        plan = {"entry": entry_digest(entry)}
        facts = {"kind": "deployment", "action": "deploy", "environment": entry.environment or ""}
        run = Run(
            id=f"run-{task}",
            project="shop",
            task=task,
            version="2.1.0",
            attempt=1,
            state=state,
            epoch=1,
            requested_by="ana",
            created_at=NOW,
            **facts,
            **more,
        )
        lock = HostLock.try_acquire(self.client.place)
        assert lock is not None
        with lock:
            write_once(self.client.place, ops.insert_run(run), ops.update_run(run.id, 1, plan=plan, **more))

    async def view(self, task: str) -> Any:
        return next(one for one in (await self.client.snapshot()).tasks if one.task == task)

    async def changed(self) -> str:
        [queue] = (await self.client.snapshot()).queues
        return queue.changed


@pytest.fixture
async def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bench]:
    monkeypatch.setenv("OPCONSOLE_STATE_DIR", str(tmp_path / "state"))
    tmp_path.chmod(0o755)
    (tmp_path / "ws").mkdir(mode=0o755)
    made = Bench(tmp_path / "ws")
    yield made
    made.client.close()


def facts(preview: Preview, place: int = 0) -> dict[str, str]:
    return dict(preview.planned[place].facts)


# -- previews


async def test_pasted_entries_are_shown_as_they_will_stand_in_the_file_and_added_as_shown(
    bench: Bench,
) -> None:
    bench.queue(deploy("A", "development"))
    given = [deploy("B", "staging", "A", note="mine"), deploy("C", "production", "B")]
    preview = await bench.client.read_entries(json.dumps(given))
    assert (preview.count, preview.projects, preview.faults) == (2, ("shop",), ())
    assert facts(preview)["Environment"] == "staging (gate: staging)"
    assert facts(preview)["Version"] == "2.1.0; nothing serves there now"
    assert facts(preview)["Gate"].startswith("asks for approval: first time in staging; back by itself")
    assert facts(preview)["Waits for"] == "A"
    assert facts(preview, 1)["Gate"].endswith("after a failure a person decides")
    assert json.loads(preview.planned[0].json) == given[0]
    answer = await bench.client.add(preview, start=False)
    assert answer.granted
    assert bench.entries()[1:] == given
    text = bench.file.read_text()
    for line in preview.planned[0].json.splitlines():
        assert line in text


async def test_one_entry_and_a_whole_queue_file_are_understood_too(bench: Bench) -> None:
    one = await bench.client.read_entries(json.dumps(deploy("A")))
    many = await bench.client.read_entries(json.dumps({"project": "shop", "tasks": [deploy("A")]}))
    assert [one.planned[0].task, many.planned[0].task] == ["A", "A"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[{"id": "A",\n "agent_type": "deployment"\n "environment": "staging"}]', "line 3: no JSON"),
        ("7", "found 7; allowed: a task, a list of tasks, or a queue file"),
        ("[]", "found: no task".replace("found: ", "file: ")),
        (
            '[{"id": "A", "agent_type": "deployment",\n "environment": "prd", "version": "1.0"}]',
            'line 2: A: environment: "prd"; allowed: development, staging, production',
        ),
        (
            '[{"id": "A", "agent_type": "deployment", "environment": "staging"}]',
            "line 1: A: version: null; allowed: text like 1.2.3",
        ),
        ('[\n{"id": "HERE", "agent_type": "note"}]', "the queue has a task"),
        ('{"project": "till", "features": []}', "allowed: shop"),
        (json.dumps([deploy("A", "staging", "B"), deploy("B", "staging", "A")]), "a cycle: "),
    ],
)
async def test_faults_are_told_with_line_and_field_and_nothing_can_be_added(
    bench: Bench, text: str, said: str
) -> None:
    bench.queue(deploy("HERE"))
    before = bench.file.read_bytes()
    preview = await bench.client.read_entries(text, "shop")
    assert preview.count == 0
    assert any(said in fault for fault in preview.faults), preview.faults
    with pytest.raises(TypeError):
        await bench.client.add(preview, start=False)
    assert bench.file.read_bytes() == before


async def test_what_would_keep_a_task_from_running_is_said_before_it_is_added(bench: Bench) -> None:
    bench.queue(deploy("FAILED"))
    await bench.run("FAILED", RunState.FAILED, finished_at=NOW)
    given = [
        deploy("A", "staging", "FAILED", version="9.9.9"),
        deploy("B", status="complete"),
        {"id": "C", "agent_type": "rollback", "environment": "staging"},
        {"id": "D", "agent_type": "cleaning"},
        deploy("E", "staging", "till:X"),
    ]
    preview = await bench.client.read_entries(json.dumps(given), "shop")
    said = ["; ".join(one.warnings) for one in preview.planned]
    assert "no tag names 9.9.9: the run fails until there is one; the newest are 2.1.0, 2.0.0" in said[0]
    assert "it waits for FAILED, which is failed" in said[0]
    assert "its status is complete: only a task that is pending starts" in said[1]
    assert "there is no way back" in said[2]
    assert "listed and never runs" in said[3]
    assert "it waits for till:X, which is in no queue" in said[4]


async def test_provisioning_is_shown_with_its_cost_and_what_its_case_lacks(bench: Bench) -> None:
    resource = {"type": "s3_bucket", "name": "shop-uploads", "properties": {"storage_gb": 100}}
    entry = {"id": "P", "agent_type": "provisioning", "resource": resource}
    [lacking] = (await bench.client.read_entries(json.dumps(entry), "shop")).planned
    assert any("justification" in warning for warning in lacking.warnings), lacking.warnings
    case = {
        "justification": "users upload",
        "cost_estimate": "$3/month",
        "alternatives": ["disks"],
        "risk_assessment": ["data loss"],
    }
    preview = await bench.client.read_entries(json.dumps({**entry, "business_case": case}), "shop")
    assert facts(preview)["Cost"].startswith("$"), preview
    assert facts(preview)["Justification"] == "users upload"
    assert facts(preview)["Gate"] == "asks for approval: provisioning always needs approval"


async def test_a_sentence_comes_to_the_same_kind_of_preview(bench: Bench) -> None:
    preview = await bench.client.hear("Deploy 2.1.0 to staging", "shop")
    [planned] = preview.planned
    assert planned.task == "DEPLOY-STAGING-001"
    assert json.loads(planned.json)["version"] == "2.1.0"
    asked = await bench.client.hear("Deploy to staging", "shop")
    assert (asked.count, asked.missing) == (0, ("version",))
    known = await bench.client.vocabulary("Deploy to staging", "shop")
    assert known.projects["shop"].versions == ("2.1.0", "2.0.0")


async def test_a_read_only_console_adds_nothing_and_opens_no_queue(bench: Bench) -> None:
    preview = await bench.client.read_entries(json.dumps(deploy("A")), "shop")
    bench.client.read_only = True
    answer = await bench.client.add(preview, start=True)
    assert (answer.granted, "read-only" in answer.text) == (False, True)
    with pytest.raises(PermissionError, match="read-only"):
        await bench.client.queue_place("shop", None)
    assert bench.entries() == []


async def test_a_queue_that_cannot_be_read_takes_nothing_and_says_where_it_is_wrong(bench: Bench) -> None:
    bench.write('{"project": "shop",\n "features": [')
    preview = await bench.client.read_entries(json.dumps(deploy("A")), "shop")
    assert preview.count == 0
    assert "work_queue_shop.json, line 2" in preview.faults[0]


# -- edits by others


async def test_an_edit_of_the_file_is_shown_task_by_task_until_somebody_looked(bench: Bench) -> None:
    bench.queue(deploy("A"), deploy("B"))
    assert await bench.changed() == ""
    bench.queue(deploy("A", version="2.0.0"), deploy("C"))
    assert await bench.changed() == "1 added, 1 removed, 1 changed"
    [changes] = await bench.client.queue_changes()
    told = {one.task: one for one in changes.tasks}
    assert told["A"].fields == (("version", '"2.1.0"', '"2.0.0"'),)
    assert (told["B"].how, told["C"].how) == ("removed", "added")
    await bench.client.seen_changes("shop")
    assert await bench.changed() == ""
    assert await bench.client.queue_changes() == ()


async def test_what_the_console_added_itself_is_no_news(bench: Bench) -> None:
    await bench.client.snapshot()
    preview = await bench.client.read_entries(json.dumps(deploy("A")), "shop")
    await bench.client.add(preview, start=False)
    assert await bench.changed() == ""
    assert (await bench.view("A")).state == "ready"


async def test_a_broken_file_keeps_its_tasks_listed_and_says_what_is_wrong(bench: Bench) -> None:
    bench.queue(deploy("A"))
    await bench.client.snapshot()
    bench.write(bench.file.read_text().replace("],", "").replace('"version"', "version"))
    snapshot = await bench.client.snapshot()
    assert [task.task for task in snapshot.tasks] == ["A"]
    [queue] = snapshot.queues
    assert (queue.broken, len(queue.faults)) == (True, 1)
    assert queue.faults[0].startswith("line ")
    [changes] = await bench.client.queue_changes()
    assert (changes.broken, changes.tasks, changes.faults) == (True, (), queue.faults)
    path, line = await bench.client.queue_place("shop", "A")
    assert (path, f"line {line}:" in queue.faults[0]) == (bench.file, True)
    bench.queue(deploy("A"), deploy("B"))
    assert await bench.changed() == "1 added"
    assert not (await bench.client.snapshot()).queues[0].broken


async def test_a_status_that_the_journal_contradicts_is_named_and_an_echo_is_not(bench: Bench) -> None:
    bench.queue(deploy("A"), deploy("B"), deploy("C"))
    await bench.client.snapshot()
    await bench.run("A", RunState.FAILED, finished_at=NOW)
    bench.queue(deploy("A", status="blocked", attempts=1, error="no"), deploy("B"), deploy("C"))
    assert await bench.changed() == ""
    bench.queue(deploy("A", status="complete"), deploy("B", status="complete"), deploy("C"))
    assert await bench.changed() == "2 changed"
    [changes] = await bench.client.queue_changes()
    notes = {one.task: one.notes for one in changes.tasks}
    assert notes["A"] == ("the file says complete, the journal says failed: the journal's word counts",)
    assert notes["B"] == ("the file calls it complete; the journal has no run of it",)


async def test_a_task_that_was_added_elsewhere_and_ran_meanwhile_contradicts_nothing(bench: Bench) -> None:
    await bench.client.snapshot()

    async def notes() -> tuple[str, ...]:
        assert await bench.changed() == "1 added"
        [changes] = await bench.client.queue_changes()
        return changes.tasks[0].notes

    bench.queue(deploy("A"))
    assert await notes() == ()
    await bench.run("A", RunState.WAITING)
    assert await notes() == (), "it is about to be written down"
    bench.queue(deploy("A", status="in_progress", attempts=1))
    assert await notes() == ()
    bench.queue(deploy("A", status="blocked"))
    assert await notes() == ("the file says blocked, the journal says waiting: the journal's word counts",)
    bench.queue(deploy("A", status="in_progress", version="2.0.0"))
    assert await notes() == (ENTRY_CHANGED,)


async def test_a_waiting_run_whose_entry_changed_is_marked(bench: Bench) -> None:
    bench.queue(deploy("A"))
    await bench.client.snapshot()
    await bench.run("A", RunState.WAITING, reason="waits for approval")
    assert (await bench.view("A")).reason == "waits for approval"
    bench.queue(deploy("A", status="in_progress", attempts=1))
    assert ENTRY_CHANGED not in (await bench.view("A")).reason
    bench.queue(deploy("A", version="2.0.0"))
    assert (await bench.view("A")).reason == f"{ENTRY_CHANGED}; waits for approval"
    [changes] = await bench.client.queue_changes()
    assert changes.tasks[0].notes == (ENTRY_CHANGED,)
    run = await bench.client.run(str((await bench.view("A")).run))
    assert run is not None
    assert run.entry_note == ENTRY_CHANGED
    bench.queue()
    gone = await bench.client.run(run.run.id)
    assert gone is not None
    assert gone.entry_note == ENTRY_GONE
    [changes] = await bench.client.queue_changes()
    assert "put it back" in changes.tasks[0].notes[0]


async def test_the_editor_is_sent_to_the_line_of_the_task(bench: Bench) -> None:
    bench.queue(deploy("A"), deploy("B"))
    path, line = await bench.client.queue_place("shop", "B")
    rows = bench.file.read_text().splitlines()
    assert path == bench.file
    assert '"id": "B"' in rows[line]
    assert await bench.client.queue_place("shop", "nowhere") == (bench.file, 1)
    bench.file.unlink()
    assert await bench.client.queue_place("shop", None) == (bench.file, 1)
    assert bench.entries() == []
