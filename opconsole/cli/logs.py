"""The command ``logs``: what a run's programs printed, and with ``-f`` what they go on printing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing, closing
from pathlib import Path
from typing import cast

from opconsole.cli.output import CommandContext, ExitStatus, UsageError, json_text, plain
from opconsole.clock import iso
from opconsole.journal.records import Run
from opconsole.journal.wake import changes
from opconsole.logs import NOTE, LogCursor, LogLine
from opconsole.logs import follow as follow_log
from opconsole.reading import Reading, open_reading
from queues.states import RunState

LAST_NOTE_SECONDS = 1.0
"""How long to wait for a log's last note once its run is over."""


def show_log(context: CommandContext, task: str, *, follow: bool) -> int:
    """Print a run's log.

    As JSON it is one list; followed, one object a line, for it has no end yet.
    """
    with closing(open_reading(context.workspace())) as reading:
        run = reading.find_run(task)
        if follow:
            asyncio.run(_follow(context, reading, run))
        else:
            _print_all(context, reading, run)
    return ExitStatus.DONE


def _print_all(context: CommandContext, reading: Reading, run: Run) -> None:
    cursor = LogCursor(_log(reading, run))
    lines = cursor.read_new()
    if not lines:
        context.warn(f"{plain(str(run.key))} has no log yet; it is {run.state.value}")
    if context.json:
        context.stdout.write("[")
    first = True
    while lines:
        if context.json:
            for line in lines:
                context.stdout.write(
                    ("\n  " if first else ",\n  ") + json_text(_line_json(line), indent=None)
                )
                first = False
        else:
            _print_lines(context, lines)
        lines = cursor.read_new()
    if context.json:
        context.stdout.write("]\n" if first else "\n]\n")


async def _follow(context: CommandContext, reading: Reading, run: Run) -> None:
    """Print what comes until the run is over and its last note is in the log."""
    batches = cast("AsyncGenerator[list[LogLine], None]", follow_log(_log(reading, run)))
    over = asyncio.create_task(_until_over(reading, run.id))
    last = ""
    async with aclosing(batches):
        batch = asyncio.ensure_future(anext(batches))
        try:
            # The engine writes its last note a moment after the journal says that the run is over.
            while not (over.done() and last.startswith(over.result().value)):
                waiting = {batch} if over.done() else {batch, over}
                patience = LAST_NOTE_SECONDS if over.done() else None
                done, _ = await asyncio.wait(waiting, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
                if not done:
                    break
                if batch in done:
                    lines = batch.result()
                    _print_lines(context, lines)
                    context.stdout.flush()
                    last = next((line.text for line in reversed(lines) if line.stream == NOTE), last)
                    batch = asyncio.ensure_future(anext(batches))
        finally:
            over.cancel()
            batch.cancel()
            await asyncio.wait({batch, over})


async def _until_over(reading: Reading, run: str) -> RunState:
    if reading.place is None or reading.reader is None:
        raise UsageError("nothing has run in this workspace")
    async with aclosing(cast("AsyncGenerator[None, None]", changes(reading.place))) as woken:
        async for _ in woken:
            now = await asyncio.to_thread(reading.reader.run, run)
            if now is None:
                break
            if now.state.final:
                return now.state
    raise UsageError(f"the run {run} is gone from the journal")


def _print_lines(context: CommandContext, lines: Iterable[LogLine]) -> None:
    for line in lines:
        if context.json:
            context.stdout.write(json_text(_line_json(line), indent=None) + "\n")
        else:
            stamp = "" if line.at is None else f"{(iso(line.at) or '')[11:19]} "
            mark = _MARKS.get(line.stream, "  ")
            context.stdout.write(f"{stamp}{mark}{line.display(colours=context.colours)}\n")


def _line_json(line: LogLine) -> dict[str, object]:
    return {"at": iso(line.at), "stream": _STREAMS.get(line.stream, "unknown"), "text": line.text}


def _log(reading: Reading, run: Run) -> Path:
    view = reading.run(run.id)
    if view is None:
        raise UsageError(f"{plain(str(run.key))} has no log")
    return view.log


_STREAMS = {"o": "output", "e": "errors", "n": "note"}
_MARKS = {"o": "| ", "e": "! ", "n": "# "}
