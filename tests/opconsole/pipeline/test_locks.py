"""The lock of an environment: who holds it, whom one waits for, and when it is taken from somebody."""

from __future__ import annotations

import asyncio
import json

import pytest
from sqlalchemy import text

from opconsole.journal import ops
from opconsole.journal.database import begin, writing_engine
from opconsole.journal.records import RequestKind, RequestRow
from opconsole.reading import open_reading
from opconsole.workspace import Workspace

ELSEWHERE = {"machine_id": "m" * 32, "boot_id": "another", "pid_namespace": "", "pid": 7, "start_time": 1}


async def _halted(project, deploy, driver):
    """Let TWO halt in production behind ONE."""
    project.queue(deploy("ONE", "production"))
    await driver.engine.reload()
    await driver.go()
    await driver.approve("ONE")
    project.write("app.txt", "sick\n")
    project.queue(deploy("TWO", "production", "1.1.0"))
    await driver.engine.reload()
    await driver.idle()
    await driver.approve("TWO")
    assert driver.state("TWO") == "halted"


def _sql(place, statement, **values):
    """Change the journal as nobody does, to make what only time or another machine can make."""
    engine = writing_engine(place.database)
    with engine.connect() as connection, begin(connection):
        connection.execute(text(statement), values)
    engine.dispose()


async def test_a_run_at_work_has_a_lease_and_one_that_a_person_decides_has_none(project, deploy, monkeypatch):
    seen = []
    project.queue(deploy("DEV", "development"))
    async with project.hosted() as driver:
        take = ops.start_step

        def spying(run, position, at):
            seen.append(driver.reader.lock("app", "development"))
            return take(run, position, at)

        monkeypatch.setattr(ops, "start_step", spying)
        await driver.go()
        held = [lock for lock in seen if lock is not None and lock.run is not None]
        assert held
        assert all(lock.executor == driver.host.executor and not lock.expired for lock in held)
        assert all(lock.lease_until > lock.acquired_at for lock in held)
        free = driver.reader.lock("app", "development")
        assert (free.run, free.executor, free.lease_until) == (None, None, None)
        await _halted(project, deploy, driver)
        rests = driver.reader.lock("app", "production")
        assert (rests.run, rests.executor, rests.lease_until) == (driver.run("TWO").id, None, None)


async def test_leases_are_renewed_while_a_run_is_worked_on(project, deploy, until, monkeypatch):
    monkeypatch.setattr("opconsole.services.RENEWAL", 0.02)
    hold = project.root / "hold"
    hold.touch()
    (project.bin / "restart.sh").write_text(f"while [ -e {hold} ]; do sleep 0.02; done\n")
    project.queue(deploy("D", "development"))
    async with project.hosted() as driver:
        await driver.engine.start("app", None)
        async with driver.engine.services():
            going = asyncio.ensure_future(driver.engine.until_idle())
            await until(lambda: "restart" in driver.effects("D") if driver.state("D") == "running" else False)
            first = driver.reader.lock("app", "development").lease_until
            await until(lambda: driver.reader.lock("app", "development").lease_until > first)
            hold.unlink()
            await going
        assert driver.state("D") == "succeeded"
        assert not driver.host.at_work


async def test_an_expired_lease_frees_nothing_and_is_taken_over_where_its_flocks_can_be_seen(
    project, deploy, dying
):
    project.queue(deploy("D", "development"))
    process = dying("restart", "before")
    assert await asyncio.to_thread(process.wait, 60) == 9
    reading = open_reading(Workspace.open(project.root, environ={}))
    place = reading.place
    reading.close()
    _sql(place, "UPDATE locks SET lease_until = '2020-01-01T00:00:00.000000+00:00'")
    async with project.hosted() as driver:
        await driver.idle()
        assert driver.state("D") == "succeeded"
        fence = driver.reader.lock("app", "development").fence
    record = json.loads((project.target("development") / ".opconsole-target.json").read_text())
    assert record["holder"] is None
    assert fence == 2  # taken once, and once more by the process that went on


