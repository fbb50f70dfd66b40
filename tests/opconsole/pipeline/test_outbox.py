"""The outbox: everything leaves once in effect, whatever dies; what cannot leave holds up nothing else."""

from __future__ import annotations

import asyncio
import json
import threading

import pytest

from opconsole.deliveries import FILES
from opconsole.journal import ops
from opconsole.outbox import PAGE, Outbox, Sent

ENTRY = {"id": "NEW", "agent_type": "deployment", "environment": "development", "status": "pending"}
LOGGED = {"environment": "development", "version": "1.0.0", "status": "success", "run": "r-1"}
MESSAGES = {
    "echo": {"task": "D", "status": "complete", "attempts": 1},
    "append": {"entries": [ENTRY]},
    "deployments": LOGGED,
}


def _files(project):
    log = project.path / ".aibrain" / "deployments.json"
    queue = project.root / "tasks" / "work_queue_app.json"
    return queue.read_text(), log.read_text() if log.exists() else ""


async def _put(driver, kind, payload, project="app"):
    await driver.host.journal.commit(ops.send(kind, project, payload, driver.clock.now()))


@pytest.mark.parametrize("kind", list(MESSAGES))
async def test_what_had_left_before_a_crash_changes_nothing_when_it_leaves_again(project, deploy, kind):
    project.queue(deploy("D", "development"))
    async with project.hosted() as driver:
        await _put(driver, kind, MESSAGES[kind])
        rows = driver.reader.open_outbox()
        before = _files(project)
        assert FILES[kind].send(driver.host, rows).done == {rows[0].seq}  # and here the process died
        once = _files(project)
        assert once != before
        await Outbox(driver.host, FILES).deliver()
        assert _files(project) == once
        assert driver.reader.open_outbox() == []


async def test_what_fails_is_shown_and_tried_again_and_the_rest_leaves(project, deploy):
    project.queue(deploy("D", "development"))
    queue = project.root / "tasks" / "work_queue_app.json"
    whole = queue.read_text()
    async with project.hosted() as driver:
        queue.write_text("{ half an edit")
        outbox = Outbox(driver.host, FILES)
        await _put(driver, "echo", MESSAGES["echo"])
        await _put(driver, "deployments", LOGGED)
        wait = await outbox.deliver()
        assert wait is not None
        assert 0 < wait <= 1.0
        (stuck,) = driver.reader.stuck_outbox()
        assert (stuck.kind, stuck.attempts) == ("echo", 1)
        assert "work_queue_app.json" in stuck.error
        assert json.loads(_files(project)[1])["deployments"] == [LOGGED]
        assert len(driver.events("alert")) == 1
        await outbox.deliver()  # too early
        assert driver.reader.stuck_outbox()[0].attempts == 1
        await Outbox(driver.host, FILES).deliver()  # another process tries at once, and does not cry again
        assert driver.reader.stuck_outbox()[0].attempts == 2
        assert len(driver.events("alert")) == 1
        queue.write_text(whole)
        await Outbox(driver.host, FILES).deliver()
        assert driver.reader.open_outbox() == []
        assert project.entry("D")["status"] == "complete"


class _Lanes:
    """A way out for a test: some lanes fail, some hang."""

    longest_wait = 8.0

    def __init__(self) -> None:
        self.left: list[str] = []
        self.free = threading.Event()

    def lane(self, row):
        return row.payload["to"]

    def send(self, host, rows):
        to = rows[0].payload["to"]
        if to == "broken":
            raise RuntimeError("nobody is there")
        if to == "slow":
            assert self.free.wait(20)
        self.left += [row.payload["to"] for row in rows]
        return Sent(frozenset(row.seq for row in rows))


async def test_thousands_of_messages_that_cannot_leave_hold_up_no_other(project):
    async with project.hosted() as driver:
        await driver.host.journal.commit(
            *(ops.send("x", "app", {"to": "broken"}, driver.clock.now()) for _ in range(PAGE + 5))
        )
        lanes = _Lanes()
        outbox = Outbox(driver.host, {"x": lanes})
        await outbox.deliver()
        await _put(driver, "x", {"to": "good"})
        await outbox.deliver()
        assert lanes.left == ["good"]
        assert len(driver.reader.open_outbox(PAGE * 2)) == PAGE + 5
        assert driver.reader.stuck_outbox()[0].error == (
            "x of app could not be delivered: RuntimeError: nobody is there"
        )


async def test_a_lane_that_hangs_keeps_no_other_waiting(project, until):
    async with project.hosted() as driver:
        lanes = _Lanes()
        outbox = Outbox(driver.host, {"x": lanes})
        for to in ("slow", "good"):
            await _put(driver, "x", {"to": to})
        delivering = asyncio.ensure_future(outbox.deliver())
        await until(lambda: lanes.left == ["good"])
        lanes.free.set()
        await delivering
        assert lanes.left == ["good", "slow"]


async def test_the_waits_between_tries_grow_up_to_a_limit(project):
    async with project.hosted() as driver:
        lanes = _Lanes()
        outbox = Outbox(driver.host, {"x": lanes})
        await _put(driver, "x", {"to": "broken"})
        waits = []
        for _ in range(6):
            waits.append(round(await outbox.deliver() or 0))
            for backlog in outbox._backlogs.values():
                backlog.not_before = 0.0  # the time has passed
        assert waits == [1, 2, 4, 8, 8, 8]


async def test_a_message_of_a_kind_that_nobody_delivers_here_stays(project):
    async with project.hosted() as driver:
        await _put(driver, "from-the-future", {})
        assert await Outbox(driver.host, FILES).deliver() is None
        assert [row.kind for row in driver.reader.open_outbox()] == ["from-the-future"]
