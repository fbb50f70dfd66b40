"""The record of a real journal, as the screens read it: runs brought up to date, reports, the chain."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from opconsole.client import Client
from opconsole.journal import ops
from opconsole.workspace import Workspace
from queues.states import RunState


@pytest.fixture
def client(desk: Any) -> Any:
    desk.run("DEV", "development", RunState.SUCCEEDED)
    client = Client.open(Workspace.open(desk.root))
    yield client
    client.close()


async def test_the_history_is_brought_up_to_date_by_what_changed(desk: Any, client: Any) -> None:
    first = await client.record.runs()
    assert await client.record.runs() is first, "nothing was read again"
    waits = desk.run("PROD", "production", RunState.WAITING)
    event = ops.event(desk.now, "run", "shop", task="PROD", run=waits.id, state="waiting")
    desk.write(event)
    second = await client.record.runs()
    assert [(row.line.run.task, row.state) for row in second] == [("PROD", "waiting"), ("DEV", "succeeded")]
    assert second[1] is first[0], "what has not changed is kept"
    end = desk.now + timedelta(hours=1)
    event = ops.event(end, "run", "shop", task="PROD", run=waits.id, state="rejected")
    desk.write(ops.update_run(waits.id, 1, state=RunState.REJECTED, finished_at=end), event)
    assert [row.state for row in await client.record.runs()] == ["rejected", "succeeded"]


async def test_a_report_is_told_in_every_form(client: Any) -> None:
    told = await client.record.report("r-dev-1")
    assert told.report.title in told.markdown.replace("\\", "")
    assert '"id": "r-dev-1"' in told.json
    assert await client.record.report("r-none") is None


async def test_the_chain_is_read_checked_and_exported(desk: Any, client: Any, tmp_path: Path) -> None:
    for number in range(5):
        desk.write(ops.audit(desk.now, "ana", "approved", f"r-{number}"))
    entries = await client.record.entries()
    assert [row.seq for row in entries] == [5, 4, 3, 2, 1]
    desk.write(ops.audit(desk.now, "ana", "approved", "r-5"))
    assert [row.seq for row in await client.record.entries()][:2] == [6, 5]
    counts: list[int] = []
    check = await client.record.check_chain(counts.append)
    assert (check.sound, check.entries, counts) == (True, 6, [6])
    file = tmp_path / "chain.csv"
    assert await client.record.export_chain(file) == 6
    with pytest.raises(FileExistsError):
        await client.record.export_chain(file)
