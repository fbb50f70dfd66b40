"""Drift: whether an environment runs what the journal says, by the word of its target. Nothing is changed."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from guardrails.sanitise import sanitise
from opconsole.handing import in_memory
from opconsole.logs import tail
from opconsole.programs import Program, ProgramError, ProgramResult, run_program
from opconsole.seen import Drift
from opconsole.settings import SecretError
from opconsole.steps import NO_VARIABLES, NoPrograms, StepFailed
from opconsole.surroundings import Scope, Site
from opconsole.targeting import target_to_look_at
from opconsole.targets.base import TargetSettingsError, TargetState
from opconsole.views import EnvironmentView

PATIENCE = 5.0
"""Seconds that a target has for its answer."""


@dataclass(frozen=True, slots=True)
class Compared:
    """The comparison, and in one sentence what it rests on."""

    drift: Drift
    detail: str


async def drift_of(site: Site, view: EnvironmentView, *, journal: str, known: Sequence[str]) -> Compared:
    """Ask the environment's target what it runs. *known* are the names of its releases on record."""
    try:
        async with asyncio.timeout(PATIENCE):
            target = await asyncio.to_thread(target_to_look_at, site, journal, known)
            return compare(view, await target.probe(_Looking(site)))
    except TimeoutError:
        return Compared(Drift.UNKNOWN, f"the target gave no answer within {PATIENCE:g} s")
    except (StepFailed, ProgramError, SecretError, TargetSettingsError, OSError, ValueError) as error:
        return Compared(Drift.UNKNOWN, sanitise(str(error), single_line=True, limit=200))


def compare(view: EnvironmentView, state: TargetState) -> Compared:
    """Say whether a target runs what is on record; by its release where it names one, else by the version."""
    if not state.known:
        return Compared(Drift.UNKNOWN, state.detail or "the target cannot tell what it runs")
    runs, recorded = state.release, view.release
    if state.release is None and (state.version is not None or view.release is None):
        runs, recorded = state.version, view.version
    if runs == recorded:
        return Compared(
            Drift.SAME, f"it runs {runs}, as recorded" if runs else "nothing runs there, as recorded"
        )
    return Compared(Drift.OTHER, f"it runs {runs or 'nothing'}; on record is {recorded or 'nothing'}")


class _Looking(NoPrograms):
    """What a target gets to be asked with by somebody who only looks: its own probe, and nothing else."""

    def __init__(self, site: Site) -> None:
        super().__init__("is not run by somebody who only looks")
        self._site = site

    async def capture(
        self,
        argv: Sequence[str],
        *,
        cwd: Path,
        variables: Mapping[str, str] = NO_VARIABLES,
        limit: float | None = None,
    ) -> tuple[ProgramResult, str]:
        """Run the probe, and give what it printed."""
        around = await asyncio.to_thread(self._site.surroundings, Scope.TARGET)
        seconds = min(limit or PATIENCE, PATIENCE)
        given = {**around.variables, **variables}
        program = Program(tuple(argv), cwd, given, seconds, around.secrets, grace=0.2, files=around.files)
        with tempfile.TemporaryDirectory(prefix="opconsole-probe-", dir=in_memory()) as folder:
            log = Path(folder) / "log"
            result = await run_program(program, folder=Path(folder) / "step", log=log)
            return result, await asyncio.to_thread(_printed, log)


def _printed(log: Path) -> str:
    return "\n".join(line.text for line in tail(log, 200) if line.stream == "o")
