"""The short version of what benchmarks/chaos.py does at length: whoever dies when, the same things hold."""

from __future__ import annotations

import random

import pytest
from chaoslab.disks import NotPossibleError
from chaoslab.stories import GUARDED, QUICK, STORIES, Death, Lab, Story
from chaoslab.troubles import TROUBLES

CHAINS = [
    # An effect's intent is on record, and it has not begun; all is done, and the end is not on record.
    (
        STORIES["success"],
        [Death(at="effect-begun:migrate", when="after"), Death(at="run-succeeded", how="exit")],
    ),
    (
        STORIES["rollback"],
        [
            Death(at="effect-begun:switch", when="after"),
            Death(at="effect-begun:migrate-back", when="after"),
            Death(at="run-rolled_back"),
        ],
    ),
    # A person's yes is not on record yet; the lock is taken; the database is migrated, and nothing says so.
    (
        STORIES["approved"],
        [
            Death(at="approved"),
            Death(at="run-running", when="after", how="exit"),
            Death(at="effect-ended:migrate"),
        ],
    ),
    # Halted, without migrations, which take most of the time.
    (
        GUARDED,
        [Death(at="effect-ended:restart"), Death(at="run-halted", when="after"), Death(at="decided")],
    ),
    (
        STORIES["reverted"],
        [Death(at="decided-revert", when="after", how="exit"), Death(at="effect-ended:migrate-back")],
    ),
]
"""Stories, and the boundaries, each of another host, at which one after the other dies."""


@pytest.mark.parametrize(("story", "deaths"), CHAINS, ids=[story.name for story, _ in CHAINS])
async def test_hosts_that_die_one_after_the_other_at_commits_break_nothing(
    lab: Lab, story: Story, deaths: list[Death]
):
    told = await lab.play(story, deaths, seed=len(story.name))
    assert told.faults == [], told
    assert told.deaths == len(deaths), "a boundary was never come to"


@pytest.mark.parametrize("seed", [20261, 20263])
async def test_33_hosts_that_die_at_any_moment_break_nothing(lab: Lab, seed: int):
    choice = random.Random(seed)
    # Of one of them all processes die with it: shims and programs, too.
    deaths = [Death(after=choice.uniform(0.02, 0.9), power=number == 3) for number in range(5)]
    told = await lab.play(choice.choice([QUICK, GUARDED]), deaths, seed=seed, aftermath=seed == 20261)
    assert told.faults == [], (seed, told)


@pytest.mark.parametrize("name", TROUBLES)
async def test_33_no_other_trouble_breaks_anything(lab: Lab, name: str):
    try:
        told = await TROUBLES[name].play(lab, 20264)
    except NotPossibleError as why:
        pytest.skip(str(why))
    assert told.faults == [], told
