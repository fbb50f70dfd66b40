"""Asks git which files were changed since a revision, so that a check can leave the others alone."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from guardrails.findings import CheckError

SECONDS = 60
"""How long one question to git may take."""


class ChangedError(CheckError):
    """Git cannot tell what was changed; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Changed:
    """The files that were changed, added or deleted since a revision, as absolute paths."""

    present: frozenset[Path]
    deleted: frozenset[Path]

    def holds(self, path: Path) -> bool:
        """Say whether this file, or what a link leads to, is among the changed ones."""
        return _absolute(path) in self.present or (path.is_symlink() and path.resolve() in self.present)

    def touches(self, folder: Path) -> bool:
        """Say whether a file right in this folder was changed, added or deleted."""
        inside = folder.resolve()
        return any(path.parent == inside for path in (*self.present, *self.deleted))


def changed_since(revision: str, paths: Iterable[Path], environ: Mapping[str, str] | None = None) -> Changed:
    """Give what is changed around *paths* since the commit at which *revision* and HEAD parted.

    The working tree counts as it is, with what is staged, not staged, and not tracked yet. Raises
    ChangedError where git is missing, a path is in no repository, or the revision is unknown.
    """
    program = shutil.which("git", path=(environ if environ is not None else os.environ).get("PATH"))
    if program is None:
        raise ChangedError("git is not installed, and only git knows what was changed; check without it")
    tops = {_top(program, path if path.is_dir() else path.parent, environ) for path in paths}
    present: set[Path] = set()
    deleted: set[Path] = set()
    for top in tops:
        for status, name in _changes(program, top, revision, environ):
            path = _absolute(top / name)
            (deleted if status == "D" and not path.is_symlink() and not path.exists() else present).add(path)
    return Changed(frozenset(present), frozenset(deleted))


def _top(program: str, folder: Path, environ: Mapping[str, str] | None) -> Path:
    shown = _git(program, folder, ["rev-parse", "--show-toplevel"], environ)
    if shown is None:
        raise ChangedError(f"{str(folder)!a} is in no git repository that can be read; check without it")
    return Path(os.fsdecode(shown.rstrip(b"\n"))).resolve()


def _changes(
    program: str, top: Path, revision: str, environ: Mapping[str, str] | None
) -> Iterable[tuple[str, str]]:
    verify = ["rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}"]
    commit = _git(program, top, verify, environ)
    if commit is None:
        raise ChangedError(f"git knows no revision {revision!a} in {str(top)!a}; fetch it, or name another")
    base = commit.decode().strip()
    parted = _git(program, top, ["merge-base", base, "HEAD"], environ)  # None: no history in common is here
    since = parted.decode().split()[0] if parted else base
    diff = [
        "diff",
        "--name-status",
        "-z",
        "--no-renames",
        "--no-ext-diff",
        "--ignore-submodules",
        since,
        "--",
    ]
    listed = _git(program, top, diff, environ)
    untracked = _git(program, top, ["ls-files", "--others", "--exclude-standard", "-z"], environ)
    if listed is None or untracked is None:
        raise ChangedError(f"git cannot compare {str(top)!a} with {revision!a}")
    fields = [os.fsdecode(field) for field in listed.split(b"\0") if field]
    new = [("A", os.fsdecode(name)) for name in untracked.split(b"\0") if name]
    return [*zip(fields[::2], fields[1::2], strict=True), *new]


def _git(program: str, folder: Path, words: Sequence[str], environ: Mapping[str, str] | None) -> bytes | None:
    """Give git's answer; None where it refuses. A hook's variables would lead it to another repository."""
    variables = dict(environ if environ is not None else os.environ)
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX"):
        variables.pop(name, None)
    variables |= {"GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
    argv = [program, "-c", "core.fsmonitor=false", "-c", "core.quotePath=false", "-C", str(folder), *words]
    try:
        done = subprocess.run(
            argv, env=variables, capture_output=True, stdin=subprocess.DEVNULL, timeout=SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise ChangedError(f"git gave no answer within {SECONDS} seconds in {str(folder)!a}") from error
    except OSError as error:
        raise ChangedError(f"git cannot be run: {error.strerror}") from error
    return done.stdout if done.returncode == 0 else None


def _absolute(path: Path) -> Path:
    return path.parent.resolve() / path.name
