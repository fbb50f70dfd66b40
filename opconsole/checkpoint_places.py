"""Where checkpoints are kept: a file that is appended to, and a branch of a git remote that only grows."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from opconsole.checkpoints import MAX_LINE

GIT_LIMIT = 120.0
"""Seconds that one git command may take; remotes are slow."""
MAX_BYTES = 16 * 1024 * 1024
"""What a file of checkpoints may hold; more is another file by mistake."""
LOCAL = "checkpoints.jsonl"
"""The file beside the journal that remembers the checkpoints made here."""
_FILE = "checkpoints.jsonl"


class CheckpointPlaceError(Exception):
    """A checkpoint could not be written or read; says where, why and what to do."""


def append_to_file(path: Path, line: str) -> None:
    """Append a line durably; what is there is never changed. Blocking."""
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        descriptor = os.open(path, flags, 0o644)
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise CheckpointPlaceError(f"{path} is not a file; name a file for checkpoints")
            os.write(descriptor, line.encode("ascii"))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise CheckpointPlaceError(
            f"the checkpoint could not be written to {path}: {error.strerror}"
        ) from error


def read_from_file(path: Path) -> list[str]:
    """Give the lines of a file of checkpoints; none where there is no such file yet. Blocking."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise CheckpointPlaceError(f"{path} cannot be read: {error.strerror}") from error
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise CheckpointPlaceError(f"{path} is not a file of checkpoints")
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise CheckpointPlaceError(
            f"{path} is larger than {MAX_BYTES} bytes, so it is no file of checkpoints"
        )
    return _lines(content)


class GitPlace:
    """A branch of a git remote, ``opconsole-audit/<journal>``; no copy of it stays here."""

    def __init__(self, remote: str, journal: str, environ: Mapping[str, str]) -> None:
        if not remote or remote.startswith("-") or "::" in remote or not remote.isprintable():
            raise CheckpointPlaceError(f"{remote!a} is no git remote; name a URL or a path")
        self._remote = remote
        self._branch = f"refs/heads/opconsole-audit/{journal}"
        kept = {name: environ[name] for name in ("HOME", "SSH_AUTH_SOCK", "USER") if environ.get(name)}
        self._environ = {
            "PATH": os.environ.get("PATH", os.defpath),
            "LC_ALL": "C",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_ALLOW_PROTOCOL": "file:git:http:https:ssh",
            "GIT_AUTHOR_NAME": "opconsole",
            "GIT_AUTHOR_EMAIL": "opconsole@localhost",
            "GIT_COMMITTER_NAME": "opconsole",
            "GIT_COMMITTER_EMAIL": "opconsole@localhost",
            **kept,
        }

    def append(self, line: str, seq: int) -> None:
        """Push one more commit with the line at the end of its file; never over anybody's. Blocking."""
        with tempfile.TemporaryDirectory(prefix="opconsole-checkpoint-") as folder:
            before, content = self._fetch(folder)
            blob = self._git(folder, "hash-object", "-w", "--stdin", give=content + line.encode("ascii"))
            tree = self._git(folder, "mktree", give=b"100644 blob " + blob.strip() + f"\t{_FILE}\n".encode())
            parent = ("-p", before) if before else ()
            message = f"Audit checkpoint at entry {seq}"
            commit = self._git(folder, "commit-tree", *parent, "-m", message, tree.decode().strip())
            wanted = f"{commit.decode().strip()}:{self._branch}"
            self._git(folder, "push", "--quiet", "--end-of-options", self._remote, wanted)

    def lines(self) -> list[str]:
        """Give the lines that the remote has. Blocking."""
        with tempfile.TemporaryDirectory(prefix="opconsole-checkpoint-") as folder:
            return _lines(self._fetch(folder)[1])

    def _fetch(self, folder: str) -> tuple[str, bytes]:
        """Give the branch's commit at the remote ("" where there is none) and its file's content."""
        self._git(folder, "init", "--quiet", "--bare", ".")
        there = (
            self._git(folder, "ls-remote", "--end-of-options", self._remote, self._branch).decode().split()
        )
        if not there:
            return "", b""
        self._git(folder, "fetch", "--quiet", "--depth=1", "--end-of-options", self._remote, self._branch)
        size = int(self._git(folder, "cat-file", "-s", f"FETCH_HEAD:{_FILE}"))
        if size > MAX_BYTES:
            raise CheckpointPlaceError(f"{self._remote} has a {_FILE} of {size} bytes, which is not ours")
        commit = self._git(folder, "rev-parse", "FETCH_HEAD").decode().strip()
        return commit, self._git(folder, "cat-file", "blob", f"FETCH_HEAD:{_FILE}")

    def _git(self, folder: str, *words: str, give: bytes = b"") -> bytes:
        program = shutil.which("git", path=self._environ["PATH"])
        if program is None:
            raise CheckpointPlaceError("git was not found on PATH; install it, or keep checkpoints in a file")
        try:
            done = subprocess.run(
                [program, "-c", "core.hooksPath=/dev/null", "-c", "commit.gpgSign=false", *words],
                cwd=folder,
                env=self._environ,
                input=give,
                capture_output=True,
                check=False,
                timeout=GIT_LIMIT,
                start_new_session=True,  # no terminal: ssh asks for no password
            )
        except subprocess.TimeoutExpired:
            raise CheckpointPlaceError(
                f"git {words[0]} with {self._remote} took over {GIT_LIMIT:g} s"
            ) from None
        if done.returncode:
            told = done.stderr.decode("utf-8", "replace").strip()[-300:]
            raise CheckpointPlaceError(f"git {words[0]} with {self._remote} failed: {told!a}")
        return done.stdout


def _lines(content: bytes) -> list[str]:
    return [line[: MAX_LINE + 1].decode("utf-8", "replace") for line in content.split(b"\n") if line]
