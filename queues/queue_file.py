"""Reads work queue files: every usable task, and one error (line, field, found, allowed) for each fault."""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import stat
from codecs import BOM_UTF8
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import aiofiles

from guardrails.environments import STANDARD, GateKind
from guardrails.trusted import distrust
from queues.collector import collector_paused
from queues.json_text import Finder, Lines
from queues.queue_parser import MAX_BYTES, Fault, FileFaultError, Parsed, decode, parse_data
from queues.tasks import FileStatus, Task

MAX_ERRORS = 10_000
"""Errors of one file that are told one by one; one more counts the rest."""


@dataclass(frozen=True, slots=True)
class QueueFileError:
    """One fault of a work queue file. What it quotes is short and printable ASCII."""

    file: str
    line: int
    """From 1."""
    task: str | None
    """The id, where the fault is in a task that has a readable one."""
    field: str
    found: str
    allowed: str
    message: str


@dataclass(frozen=True, slots=True)
class QueueFile:
    """A work queue file as it was read: its usable tasks, and what is wrong with the rest."""

    name: str
    project: str
    """Empty when neither the file nor its name says one; then there are no tasks."""
    list_key: str = "features"
    """The key of the list of tasks: ``features`` or ``tasks``."""
    tasks: tuple[Task, ...] = ()
    """In the order of the file, tasks of other kinds among them."""
    errors: tuple[QueueFileError, ...] = ()
    """In the order of the file's lines."""
    digest: str = ""
    """``sha256:…`` of the file's bytes; empty when they could not be read."""
    complete_word: str = "complete"
    """How the file spells it: ``complete`` or ``completed``."""
    bom: bool = False
    path: Path | None = None
    unusable: bool = False
    """The file as a whole cannot be used: it cannot be read, or is no queue of this project."""


def read_queue(
    path: Path, *, project: str | None = None, environments: Mapping[str, GateKind] = STANDARD
) -> QueueFile:
    """Read a work queue file. Whatever is wrong with it, even that it is not there, is among its errors."""
    try:
        data = read_bytes(path)
    except FileFaultError as fault:
        return _unreadable(path, project, fault)
    return parse_queue(data, name=str(path), project=project, environments=environments, path=path)


async def load_queue(
    path: Path, *, project: str | None = None, environments: Mapping[str, GateKind] = STANDARD
) -> QueueFile:
    """Read a work queue file as `read_queue` does, without holding up the event loop."""
    try:
        async with aiofiles.open(path, "rb", opener=_open) as file:
            _check(os.fstat(file.fileno()), _folder_of(path))
            data = await file.read(MAX_BYTES + 1)
    except OSError as error:
        return _unreadable(path, project, _cannot_read(error))
    except FileFaultError as fault:
        return _unreadable(path, project, fault)
    if len(data) < _QUICK:
        return parse_queue(data, name=str(path), project=project, environments=environments, path=path)
    return await asyncio.to_thread(
        parse_queue, data, name=str(path), project=project, environments=environments, path=path
    )


def parse_queue(
    data: bytes,
    *,
    name: str,
    project: str | None = None,
    environments: Mapping[str, GateKind] = STANDARD,
    path: Path | None = None,
) -> QueueFile:
    """Read the bytes of a work queue file called *name*; *project* is the one that it must be of."""
    expected = project or project_of(name)
    digest = "sha256:" + hashlib.sha256(data).hexdigest()
    try:
        with collector_paused():
            parsed = parse_data(data, expected, environments)
    except FileFaultError as fault:
        errors = (_file_error(name, data, fault),)
        return QueueFile(name, expected or "", errors=errors, digest=digest, path=path, unusable=True)
    return QueueFile(
        name,
        parsed.project,
        parsed.list_key,
        parsed.tasks,
        _errors(name, decode(data), parsed) if parsed.faults else (),
        digest,
        complete_word(parsed.tasks),
        data.startswith(BOM_UTF8),
        path,
    )


