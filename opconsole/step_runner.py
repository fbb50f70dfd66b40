"""Running a step: its programs under the shim, its notes, and what it leaves for a second coming."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from guardrails.environments import GateKind
from opconsole.handing import forget, handed
from opconsole.host import Host
from opconsole.journal import ops
from opconsole.journal.errors import JournalError
from opconsole.journal.records import Phase, Run
from opconsole.logs import ERRORS, OUTPUT, LogLine, follow, tail
from opconsole.programs import Ending, Program, ProgramResult, TraceState, attend, run_program, trace
from opconsole.settings.secrets import SecretError
from opconsole.step_facts import note_program
from opconsole.steps import CAPTURE_LIMIT, NO_VARIABLES, Step, StepFailed, StepInterrupted, StepKind
from opconsole.surroundings import Scope, Surroundings, resolve_surroundings

CAPTURED_LINES = 2000
"""Lines of a captured program that are read at most."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A step with its place in the run."""

    position: int
    phase: Phase
    scope: Scope
    step: Step


class StepRunner:
    """What an act may ask while it runs: programs under the shim, and lines in the log."""

    def __init__(
        self, host: Host, run: Run, planned: Planned, *, note: Callable[[str], None], again: bool
    ) -> None:
        """*again* says that the step had begun under a process that is gone."""
        self._host = host
        self._run_of = run
        self._planned = planned
        self._note = note
        self._again = again
        self._programs = _Counter()
        self._scope = planned.scope
        self._surroundings = Surroundings({}, ())
        self.status: int | None = None
        self.last_note = ""

    async def prepare(self) -> None:
        """Make the environment that the step's programs get."""
        try:
            self._surroundings = await asyncio.to_thread(
                resolve_surroundings, self._host, self._run_of, self._scope
            )
        except SecretError as error:
            raise StepFailed(str(error)) from error

    async def within(self, scope: Scope) -> StepRunner:
        """Give a runner for the same step whose programs know what *scope* says. Raises StepFailed."""
        other = type(self)(self._host, self._run_of, self._planned, note=self._note, again=self._again)
        other._programs, other._scope = self._programs, scope
        await other.prepare()
        return other

    def note(self, text: str) -> None:
        """Write a line of our own into the run's log."""
        self.last_note = text
        self._note(text)

    async def progress(self, done: int, total: int, text: str) -> None:
        """Say how far the step has come, in the journal, where consoles see it while the step goes on."""
        now, run, step = self._host.clock.now(), self._run_of, self._planned.step
        told = f"{done}/{total} {text}"
        detail = {"environment": run.environment, "text": told, "done": done, "total": total}
        try:
            await self._host.journal.commit(
                ops.tell_step(run.id, self._planned.position, told),
                ops.event(
                    now,
                    "progress",
                    run.project,
                    task=run.task,
                    run=run.id,
                    step=step.name,
                    state="running",
                    detail=detail,
                ),
            )
        except JournalError as error:
            self.note(f"{told} (not on record: {error})")  # the step itself goes on

    async def follow(self, heard: Callable[[str], Awaitable[None]]) -> None:
        """Let *heard* hear what the step's programs write, until it is cancelled."""
        log = self._host.log(self._run_of.id)
        # A step that had begun before is heard from the start: what was written meanwhile counts.
        async with contextlib.aclosing(follow(log, from_end=not self._again)) as batches:  # type: ignore[type-var]
            async for lines in batches:
                for line in lines:
                    if line.stream in (OUTPUT, ERRORS):
                        await heard(line.text)

    async def program(
        self,
        argv: Sequence[str],
        *,
        cwd: Path,
        variables: Mapping[str, str] = NO_VARIABLES,
        limit: float | None = None,
    ) -> ProgramResult:
        """Run a program under the shim, its output in the run's log."""
        log = self._host.log(self._run_of.id)
        result, _ = await self._run(argv, cwd, variables, limit, log)
        return result

    async def capture(
        self,
        argv: Sequence[str],
        *,
        cwd: Path,
        variables: Mapping[str, str] = NO_VARIABLES,
        limit: float | None = None,
    ) -> tuple[ProgramResult, str]:
        """As `program`, and give its standard output: masked, at most CAPTURE_LIMIT bytes."""
        result, own = await self._run(argv, cwd, variables, limit, None)
        lines = await asyncio.to_thread(tail, own, CAPTURED_LINES) if own.exists() else []
        if not result.ok:
            for line in lines:
                self.note(line.text)
        return result, _output(lines)

    async def once(self, name: str, find: Callable[[], Awaitable[str | None]]) -> str | None:
        """Give what *find* found when the step first came here; it is kept beside the step's programs."""
        path = self._host.run_folder(self._run_of.id) / "steps" / f"{self._name()}.{name}.json"
        if self._again and await asyncio.to_thread(path.exists):
            kept = json.loads(await asyncio.to_thread(path.read_text, "utf-8"))
            self._programs.number = int(kept["programs"])  # so that the next one finds its own trace
            known: str | None = kept["found"]
            return known
        found = await find()
        text = json.dumps({"found": found, "programs": self._programs.number})
        await asyncio.to_thread(_keep, path, text)
        return found

    def _name(self) -> str:
        return f"{self._planned.position:02}-{self._planned.step.name}"

    def _folder(self) -> Path:
        return self._host.run_folder(self._run_of.id) / "steps" / f"{self._name()}-{self._programs.take()}"

    async def _run(
        self,
        argv: Sequence[str],
        cwd: Path,
        variables: Mapping[str, str],
        limit: float | None,
        log: Path | None,
    ) -> tuple[ProgramResult, Path]:
        """Run a program; without a *log* its output goes into a file of its own."""
        program = Program(
            argv=tuple(argv),
            cwd=cwd,
            variables={**self._surroundings.variables, **variables},
            limit=limit or self._planned.step.limit,
            secrets=self._surroundings.secrets,
            files=self._surroundings.files,
        )
        first = self._folder()
        asks = log is None
        tries = await asyncio.to_thread(_tries, first)
        # What only asks is asked afresh: the answer may be another one now.
        result = await self._adopted(tries[-1]) if self._again and tries and not asks else None
        own = _next_try(first, tries)
        log = log or own / "output"
        if result is None:
            result = await self._started(program, own, log)
        self.status = result.status
        if result.ending is Ending.CANCELLED:
            raise asyncio.CancelledError
        return result, log

    async def _adopted(self, folder: Path) -> ProgramResult | None:
        """Give the outcome of a program that a process now gone had started; None where it is to be run.

        Raises StepInterrupted where running it again is not provably safe.
        """
        found = await asyncio.to_thread(trace, folder)
        if found.state is TraceState.NOT_STARTED:
            return None
        if found.state is TraceState.RUNNING:
            self.note("the step's program still runs; it is adopted")
            try:
                found = await attend(folder)
            except asyncio.CancelledError:
                await attend(folder, stop=True)
                raise
            finally:
                await asyncio.to_thread(forget, await self._files_of(folder))
        return found.result or self._without_record()

    async def _started(self, program: Program, folder: Path, log: Path) -> ProgramResult:
        """Start a program, and once more where its shim was lost and that is provably harmless."""
        result = await self._run_noted(program, folder, log)
        if result.ending is not Ending.INTERRUPTED:
            return result
        lost = self._without_record()
        if lost is not None:
            return lost
        result = await self._run_noted(program, _next_try(folder, [folder]), log)
        if result.ending is Ending.INTERRUPTED:
            raise StepInterrupted(
                f"the program of step {self._planned.step.name} ended without a record twice"
            )
        return result

    async def _run_noted(self, program: Program, folder: Path, log: Path) -> ProgramResult:
        if program.files:
            program = replace(program, files_in=await self._files_of(folder, make=True))
        await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
        await asyncio.to_thread(note_program, folder, program)
        return await run_program(program, folder=folder, log=log)

    async def _files_of(self, folder: Path, *, make: bool = False) -> Path:
        """Say where the files with secrets lie of the program that has this folder."""
        run = await asyncio.to_thread(handed, self._host.place, self._run_of.id, make=make)
        return run / folder.name

    def _without_record(self) -> ProgramResult | None:
        """Judge a program that ended without a record; None where running it again does no harm."""
        kind, phase = self._planned.step.kind, self._planned.phase
        gate = self._host.workspace.gate(self._run_of.project, self._run_of.environment).kind
        production = gate is GateKind.PRODUCTION and phase is not Phase.PREFLIGHT
        if kind is StepKind.REPEATABLE and not production:
            self.note("the step's program ended without a record; running it again does no harm")
            return None
        if kind is StepKind.PROBE:
            return _without_record()
        raise StepInterrupted(f"the program of step {self._planned.step.name} ended without a record")


class _Counter:
    """Numbers the programs of a step."""

    def __init__(self) -> None:
        self.number = 0

    def take(self) -> int:
        """Give the next number."""
        self.number += 1
        return self.number - 1


def _tries(first: Path) -> list[Path]:
    """Give the folders in which a program was tried, the latest last: its trace is the one that counts."""
    found = [first] if first.exists() else []
    number = 2
    while (folder := first.with_name(f"{first.name}.{number}")).exists():
        found.append(folder)
        number += 1
    return found


def _next_try(first: Path, tries: Sequence[Path]) -> Path:
    """Name the folder for one more try: each execution needs a folder of its own."""
    last = tries[-1] if tries else None
    if last is None:
        return first
    stem, _, number = last.name.rpartition(".")
    return last.with_name(f"{stem}.{int(number) + 1}" if stem else f"{last.name}.2")


def _output(lines: Sequence[LogLine]) -> str:
    text = "".join(line.text if line.unfinished else f"{line.text}\n" for line in lines if line.stream == "o")
    return text[-CAPTURE_LIMIT:]


def _keep(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    with fresh.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


def _without_record() -> ProgramResult:
    now = datetime.now(UTC)
    return ProgramResult(Ending.INTERRUPTED, None, None, now, now, "ended without a record")
