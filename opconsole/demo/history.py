"""Write the demo project's history: one commit and one tag a version, the same on every machine."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from opconsole.demo.errors import DemoError

LIMIT = 60  # seconds that one git command may take
_VERSIONS = (
    ("2.1.0", "base", "Register clinicians, their licences and renewals"),
    ("2.2.0", "2.2.0", "Say when a licence expires"),
    ("2.3.0", "2.3.0", "Ask the national registry about a licence"),
    ("2.4.0", "2.4.0", "Forget the renewals: the national registry has them"),
)


def write_history(template: Path, project: Path, git: str | None) -> None:
    """Put the project's files into ``project``: all versions as tags with git, the first one without."""
    project.mkdir(parents=True)
    if git is None:
        _overlay(template / _VERSIONS[0][1], project)
        return
    # An empty template: a hook of this machine's git would run with every commit made here.
    _git(git, project, "init", "--quiet", "--template=", "--initial-branch=main", ".")
    for version, overlay, message in _VERSIONS:
        _overlay(template / overlay, project)
        _git(git, project, "add", "--all", ".")
        _git(git, project, "commit", "--quiet", "--message", f"{message} ({version})")
        _git(git, project, "tag", "--annotate", "--message", f"credentialmate {version}", f"v{version}")


def _overlay(source: Path, project: Path) -> None:
    # copyfile and not copy2: an installed package's modes and times are not the project's.
    shutil.copytree(
        source,
        project,
        ignore=shutil.ignore_patterns("__pycache__", "*.pyc"),
        copy_function=shutil.copyfile,
        dirs_exist_ok=True,
    )


def _git(git: str, project: Path, *arguments: str) -> None:
    try:
        subprocess.run(
            [git, *_SETTINGS, *arguments],
            cwd=project,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=LIMIT,
            check=True,
        )
    except subprocess.CalledProcessError as problem:
        raise DemoError(f"git {arguments[0]} in {project} failed: {problem.stderr.strip()}") from problem
    except (OSError, subprocess.TimeoutExpired) as problem:
        raise DemoError(f"{git} {arguments[0]} in {project} could not be run: {problem}") from problem


_SETTINGS = (
    "-c", "core.hooksPath=/dev/null",
    "-c", "core.excludesFile=/dev/null",
    "-c", "core.autocrlf=false",
    "-c", "core.fileMode=false",
    "-c", "commit.gpgSign=false",
    "-c", "tag.gpgSign=false",
    "-c", "gc.auto=0",
)  # fmt: skip


def _environment() -> dict[str, str]:
    """Only what git needs: the person's own settings must not change the demo's commits."""
    who = {
        f"GIT_{role}_{field}": value
        for role in ("AUTHOR", "COMMITTER")
        for field, value in (
            ("NAME", "credentialmate"),
            ("EMAIL", "team@credentialmate.invalid"),
            ("DATE", "2026-01-05T09:00:00+00:00"),
        )
    }
    return {
        **who,
        "PATH": os.environ.get("PATH", os.defpath),
        "LC_ALL": "C.UTF-8",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
    }
