"""Where versions come from: git, the repository, its tags; and the migrations' folder and alembic.ini."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Iterator
from functools import partial

from opconsole.alembic_program import AlembicConfigError, find_config
from opconsole.doctor.base import ASKING, Check, Patient, Result, fail, fault, ok, warn
from opconsole.git import Git, GitError, GitMissingError
from opconsole.settings.model import Source
from opconsole.sources import SourceKind, is_git
from opconsole.trees import UnsafeTreeError, inside

_VERSION_TAG = re.compile(r"v?[0-9][0-9A-Za-z._+-]*")


def checks(patient: Patient) -> Iterable[Check]:
    """Give one check for each project's sources and one for its migrations."""
    for name, project in patient.workspace.settings.projects.items():
        if not patient.workspace.project_path(name).is_dir():
            continue  # the settings' group tells
        yield Check(name, partial(look_at_git, patient, name), ASKING)
        if project.migrations is not None:
            yield Check(name, partial(look_at_migrations, patient, name))


def look_at_git(patient: Patient, name: str) -> Iterator[Result]:
    """See that versions can be told."""
    folder = patient.workspace.project_path(name)
    kind = patient.workspace.project(name).source
    if kind is Source.FOLDER:
        yield ok(name, "a plain folder; its digest stands for the commit")
        return
    git = Git(folder, limit=ASKING / 2, path=patient.environ.get("PATH"))
    try:
        if not asyncio.run(is_git(git, SourceKind(kind.value))):
            yield ok(name, f"{folder} is no git repository: its digest stands for the commit")
            return
        head = asyncio.run(git.commit_of("HEAD"))
        tags = asyncio.run(git.run("tag", "--list")).decode("utf-8", "replace").split("\n")
    except GitMissingError as error:
        yield fault(name, error, "install git")
        return
    except GitError as error:
        told = "is no git repository" if not (folder / ".git").exists() else f"cannot be read by git: {error}"
        yield fail(name, f"{folder} {told}", f'git init there, or set [projects.{name}] source = "folder"')
        return
    versions = [tag for tag in tags if _VERSION_TAG.fullmatch(tag)]
    if head is None:
        yield fail(
            name, "its repository has no commit yet", "commit something: a release is made of a commit"
        )
    elif not versions:
        yield warn(
            name,
            "no tag names a version, so that only development can deploy",
            "tag the commit: git tag v1.0.0, or fetch the tags: git fetch --tags",
        )
    else:
        yield ok(name, f"git, {len(versions)} tagged versions")


def look_at_migrations(patient: Patient, name: str) -> Iterator[Result]:
    """See that folder and alembic.ini are there."""
    migrations = patient.workspace.project(name).migrations
    if migrations is None:
        return
    root, place = patient.workspace.project_path(name), f"{name} migrations"
    try:
        folder = inside(root, migrations.path)
        if not folder.is_dir():
            yield fail(
                place,
                f"the folder {migrations.path} is not in the project",
                f"set [projects.{name}.migrations] path to the folder of the revision files",
            )
            return
        config = find_config(root, migrations.path, migrations.config)
    except UnsafeTreeError as error:
        yield fault(place, error, f"set [projects.{name}.migrations] path to a folder below the project")
        return
    except AlembicConfigError as error:
        wanted = migrations.config or "alembic.ini"
        yield fail(
            place,
            str(error).partition(";")[0],
            f"add {wanted}, or set [projects.{name}.migrations] config to the file",
        )
        return
    files = [one for one in folder.iterdir() if one.suffix == ".py" and one.name != "__init__.py"]
    if not files:
        yield warn(
            place, f"{migrations.path} holds no migration", "see that it is the folder of the revision files"
        )
    else:
        yield ok(place, f"{len(files)} files, {config.relative_to(root.resolve())}")
