"""Cancelling a run, and processes that die: what may have changed is never called unchanged."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import threading
from pathlib import Path

import pytest

from opconsole.cli.report import stuck_lines
from opconsole.journal import ops
from opconsole.journal.records import RequestKind
from opconsole.journal.writer import write_once
from opconsole.reading import open_reading
from opconsole.runs import steps_still_running
from opconsole.targets import releases
from opconsole.workspace import Workspace

SLEEPER = "{python} -c 'import time; time.sleep(120)' {mark}\n"


@pytest.fixture
def sleeper(project):
    """Give a line of a shell script that sleeps under a name by which it can be found."""

    def line(mark: str) -> str:
        mark = f"{mark}-{project.root.parent.name}"
        return SLEEPER.format(python=sys.executable, mark=mark)

    return line


async def _cancel_in(driver, step, until):
    """Start the queue, wait until a step's program runs, and cancel its run."""
    await driver.engine.start("app", None)
    going = asyncio.ensure_future(driver.engine.until_idle())

    def runs() -> bool:
        rows = [event for event in driver.events("step") if (event.step, event.state) == (step, "running")]
        return bool(rows)

    await until(runs)
    return going


async def test_cancelled_in_preflight_nothing_is_left_running(project, deploy, sleeper, alive, until):
    project.write("test.sh", f"(setsid {sleeper('grandchild').strip()} &)\n" + sleeper("asleep"))
    project.queue(deploy("D", "development"))
    mark = f"asleep-{project.root.parent.name}"
    async with project.hosted() as driver:
        going = await _cancel_in(driver, "test", until)
        await until(lambda: alive(mark))
        assert (await driver.ask(RequestKind.CANCEL, run=driver.run("D").id)).granted
        await going
        assert driver.state("D") == "cancelled"
        assert driver.run("D").reason == "cancelled; nothing was changed"
        assert alive(mark) == []
        assert alive(f"grandchild-{project.root.parent.name}") == []
        assert driver.step("D", "test").state == "cancelled"
        assert {driver.step("D", later).state for later in ("build", "seal")} == {"skipped"}
        assert not (driver.place.runs / driver.run("D").id / "work").exists()
        assert not (await driver.ask(RequestKind.CANCEL, run=driver.run("D").id)).granted
    assert project.entry("D")["status"] == "blocked"
    assert not project.target("development").exists()


async def test_cancelled_after_the_switch_it_is_interrupted_and_a_person_decides(
    project, deploy, sleeper, alive, until
):
    project.queue(deploy("ONE", "development"))
    mark = f"asleep-{project.root.parent.name}"
    async with project.hosted() as driver:
        await driver.go()
        restart = project.bin / "restart.sh"
        good = restart.read_text()
        restart.write_text(sleeper("asleep"))
        project.write("app.txt", "second\n")
        project.queue(deploy("TWO", "development", "1.1.0"))
        await driver.engine.reload()
        going = await _cancel_in(driver, "restart", until)
        await until(lambda: alive(mark))
        await driver.ask(RequestKind.CANCEL, run=driver.run("TWO").id)
        await going
        run = driver.run("TWO")
        assert run.state == "interrupted"
        assert "switch" in run.reason
        assert alive(mark) == []
        assert project.current("development") == "1.1.0-1"
        assert driver.reader.lock("app", "development").run == run.id
        restart.write_text(good)
        assert (await driver.decide("TWO", "revert")).granted
        assert driver.state("TWO") == "rolled_back"
    assert project.current("development") == "1.0.0-1"


async def test_cancelled_while_it_waits_the_request_is_void(project, deploy):
    project.queue(deploy("PROD", "production"))
    async with project.hosted() as driver:
        await driver.go()
        approval = driver.approval("PROD")
        assert (await driver.ask(RequestKind.CANCEL, run=driver.run("PROD").id)).granted
        assert driver.state("PROD") == "cancelled"
        assert driver.reader.approval(approval.id).state == "void"
        late = await driver.ask(
            RequestKind.APPROVE,
            run=driver.run("PROD").id,
            plan=approval.digest,
            reason="x",
            environment="production",
        )
        assert not late.granted
        assert (await driver.retry("PROD")).granted
        assert (driver.state("PROD"), driver.run("PROD").attempt) == ("waiting", 2)


