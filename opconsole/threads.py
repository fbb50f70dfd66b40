"""Blocking work in threads that is seen to its end, however its task is cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


async def to_the_end(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run *function* in a thread, and do not return before it has: a thread cannot be stopped.

    When the task is cancelled meanwhile, CancelledError is raised once nothing of the work is going on.
    """
    work = asyncio.ensure_future(asyncio.to_thread(function, *args, **kwargs))
    cancelled = False
    while not work.done():
        try:
            await asyncio.shield(work)
        except asyncio.CancelledError:
            cancelled = True
        except BaseException:  # noqa: BLE001, S110 (it is raised below, with the result)
            pass
    if cancelled:
        work.exception()  # it is looked at; the cancel counts
        raise asyncio.CancelledError
    return work.result()
