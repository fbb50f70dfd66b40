"""Keeps the garbage collector out of the way while a large tree is being built."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collector_paused() -> Iterator[None]:
    """Stop the garbage collector: looking through a growing tree again and again triples the time.

    What was made then counts as old, lest the collector look through all of it as soon as it is back.
    """
    running = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if running:
            if gc.get_freeze_count() == 0:  # else somebody wants their objects to stay frozen
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
