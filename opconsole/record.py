"""The record as the screens need it: runs, their reports, what is counted of them, and the audit chain."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from guardrails.environments import GateKind
from opconsole.audit_check import Asked, ChainCheck, check_chain
from opconsole.audit_export import write_entries
from opconsole.checkpointing import CheckpointKeeper
from opconsole.cli.shapes import report_json
from opconsole.history import History
from opconsole.journal.audit_pages import AuditPages
from opconsole.journal.records import AuditRow
from opconsole.journal.run_lines import RunLines
from opconsole.metrics import Metrics, figures, gates_of
from opconsole.new_file import new_file
from opconsole.reading import Reading
from opconsole.run_filter import PastRun
from opconsole.run_report import TAIL, RunReport, make_report, markdown, report_name
from opconsole.view_making import is_unverified

ENTRIES = 20_000
"""Entries of the audit chain that a screen holds at most, the newest ones."""


@dataclass(frozen=True, slots=True)
class ToldRun:
    """A run's report in every form."""

    report: RunReport
    markdown: str
    json: str
    name: str
    """A file name for it, without what tells the form."""
    log: Path


class Record(Protocol):
    """Reads what was. Never blocks the event loop, and changes nothing but the files that are asked for."""

    @property
    def gates(self) -> Mapping[tuple[str, str], GateKind]:
        """The gate of every environment, by project and name."""
        ...

    async def runs(self) -> tuple[PastRun, ...]:
        """Give the newest runs, newest first; the same tuple while nothing has changed."""
        ...

    async def report(self, run: str) -> ToldRun | None:
        """Tell a run's story; None where there is no such run."""
        ...

    async def metrics(self, since: datetime | None, now: datetime) -> Metrics:
        """Count the runs that ended since then."""
        ...

    async def entries(self) -> tuple[AuditRow, ...]:
        """Give the newest entries of the audit chain, newest first."""
        ...

    async def check_chain(self, progress: Callable[[int], None]) -> ChainCheck:
        """Check the audit chain against every checkpoint; *progress* is called in another thread.

        Raises SshKeyError where the signers of the settings cannot be read.
        """
        ...

    async def export_chain(self, file: Path) -> int:
        """Write the whole chain into a new file, CSV by its name and else JSON lines; give how many entries.

        Raises OSError.
        """
        ...

    async def save(self, text: str, file: Path) -> None:
        """Write a text into a new file. Raises OSError."""
        ...


class JournalRecord:
    """The record of a workspace's journal."""

    def __init__(self, reading: Reading, environ: Mapping[str, str]) -> None:
        if reading.reader is None or reading.place is None:
            raise ValueError("a record needs a journal")
        self._reading, self._reader, self._place = reading, reading.reader, reading.place
        self._environ = environ
        self._history = History(reading.workspace, reading.reader)
        self._pages = AuditPages(reading.reader.engine)
        self._entries: tuple[AuditRow, ...] = ()
        self.gates = gates_of(reading.workspace.settings)

    async def runs(self) -> tuple[PastRun, ...]:
        """Give the newest runs, newest first."""
        return await asyncio.to_thread(self._runs)

    def _runs(self) -> tuple[PastRun, ...]:
        return self._history.runs(worker_alive=self._reading.worker_alive)

    async def report(self, run: str) -> ToldRun | None:
        """Tell a run's story."""
        return await asyncio.to_thread(self._report, run)

    def _report(self, run: str) -> ToldRun | None:
        view = self._reading.run(run)
        if view is None:
            return None
        serving = self._reader.current_release(view.run.project, view.run.environment)
        unverified = is_unverified(self._reading.workspace, view.run)
        report = make_report(view, serving, view.last_lines(TAIL), unverified=unverified)
        document = json.dumps(report_json(view, unverified=unverified), indent=2, ensure_ascii=True) + "\n"
        return ToldRun(
            report, markdown(report), document, report_name(view.run).removesuffix(".md"), view.log
        )

    async def metrics(self, since: datetime | None, now: datetime) -> Metrics:
        """Count the runs that ended since then."""
        lines = RunLines(self._reader.engine)
        return await asyncio.to_thread(figures, lines, self.gates, now=now, since=since)

    async def entries(self) -> tuple[AuditRow, ...]:
        """Give the newest entries of the audit chain, newest first."""
        known = self._entries
        after = known[0].seq if known else None
        new = await asyncio.to_thread(self._pages.newest, ENTRIES, after=after)
        if new:
            self._entries = (*new, *known)[:ENTRIES]
        return self._entries

    async def check_chain(self, progress: Callable[[int], None]) -> ChainCheck:
        """Check the audit chain against every checkpoint."""
        keeper = CheckpointKeeper(self._reading.workspace, self._place, self._environ)
        return await asyncio.to_thread(check_chain, self._pages.entries, keeper, Asked(), progress)

    async def export_chain(self, file: Path) -> int:
        """Write the whole chain into a new file."""
        return await asyncio.to_thread(self._export, file)

    def _export(self, file: Path) -> int:
        form = "csv" if file.suffix.lower() == ".csv" else "jsonl"
        with new_file(file) as out:
            return write_entries(self._pages.entries(), out, form)

    async def save(self, text: str, file: Path) -> None:
        """Write a text into a new file."""
        await asyncio.to_thread(_save, text, file)


def _save(text: str, file: Path) -> None:
    with new_file(file) as out:
        out.write(text)
