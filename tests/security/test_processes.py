"""Two consoles and two workers on one workspace: one works, one approval counts, nothing runs twice."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from opconsole.client import Client
from opconsole.journal.location import locate
from opconsole.journal.reader import JournalReader
from opconsole.journal.records import RequestKind
from opconsole.journal.upgrade import open_database
from opconsole.workspace import Workspace

PATIENCE = 90.0


@pytest.fixture
def environ(project: Any, tmp_path: Path) -> dict[str, str]:
    """The variables of programs that share the project's state."""
    root = str(Path(__file__).parents[2])
    kept = {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "LINES"}}
    return {**kept, "OPCONSOLE_STATE_DIR": str(tmp_path / "state"), "PYTHONPATH": root}


@pytest.fixture
def start(project: Any, environ: dict[str, str]) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start the program on the workspace; what still runs is ended."""
    started: list[subprocess.Popen[str]] = []

    def run(*words: str) -> subprocess.Popen[str]:
        argv = [sys.executable, "-m", "opconsole", "-C", str(project.root), *words]
        pipe = subprocess.PIPE
        started.append(subprocess.Popen(argv, stdout=pipe, stderr=pipe, text=True, env=environ))
        return started[-1]

    yield run
    for one in started:
        if one.poll() is None:
            one.terminate()
        one.communicate(timeout=PATIENCE)


def until(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, "the condition never held"
        time.sleep(0.05)


async def test_32_two_consoles_and_two_workers_on_one_workspace(
    project: Any,
    cascade: Callable[..., list[dict[str, object]]],
    start: Callable[..., subprocess.Popen[str]],
) -> None:
    project.queue(*cascade())
    workers = [start("worker"), start("worker")]
    await asyncio.to_thread(until, lambda: any(one.poll() is not None for one in workers))
    [loser] = [one for one in workers if one.poll() is not None]
    assert loser.returncode == 1
    assert "alive for this workspace already" in loser.communicate()[1]
    workspace = Workspace.open(project.root, environ={})
    consoles = [Client.open(workspace), Client.open(workspace)]
    place = locate(workspace.root, create=False)
    assert place is not None
    engine = open_database(place, host=False)
    reader = JournalReader(engine)
    try:
        answers = await asyncio.gather(
            *(console.ask(RequestKind.START, {"project": "app"}) for console in consoles)
        )
        assert all(answer.granted for answer in answers)
        await asyncio.to_thread(until, reader.waiting_approvals)
        [asked] = reader.waiting_approvals()
        yes = {"run": asked.run, "plan": asked.digest, "reason": "read it", "environment": "staging"}
        decided = await asyncio.gather(
            *(
                console.ask(RequestKind.APPROVE, {**yes, "reason": f"by {n}"})
                for n, console in enumerate(consoles)
            )
        )
        assert sorted(answer.granted for answer in decided) == [False, True], "one of them counts"
        await asyncio.to_thread(
            until,
            lambda: any(
                one.purpose == "go-ahead" and one.run != asked.run for one in reader.waiting_approvals()
            ),
        )
        runs = reader.history()
        assert len({(run.task, run.attempt) for run in runs}) == len(runs) == 3, "nothing ran twice"
        assert len(project.target("development").joinpath("shared/restarts").read_text().split()) == 1
        approved = [row for row in reader.audit() if row.action == "approved"]
        assert len(approved) == 1
        refused = [row for row in reader.audit() if row.action == "approve-refused"]
        assert len(refused) == 1, "the other one is on record, too"
    finally:
        engine.dispose()
        for console in consoles:
            console.close()
    said = start("--json", "audit", "verify").communicate(timeout=PATIENCE)[0]
    assert json.loads(said)["valid"]
