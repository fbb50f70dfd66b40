"""Runs the program that prints a secret: without a shell, with a time limit, and nobody sees its output."""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

COMMAND_LIMIT = 30.0
"""Seconds that a program may take to print a secret."""

_STRAY = ("LD_", "DYLD_", "PYTHON", "PERL", "RUBY", "NODE_", "GIT_", "BASH_", "OPCONSOLE_")
_STRAY_NAMES = frozenset({"ENV", "IFS", "CDPATH", "GLOBIGNORE", "JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS"})


class SecretCommandError(Exception):
    """The program gave no secret; says why, and nothing of what it printed."""


def output_of(
    argv: Sequence[str],
    *,
    environ: Mapping[str, str],
    workspace: Path,
    most: int,
    limit: float = COMMAND_LIMIT,
) -> bytes:
    """Give what a program prints, at most one byte more than *most*. Blocking; raises SecretCommandError.

    It runs in the workspace's folder with the variables that opconsole was started with, for its own sign-in
    is there; what would change the loader, an interpreter or git is left out. What it prints on its error
    stream may hold the secret as well, so nobody gets to see that.
    """
    program = _found(argv[0], environ, workspace)
    try:
        process = subprocess.Popen(
            [program, *argv[1:]],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=workspace,
            env=command_variables(environ),
            start_new_session=True,  # without a terminal it asks nobody
        )
    except OSError as error:
        raise SecretCommandError(f"{argv[0]!a} could not be run ({error.strerror})") from None
    try:
        output = _read(process, most + 1, time.monotonic() + limit)
        if output is None:
            raise SecretCommandError(f"{argv[0]!a} took longer than {limit:g} s")
        status = 0 if len(output) > most else process.wait(timeout=limit)
    except subprocess.TimeoutExpired:
        raise SecretCommandError(f"{argv[0]!a} did not end within {limit:g} s") from None
    finally:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)  # what it may have left behind, too
        if process.stdout is not None:
            process.stdout.close()
        process.wait()
    if status:
        raise SecretCommandError(f"{argv[0]!a} ended with status {status}")
    return output


def command_variables(environ: Mapping[str, str]) -> dict[str, str]:
    """Give the variables of such a program: ours, without what would change what it is."""
    return {
        name: value
        for name, value in environ.items()
        if not name.startswith(_STRAY) and name not in _STRAY_NAMES and "\0" not in value
    }


def _found(name: str, environ: Mapping[str, str], workspace: Path) -> str:
    if "/" in name:
        return str(workspace / name)
    folders = [entry for entry in environ.get("PATH", os.defpath).split(":") if entry.startswith("/")]
    found = shutil.which(name, path=":".join(folders))
    if found is None:
        raise SecretCommandError(f"{name!a} was not found on PATH")
    return found


def _read(process: subprocess.Popen[bytes], most: int, deadline: float) -> bytes | None:
    """Read until the end or so many bytes; None when the time is up."""
    assert process.stdout is not None  # noqa: S101 (it was asked for)
    descriptor = process.stdout.fileno()
    output = bytearray()
    while len(output) < most:
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([descriptor], [], [], left)[0]:
            return None
        part = os.read(descriptor, most - len(output))
        if not part:
            break
        output += part
    return bytes(output)
