"""Runs the programs of steps, each under its shim, and reads what became of one after any crash.

A program gets one folder, once: its lock, held by the shim for as long as anything may happen, and its exit
record. Nothing but those two files is needed to know where it stands (`trace`).
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from guardrails.sanitise import sanitise
from opconsole.handing import forget
from opconsole.masks import masked_forms
from opconsole.shim import RECORD, pid_namespace, unpack_record

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
LOCK = "lock"
FILES = "files"
ENDED = "ended"


class ProgramError(Exception):
    """A program could not be handed to its shim; nothing was started."""


@dataclass(frozen=True, slots=True)
class Program:
    """One program to run. Raises ValueError where no system could run it."""

    argv: tuple[str, ...]
    """The program and its arguments; the program is looked up on PATH of `variables`, never on ours."""
    cwd: Path
    variables: Mapping[str, str] = field(repr=False)
    """The whole environment: nothing is inherited."""
    limit: float
    """Seconds it may take, the time that the machine is suspended included."""
    secrets: tuple[str, ...] = field(default=(), repr=False)
    """Values that never reach the log, nor does any spelling of theirs (`opconsole.masks`)."""
    grace: float = 5.0
    """Seconds between TERM and KILL."""
    files: Mapping[str, str] = field(default_factory=dict, repr=False)
    """By the variable that names it to the program: what a private file holds while the program runs."""
    files_in: Path | None = None
    """The folder of those files, for this execution alone, which goes with them; None: one in its own."""

    def __post_init__(self) -> None:
        if not self.argv or not self.argv[0]:
            raise ValueError("a program needs at least its name")
        given = {**self.variables, **self.files}
        words = [*self.argv, str(self.cwd), *given.keys(), *given.values()]
        if any("\0" in word for word in words):
            raise ValueError(f"{self.argv[0]!r}: an argument, folder or variable holds a NUL character")
        if any("=" in name or not name for name in given):
            raise ValueError(f"{self.argv[0]!r}: the name of a variable is empty or holds '='")
        if not self.cwd.is_absolute():
            raise ValueError(f"{self.argv[0]!r}: the folder {self.cwd} is not absolute")
        if not (self.limit > 0 and self.grace >= 0):
            raise ValueError(f"{self.argv[0]!r}: the limit must be positive and the grace not negative")


class Ending(StrEnum):
    """How a program ended."""

    EXITED = "exited"
    SIGNALLED = "signalled"  # ended by a signal that we did not send
    TIMED_OUT = "timed-out"
    CANCELLED = "cancelled"
    NOT_STARTED = "not-started"  # missing, not executable, no folder or log for it
    INTERRUPTED = "interrupted"  # its shim is gone without a record: what it did is unknown


@dataclass(frozen=True, slots=True)
class ProgramResult:
    """What became of a program. Times are in UTC."""

    ending: Ending
    status: int | None
    signal: int | None
    started_at: datetime
    ended_at: datetime
    reason: str
    """One sentence's end for people: "exited with status 3"."""

    @property
    def ok(self) -> bool:
        """True when it ran and exited with status 0."""
        return self.ending is Ending.EXITED and self.status == 0


class TraceState(StrEnum):
    """Where a program stands, by its folder alone."""

    NOT_STARTED = "not-started"
    RUNNING = "running"
    ENDED = "ended"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True)
class StepTrace:
    """What a program's folder tells."""

    state: TraceState
    result: ProgramResult | None = None
    """There is one exactly when the state is ENDED."""


async def run_program(program: Program, *, folder: Path, log: Path) -> ProgramResult:
    """Run a program to its end. `folder` is for this one execution and must not have been used.

    When the awaiting task is cancelled, the program is stopped (TERM, after its grace KILL); CancelledError
    is raised only when it is verified that nothing of it is left. Raises ProgramError when nothing could
    be started. A process that just ends leaves the program running, for `attend` in another.
    """
    loop = asyncio.get_running_loop()
    started_at = datetime.now(UTC)
    cancelled = False
    shim: subprocess.Popen[bytes] | None = None

    def cancel() -> None:
        nonlocal cancelled
        cancelled = True
        if shim is not None:
            _tell(shim, b"cancel\n")

    try:
        shim = await _outlast(loop.run_in_executor(None, _start, program, folder, log), cancel)
    except ProgramError as error:
        if cancelled:
            raise asyncio.CancelledError from error
        raise
    if cancelled:
        _tell(shim, b"cancel\n")
    await _outlast(_exit_of(shim), cancel)
    shim.wait()
    if shim.stdin is not None:
        shim.stdin.close()
    while _is_held(folder):  # only where a descriptor leaked; but nothing may be called over before it is
        await _outlast(_later(0.05), cancel)
    if program.files:
        # The shim has taken them away, unless it was killed.
        await asyncio.to_thread(forget, _files_in(program, folder))
    if cancelled:
        raise asyncio.CancelledError
    return _read_result(folder) or ProgramResult(
        Ending.INTERRUPTED,
        None,
        None,
        started_at,
        datetime.now(UTC),
        "its shim ended without a record: what the program did is unknown",
    )


