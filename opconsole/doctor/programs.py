"""The programs that runs will need: virtual environments, test, build, smoke, restart, health, Alembic."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path

from opconsole.databases.address import address_of
from opconsole.doctor.base import ASKING, Check, Level, Patient, Result, fail, ok
from opconsole.program_check import programs_of_target
from opconsole.programs import clean_variables
from opconsole.settings.model import Project
from opconsole.settings.targets import CommandCheck
from opconsole.surroundings import Scope, Site

DRIVERS = {
    "postgresql": "psycopg2",
    "mysql": "MySQLdb",
    "mariadb": "MySQLdb",
    "mssql": "pyodbc",
    "oracle": "oracledb",
}
"""The module that SQLAlchemy takes where a URL names no driver."""

MODULES = {"psycopg_async": "psycopg", "mysqldb": "MySQLdb", "pysqlite": "sqlite3", "": ""}
"""Drivers of URLs whose module has another name."""

_OWN = ("test", "build", "smoke")


def checks(patient: Patient) -> Iterable[Check]:
    """Give the checks: one for a project, one for each environment, one for its Alembic."""
    for name, project in patient.workspace.settings.projects.items():
        yield Check(name, partial(look_at_project, patient, name))
        if project.migrations is not None:
            yield Check(name, partial(look_at_alembic, patient, name), ASKING)
        for place in project.environments:
            yield Check(
                f"{name} {place}",
                partial(look_at_environment, patient, name, place),
            )


def look_at_project(patient: Patient, name: str) -> Iterator[Result]:
    """Look for the programs of tests, builds and smoke tests."""
    project = patient.workspace.project(name)
    folder = patient.workspace.project_path(name)
    if project.venv is not None and not (folder / project.venv / "bin" / "python").exists():
        yield fail(
            f"{name} venv",
            f"the virtual environment {folder / project.venv} is missing or has no python",
            f"make it: python3 -m venv {folder / project.venv}, and install the project's needs into it",
        )
    path = _site(patient, name, "").search_path(Scope.PROJECT)
    yield from _look_for(
        name,
        {"test": project.test, "build": project.build, "smoke": project.smoke},
        path,
        folder,
        f"[projects.{name}]",
    )


def look_at_environment(patient: Patient, name: str, place: str) -> Iterator[Result]:
    """Look for the programs of the target and the health checks."""
    environment = patient.workspace.environment(name, place)
    site, root = _site(patient, name, place), patient.workspace.root
    where, table = f"{name} {place}", f"[projects.{name}.environments.{place}]"
    venv = getattr(environment.target, "venv", None)
    if venv is not None and not (root / venv / "bin").is_dir():
        yield fail(
            where,
            f"the target's virtual environment {root / venv} is missing",
            f"make it, or mend {table} target.venv",
        )
    argvs = programs_of_target(environment.target)
    yield from _look_for(where, {"target": argvs}, site.search_path(Scope.TARGET), root, table)
    health = [one.argv for one in environment.health if isinstance(one, CommandCheck)]
    yield from _look_for(where, {"health": health}, site.search_path(Scope.ENVIRONMENT), None, table)


def look_at_alembic(patient: Patient, name: str) -> Iterator[Result]:
    """Ask the project's interpreter for Alembic and the databases' drivers; nothing is imported."""
    project = patient.workspace.project(name)
    path = _site(patient, name, "").search_path(Scope.PROJECT)
    python, place = shutil.which("python", path=path), f"{name} alembic"
    if python is None:
        yield fail(
            place,
            f"the program 'python' that runs Alembic is not to be found; searched: {path}",
            f"set [projects.{name}] venv to the project's virtual environment",
        )
        return
    wanted = {"alembic", *_drivers(project)}
    missing = sorted(one for one in wanted if not _has(python, one, path))
    for one in missing:
        package = {"MySQLdb": "mysqlclient", "psycopg2": "psycopg2-binary"}.get(one, one)
        why = "" if one == "alembic" else ", the driver of a database's URL"
        yield fail(place, f"{python} has no {one}{why}", f"{python} -m pip install {package}")
    if not missing:
        yield ok(place, f"{python} has {', '.join(sorted(wanted))}")


def missing(argv: Sequence[str], path: str, folder: Path | None) -> str | None:
    """Say why a program could not be started; None where it can, or where it lies in a release to come."""
    name = argv[0]
    if "/" not in name:
        found = shutil.which(name, path=path)
        return None if found else f"the program {name!a} is not to be found; searched: {path}"
    if folder is None and not name.startswith("/"):
        return None
    file = (folder or Path("/")) / name
    if not file.is_file():
        return f"the program {file} is missing"
    return None if os.access(file, os.X_OK) else f"{file} may not be run"


def _look_for(
    place: str,
    programs: dict[str, Sequence[Sequence[str]]],
    path: str,
    folder: Path | None,
    table: str,
) -> Iterator[Result]:
    for key, argvs in programs.items():
        for argv in argvs:
            text = missing(argv, path, folder)
            if text is None:
                yield ok(place, f"{key}: {argv[0]}")
            else:
                fix = (
                    "chmod +x it"
                    if text.endswith("may not be run")
                    else f"install it, set venv to where it is, or mend {key} in {table}"
                )
                # A file of the project may be in the version's commit and not in the folder just now.
                own = key in _OWN and "/" in argv[0] and not argv[0].startswith("/")
                level = Level.WARN if own else Level.FAIL
                yield Result(place, level, f"{key}: {text}", fix)


def _drivers(project: Project) -> Iterator[str]:
    for environment in project.environments.values():
        url = environment.database.url if environment.database else None
        if not isinstance(url, str):
            continue  # what a secret holds is not looked at here
        try:
            address = address_of(url)
        except ValueError:
            continue  # the databases' group tells
        module = MODULES.get(address.driver, address.driver) or DRIVERS.get(address.scheme, "")
        if module.isidentifier() and module != "sqlite3":
            yield module


def _has(python: str, module: str, path: str) -> bool:
    code = "import importlib.util, sys; sys.exit(importlib.util.find_spec(sys.argv[1]) is None)"
    done = subprocess.run(
        [python, "-I", "-c", code, module],
        env=clean_variables(path=path, home=None, extra={}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=ASKING / 3,
        check=False,
    )
    return done.returncode == 0


def _site(patient: Patient, project: str, environment: str) -> Site:
    return Site(patient.workspace, patient.environ, project, environment)
