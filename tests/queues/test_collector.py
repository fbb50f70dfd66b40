"""The garbage collector is out of the way while a large tree is built, and takes it for old afterwards."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from queues.collector import MANY, collector_paused


@pytest.fixture
def nothing_frozen() -> Iterator[None]:
    gc.unfreeze()
    yield
    gc.freeze()  # as the other tests have it


def test_a_large_tree_counts_as_old_once_it_is_built(nothing_frozen: None) -> None:
    with collector_paused():
        assert not gc.isenabled()
        tree = [[number] for number in range(2 * MANY)]
    assert gc.isenabled()
    assert any(one is tree[-1] for one in gc.get_objects(generation=2))


def test_what_is_frozen_stays_frozen(nothing_frozen: None) -> None:
    gc.freeze()
    frozen = gc.get_freeze_count()
    with collector_paused():
        tree = [[number] for number in range(2 * MANY)]
    assert gc.get_freeze_count() > frozen / 2
    assert len(tree) == 2 * MANY


def test_a_pause_within_a_pause_does_not_end_it() -> None:
    with collector_paused():
        with collector_paused():
            pass
        assert not gc.isenabled()
    assert gc.isenabled()
