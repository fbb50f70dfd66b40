"""How every command speaks: its context, its exit status, its tables and JSON, and its errors.

Nothing here loads the settings, the journal or a screen before a command asks for them, so that `check`,
`--version` and `--help` stay light.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import sys
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from guardrails.sanitise import sanitise
from queues.states import RunState

if TYPE_CHECKING:
    from opconsole.workspace import Workspace


class ExitStatus(IntEnum):
    """What a command ends with; spec: *Exit status*."""

    DONE = 0
    FAILED = 1
    """Failed, rolled back, rejected, cancelled, or blocked by a dependency."""
    USAGE = 2
    """Usage, settings, or a bad file."""
    WAITING = 3
    """For a person's approval."""
    BLOCKED = 4
    """By guardrails."""
    UNDECIDED = 5
    """Halted or interrupted: a person must say revert, override or abort."""
    STOPPED = 130
    """By Ctrl-C."""
    CUT_OFF = 141
    """Whoever read the output went away; as the shell has it for SIGPIPE."""


def worst(outcomes: Iterable[ExitStatus]) -> ExitStatus:
    """Give the status of several outcomes: the first of 5, 4, 1, 3 that occurred wins."""
    occurred = set(outcomes)
    return next((status for status in _BY_WEIGHT if status in occurred), ExitStatus.DONE)


def exit_of(state: RunState) -> ExitStatus:
    """Give the status that a run's state stands for; one that is still on its way has nothing to report."""
    return _STATUS_OF.get(state, ExitStatus.DONE)


class UsageError(Exception):
    """The command cannot be carried out as it was given; the message says what to do instead."""


class NoWorkspaceError(UsageError):
    """No folder from the given one upwards has settings."""

    def __init__(self, start: Path) -> None:
        self.start = start
        super().__init__(
            f"{plain(str(start))} is in no workspace: neither it nor a folder above has opconsole.toml. "
            "Name one with -C DIR, make one here with `opconsole init`, or try `opconsole demo`"
        )


@dataclass(frozen=True, slots=True)
class CommandContext:
    """What a command is told of its surroundings."""

    directory: Path
    """Where to look for the workspace: the folder of -C, else the working folder."""
    json: bool
    """Print one JSON document on *stdout*; everything for people goes to *stderr*."""
    stdout: TextIO
    stderr: TextIO
    environ: Mapping[str, str]

    def workspace(self) -> Workspace:
        """Find and load the workspace. Raises NoWorkspaceError, UsageError or SettingsError."""
        from opconsole.workspace import Workspace, find_workspace  # noqa: PLC0415 (loads pydantic)

        if not self.directory.is_dir():
            raise UsageError(f"-C {plain(str(self.directory))}: there is no such folder")
        root = find_workspace(self.directory)
        if root is None:
            raise NoWorkspaceError(self.directory.resolve())
        return Workspace.open(root, environ=self.environ)

    @property
    def program(self) -> str:
        """The program as it was called, to be typed again: ``OPCONSOLE_PROGRAM``, else by its arguments."""
        named = self.environ.get(PROGRAM_VARIABLE)
        if named:
            return shlex.quote(named)
        called = sys.argv[0] if sys.argv else ""
        if Path(called).name == "__main__.py":
            return f"{shlex.quote(sys.executable)} -m opconsole"
        if Path(called).name != "opconsole" or shutil.which("opconsole") == called:
            return "opconsole"
        return shlex.quote(os.path.abspath(called))  # noqa: PTH100 - links stay: a program is its place

    def command(self, words: str, *, workspace: Path | None = None) -> str:
        """Give a command line that works where this one was typed; *words* are quoted where they need it.

        It names the workspace where the working folder alone would not lead to it.
        """
        from opconsole.workspace import find_workspace  # noqa: PLC0415 (loads pydantic)

        root = (workspace or self.directory).resolve()
        if workspace is None:
            root = find_workspace(root) or root
        place = "" if find_workspace(Path.cwd()) == root else f" -C {shlex.quote(str(root))}"
        return f"{self.program}{place} {words}"

    @property
    def width(self) -> int | None:
        """Columns that a line may have; None where the output is no terminal and nothing need be cut."""
        if not self.stdout.isatty():
            return None
        return max(40, shutil.get_terminal_size().columns)

    @property
    def colours(self) -> bool:
        """Whether colours are welcome on *stdout*."""
        return (
            not self.json
            and self.stdout.isatty()
            and not self.environ.get("NO_COLOR")
            and self.environ.get("TERM") != "dumb"
        )

    def say(self, text: str) -> None:
        """Print something for people: on *stderr* where *stdout* is for machines."""
        print(text, file=self.stderr if self.json else self.stdout)

    def warn(self, text: str) -> None:
        """Print something that people should not miss, on *stderr*."""
        print(text, file=self.stderr)

    def document(self, value: object) -> None:
        """Print the one JSON document of this command."""
        print(json_text(value), file=self.stdout)

    def state(self, word: str) -> str:
        """Give a state's word, coloured where colours are welcome; the word alone says it all."""
        colour = _COLOURS.get(word) if self.colours else None
        return word if colour is None else f"\x1b[{colour}m{word}\x1b[0m"


def interactive(context: CommandContext) -> bool:
    """Say whether there is a person at a terminal who can be asked."""
    return not context.json and sys.stdin.isatty() and context.stdout.isatty()


def json_text(value: object, *, indent: int | None = 2) -> str:
    """Write a value as JSON in ASCII, so that no terminal can be steered by what it quotes."""
    return json.dumps(value, indent=indent, ensure_ascii=True, allow_nan=False)


def plain(text: str, limit: int | None = None) -> str:
    """Give text from outside as one line that is safe to show."""
    return sanitise(text, single_line=True, limit=limit)


