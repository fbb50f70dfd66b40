"""Asks each environment's service once whether it is healthy, all of them at the same time."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from guardrails.sanitise import sanitise
from opconsole.configured_checks import check_of
from opconsole.handing import in_memory
from opconsole.health import HealthCheck, HttpCheck, probe_once
from opconsole.programs import (
    DEFAULT_PATH,
    Program,
    ProgramError,
    ProgramResult,
    clean_variables,
    run_program,
)
from opconsole.seen import Health
from opconsole.settings import SecretError, resolve_all
from opconsole.settings.secrets import Value
from opconsole.views import EnvironmentView
from opconsole.workspace import Workspace

PATIENCE = 2.0
"""Seconds that a service has for its answer; who takes longer is unknown, not unhealthy."""


@dataclass(frozen=True, slots=True)
class Probed:
    """A service's health, and in one sentence how that is known."""

    health: Health
    detail: str


async def probe_all(
    workspace: Workspace, environments: Sequence[EnvironmentView], environ: Mapping[str, str]
) -> list[Probed]:
    """Ask every environment's checks once, at the same time."""
    return list(await asyncio.gather(*(probe(workspace, view, environ) for view in environments)))


async def probe(workspace: Workspace, view: EnvironmentView, environ: Mapping[str, str]) -> Probed:
    """Ask one environment's checks once, at the same time."""
    checks = workspace.environment(view.project, view.environment).health
    if view.version is None:
        return Probed(Health.UNKNOWN, "nothing is deployed")
    if not checks:
        return Probed(Health.UNKNOWN, "no health check is configured")
    asked = await asyncio.gather(*(_ask(workspace, view, check_of(check), environ) for check in checks))
    order = (Health.UNHEALTHY, Health.UNKNOWN, Health.HEALTHY)
    return min(asked, key=lambda one: order.index(one.health))


async def _ask(
    workspace: Workspace, view: EnvironmentView, check: HealthCheck, environ: Mapping[str, str]
) -> Probed:
    async def command(argv: tuple[str, ...], seconds: float) -> ProgramResult:
        return await _run(workspace, view, argv, seconds, environ)

    try:
        async with asyncio.timeout(PATIENCE):
            found = await probe_once(check, version=view.version or "", run_command=command)
    except TimeoutError:
        return Probed(Health.UNKNOWN, f"{_who(check)}: no answer within {PATIENCE:g} s")
    except (ProgramError, SecretError, OSError, ValueError) as error:
        return Probed(Health.UNKNOWN, sanitise(str(error), single_line=True, limit=200))
    return Probed(Health.HEALTHY if found.passed else Health.UNHEALTHY, found.reason)


async def _run(
    workspace: Workspace,
    view: EnvironmentView,
    argv: tuple[str, ...],
    seconds: float,
    environ: Mapping[str, str],
) -> ProgramResult:
    project = workspace.project(view.project)
    environment = workspace.environment(view.project, view.environment)
    values: dict[str, Value] = {**project.variables, **environment.variables}
    if environment.database is not None:
        values[environment.database.variable] = environment.database.url
    resolved = await asyncio.to_thread(resolve_all, values, environ=environ, workspace=workspace.root)
    own = {
        "OPCONSOLE_PROJECT": view.project,
        "OPCONSOLE_ENVIRONMENT": view.environment,
        "OPCONSOLE_VERSION": view.version or "",
    }
    venv = workspace.project_path(view.project) / project.venv / "bin" if project.venv else None
    variables = clean_variables(
        path=f"{venv}:{DEFAULT_PATH}" if venv else DEFAULT_PATH,
        home=Path(environ["HOME"]) if environ.get("HOME") else None,
        extra={**resolved.variables, **own},
        inherited=environ,
    )
    secrets = tuple(secret.reveal() for secret in resolved.secrets)
    program = Program(argv, Path("/"), variables, seconds, secrets, grace=0.2, files=resolved.files)
    with tempfile.TemporaryDirectory(prefix="opconsole-probe-", dir=in_memory()) as folder:
        return await run_program(program, folder=Path(folder) / "step", log=Path(folder) / "log")


def _who(check: HealthCheck) -> str:
    return sanitise(check.url if isinstance(check, HttpCheck) else "its check", single_line=True, limit=200)
