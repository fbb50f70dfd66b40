"""What sentences and completion may speak of in a workspace: projects, environments, versions, ids."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Collection, Iterable

from opconsole.git import Git, GitError, GitMissingError
from opconsole.journal.records import ReleaseRow
from opconsole.reading import Reading
from opconsole.settings.model import Source
from queues.sentences.known import Known, KnownProject, Serving


async def known_of(
    reading: Reading, *, tags_of: Collection[str] = (), default_project: str | None = None
) -> Known:
    """Give what is known of a workspace. Git is asked for the tags of the projects *tags_of* alone."""
    projects = await asyncio.to_thread(_projects, reading)
    asked = [name for name in projects if name in tags_of]
    tags = await asyncio.gather(*(versions_of(reading, name) for name in asked))
    for name, versions in zip(asked, tags, strict=True):
        known = projects[name]
        projects[name] = KnownProject(
            known.name,
            known.environments,
            migrates=known.migrates,
            versions=versions,
            serving=known.serving,
            served=known.served,
            taken=known.taken,
        )
    return Known(projects, default_project)


async def versions_of(reading: Reading, project: str) -> tuple[str, ...] | None:
    """Give the versions that a git project's tags name, newest first; None where there is no git to ask."""
    settings, folder = reading.workspace.project(project), reading.workspace.project_path(project)
    if settings.source is Source.FOLDER or not await asyncio.to_thread((folder / ".git").exists):
        return None
    try:
        listed = await Git(folder, limit=TAGS_LIMIT).run(
            "for-each-ref",
            "--sort=-version:refname",
            f"--count={TAGS}",
            "--format=%(refname:strip=2)",
            "refs/tags",
        )
    except (GitError, GitMissingError):
        return None  # the run itself will say what is wrong with git
    names = listed.decode("utf-8", "replace").split("\n")
    return tuple(dict.fromkeys(name.removeprefix("v") for name in names if _TAG.fullmatch(name)))


def mentioned(text: str, projects: Iterable[str]) -> tuple[str, ...]:
    """Give the projects whose names occur in a text; all of them where none does, up to a few."""
    names = tuple(projects)
    found = tuple(name for name in names if name.lower() in text.lower())
    return found or names[:FEW]


def _projects(reading: Reading) -> dict[str, KnownProject]:
    workspace = reading.workspace
    files = reading.queue_files()
    ran: dict[str, set[str]] = {}
    for project, task in reading.reader.latest_runs() if reading.reader else ():
        ran.setdefault(project, set()).add(task)
    projects: dict[str, KnownProject] = {}
    for name, settings in workspace.settings.projects.items():
        ids = {task.id for task in files[name].tasks} | ran.get(name, set())
        ids |= {error.task for error in files[name].errors if error.task is not None}
        releases = {one: _releases(reading, name, one) for one in settings.environments}
        projects[name] = KnownProject(
            name,
            workspace.environments(name),
            migrates=settings.migrations is not None,
            serving={
                one: Serving(release.version, release.migrations_path)
                for one, rows in releases.items()
                for release in rows
                if release.current
            },
            served={
                one: tuple(dict.fromkeys(row.version for row in rows))
                for one, rows in releases.items()
                if reading.reader is not None
            },
            taken=frozenset(ids),
        )
    return projects


def _releases(reading: Reading, project: str, environment: str) -> list[ReleaseRow]:
    return reading.reader.releases(project, environment) if reading.reader else []


TAGS = 500
"""Tags that are listed at most, the newest."""
TAGS_LIMIT = 10.0
"""Seconds that git may take to list them."""
FEW = 3
"""Projects whose tags are asked for where a sentence names none."""
_TAG = re.compile(r"v?[0-9A-Za-z][0-9A-Za-z.+_-]{0,63}")