def trace(folder: Path) -> StepTrace:
    """Tell where the program of this folder stands. Opens for reading only; creates and changes nothing."""
    try:
        held = _is_held(folder)
    except (FileNotFoundError, NotADirectoryError):
        return StepTrace(TraceState.NOT_STARTED)
    if held:
        return StepTrace(TraceState.RUNNING)
    result = _read_result(folder)
    return StepTrace(TraceState.ENDED, result) if result else StepTrace(TraceState.INTERRUPTED)


async def attend(folder: Path, *, stop: bool = False) -> StepTrace:
    """Wait until a program that another process started is over; with `stop`, tell its shim to cancel first.

    Returns at once when it does not run. Cancelling the waiting task leaves the program alone.
    """
    while (now := trace(folder)).state is TraceState.RUNNING:
        pid = _shim_pid(folder)
        descriptor = _open_process(pid) if pid else None
        if descriptor is None:
            await asyncio.sleep(0.05)  # it has just begun or is just over (or this system has no pidfd)
            if stop and pid and not hasattr(os, "pidfd_open") and _is_held(folder):
                os.kill(pid, signal.SIGTERM)
                stop = False
            continue
        try:
            if not _is_held(folder):  # between the two looks the shim ended: the number may be another's
                continue
            if stop:
                signal.pidfd_send_signal(descriptor, signal.SIGTERM)
            await _readable(descriptor)
        finally:
            os.close(descriptor)
    return now