async def test_a_rollback_that_waits_can_be_cancelled(project, deploy):
    project.queue(deploy("ONE", "production"), deploy("TWO", "production", "1.1.0", depends_on=["ONE"]))
    async with project.hosted() as driver:
        await driver.go()
        await driver.approve("ONE")
        await driver.approve("TWO")
        project.queue({"id": "BACK", "agent_type": "rollback", "environment": "production"})
        await driver.engine.reload()
        await driver.idle()
        assert driver.state("BACK") == "waiting"
        assert (await driver.ask(RequestKind.CANCEL, run=driver.run("BACK").id)).granted
        assert driver.state("BACK") == "cancelled"


async def test_cancelled_while_it_is_taken_back_it_is_never_called_unchanged(
    project, deploy, sleeper, alive, until
):
    project.queue(deploy("ONE", "production"))
    mark = f"asleep-{project.root.parent.name}"
    async with project.hosted() as driver:
        await driver.go()
        await driver.approve("ONE")
        project.write("app.txt", "stubborn\n")
        project.queue(deploy("TWO", "production", "1.1.0"))
        await driver.engine.reload()
        await driver.idle()
        await driver.approve("TWO")
        assert driver.state("TWO") == "halted"
        (project.bin / "restart.sh").write_text(sleeper("asleep"))
        await driver.decide("TWO", "revert")
        run, approval = driver.run("TWO"), driver.approval("TWO")
        await driver.ask(
            RequestKind.APPROVE, run=run.id, plan=approval.digest, reason="x", environment="production"
        )
        going = asyncio.ensure_future(driver.engine.until_idle())
        await until(lambda: alive(mark))
        await driver.ask(RequestKind.CANCEL, run=run.id)
        await going
        assert driver.state("TWO") == "interrupted"
        assert driver.reader.lock("app", "production").run == run.id


# -- processes that die --------------------------------------------------------------------------------

BOUNDARIES = [
    ("export", "within"),
    ("test", "within"),
    ("build", "after"),
    ("seal", "within"),
    ("compare", "before"),
    ("compare", "within"),
    ("place", "before"),
    ("place", "within"),
    ("switch", "before"),
    ("switch", "within"),
    ("restart", "before"),
    ("restart", "within"),
    ("health", "within"),
    ("health", "after"),
]


@pytest.mark.parametrize(("step", "when"), BOUNDARIES)
async def test_a_run_whose_process_died_goes_on_in_the_next_and_does_nothing_twice(
    project, deploy, dying, step, when
):
    project.queue(deploy("D", "development"))
    process = dying(step, when)
    assert await asyncio.to_thread(process.wait, 90) == 9
    async with project.hosted() as driver:
        await driver.idle()
        run = driver.run("D")
        assert (run.state, run.attempt, run.reason) == ("succeeded", 1, "deployed")
        assert all(row.state in ("succeeded", "skipped", "interrupted") for row in driver.steps("D"))
        assert [row.name for row in driver.steps("D") if row.state == "interrupted"] in ([], [step])
        assert driver.reader.lock("app", "development").run is None
    assert (project.target("development") / "shared" / "restarts").read_text() == "1.0.0-1\n"
    assert project.entry("D")["status"] == "complete"
    assert project.entry("D")["attempts"] == 1


HOLDING = """\
touch "$OPCONSOLE_SHARED_DIR/began"
while [ -e "{hold}" ]; do sleep 0.02; done
echo "$OPCONSOLE_RELEASE" >> "$OPCONSOLE_SHARED_DIR/restarts"
"""


@pytest.fixture
def held_restart(project, until):
    """Let restarts wait for as long as a file is there; give that file, and wait until one has begun."""
    hold = project.root / "hold"
    (project.bin / "restart.sh").write_text(HOLDING.format(hold=hold))
    hold.touch()

    async def begun(environment):
        await until((project.target(environment) / "shared" / "began").exists)

    return hold, begun


