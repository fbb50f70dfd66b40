"""Clearing away in a workspace that has really deployed: old logs and copies go, what is needed stays."""

from __future__ import annotations

import asyncio
import json
import os
import time
from datetime import timedelta

import pytest

from opconsole.housekeeping import BETWEEN, FIRST_LOOK, Housekeeper
from opconsole.journal.records import RequestKind
from opconsole.trees import remove_tree

TIGHT = "[journal]\nkeep_days = 1\nkeep_runs = 0\nkeep_releases = 1\n"


@pytest.fixture
def aged():
    """Let everything in the stores look as if nobody had used it for a week."""

    def age(place):
        week_ago = time.time() - 7 * 24 * 3600
        for store in (place.sources, place.artifacts):
            for entry in store.iterdir():
                os.utime(entry, (week_ago, week_ago))

    return age


async def _three_versions(project, deploy, driver):
    """Deploy three versions to development, one a week."""
    for number in (1, 2, 3):
        project.write("app.txt", f"version {number}\n")
        project.queue(deploy(f"D{number}", "development", f"{number}.0.0"))
        await driver.engine.reload()
        await driver.go()
        assert driver.state(f"D{number}") == "succeeded", driver.run(f"D{number}").reason
        driver.clock.ahead += timedelta(days=7)


def _folders(driver):
    return {folder.name for folder in driver.place.runs.iterdir()}


def _stored(folder):
    return {"sha256:" + entry.name for entry in folder.iterdir() if not entry.name.startswith(".")}


async def test_what_no_release_needs_goes_and_the_record_says_what(project, deploy, aged):
    project.policy = TIGHT
    project.settings()
    async with project.hosted() as driver:
        await _three_versions(project, deploy, driver)
        runs = [driver.run(f"D{number}") for number in (1, 2, 3)]
        aged(driver.place)
        cleared = await Housekeeper(driver.host).clear("ana")
        assert set(cleared.runs) == {runs[0].id, runs[1].id}
        assert cleared.faults == ()
        assert _folders(driver) == {runs[2].id}
        assert _stored(driver.place.sources) == {runs[2].source_digest}
        assert _stored(driver.place.artifacts) == {runs[2].artifact_digest}
        entry = driver.reader.audit()[-1]
        assert (entry.actor, entry.action) == ("ana", "pruned")
        detail = json.loads(entry.detail)
        assert detail["counts"]["runs"] == 2
        assert set(detail["artifacts"]) == {runs[0].artifact_digest, runs[1].artifact_digest}
        assert (
            driver.events("pruned")[-1].detail["text"].startswith("removed the folders of 2 runs, 2 exports")
        )
        # The runs themselves stay on record, and with them what has succeeded before.
        assert [run.id for run in driver.reader.history()] == [run.id for run in reversed(runs)]
        assert driver.reader.succeeded_before("app", "development", "deployment")
        await Housekeeper(driver.host).clear("ana")  # the event that was the newest then, and stayed
        entry = driver.reader.audit()[-1]
        assert (await Housekeeper(driver.host).clear("ana")).nothing
        assert driver.reader.audit()[-1] == entry


async def test_what_waits_for_a_person_keeps_its_artifact_and_is_deployed_from_it(project, deploy, aged):
    project.policy = TIGHT
    project.settings()
    project.queue(deploy("PROD", "production"))
    async with project.hosted() as driver:
        await driver.go()
        run = driver.run("PROD")
        driver.clock.ahead += timedelta(days=400)
        aged(driver.place)
        await Housekeeper(driver.host).clear("ana")
        assert _folders(driver) == {run.id}
        assert _stored(driver.place.artifacts) == {run.artifact_digest}
        await driver.approve("PROD")
        assert driver.state("PROD") == "succeeded", driver.run("PROD").reason


async def test_a_copy_that_is_just_being_used_stays_though_nothing_names_it_yet(project, deploy):
    project.policy = TIGHT
    project.settings()
    async with project.hosted() as driver:
        await _three_versions(project, deploy, driver)
        first = driver.run("D1")
        cleared = await Housekeeper(driver.host).clear("ana")
        assert cleared.sources == cleared.artifacts == ()  # added within the last day, by the machine's clock
        await driver.host.artifacts.verify(first.artifact_digest)


async def test_a_person_can_ask_for_it_and_the_engine_does_it(project, deploy, aged, until):
    project.policy = TIGHT
    project.settings()
    async with project.hosted(user="ben") as driver:
        await _three_versions(project, deploy, driver)
        aged(driver.place)
        assert (await driver.ask(RequestKind.PRUNE)).granted
        await until(lambda: driver.events("pruned"))
        assert driver.events("pruned")[-1].detail["by"] == "ben"


async def test_the_worker_clears_away_some_minutes_after_its_start(project, deploy, aged, until):
    project.policy = TIGHT
    project.settings()
    async with project.hosted() as driver:
        await _three_versions(project, deploy, driver)
        aged(driver.place)
        before = driver.clock.now()
        service = asyncio.ensure_future(Housekeeper(driver.host).serve())
        await until(lambda: driver.events("pruned"))
        waited = (driver.clock.now() - before).total_seconds()
        service.cancel()
        assert waited >= FIRST_LOOK
        assert (waited - FIRST_LOOK) % BETWEEN < FIRST_LOOK


async def test_what_cannot_be_removed_is_told_and_the_rest_goes(project, deploy, aged, monkeypatch):
    project.policy = TIGHT
    project.settings()
    async with project.hosted() as driver:
        await _three_versions(project, deploy, driver)
        aged(driver.place)
        stuck = driver.run("D1").id

        def removing(folder):
            if folder.name == stuck:
                raise PermissionError(13, "Permission denied", str(folder))
            remove_tree(folder)

        monkeypatch.setattr("opconsole.housekeeping.remove_tree", removing)
        cleared = await Housekeeper(driver.host).clear("ana")
        assert cleared.runs == (driver.run("D2").id,)
        assert stuck in cleared.faults[0]
        assert driver.events("alert")[-1].detail["text"].startswith("not removed: ")
