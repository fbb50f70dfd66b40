"""The SQL that a run's plan would run, written by Alembic from the run's own private copy."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from opconsole.artifacts import ContentStore, NotStoredError
from opconsole.journal.location import JournalPlace
from opconsole.journal.records import Run
from opconsole.plans import planned_migrations
from opconsole.steps import StepFailed
from opconsole.surroundings import Site
from opconsole.surveying import sql_between
from opconsole.workspace import Workspace


async def plan_sql(workspace: Workspace, place: JournalPlace, run: Run, environ: Mapping[str, str]) -> str:
    """Give the SQL of the migrations in a run's plan, forward. Raises StepFailed where it cannot be had."""
    planned = planned_migrations(run.plan)
    if run.source_digest is None or planned is None:
        raise StepFailed("its plan names no migrations")
    try:
        tree = await asyncio.to_thread(ContentStore(place.sources).path, run.source_digest)
    except NotStoredError as error:
        raise StepFailed(f"its sources are not kept any more: {error}") from error
    site = Site(workspace, environ, run.project, run.environment or "", version=run.version)
    return await sql_between(site, tree, planned.folder, planned.start, planned.end)
