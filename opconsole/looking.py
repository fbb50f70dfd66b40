"""Looking around: asking target and database how they stand when a run got stuck and a person decides."""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
from pathlib import Path

from opconsole.artifacts import StoreError
from opconsole.clock import iso
from opconsole.host import Host
from opconsole.journal import ops
from opconsole.journal.errors import JournalError
from opconsole.journal.records import Phase, Run
from opconsole.known import KnownFacts
from opconsole.logs import append_note
from opconsole.migrating import MigrationFiles
from opconsole.migration_database import surely
from opconsole.plans import planned_migrations
from opconsole.step_runner import Planned, StepRunner
from opconsole.steps import Step, StepContext, StepFailed, StepInterrupted, StepKind
from opconsole.surroundings import Scope, Site
from opconsole.targeting import target_of
from queues.tasks import TaskKind

LOOK_LIMIT = 60.0
"""Seconds for each program that is asked."""


async def look_again(host: Host, run: Run) -> None:
    """Ask target and database, and keep with the run what they said. Whatever fails is part of the answer."""
    known = await look(host, run)
    with contextlib.suppress(JournalError):  # somebody decided meanwhile, or the disk is full
        told = ops.event(host.clock.now(), "known", run.project, task=run.task, run=run.id)
        await host.journal.commit(ops.update_run(run.id, run.epoch, known=known.to_json()), told)


async def look(host: Host, run: Run) -> KnownFacts:
    """Ask target and database how they stand; changes nothing."""
    facts: dict[str, str | None] = {}
    if run.kind in (TaskKind.DEPLOYMENT, TaskKind.ROLLBACK):
        facts |= await _target(host, run)
    if planned := planned_migrations(run.plan):
        facts |= await _database(host, run, planned.folder)
    return KnownFacts(at=iso(host.clock.now()) or "", **facts)  # type: ignore[arg-type]  # all are texts


async def _target(host: Host, run: Run) -> dict[str, str | None]:
    try:
        target = await target_of(host, run)
        state = await target.probe(await _looker(host, run, Scope.TARGET))
    except asyncio.CancelledError:
        raise
    except Exception as fault:  # noqa: BLE001 (a target that cannot be asked is what the person must know)
        return {"target": f"not known: {fault}"}
    if not state.known:
        return {"target": f"not known: {state.detail}", "release": state.release, "holder": state.holder}
    return {
        "release": state.release,
        "version": state.version,
        "target": state.detail,
        "holder": state.holder,
    }


async def _database(host: Host, run: Run, folder: str) -> dict[str, str | None]:
    try:
        site = Site.of(host, run)
        stored = await host.sources.verify(run.source_digest or "")
        files = MigrationFiles(site, stored.path, folder)
        revision = await files.revision_now(await _looker(host, run, Scope.ENVIRONMENT), LOOK_LIMIT)
        config = (await files.path(revision, revision)).config
        fingerprint = await surely(site, config, lambda database: database.fingerprint())
    except (StepFailed, StepInterrupted, StoreError, ValueError, OSError, KeyError) as fault:
        return {"database": f"not known: {fault}"}
    before = await asyncio.to_thread(_before, host.run_folder(run.id) / "steps")
    return {"revision": revision, "fingerprint": fingerprint, "fingerprint_before": before}


def _before(steps: Path) -> str | None:
    """Give the fingerprint that the run's latest migration began with; it is kept beside the step."""
    for path in sorted(steps.glob("*-migrate*.schema.json"), reverse=True):
        found = json.loads(path.read_text("utf-8"))["found"]
        return found if isinstance(found, str) else None
    return None


async def _looker(host: Host, run: Run, scope: Scope) -> StepContext:
    runner = _Looker(host, run, _planned(scope), note=lambda text: _note(host, run, text), again=False)
    await runner.prepare()
    return runner


def _note(host: Host, run: Run, text: str) -> None:
    with contextlib.suppress(OSError):  # on a full disk the line is lost
        append_note(host.log(run.id), text)


def _planned(scope: Scope) -> Planned:
    async def nothing(context: StepContext) -> None:
        del context

    step = Step("look", StepKind.REPEATABLE, "Look around", None, LOOK_LIMIT, nothing)
    return Planned(0, Phase.PREFLIGHT, scope, step)


class _Looker(StepRunner):
    """Runs programs that only ask; their traces are not those of the run's steps."""

    def _folder(self) -> Path:
        return self._host.run_folder(self._run_of.id) / "looks" / secrets.token_hex(6)
