"""The history: all runs, newest first, brought up to date by what has changed and ready to be filtered."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC

from opconsole.journal.reader import JournalReader
from opconsole.journal.records import Purpose
from opconsole.journal.run_lines import Decided, RunLine, RunLines, Span
from opconsole.run_filter import PastRun, RunFilter, past_run
from opconsole.view_making import is_unverified, seen
from opconsole.workspace import Workspace

MOST = 50_000
"""Runs that a screen holds at most, the newest ones; the command line has them all."""


class History:
    """Holds the runs that a screen shows. Everything here blocks: call it in a thread."""

    def __init__(self, workspace: Workspace, reader: JournalReader) -> None:
        self._workspace = workspace
        self._reader = reader
        self._lines = RunLines(reader.engine)
        self._lock = threading.Lock()
        self._known: dict[int, RunLine] = {}
        self._event: int | None = None
        self._alive: bool | None = None
        self._shown: tuple[PastRun, ...] = ()

    def runs(self, *, worker_alive: bool) -> tuple[PastRun, ...]:
        """Give the newest runs, newest first; the same tuple while nothing has changed."""
        with self._lock:
            event = self._reader.last_event()  # before reading: what is written meanwhile is read next time
            if event == self._event and worker_alive == self._alive:
                return self._shown
            if self._event is None:
                changed = [line for page in self._lines.newest(MOST) for line in page]
            else:
                changed = self._lines.changed(max(self._known, default=0), self._event)
            self._known.update({line.run.seq: line for line in changed})
            fresh = {line.run.seq for line in changed}
            same = {run.line.run.seq: run for run in self._shown if run.line.run.seq not in fresh}
            if worker_alive != self._alive:  # what is at work looks interrupted now, or no more
                same = {seq: run for seq, run in same.items() if run.line.run.state.final}
            order = sorted(self._known, reverse=True)[:MOST]
            self._known = {seq: self._known[seq] for seq in order}
            self._shown = tuple(
                same.get(seq) or as_seen(self._workspace, self._known[seq], worker_alive=worker_alive)
                for seq in order
            )
            self._event, self._alive = event, worker_alive
            return self._shown


def as_seen(workspace: Workspace, line: RunLine, *, worker_alive: bool) -> PastRun:
    """Give a run as people see it."""
    run = seen(line.run, worker_alive=worker_alive)
    if run is not line.run:
        line = replace(line, run=run)
    return past_run(line, unverified=is_unverified(workspace, run))


def decided_words(line: RunLine) -> str:
    """Say who decided about a run, what proves it, and when in UTC; with the day where it was another."""
    return ", ".join(_decided(line, one) for one in line.decisions)


def proof_of(*, verified: bool) -> str:
    """Say what a name is worth: ``signed``, or ``advisory`` where it is only a label."""
    return "signed" if verified else "advisory"


def _decided(line: RunLine, one: Decided) -> str:
    at, day = one.at.astimezone(UTC), line.when.astimezone(UTC).date()
    verb = "rejected" if one.verdict == "reject" else _PURPOSES.get(one.purpose, "")
    when = f"{at:%H:%M}" if at.date() == day else f"{at:%Y-%m-%d %H:%M}"
    return " ".join(filter(None, (one.by, f"({proof_of(verified=one.verified)})", verb, when)))


def search(
    workspace: Workspace,
    reader: JournalReader,
    wanted: RunFilter,
    limit: int,
    *,
    worker_alive: bool,
    span: Span | None = None,
) -> Iterator[PastRun]:
    """Find the newest *limit* runs that a filter lets through, however many there are."""
    for page in RunLines(reader.engine).newest(_ALL, span=span):
        for line in page:
            run = as_seen(workspace, line, worker_alive=worker_alive)
            if wanted.matches(run):
                yield run
                limit -= 1
                if limit == 0:
                    return


_ALL = 2**62
_PURPOSES = {Purpose.REVERT.value: "revert", Purpose.FREEZE.value: "freeze overridden"}