async def test_a_program_that_outlived_its_process_is_adopted(project, deploy, dying, held_restart, until):
    hold, begun = held_restart
    project.queue(deploy("D", "development"))
    process = dying()
    await begun("development")
    process.kill()
    process.wait()
    async with project.hosted() as driver:
        await until(lambda: "it is adopted" in driver.log("D"))
        assert driver.state("D") == "running"
        hold.unlink()
        await driver.idle()
        assert driver.run("D").reason == "deployed"
    assert (project.target("development") / "shared" / "restarts").read_text() == "1.0.0-1\n"


@pytest.mark.parametrize(
    ("environment", "state"), [("development", "succeeded"), ("production", "interrupted")]
)
async def test_a_program_without_a_record_runs_again_outside_production_only(  # noqa: PLR0917 - fixtures
    project, deploy, dying, held_restart, until, environment, state
):
    hold, begun = held_restart
    project.queue(deploy("D", environment))
    if environment == "production":
        await _approved_meanwhile(project, "D")
    process = dying()
    await begun(environment)
    shims = _shims(project)
    assert shims
    for pid in shims:
        os.kill(pid, signal.SIGKILL)
    process.kill()
    process.wait()
    hold.unlink()
    async with project.hosted() as driver:
        await driver.idle()
        assert driver.state("D") == state, driver.run("D").reason
        if state == "interrupted":
            assert driver.run("D").reason == "the program of step restart ended without a record"
            assert driver.reader.lock("app", environment).run == driver.run("D").id
            assert (await driver.decide("D", "override")).granted
            assert driver.run("D").overridden


COUNTED = """\
echo $$ >> "$OPCONSOLE_SHARED_DIR/started"
while [ -e "{hold}" ]; do sleep 0.02; done
echo "$OPCONSOLE_RELEASE" >> "$OPCONSOLE_SHARED_DIR/restarts"
"""


async def test_a_second_crash_in_a_program_that_ran_again_finds_the_latest_and_starts_none(
    project, deploy, dying, until
):
    hold, shared = project.root / "hold", project.target("development") / "shared"
    (project.bin / "restart.sh").write_text(COUNTED.format(hold=hold))
    hold.touch()
    project.queue(deploy("D", "development"))

    def started() -> list[int]:
        path = shared / "started"
        return [int(word) for word in path.read_text().split()] if path.exists() else []

    first = dying()
    await until(lambda: len(started()) == 1)
    for pid in [*_shims(project), first.pid, *started()]:
        with contextlib.suppress(ProcessLookupError):  # it ended with its shim
            os.kill(pid, signal.SIGKILL)
    first.wait()
    second = dying()
    await until(lambda: len(started()) == 2)
    second.kill()
    second.wait()
    async with project.hosted() as driver:
        await until(lambda: "it is adopted" in driver.log("D"))
        hold.unlink()
        await driver.idle()
        assert driver.run("D").reason == "deployed"
    assert len(started()) == 2
    assert (shared / "restarts").read_text() == "1.0.0-1\n"


@pytest.mark.parametrize(
    ("environment", "state"), [("development", "succeeded"), ("production", "interrupted")]
)
async def test_a_lost_shim_is_judged_by_the_kind_of_its_step_while_the_worker_lives_too(  # noqa: PLR0917
    project, deploy, held_restart, until, environment, state
):
    hold, begun = held_restart
    project.queue(deploy("D", environment))
    async with project.hosted() as driver:
        await driver.go() if environment == "production" else await driver.engine.start("app", None)
        if environment == "production":
            run, approval = driver.run("D"), driver.approval("D")
            payload = {"plan": approval.digest, "reason": "x", "environment": environment}
            await driver.ask(RequestKind.APPROVE, run=run.id, **payload)
        going = asyncio.ensure_future(driver.engine.until_idle())
        await begun(environment)
        for pid in _shims(project):
            os.kill(pid, signal.SIGKILL)
        hold.unlink()
        await going
        assert driver.state("D") == state, driver.run("D").reason
        lock = driver.reader.lock("app", environment)
        assert lock.run == (driver.run("D").id if state == "interrupted" else None)


async def _approved_meanwhile(project, task):
    """Let a task wait, and approve it without going on, as a client without an engine does."""
    async with project.hosted() as driver:
        await driver.go()
        driver.engine.follow = _nothing
        await driver.ask(
            RequestKind.APPROVE,
            run=driver.run(task).id,
            plan=driver.approval(task).digest,
            reason="looked at it",
            environment=driver.run(task).environment,
        )


