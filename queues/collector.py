"""Keeps the garbage collector out of the way while a large tree is being built."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

MANY = 20_000
"""New objects from which on it is worth telling the collector that they are old."""


@contextmanager
def collector_paused() -> Iterator[None]:
    """Stop the garbage collector: looking through a growing tree again and again triples the time.

    What was made then counts as old, lest the collector look through all of it as soon as it is back.
    """
    running, before = gc.isenabled(), gc.get_count()[0]
    gc.disable()
    try:
        yield
    finally:
        if running:
            # Frozen objects are to stay so. Counting them takes milliseconds: few new ones are not worth it.
            if gc.get_count()[0] - before > MANY and gc.get_freeze_count() == 0:
                gc.freeze()
                gc.unfreeze()
            gc.enable()


def hold_collector() -> None:
    """Stop the garbage collector while a program starts: what is loaded then stays for good."""
    gc.disable()


def resume_collector() -> None:
    """End `hold_collector`: what was made while starting is never looked through again."""
    if not gc.isenabled():
        gc.freeze()
        gc.enable()
