"""Puts a project's code into bubblewrap before its plan is approved: a read-only system, a home and /tmp.

Tests and builds have no network there, nor has what only writes SQL. What asks a database reaches that.

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


_SERVICES = tuple(map(Path, ("/run/postgresql", "/run/mysqld", "/run/systemd/resolve")))
"""What lies in a covered place and a network's programs need: databases' sockets, and how names are found."""


@dataclass(frozen=True, slots=True)
class Sandbox:
    """What programs in it may see and write."""

    program: str
    """Where bubblewrap is."""
    folder: Path
    """The folder that they work in."""
    hidden: tuple[Path, ...] = ()
    """Folders that are empty for them: the home, with its keys, and opconsole's own state."""
    readable: tuple[Path, ...] = ()
    """What they may read although it lies in a hidden folder, such as their virtual environment."""
    writable: tuple[Path, ...] = ()
    """What they may write; all that they leave behind."""
    network: bool = False

    def argv(self, argv: Sequence[str]) -> tuple[str, ...]:
        """Give the argument list that runs a program inside."""
        words = [self.program, "--unshare-all", "--die-with-parent", "--new-session"]
        if self.network:
            words.insert(2, "--share-net")
        words += ["--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc"]
        for place in (*_PRIVATE, *map(str, self.hidden)):
            words += ["--tmpfs", place]
        for path in self.readable:
            words += ["--ro-bind-try", str(path), str(path)]
        for path in self.writable:
            words += ["--bind", str(path), str(path)]
        words += ["--chdir", str(self.folder)]
        words += ["--setenv", "TMPDIR", "/tmp"]  # noqa: S108 - the sandbox's own
        return (*words, "--", *argv)


def make_sandbox(
    folder: Path,
    *,
    home: Path | None,
    state: Path,
    venv: Path | None,
    readable: Sequence[Path] = (),
    writable: Sequence[Path] = (),
    network: bool = False,
) -> Sandbox | str:
    """Give the sandbox for programs that work in a folder; a text says why there can be none. Blocking."""
    reason = problem()
    if reason:
        return reason
    hidden = tuple(path for path in (home, state) if path is not None and path.is_dir() and path != Path("/"))
    needed = () if venv is None else (venv, *_base_of(venv))
    services = _SERVICES if network else ()
    seen = (*needed, *services, *readable)
    return Sandbox(_program() or "bwrap", folder, hidden, seen, tuple(writable), network)


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
        argv = Sandbox(program, Path("/")).argv(["true"])
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