async def test_what_another_machine_works_on_is_suspect_until_a_person_vouches_for_its_end(
    project, deploy, dying
):
    project.queue(deploy("D", "development"))
    process = dying("restart", "before")
    assert await asyncio.to_thread(process.wait, 60) == 9
    reading = open_reading(Workspace.open(project.root, environ={}))
    place = reading.place
    run = reading.find_run("D")
    reading.close()
    for table in ("runs", "locks"):
        where = "id = :run" if table == "runs" else "run = :run"
        _sql(
            place,
            f"UPDATE {table} SET executor = :who WHERE {where}",
            who=json.dumps(ELSEWHERE),
            run=run.id,
        )
    async with project.hosted() as driver:
        await driver.go()
        assert driver.state("D") == "running"
        [alert] = [event.detail["text"] for event in driver.events("alert")]
        assert "cannot be seen from here" in alert
        assert "opconsole unlock app development" in alert
        ask = {"project": "app", "environment": "development"}
        nothing = await driver.ask(RequestKind.UNLOCK, **ask)
        assert "a reason is needed" in nothing.text
        early = await driver.ask(RequestKind.UNLOCK, **ask, reason="its disk burnt")
        assert not early.granted
        assert "may be alive" in early.text
        _sql(place, "UPDATE locks SET lease_until = '2020-01-01T00:00:00.000000+00:00'")
        held = driver.reader.lock("app", "development")
        assert held.expired
        assert held.run == run.id
        reading = open_reading(Workspace.open(project.root, environ={}))
        view = next(one for one in reading.environments() if one.environment == "development")
        reading.close()
        assert (view.held.task, view.held.suspect) == ("D", True)
        assert (await driver.ask(RequestKind.UNLOCK, **ask, reason="its disk burnt")).granted
        assert driver.state("D") == "interrupted"
        assert "its disk burnt" in driver.run("D").reason
        assert driver.reader.lock("app", "development").run == run.id
        [broken] = [row for row in driver.reader.audit() if row.action == "lock-broken"]
        assert (broken.actor, json.loads(broken.detail)["reason"]) == ("ana", "its disk burnt")
        assert (await driver.decide("D", "override")).granted
        assert driver.reader.lock("app", "development").run is None


async def test_nobody_unlocks_what_is_alive_or_waits_for_a_decision(project, deploy, until):
    hold = project.root / "hold"
    async with project.hosted() as driver:
        free = await driver.ask(RequestKind.UNLOCK, project="app", environment="production", reason="x")
        assert "nothing holds production" in free.text
        await _halted(project, deploy, driver)
        ask = {"project": "app", "environment": "production", "reason": "impatient"}
        halted = await driver.ask(RequestKind.UNLOCK, **ask)
        assert not halted.granted
        assert "decide it" in halted.text
        hold.touch()
        (project.bin / "restart.sh").write_text(f"while [ -e {hold} ]; do sleep 0.02; done\n")
        project.write("app.txt", "well\n")
        project.queue(deploy("D", "development", "1.2.0"))
        await driver.engine.reload()
        going = asyncio.ensure_future(driver.engine.until_idle())
        await until(lambda: driver.state("D") == "running" and "restart" in driver.effects("D"))
        alive = await driver.ask(
            RequestKind.UNLOCK, project="app", environment="development", reason="impatient"
        )
        assert not alive.granted
        assert "is being worked on here" in alive.text
        hold.unlink()
        await going
        assert driver.state("D") == "succeeded"


async def test_behind_a_stuck_run_whose_entry_is_gone_the_next_waits_and_goes_on_once_it_is_decided(
    project, deploy
):
    async with project.hosted() as driver:
        await _halted(project, deploy, driver)
        project.write("app.txt", "well\n")
        project.queue(deploy("THREE", "production", "1.2.0"))
        assert (await driver.ask(RequestKind.START, project="app")).granted
        await driver.idle()
        assert driver.state("THREE") == "no run"
        assert "production is held by TWO" in driver.engine.scheduler.reason("app:THREE")
        reading = open_reading(Workspace.open(project.root, environ={}))
        three = reading.find_task("THREE")
        reading.close()
        assert three.waits_for == "TWO in production (halted: decide it first)"
        assert (await driver.decide("TWO", "abort")).granted
        assert driver.state("THREE") == "waiting"
        await driver.approve("THREE")
        assert driver.state("THREE") == "succeeded"