def project_of(name: str) -> str | None:
    """Give the project that a file called ``work_queue_<project>.json`` is for, else None."""
    match = _FILE_NAME.fullmatch(name.rpartition("/")[2])
    return match[1] if match else None


def complete_word(tasks: Sequence[Task]) -> str:
    """Tell which spelling of complete the tasks' file uses more; "complete" when in doubt."""
    words = [task.status for task in tasks]
    long, short = words.count(FileStatus.COMPLETED), words.count(FileStatus.COMPLETE)
    return "completed" if long > short else "complete"


def read_bytes(path: Path) -> bytes:
    """Read the bytes of a queue file; raises FileFaultError when it is none, or others may write it."""
    try:
        with open(_open(str(path), os.O_RDONLY), "rb") as file:
            _check(os.fstat(file.fileno()), _folder_of(path))
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise _cannot_read(error) from error


def _open(path: str, flags: int) -> int:
    # Without O_NONBLOCK a named pipe in the file's place would hang whoever opens it.
    return os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC)


def _folder_of(path: Path) -> os.stat_result:
    return Path(os.path.realpath(path)).parent.stat()  # where a link leads to: there it could be replaced


def _check(status: os.stat_result, folder: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise FileFaultError("file", "not a regular file", "a regular file")
    doubt = distrust(status, folder, user=os.geteuid())
    if doubt is not None:
        raise FileFaultError("file", doubt.found, f"{doubt.allowed} ({doubt.remedy})")
    if status.st_size > MAX_BYTES:
        raise FileFaultError("file", f"{status.st_size:,} bytes", f"at most {MAX_BYTES:,}")


def _cannot_read(error: OSError) -> FileFaultError:
    return FileFaultError("file", f"cannot be read: {error.strerror or error}", "a readable file")


def _unreadable(path: Path, project: str | None, fault: FileFaultError) -> QueueFile:
    name = str(path)
    errors = (_file_error(name, b"", fault),)
    return QueueFile(name, project or project_of(name) or "", errors=errors, path=path, unusable=True)


def _file_error(name: str, data: bytes, fault: FileFaultError) -> QueueFileError:
    line = fault.line or (Lines(decode(data)).number(fault.offset) if fault.offset else 1)
    message = f"{fault.field}: {fault.found}; allowed: {fault.allowed}"
    return QueueFileError(name, line, None, fault.field, fault.found, fault.allowed, message)


def _errors(name: str, text: str, parsed: Parsed) -> tuple[QueueFileError, ...]:
    """Look up the lines of the faults: the slow pass, over the text itself."""
    lines, finder = Lines(text), Finder(text)
    faults = parsed.faults[:MAX_ERRORS]
    with collector_paused():
        errors = [_error(name, lines, finder, fault) for fault in faults]
    errors.sort(key=lambda error: error.line)
    if len(parsed.faults) > len(faults):
        rest = f"{len(parsed.faults) - len(faults):,} more faults"
        errors.append(QueueFileError(name, errors[-1].line, None, "file", rest, "none", f"file: {rest}"))
    return tuple(errors)


def _error(name: str, lines: Lines, finder: Finder, fault: Fault) -> QueueFileError:
    line = lines.number(finder.place(fault.path))
    message = f"{fault.field}: {fault.found}; allowed: {fault.allowed}"
    if fault.twin is not None:
        first = lines.number(finder.place((fault.path[0], fault.twin, "id")))
        message = f"id: {fault.found} on line {line} is already the id of the task on line {first}"
    elif fault.found == "a duplicate key":
        message = f"{fault.field}: the key occurs again on line {line}; allowed: {fault.allowed}"
    return QueueFileError(name, line, fault.task, fault.field, fault.found, fault.allowed, message)


_QUICK = 128 * 1024  # bytes that are parsed in a few milliseconds
_FILE_NAME = re.compile(r"work_queue_(.+)\.json")
