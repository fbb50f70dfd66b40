"""Git, asked safely: argv lists only, a clean environment, nobody's settings or hooks, a time limit."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from contextlib import suppress
from pathlib import Path

GIT_LIMIT = 300.0
"""Seconds that one git command may take."""

_OVERRIDES = {
    # Settings of the repository itself that would start programs, or change what an export holds.
    "core.fsmonitor": "false",
    "core.hooksPath": "/dev/null",
    "core.attributesFile": "/dev/null",
    "core.autocrlf": "false",
    "core.pager": "cat",
    "gc.auto": "0",
    "protocol.allow": "never",
}


class GitError(Exception):
    """Git refused or failed; says which command, where, and what it printed."""


class GitMissingError(GitError):
    """The project is a git project and there is no git."""

    def __init__(self, folder: Path) -> None:
        super().__init__(
            f"git is needed for the git project at {folder} and was not found on PATH; "
            'install git, or set `source = "folder"` for the project'
        )


class Git:
    """Git commands in one project's folder."""

    def __init__(self, folder: Path, *, limit: float = GIT_LIMIT, path: str | None = None) -> None:
        """*path* is where git is looked for: a PATH; by default this process's own."""
        self.folder = folder
        self._limit = limit
        self._path = os.environ.get("PATH", os.defpath) if path is None else path

    async def run(self, *arguments: str, stdout: int = asyncio.subprocess.PIPE) -> bytes:
        """Run one command and give its standard output (empty if it goes to the descriptor *stdout*).

        Raises GitMissingError, or GitError with what git printed.
        """
        status, output, errors = await self._run(arguments, stdout)
        if status != 0:
            told = errors.decode("utf-8", "replace").strip()[-500:]
            raise GitError(f"git {arguments[0]} in {self.folder} ended with status {status}: {told!a}")
        return output

    async def commit_of(self, name: str) -> str | None:
        """Give the full id of the commit that *name* (a full ref, or HEAD) stands for; None: no such."""
        status, output, errors = await self._run(
            ("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}"),
            asyncio.subprocess.PIPE,
        )
        if status == 0:
            return output.decode().strip()
        if errors.strip():  # a name that does not exist is quiet; anything else is a fault
            told = errors.decode("utf-8", "replace").strip()[-500:]
            raise GitError(f"git rev-parse {name} in {self.folder} ended with status {status}: {told!a}")
        return None

    async def _run(self, arguments: tuple[str, ...], stdout: int) -> tuple[int, bytes, bytes]:
        program = shutil.which("git", path=self._path)
        if program is None:
            raise GitMissingError(self.folder)
        overrides = [word for key, value in _OVERRIDES.items() for word in ("-c", f"{key}={value}")]
        process = await asyncio.create_subprocess_exec(
            program,
            *overrides,
            *arguments,
            cwd=self.folder,
            env=self._environment(),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=stdout,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        try:
            async with asyncio.timeout(self._limit):
                output, errors = await process.communicate()
        except TimeoutError:
            raise GitError(
                f"git {arguments[0]} in {self.folder} took longer than {self._limit:g} s and was ended"
            ) from None
        finally:
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                await process.wait()
        return process.returncode or 0, output or b"", errors

    def _environment(self) -> dict[str, str]:
        # The workspace's settings name this folder, and they are trusted: that it belongs to another user
        # (a service's checkout, seen as root) is no reason to refuse. safe.directory is heeded only from
        # the command's scope, which these variables are.
        return {
            "PATH": self._path,
            "HOME": "/nonexistent",
            "LC_ALL": "C",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "safe.directory",
            "GIT_CONFIG_VALUE_0": "*",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_OPTIONAL_LOCKS": "0",
            "GIT_NO_REPLACE_OBJECTS": "1",
            "GIT_NO_LAZY_FETCH": "1",
            "GIT_ATTR_NOSYSTEM": "1",
            "GIT_LITERAL_PATHSPECS": "1",
        }
