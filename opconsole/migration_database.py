"""The database of a migration: found by the settings at the last moment, and asked in a thread."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from opconsole.databases import Database, DatabaseError, SessionRules, database_identity, open_database
from opconsole.settings.secrets import SecretError
from opconsole.steps import StepFailed
from opconsole.surroundings import Scope, Site

T = TypeVar("T")


def name_of_database(site: Site, config: Path) -> str:
    """Name the environment's database, without user and password. Raises StepFailed where there is none.

    Alembic resolves a relative SQLite path in the folder that it runs in, which is that of *config*.
    """
    url, _ = _url(site)
    try:
        return database_identity(url, config.parent)
    except ValueError as error:
        raise _unusable(site, error) from error


async def ask_database(site: Site, config: Path, question: Callable[[Database], T]) -> T:
    """Ask the environment's database something, in a thread. Raises DatabaseError or StepFailed.

    The URL is resolved now and forgotten with the answer.
    """

    def ask() -> T:
        url, variables = _url(site)
        try:
            database = open_database(url, config.parent, variables)
        except ValueError as error:
            raise _unusable(site, error) from error
        return question(database)

    return await asyncio.to_thread(ask)


async def surely(site: Site, config: Path, question: Callable[[Database], T]) -> T:
    """Do the same where a step cannot go on without the answer. Raises StepFailed."""
    try:
        return await ask_database(site, config, question)
    except DatabaseError as error:
        raise StepFailed(str(error), retryable=error.retryable) from error


def session_rules(site: Site, limit: float) -> SessionRules:
    """Give what the sessions of a migration are held to; *limit* is the step's, in seconds."""
    configured = site.settings.migrations
    if configured is None:
        return SessionRules(lock_timeout=30, statement_timeout=limit, client_check=2)
    statement = limit if configured.statement_timeout is None else configured.statement_timeout
    return SessionRules(configured.lock_timeout, statement, configured.client_check)


def own_variables(site: Site) -> dict[str, str]:
    """Give the variables that the migrating program has anyway. Blocks; raises StepFailed."""
    return _url(site)[1]


def _url(site: Site) -> tuple[str, dict[str, str]]:
    database = site.settings.environments[site.environment].database
    if database is None:
        raise StepFailed(
            f"no database is configured for {site.environment} of {site.project}; set "
            f"[projects.{site.project}.environments.{site.environment}.database] url in opconsole.toml"
        )
    try:
        variables = dict(site.surroundings(Scope.ENVIRONMENT).variables)
    except SecretError as error:
        raise StepFailed(f"the database of {site.environment}: {error}") from error
    return variables[database.variable], variables


def _unusable(site: Site, error: ValueError) -> StepFailed:
    return StepFailed(f"the database of {site.environment}: {error}")
