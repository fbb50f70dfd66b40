"""Whether the programs that a run will need are there, asked before anybody is asked to approve it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from opconsole.attempt import Attempt
from opconsole.settings import targets as configured
from opconsole.steps import StepFailed
from opconsole.surroundings import Scope, search_path
from queues.tasks import TaskKind


def check_programs(attempt: Attempt) -> None:
    """Look for the programs of target, health checks and smoke tests. Raises StepFailed for a missing one.

    A relative path of a `releases` target lies in a release that is not placed yet, so it is not looked for.
    """
    if attempt.task.kind is not TaskKind.DEPLOYMENT:
        return
    target = attempt.environment.target
    _check(attempt, Scope.TARGET, programs_of_target(target), attempt.host.workspace.root)
    checks = [one.argv for one in attempt.environment.health if isinstance(one, configured.CommandCheck)]
    _check(attempt, Scope.ENVIRONMENT, [*checks, *attempt.project.smoke], None)


def programs_of_target(target: configured.Target) -> list[Sequence[str]]:
    """Give what a target starts, as far as it can be looked for before a release is placed."""
    if isinstance(target, configured.CommandTarget):
        return [argv for argv in (target.deploy, target.rollback, target.stop, target.probe) if argv]
    if isinstance(target, configured.ReleasesTarget):
        found = [argv for argv in (target.restart, target.stop) if argv]
        return [argv for argv in found if "/" not in argv[0] or argv[0].startswith("/")]
    return []


def _check(attempt: Attempt, scope: Scope, argvs: Sequence[Sequence[str]], folder: Path | None) -> None:
    path = search_path(attempt.host, attempt.run, scope)
    for argv in argvs:
        name = argv[0]
        if "/" not in name:
            if shutil.which(name, path=path) is None:
                raise StepFailed(f"the program {name!a} is not to be found; searched: {path}")
        elif name.startswith("/") or folder is not None:
            place = (folder or Path("/")) / name
            if not (place.is_file() and os.access(place, os.X_OK)):
                raise StepFailed(f"{place} is missing, or no program that may be run (chmod +x)")