def table(headings: Sequence[str], rows: Iterable[Sequence[str]], width: int | None) -> str:
    """Lay rows out in columns that align; where *width* is given the widest columns give way to fit.

    Cells are shown as they are, so text from outside goes through `plain` first.
    """
    lines = [list(headings), *(list(row) for row in rows)]
    widths = _widths(lines)
    if width is not None and _total(widths) > width:
        # First goes what says nothing, then what can be cut without touching the headings, then anything.
        said = [any(line[column] not in ("", "-") for line in lines[1:]) for column in range(len(headings))]
        lines = [[cell for cell, kept in zip(line, said, strict=True) if kept] for line in lines]
        widths = _widths(lines)
        _shrink(
            widths, [min(cells(heading), wide) for heading, wide in zip(lines[0], widths, strict=True)], width
        )
        _shrink(widths, [min(_NARROWEST, wide) for wide in widths], width)
    return "\n".join(
        (" " * _GAP).join(_fit(cell, wide) for cell, wide in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def cells(text: str) -> int:
    """Count the columns that a text takes on a terminal; colours take none."""
    return sum(_width(character) for character in _SGR.sub("", text))


def counted(number: int, one: str) -> str:
    """Write a number of things: ``1 fault``, ``2 faults``."""
    return f"{number} {one}" if number == 1 else f"{number} {one}s"


def duration_text(seconds: float | None) -> str:
    """Write a duration for people, as the screens do: ``0.4 s``, ``12 s``, ``1 m 05 s``, ``2 h 03 m``."""
    if seconds is None:
        return ""
    if seconds < 10:
        return f"{max(0.0, seconds):.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days} d {hours:02} h"
    if hours:
        return f"{hours} h {minutes:02} m"
    return f"{minutes} m {rest:02} s" if minutes else f"{rest} s"


def expected_status(error: BaseException) -> ExitStatus | None:
    """Say how a command ends that failed for a reason people can do something about; None: nobody foresaw it.

    Looks only at modules that are loaded: an error cannot come from another one.
    """
    for module, name, status in _EXPECTED:
        kind = getattr(sys.modules.get(module), name, None)
        if isinstance(kind, type) and isinstance(error, kind):
            return status
    return None


def silence(stream: TextIO) -> None:
    """Lead a stream that nobody reads any more to nowhere, so that its last flush raises nothing."""
    try:
        target = stream.fileno()
    except (OSError, ValueError):  # no file behind it: nothing is flushed at the end
        return
    nowhere = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.dup2(nowhere, target)
    finally:
        os.close(nowhere)


def _widths(lines: Sequence[Sequence[str]]) -> list[int]:
    return [max(cells(line[column]) for line in lines) for column in range(len(lines[0]))]


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + _GAP * (len(widths) - 1)


def _shrink(widths: list[int], least: Sequence[int], width: int) -> None:
    """Take from the widest columns, one by one, until all fit or none can give any more."""
    while _total(widths) > width:
        givers = [column for column in range(len(widths)) if widths[column] > least[column]]
        if not givers:
            return
        widths[max(givers, key=widths.__getitem__)] -= 1


def _fit(cell: str, wide: int) -> str:
    taken = cells(cell)
    if taken <= wide:
        return cell + " " * (wide - taken)
    kept, room = [], wide - 1
    for character in _SGR.sub("", cell):
        room -= _width(character)
        if room < 0:
            break
        kept.append(character)
    text = "".join(kept) + "…"
    return text + " " * (wide - cells(text))


def _width(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


PROGRAM_VARIABLE = "OPCONSOLE_PROGRAM"
"""How people call the program, where that is not its own name: a script that starts it says so."""

_BY_WEIGHT = (
    ExitStatus.STOPPED,
    ExitStatus.UNDECIDED,
    ExitStatus.BLOCKED,
    ExitStatus.FAILED,
    ExitStatus.WAITING,
    ExitStatus.USAGE,
)
_STATUS_OF = {
    RunState.WAITING: ExitStatus.WAITING,
    RunState.FAILED: ExitStatus.FAILED,
    RunState.ROLLED_BACK: ExitStatus.FAILED,
    RunState.REJECTED: ExitStatus.FAILED,
    RunState.CANCELLED: ExitStatus.FAILED,
    RunState.BLOCKED: ExitStatus.BLOCKED,
    RunState.HALTED: ExitStatus.UNDECIDED,
    RunState.INTERRUPTED: ExitStatus.UNDECIDED,
}
_EXPECTED = (
    ("opconsole.cli.output", "UsageError", ExitStatus.USAGE),
    ("opconsole.settings.errors", "SettingsError", ExitStatus.USAGE),
    ("opconsole.workspace", "UnknownProjectError", ExitStatus.USAGE),
    ("guardrails.environments", "UnknownEnvironmentError", ExitStatus.USAGE),
    ("opconsole.reading", "UnclearIdError", ExitStatus.USAGE),
    ("opconsole.journal.errors", "JournalPlaceError", ExitStatus.USAGE),
    ("opconsole.journal.errors", "JournalError", ExitStatus.FAILED),
    ("queues.rewrite", "QueueWriteError", ExitStatus.FAILED),
)
_COLOURS = {
    "succeeded": "32",
    "healthy": "32",
    "running": "36",
    "cancelling": "33",
    "preflight": "36",
    "ready": "36",
    "waiting": "33",
    "unknown": "33",
    "claimed": "33",
    "failed": "31",
    "rolled_back": "31",
    "blocked": "31",
    "rejected": "31",
    "invalid": "31",
    "unhealthy": "31",
    "halted": "1;31",
    "interrupted": "1;31",
}
_GAP = 2
_NARROWEST = 3
_SGR = re.compile(r"\x1b\[[0-9;]*m")
