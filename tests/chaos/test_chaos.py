"""The short version of what benchmarks/chaos.py does at length: whoever dies when, the same things hold."""

from __future__ import annotations

import random

import pytest
from chaoslab.disks import NotPossibleError
from chaoslab.stories import GUARDED, QUICK, STORIES, Death, Lab
from chaoslab.troubles import TROUBLES

CHAINS = {
    "success": [Death(16), Death(8, "after", "exit"), Death(5)],
    "rollback": [Death(19, "after"), Death(7), Death(6), Death(3, "after")],
    "approved": [Death(13), Death(2, "after"), Death(6, "after", "exit"), Death(4, "after")],
    "halted": [Death(20, "after"), Death(8), Death(4, "after", "exit"), Death(5)],
    "reverted": [Death(42), Death(5, "after")],
}
"""Commits, each of another host, at which one after the other dies."""


@pytest.mark.parametrize("name", STORIES)
async def test_hosts_that_die_one_after_the_other_at_commits_break_nothing(lab: Lab, name: str):
    told = await lab.play(STORIES[name], CHAINS[name], seed=len(name))
    assert told.faults == [], told


@pytest.mark.parametrize("seed", [20261, 20262, 20263])
async def test_33_hosts_that_die_at_any_moment_break_nothing(lab: Lab, seed: int):
    choice = random.Random(seed)
    deaths = [Death(after=choice.uniform(0.02, 0.9)) for _ in range(5)]
    told = await lab.play(choice.choice([QUICK, GUARDED]), deaths, seed=seed, aftermath=seed == 20261)
    assert told.faults == [], (seed, told)


@pytest.mark.parametrize("name", TROUBLES)
async def test_33_no_other_trouble_breaks_anything(lab: Lab, name: str):
    try:
        told = await TROUBLES[name].play(lab, 20264)
    except NotPossibleError as why:
        pytest.skip(str(why))
    assert told.faults == [], told
