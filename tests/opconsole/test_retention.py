"""What retention lets go: old runs' folders and copies, and never what somebody may need."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from opconsole.journal.upkeep import ReleaseFacts, RunFacts
from opconsole.retention import Clearance, clearance
from opconsole.settings.model import Journal
from queues.states import RunState

NOW = datetime(2026, 6, 1, tzinfo=UTC)
SETTINGS = Journal(keep_days=30, keep_runs=0, keep_releases=1)


def run(number: int, days_ago: float, state: RunState = RunState.SUCCEEDED, **more: Any) -> RunFacts:
    fields: dict[str, Any] = {
        "id": f"r-{number}",
        "seq": number,
        "project": "shop",
        "environment": "production",
        "state": state,
        "finished_at": NOW - timedelta(days=days_ago) if state.final else None,
        "source_digest": f"s-{number}",
        "artifact_digest": f"a-{number}",
        "release": f"rel-{number}",
        "previous_release": None,
    }
    return RunFacts(**{**fields, **more})


def release(number: int, days_ago: float, *, current: bool = False, **more: Any) -> ReleaseFacts:
    fields: dict[str, Any] = {
        "project": "shop",
        "environment": "production",
        "name": f"rel-{number}",
        "run": f"r-{number}",
        "source_digest": f"s-{number}",
        "artifact_digest": f"a-{number}",
        "placed_at": NOW - timedelta(days=days_ago),
        "current": current,
    }
    return ReleaseFacts(**{**fields, **more})


def decided(*runs: RunFacts, releases: tuple[ReleaseFacts, ...] = (), **more: Any) -> Clearance:
    given: dict[str, Any] = {"asked_about": frozenset(), **more}
    settings = given.pop("settings", SETTINGS)
    return clearance(settings, NOW, runs=runs, releases=releases, **given)


def test_what_ended_long_ago_may_go_with_its_copies() -> None:
    found = decided(run(1, 31), run(2, 29))
    assert found.runs == ("r-1",)
    assert found.sources == {"s-2"}
    assert found.artifacts == {"a-2"}


def test_the_newest_runs_of_each_environment_stay_however_old() -> None:
    staging = [run(number, 99, environment="staging") for number in (3, 4)]
    found = decided(run(1, 99), run(2, 99), *staging, settings=SETTINGS.model_copy(update={"keep_runs": 1}))
    assert found.runs == ("r-1", "r-3")


def test_what_serves_stays_with_its_run_however_old() -> None:
    found = decided(run(1, 400), run(2, 300), releases=(release(1, 400, current=True),))
    assert found.runs == ("r-2",)
    assert found.sources == {"s-1"}


def test_releases_that_one_can_go_back_to_keep_their_copies() -> None:
    releases = (release(3, 300, current=True), release(2, 350), release(1, 400))
    settings = SETTINGS.model_copy(update={"keep_releases": 2})
    found = decided(run(1, 400), run(2, 350), run(3, 300), releases=releases, settings=settings)
    assert found.runs == ("r-1",)
    assert found.artifacts == {"a-2", "a-3"}


@pytest.mark.parametrize("state", [state for state in RunState if not state.final])
def test_a_run_that_is_not_over_keeps_what_it_has_and_what_it_could_go_back_to(state: RunState) -> None:
    open_run = run(9, 500, state, previous_release="rel-1")
    releases = (release(8, 300, current=True), release(7, 350), release(1, 400))
    found = decided(run(1, 400), run(7, 350), run(8, 300), open_run, releases=releases)
    assert found.runs == ("r-7",)
    assert found.artifacts == {"a-1", "a-8", "a-9"}


def test_artifacts_of_open_approvals_are_never_pruned() -> None:
    # Even if somebody ended the run by hand: as long as the question is open, what it is about stays.
    found = decided(run(1, 400), run(2, 400), asked_about=frozenset({"r-1"}))
    assert found.runs == ("r-2",)
    assert found.artifacts == {"a-1"}


def test_a_copy_that_a_kept_run_shares_stays() -> None:
    found = decided(run(1, 99), run(2, 1, source_digest="s-1", artifact_digest=None))
    assert found.runs == ("r-1",)
    assert found.sources == {"s-1"}
    assert found.artifacts == frozenset()
