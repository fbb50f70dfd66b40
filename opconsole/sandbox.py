"""Puts a project's tests and builds into bubblewrap: no network, a read-only system, their own home and /tmp.

Linux only, and only where the kernel lets ordinary users make namespaces; `problem` says why not. The
argument list is made by a pure function and run like any other program, under the shim.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from opconsole.programs import DEFAULT_PATH
from opconsole.settings.model import Sandboxed

PROBE_LIMIT = 20.0
"""Seconds that trying out bubblewrap may take."""
_PRIVATE = ("/tmp", "/var/tmp", "/run")  # noqa: S108 - they are covered, not used


@dataclass(frozen=True, slots=True)
class Sandbox:
    """What programs in it may see and write."""

    program: str
    """Where bubblewrap is."""
    writable: Path
    """The folder that they work in; all that they leave behind."""
    hidden: tuple[Path, ...] = ()
    """Folders that are empty for them: the home, with its keys, and opconsole's own state."""
    readable: tuple[Path, ...] = ()
    """What they may read although it lies in a hidden folder, such as their virtual environment."""

    def argv(self, argv: Sequence[str]) -> tuple[str, ...]:
        """Give the argument list that runs a program inside."""
        words = [self.program, "--unshare-all", "--die-with-parent", "--new-session"]
        words += ["--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc"]
        for place in (*_PRIVATE, *map(str, self.hidden)):
            words += ["--tmpfs", place]
        for path in self.readable:
            words += ["--ro-bind-try", str(path), str(path)]
        words += ["--bind", str(self.writable), str(self.writable), "--chdir", str(self.writable)]
        words += ["--setenv", "TMPDIR", "/tmp"]  # noqa: S108 - the sandbox's own
        return (*words, "--", *argv)


def make_sandbox(
    writable: Path, *, home: Path | None, state: Path, venv: Path | None, files: Path | None = None
) -> Sandbox | str:
    """Give the sandbox for programs that work in a folder; a text says why there can be none. Blocking.

    *files* is where the files with their secrets lie.
    """
    reason = problem()
    if reason:
        return reason
    hidden = tuple(path for path in (home, state) if path is not None and path.is_dir() and path != Path("/"))
    readable = () if venv is None else (venv, *_base_of(venv))
    given = () if files is None else (files,)
    return Sandbox(_program() or "bwrap", writable, hidden, (*readable, *given))


def kept_in(wanted: Sandboxed) -> str:
    """Say for a plan what tests and builds are kept in here, if anything. Blocking the first time."""
    reason = "" if wanted is Sandboxed.OFF else problem()
    if wanted is Sandboxed.OFF or reason:
        return f"none: {reason}" if reason else "none"
    return "bubblewrap: no network, a read-only system, a home and /tmp of their own"


@lru_cache(maxsize=1)
def problem() -> str:
    """Say why programs cannot be put into a sandbox here; empty where they can. Blocking the first time."""
    if not sys.platform.startswith("linux"):
        return "bubblewrap is for Linux alone"
    program = _program()
    if program is None:
        return "bubblewrap is not installed (its program is bwrap)"
    try:
        argv = Sandbox(program, Path("/var")).argv(["true"])
        done = subprocess.run(
            argv, capture_output=True, check=False, timeout=PROBE_LIMIT, env={"PATH": DEFAULT_PATH}
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"bubblewrap does not run: {error}"
    if done.returncode == 0:
        return ""
    told = done.stderr.decode("utf-8", "replace").strip().splitlines()[-1:] or [f"status {done.returncode}"]
    return f"bubblewrap does not work here: {told[0][:200]!a}"


def _program() -> str | None:
    return shutil.which("bwrap", path=DEFAULT_PATH)


def _base_of(venv: Path) -> tuple[Path, ...]:
    """Give the Python that a virtual environment was made from: without it, it is an empty shell."""
    try:
        lines = (venv / "pyvenv.cfg").read_text("utf-8", "replace").splitlines()
    except OSError:
        return ()
    values = (line.partition("=") for line in lines)
    return tuple(
        Path(value.strip()).parent for key, _, value in values if key.strip() == "home" and value.strip()
    )
