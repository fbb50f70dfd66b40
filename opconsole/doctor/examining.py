"""Runs all checks of the set-up at once, each for so long and no longer."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from opconsole.doctor import (
    aws,
    databases,
    journal,
    machine,
    notifications,
    programs,
    queue_files,
    secrets,
    settings,
    signing,
    sources,
    targets,
    terminal,
    worker,
)
from opconsole.doctor.base import Check, Patient, Result, TerminalFacts, fail

AT_ONCE = 16
"""Checks that are at work at the same time."""

GROUPS: Mapping[str, Callable[[Patient], Iterable[Check]]] = {
    "settings": settings.checks,
    "queues": queue_files.checks,
    "sources": sources.checks,
    "programs": programs.checks,
    "secrets": secrets.checks,
    "targets": targets.checks,
    "databases": databases.checks,
    "journal": journal.checks,
    "worker": worker.checks,
    "notifications": notifications.checks,
    "signing": signing.checks,
    "aws": aws.checks,
    "terminal": terminal.checks,
    "machine": machine.checks,
}
"""What is looked at, in the order of the report."""


def examine(patient: Patient) -> dict[str, list[Result]]:
    """Look at everything; give what was found by group. Blocks for as long as the slowest check may take."""
    return _carry_out({group: list(checks(patient)) for group, checks in GROUPS.items()})


def examine_without_workspace(
    facts: TerminalFacts, environ: Mapping[str, str], fault: Sequence[Result]
) -> dict[str, list[Result]]:
    """Do what can be done where there are no settings, or none that can be read: *fault* says why."""
    found = _carry_out({"terminal": [Check("terminal", lambda: terminal.look(facts, environ))]})
    return {"settings": list(fault), **found}


@dataclass(slots=True)
class _Running:
    """One check on its way."""

    check: Check
    began: float | None = None
    results: list[Result] | None = None
    over: threading.Event = field(default_factory=threading.Event)
    started: threading.Event = field(default_factory=threading.Event)


def _carry_out(groups: Mapping[str, Sequence[Check]]) -> dict[str, list[Result]]:
    running = {group: [_Running(check) for check in checks] for group, checks in groups.items()}
    room = threading.Semaphore(AT_ONCE)
    for one in (one for checks in running.values() for one in checks):
        # Daemons: one that hangs in a dead mount must not keep the command from ending.
        threading.Thread(target=_carry_out_one, args=(one, room), daemon=True).start()
    return {
        group: [result for one in checks for result in _awaited(one, room)]
        for group, checks in running.items()
    }


def _carry_out_one(one: _Running, room: threading.Semaphore) -> None:
    with room:
        one.began = time.monotonic()
        one.started.set()
        try:
            one.results = list(one.check.look())
        except Exception as error:  # noqa: BLE001 (one check that stumbles must not hide the others' answers)
            text = f"this could not be looked at: {type(error).__name__}: {error}"
            one.results = [
                fail(one.check.place, text, "see what is unusual there; it is a fault of ours, too")
            ]
        finally:
            one.over.set()


def _awaited(one: _Running, room: threading.Semaphore) -> list[Result]:
    one.started.wait()
    left = (one.began or 0.0) + one.check.limit - time.monotonic()
    if one.over.wait(max(0.0, left)) and one.results is not None:
        return one.results
    room.release()  # what hangs must not keep others waiting
    text = f"this was not answered within {one.check.limit:g} s"
    return [fail(one.check.place, text, "see whether its server, disk or program answers at all")]