async def test_nobody_decides_about_a_run_before_its_program_has_ended(  # noqa: PLR0917 - fixtures
    project, deploy, dying, sleeper, alive, until
):
    (project.bin / "restart.sh").write_text(sleeper("asleep"))
    project.queue(deploy("D", "development"))
    mark = f"asleep-{project.root.parent.name}"
    process = dying()
    await until(lambda: alive(mark))
    process.kill()
    process.wait()
    project.queue()
    async with project.hosted() as driver:
        run = driver.run("D")
        assert run.state == "interrupted"
        assert "its entry is gone from the queue" in run.reason
        assert "step restart still runs" in run.reason
        refused = await driver.decide("D", "abort")
        assert not refused.granted
        assert "still runs" in refused.text
        for pid in alive(mark):
            os.kill(pid, signal.SIGKILL)
        await until(lambda: steps_still_running(driver.host, driver.run("D")) is None)
        assert (await driver.decide("D", "abort")).granted
        assert driver.state("D") == "failed"


def _shims(project):
    """Find the shims that run a program of this workspace."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            words = (entry / "cmdline").read_bytes().decode().split("\0")
            holds = any(str(project.root.parent) in str(one.readlink()) for one in (entry / "fd").iterdir())
        except OSError:
            continue
        if any(word.endswith("shim.py") for word in words) and holds:
            found.append(int(entry.name))
    return found


async def test_a_run_that_waits_outlives_its_process_and_goes_on_in_another(project, deploy, dying):
    project.queue(deploy("PROD", "production"))
    process = dying()
    assert await asyncio.to_thread(process.wait, 90) == 0
    async with project.hosted(user="ben") as driver:
        assert driver.state("PROD") == "waiting"
        await driver.go()
        assert driver.state("PROD") == "waiting"
        await driver.approve("PROD")
        assert driver.state("PROD") == "succeeded"
        assert driver.run("PROD").epoch > 1


async def test_an_approval_given_while_nobody_hosted_is_acted_on_at_the_next_start(project, deploy):
    project.queue(deploy("PROD", "production"))
    async with project.hosted() as driver:
        await driver.go()
        run, approval = driver.run("PROD"), driver.approval("PROD")
    async with project.hosted() as driver:
        # As a client without an engine does: the follow-up is dropped.
        driver.engine.follow = _nothing
        await driver.ask(
            RequestKind.APPROVE, run=run.id, plan=approval.digest, reason="x", environment="production"
        )
        assert driver.state("PROD") == "waiting"
    async with project.hosted() as driver:
        await driver.go()
        assert driver.state("PROD") == "succeeded"


async def _nothing(_follow_up) -> None:
    return None


async def test_a_cancel_is_shown_as_under_way_until_it_is_verified(project, deploy, until):
    (project.bin / "restart.sh").write_text(
        f'trap "while [ -e {project.root}/hold ]; do sleep 0.02; done; exit 1" TERM\n'
        f"touch {project.root}/begun\nwhile :; do sleep 0.02; done\n"
    )
    (project.root / "hold").touch()
    project.queue(deploy("D", "development"))
    async with project.hosted() as driver:
        await driver.engine.start("app", None)
        going = asyncio.ensure_future(driver.engine.until_idle())
        await until((project.root / "begun").exists)
        answer = await driver.ask(RequestKind.CANCEL, run=driver.run("D").id)
        assert (answer.granted, answer.text) == (True, "cancelling D")
        reading = open_reading(Workspace.open(project.root, environ={}))
        shown = reading.find_task("D")
        reading.close()
        assert (shown.state, shown.reason) == ("cancelling", "ana asked to cancel it")
        assert driver.reader.lock("app", "development").run == driver.run("D").id
        (project.root / "hold").unlink()
        await going
        run = driver.run("D")
        assert (run.state, run.cancelling) == ("interrupted", False)
        assert "cancelled after" in run.reason
        assert [event.detail["by"] for event in driver.events("cancelling")] == ["ana"]


@pytest.mark.parametrize(("step", "state"), [("test.sh", "cancelled"), ("restart.sh", "interrupted")])
async def test_a_cancel_whose_process_died_is_gone_on_with_and_not_the_run(  # noqa: PLR0917 - fixtures
    project, deploy, dying, sleeper, alive, until, step, state
):
    if step == "test.sh":
        project.write("test.sh", sleeper(state))
    else:
        (project.bin / step).write_text(sleeper(state))
    project.queue(deploy("D", "development"))
    mark = f"{state}-{project.root.parent.name}"
    process = dying()
    await until(lambda: alive(mark))
    process.kill()
    process.wait()
    reading = open_reading(Workspace.open(project.root, environ={}))
    run, place = reading.find_run("D"), reading.place
    reading.close()
    # As the process had committed it before it could act.
    write_once(place, ops.update_run(run.id, run.epoch, cancel_at=project.clock.now(), cancel_by="ben"))
    async with project.hosted() as driver:
        await driver.idle()
        assert driver.state("D") == state
        assert not alive(mark)
        assert "ben asked to cancel it" in driver.log("D")
        lock = driver.reader.lock("app", "development")
        assert (lock.run if lock else None) == (run.id if state == "interrupted" else None)


async def test_a_copy_that_goes_on_in_a_thread_is_over_before_its_run_is_called_cancelled(
    project, deploy, until, monkeypatch
):
    inside, leave = threading.Event(), threading.Event()
    bring = releases._bring

    def slow(release, scratch, tree):
        inside.set()
        assert leave.wait(60)
        bring(release, scratch, tree)

    monkeypatch.setattr(releases, "_bring", slow)
    project.queue(deploy("D", "development"))
    async with project.hosted() as driver:
        await driver.engine.start("app", None)
        going = asyncio.ensure_future(driver.engine.until_idle())
        await until(inside.is_set)
        assert (await driver.ask(RequestKind.CANCEL, run=driver.run("D").id)).granted
        await asyncio.sleep(0.1)
        assert driver.run("D").cancelling
        assert driver.reader.lock("app", "development").run == driver.run("D").id
        leave.set()
        await going
        assert driver.state("D") == "cancelled"


async def test_what_is_known_of_a_stuck_run_is_laid_out(project, deploy, migrations):
    project.queue(deploy("ONE", "production", run_migrations=True))
    async with project.hosted() as driver:
        await driver.go()
        await driver.approve("ONE")
        migrations()
        project.write("app.txt", "stubborn\n")
        project.queue(deploy("TWO", "production", "1.1.0", run_migrations=True))
        await driver.engine.reload()
        await driver.idle()
        await driver.approve("TWO")
        assert driver.state("TWO") == "halted"
        view = open_reading(Workspace.open(project.root, environ={})).run(driver.run("TWO").id)
        known = view.known
        assert (known.release, known.version) == ("1.1.0-1", "1.1.0")
        assert known.revision == "0001"  # the restart failed before the migration's turn came
        assert known.fingerprint.startswith("sha256:")
        assert driver.run("TWO").id in known.holder
        assert any("restart" in line.text for line in view.last_lines(8))
        told = list(stuck_lines(view))
        assert "  Serves now: 1.1.0-1 (version 1.1.0)" in told
        assert any(line.startswith("  Database now: 0001, schema ") for line in told)


async def test_a_host_whose_journal_is_lost_ends_at_once_and_leaves_its_programs_to_the_next(
    project, deploy, dying, held_restart, until
):
    hold, begun = held_restart
    project.queue(deploy("D", "development"), deploy("LATER", "staging", depends_on=["D"]))
    process = dying()
    await begun("development")
    reading = open_reading(Workspace.open(project.root, environ={}))
    place = reading.place
    reading.close()
    moved = place.host_lock.rename(place.root / "host.lock.away")  # another could host beside it from here on
    hold.unlink()
    assert await asyncio.to_thread(process.wait, 90) == 1
    moved.rename(place.host_lock)
    async with project.hosted() as driver:
        await driver.go()
        assert driver.run("D").reason == "deployed"
    assert (project.target("development") / "shared" / "restarts").read_text() == "1.0.0-1\n"
