"""Two workspaces with one target: the one that is gone is taken off it by a person, and then refused."""

from __future__ import annotations

import asyncio
import json
import shutil
import signal

import pytest

from opconsole.journal.location import locate
from opconsole.journal.records import RequestKind
from opconsole.runs import step_still_running
from opconsole.targets.record import RECORD_NAME

PLACE = {"project": "app", "environment": "development"}


@pytest.fixture
def clone(project, clock, tmp_path):
    """Copy the workspace once its queue is written; both deploy to the same folders."""
    project.targets = tmp_path / "targets"
    project.settings()

    def make():
        shutil.copytree(project.root, tmp_path / "clone")
        made = type(project)(tmp_path / "clone", clock)
        made.targets = project.targets
        made.settings()
        return made

    return make


def holding(project):
    """Let the restart of a deployment begin, and last as long as a file is there."""
    hold = project.root.parent / "hold"
    hold.touch()
    begun = project.root.parent / "begun"
    (project.bin / "restart.sh").write_text(
        f'echo "$OPCONSOLE_RUN" >> {begun}\nwhile [ -e {hold} ]; do sleep 0.02; done\n'
    )
    return hold, begun


def holder(project):
    record = json.loads((project.target("development") / RECORD_NAME).read_text())
    return record["holder"] and record["holder"]["run"]


async def test_what_another_workspace_left_held_is_freed_by_a_person_who_names_it_and_it_never_comes_back(
    project, deploy, clone, dying, until
):
    hold, begun = holding(project)
    project.queue(deploy("D", "development"))
    other = clone()
    worker = dying()
    await until(begun.exists)
    gone = holder(project)
    async with other.hosted() as driver:
        await driver.go()
        assert driver.state("D") == "failed"
        assert f"opconsole unlock app development --foreign {gone} --reason …" in driver.run("D").reason
        ask = {**PLACE, "foreign": gone, "reason": "ada deleted that clone"}
        lives = await driver.ask(RequestKind.UNLOCK, **ask)
        assert not lives.granted
        assert f"a worker of {project.root} is alive (process {worker.pid})" in lives.text

        worker.send_signal(signal.SIGKILL)
        assert await asyncio.to_thread(worker.wait, 60) == -9
        runs = await driver.ask(RequestKind.UNLOCK, **ask)
        assert f"step restart of run {gone} of {project.root} still runs" in runs.text
        hold.unlink()
        folder = locate(project.root, create=False).runs / gone
        await until(lambda: step_still_running(folder) is None)

        for wrong, told in (
            ({"foreign": "r-another"}, f"held by run '{gone}'"),
            ({"reason": " "}, "a reason is needed"),
            ({"environment": "moon"}, "there is no 'moon' of 'app'"),
        ):
            refused = await driver.ask(RequestKind.UNLOCK, **{**ask, **wrong})
            assert (refused.granted, told in refused.text) == (False, True), refused.text
        assert holder(project) == gone

        answer = await driver.ask(RequestKind.UNLOCK, **ask)
        assert answer.granted, answer.text
        assert holder(project) is None
        [entry] = [row for row in driver.reader.audit() if row.action == "foreign-hold-broken"]
        assert (entry.actor, entry.subject) == ("ana", gone)
        assert json.loads(entry.detail)["reason"] == "ada deleted that clone"
        again = await driver.ask(RequestKind.UNLOCK, **ask)
        assert (again.granted, again.text) == (True, answer.text)
        assert len([row for row in driver.reader.audit() if row.action == "foreign-hold-broken"]) == 1

        assert (await driver.retry("D")).granted
        assert driver.state("D") == "succeeded"
    served = project.current("development")
    programs = begun.read_text()

    async with project.hosted() as first:
        await first.idle()
        assert first.run("D").id == gone
        assert first.state("D") == "interrupted"
        assert "broke its hold" in first.run("D").reason
        assert (project.current("development"), begun.read_text()) == (served, programs)
        assert (await first.decide("D", "abort")).granted
        assert (await first.retry("D")).granted
        await first.go()
        assert first.state("D") == "succeeded", first.run("D").reason
        assert project.current("development") != served


async def test_a_broken_hold_is_refused_at_the_target_too_whatever_its_workspace_thinks(
    project, deploy, clone, dying
):
    project.queue(deploy("D", "development"))
    other = clone()
    assert await asyncio.to_thread(dying("switch", "before").wait, 60) == 9
    gone = holder(project)
    async with other.hosted() as driver:
        ask = {**PLACE, "foreign": gone, "reason": "burnt"}
        assert (await driver.ask(RequestKind.UNLOCK, **ask)).granted
    with pytest.MonkeyPatch.context() as patch:

        async def trusting(_host, _run):
            return None

        for module in ("pipeline", "targeting"):
            patch.setattr(f"opconsole.{module}.check_hold", trusting)
        async with project.hosted() as first:
            await first.idle()
            assert first.state("D") == "failed"
            assert f"run '{gone}' no longer holds the target" in first.run("D").reason
    assert project.current("development") == ""


async def test_a_hold_of_its_own_and_a_target_that_keeps_no_record_are_not_broken(project, deploy, dying):
    project.queue(deploy("D", "development"))
    assert await asyncio.to_thread(dying("switch", "before").wait, 60) == 9
    own = holder(project)
    async with project.hosted() as driver:
        mine = await driver.ask(RequestKind.UNLOCK, **PLACE, foreign=own, reason="impatient")
        assert not mine.granted
        assert "is of this workspace; opconsole unlock app development is about it" in mine.text
        free = await driver.ask(
            RequestKind.UNLOCK, project="app", environment="production", foreign="r-1", reason="impatient"
        )
        assert "no run holds the target of production" in free.text
