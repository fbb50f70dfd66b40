"""The databases: whether each can be asked, and with what is installed here."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

from opconsole.alembic_program import AlembicConfigError, find_config
from opconsole.databases import (
    DatabaseError,
    DriverMissingError,
    database_identity,
    open_database,
    sqlite_file,
)
from opconsole.doctor.base import ASKING, Check, Patient, Result, fail, ok, warn
from opconsole.settings.secrets import SecretError
from opconsole.surroundings import Scope, Site
from opconsole.trees import UnsafeTreeError


def checks(patient: Patient) -> Iterable[Check]:
    """Give one check for each environment with a database."""
    for name, project in patient.workspace.settings.projects.items():
        for place, environment in project.environments.items():
            if environment.database is not None:
                yield Check(
                    f"{name} {place}",
                    partial(look, patient, name, place),
                    ASKING,
                )
            elif project.migrations is not None:
                yield Check(
                    f"{name} {place}",
                    partial(_none, name, place),
                )


def look(patient: Patient, name: str, place: str) -> Iterator[Result]:
    """Ask a database whether it can be asked."""
    site = Site(patient.workspace, patient.environ, name, place)
    where, table = f"{name} {place}", f"[projects.{name}.environments.{place}.database]"
    configured = patient.workspace.environment(name, place).database
    if configured is None:
        return
    try:
        variables = site.surroundings(Scope.ENVIRONMENT).variables
    except SecretError:
        yield warn(where, "not asked: a secret that it needs cannot be read", "see the fix of the secret")
        return
    url, base = variables[configured.variable], _base(patient, name)
    try:
        identity = database_identity(url, base)
        database = open_database(url, base, variables)
    except ValueError as error:
        yield fail(where, str(error).partition(";")[0], f"mend url in {table}")
        return
    file = sqlite_file(identity)
    if file is not None and not file.exists():
        yield from _without_file(where, file, table)
        return
    try:
        database.check()
    except DriverMissingError as error:
        yield fail(where, f"{identity}: {str(error).partition(';')[0]}", str(error).partition("; ")[2])
    except DatabaseError as error:
        yield fail(
            where,
            str(error),
            f"see that it runs, can be reached from here, and takes that password; or mend url in {table}",
        )
    else:
        yield ok(where, f"{identity} answers")
        if database.caution:
            yield warn(
                where, database.caution, "know it before you migrate there; docs/migrations.md tells more"
            )


def _without_file(where: str, file: Path, table: str) -> Iterator[Result]:
    if file.parent.is_dir() and os.access(file.parent, os.W_OK | os.X_OK):
        yield ok(where, f"{file} will be made by the first migration")
    else:
        yield fail(
            where,
            f"the database {file} is missing, and so is its folder, or it cannot be written",
            f"mkdir -p {file.parent} as the worker's user, or mend url in {table}",
        )


def _base(patient: Patient, name: str) -> Path:
    """Give where a relative SQLite path begins: Alembic runs in the folder of its alembic.ini."""
    root, migrations = patient.workspace.project_path(name), patient.workspace.project(name).migrations
    if migrations is not None:
        with suppress(AlembicConfigError, UnsafeTreeError):  # the sources' group tells
            return find_config(root, migrations.path, migrations.config).parent
    return root


def _none(name: str, place: str) -> Iterator[Result]:
    yield warn(
        f"{name} {place}",
        "the project has migrations, and no database is configured here",
        f"set [projects.{name}.environments.{place}.database] url, if it has one",
    )