def clean_variables(
    *, path: str, home: Path | None, extra: Mapping[str, str], inherited: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Build a program's whole environment: our language, zone, user and temporary folder, and what is given.

    `path` "" means the system's folders. `home` None keeps ours. Of our own environment (or `inherited`)
    nothing else goes on: neither LD_*, PYTHON*, GIT_* nor keys of a cloud.
    """
    ours = os.environ if inherited is None else inherited
    variables = {name: value for name, value in ours.items() if _KEPT.fullmatch(name) and "\0" not in value}
    variables |= {"TERM": "dumb", "PATH": path or DEFAULT_PATH}
    if home is not None:
        variables["HOME"] = str(home)
    return variables | dict(extra)


_KEPT = re.compile(r"LANG|LANGUAGE|LC_[A-Z]+|TZ|HOME|USER|LOGNAME|TMPDIR")
_SHIM = Path(__file__).with_name("shim.py")
_T = TypeVar("_T")


def _start(program: Program, folder: Path, log: Path) -> subprocess.Popen[bytes]:
    """Lock the folder, allocate the exit record, start the shim and tell it what to run."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with contextlib.ExitStack() as stack:
            lock, ended = _claim(folder, stack)
            try:
                shim = _spawn(lock, ended)
            except OSError:
                (folder / LOCK).unlink()
                (folder / ENDED).unlink()
                raise
            _tell(shim, _describe(program, _files_in(program, folder), log, lock, ended))
            return shim
    except FileExistsError as error:
        raise ProgramError(
            f"{program.argv[0]} was not started: {folder} holds the trace of an earlier execution; "
            f"each execution needs a folder of its own"
        ) from error
    except OSError as error:
        raise ProgramError(
            f"{program.argv[0]} was not started: {error.filename or folder}: {error.strerror}; "
            f"nothing has happened: mend that and try again"
        ) from error


def _claim(folder: Path, stack: contextlib.ExitStack) -> tuple[int, int]:
    """Make the two files. The lock gets its name only when it is held: nobody can see it free before that."""
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    unnamed = folder / f"{LOCK}.{os.getpid()}.{threading.get_ident()}"
    lock = os.open(unnamed, flags | os.O_EXCL, 0o600)
    stack.callback(os.close, lock)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        (folder / LOCK).hardlink_to(unnamed)
    finally:
        unnamed.unlink()
    try:
        ended = os.open(folder / ENDED, flags | os.O_EXCL, 0o600)
        stack.callback(os.close, ended)
        os.pwrite(ended, b" " * RECORD, 0)
        os.fsync(ended)
        directory = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        stack.callback(os.close, directory)
        os.fsync(directory)
    except OSError:
        (folder / LOCK).unlink()
        raise
    return lock, ended


def _spawn(lock: int, ended: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-I", "-S", "-X", "utf8", str(_SHIM)],
        bufsize=0,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
        env={},
        pass_fds=(lock, ended),
        start_new_session=True,
    )


def _files_in(program: Program, folder: Path) -> Path:
    return program.files_in or folder / FILES


def _describe(program: Program, files_in: Path, log: Path, lock: int, ended: int) -> bytes:
    wanted = {
        "argv": program.argv,
        "cwd": str(program.cwd),
        "variables": dict(program.variables),
        "limit": program.limit,
        "grace": program.grace,
        "files": dict(program.files),
        "files_in": str(files_in),
        "secrets": masked_forms(program.secrets),
        "log": str(log),
        "lock": lock,
        "ended": ended,
    }
    return json.dumps(wanted).encode() + b"\n"


def _tell(shim: subprocess.Popen[bytes], words: bytes) -> None:
    left = memoryview(words)
    with contextlib.suppress(BrokenPipeError):  # it is gone: its folder will say what became of it
        while left and shim.stdin is not None:
            left = left[shim.stdin.write(left) :]


async def _outlast(future: asyncio.Future[_T], on_cancel: Callable[[], None]) -> _T:
    """Wait for a future through every cancellation of the waiting task."""
    while not future.done():
        try:
            await asyncio.wait([future])
        except asyncio.CancelledError:
            on_cancel()
    return future.result()


def _exit_of(process: subprocess.Popen[bytes]) -> asyncio.Future[None]:
    """Give a future for the exit, without polling and without a thread where the system has pidfds."""
    descriptor = _open_process(process.pid)
    if descriptor is not None:
        future = _readable(descriptor)
        future.add_done_callback(lambda _: os.close(descriptor))
        return future
    loop = asyncio.get_running_loop()
    future = loop.create_future()

    def wait() -> None:
        process.wait()
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody asks any more
            loop.call_soon_threadsafe(_settle, future)

    threading.Thread(target=wait, name="opconsole-exit", daemon=True).start()
    return future


def _open_process(pid: int) -> int | None:
    if not hasattr(os, "pidfd_open"):
        return None
    try:
        return os.pidfd_open(pid)
    except OSError:
        return None  # over already, or a kernel without pidfds


def _readable(descriptor: int) -> asyncio.Future[None]:
    loop = asyncio.get_running_loop()
    future: asyncio.Future[None] = loop.create_future()
    loop.add_reader(descriptor, _settle, future)
    future.add_done_callback(lambda _: loop.remove_reader(descriptor))
    return future


def _later(seconds: float) -> asyncio.Future[None]:
    loop = asyncio.get_running_loop()
    future: asyncio.Future[None] = loop.create_future()
    loop.call_later(seconds, _settle, future)
    return future


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _is_held(folder: Path) -> bool:
    descriptor = os.open(folder / LOCK, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _shim_pid(folder: Path) -> int | None:
    """Give the shim's process number; None where it is not written yet, or counts in another namespace."""
    words = (folder / LOCK).read_bytes()[:100].decode("ascii", "replace").split()
    ours = len(words) == 2 and words[0].isdigit() and words[1] == pid_namespace()
    return int(words[0]) if ours else None


def _read_result(folder: Path) -> ProgramResult | None:
    try:
        with (folder / ENDED).open("rb") as file:
            facts = unpack_record(file.read(RECORD))
    except FileNotFoundError:
        return None
    if facts is None:
        return None
    return ProgramResult(
        Ending(str(facts["ending"])),
        _number(facts["status"]),
        _number(facts["signal"]),
        datetime.fromtimestamp(float(str(facts["started_at"])), UTC),
        datetime.fromtimestamp(float(str(facts["ended_at"])), UTC),
        sanitise(str(facts["reason"]), single_line=True, limit=1000),
    )


def _number(value: object) -> int | None:
    return value if isinstance(value, int) else None