async def test_an_approved_run_behind_a_stuck_one_keeps_its_approval(project, deploy):
    async with project.hosted() as driver:
        project.queue(deploy("ONE", "production"))
        await driver.engine.reload()
        await driver.go()
        await driver.approve("ONE")
        project.write("app.txt", "stubborn\n")
        project.queue(deploy("TWO", "production", "1.1.0"), deploy("THREE", "production", "1.2.0"))
        await driver.engine.reload()
        await driver.idle()
        await driver.approve("TWO")
        assert driver.state("TWO") == "halted"
        project.queue(deploy("THREE", "production", "1.2.0"))
        await driver.engine.reload()
        await driver.approve("THREE")
        assert driver.state("THREE") == "waiting"
        assert driver.reader.approvals_of(driver.run("THREE").id)[-1].state == "approved"
        await driver.decide("TWO", "abort")
        # TWO serves now, and THREE was approved against ONE: it asks again instead of failing.
        assert driver.state("THREE") == "waiting"
        assert driver.approval("THREE").plan["version"] == {"from": "1.1.0", "to": "1.2.0"}


@pytest.mark.parametrize("when", ["answered twice", "in between"])
async def test_a_request_is_answered_once_under_its_id_however_often_it_is_asked(project, deploy, when):
    project.queue(deploy("PROD", "production"))
    async with project.hosted() as driver:
        await driver.go()
        run, approval = driver.run("PROD"), driver.approval("PROD")
        payload = {"run": run.id, "plan": approval.digest, "reason": "x", "environment": "production"}
        row = RequestRow("q-the-same", RequestKind.APPROVE, payload, driver.clock.now(), "ana")
        await driver.host.journal.commit(ops.insert_request(row))
        first = await driver.engine.answerer.answer(row)
        assert first.granted
        if when == "in between":
            await driver.host.journal.commit(ops.insert_request(row))
            await driver.engine.answer_requests()
        again = await driver.engine.answerer.answer(row)
        assert (again.granted, again.text) == (first.granted, first.text)
        assert not again.follow_ups
        assert len([row for row in driver.reader.audit() if row.action == "approved"]) == 1


@pytest.mark.parametrize("times", [1, 99])
async def test_a_request_whose_ground_moves_is_judged_again_and_not_for_ever(
    project, deploy, monkeypatch, times
):
    project.queue(deploy("PROD", "production"))
    async with project.hosted() as driver:
        await driver.go()
        run, approval, commit = driver.run("PROD"), driver.approval("PROD"), driver.host.journal.commit
        moved = []

        async def moving(*writes, reserve=False):
            """Somebody else takes the run over whenever this request is about to change it."""
            if len(moved) < times and any(getattr(one, "action", "") == "approved" for one in writes):
                moved.append(writes)
                epoch = driver.reader.run(run.id).epoch
                await commit(ops.update_run(run.id, epoch, epoch=epoch + 1))
                await commit(ops.update_run(run.id, epoch, reason="too late"), *writes, reserve=reserve)
            await commit(*writes, reserve=reserve)

        payload = {"run": run.id, "plan": approval.digest, "reason": "x", "environment": "production"}
        with monkeypatch.context() as patch:
            patch.setattr(driver.host.journal, "commit", moving)
            answer = await driver.ask(RequestKind.APPROVE, **payload)
        told = [row.action for row in driver.reader.audit() if row.subject == run.id]
        assert answer.granted == (times == 1)
        assert told.count("approved") == (1 if times == 1 else 0)
        assert len(moved) == (1 if times == 1 else 5)
        if times > 1:
            assert "look, and ask again" in answer.text


async def test_a_request_of_a_kind_that_nobody_knows_is_refused_and_says_what_to_do(project, deploy):
    project.queue(deploy("D", "development"))
    async with project.hosted() as driver:
        row = RequestRow("q-newer", RequestKind.PAUSE, {"project": "app"}, driver.clock.now(), "ana")
        await driver.host.journal.commit(ops.insert_request(row))
        _sql(driver.place, "UPDATE requests SET kind = 'teleport' WHERE id = 'q-newer'")
        await driver.engine.answer_requests()
        answered = driver.reader.request("q-newer")
        assert answered.granted is False
        assert "does not know what q-newer asks" in answered.answer
        await driver.go()
        assert driver.state("D") == "succeeded"
