"""Steps: what a pipeline is made of, and what an act may ask of the engine that runs it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from opconsole.programs import ProgramResult

NO_VARIABLES: Mapping[str, str] = MappingProxyType({})
"""No variables beyond those of the clean environment."""

CAPTURE_LIMIT = 64 * 1024
"""Bytes of standard output that `StepContext.capture` gives back at most."""


class StepKind(StrEnum):
    """What a crash in the middle of a step means for the run."""

    REPEATABLE = "repeatable"
    """Run it again: doing it twice is doing it once."""
    PROBE = "probe"
    """Ask the target or the database; go on if it stands cleanly before or after."""
    UNSAFE = "unsafe"
    """Nobody can tell: the run is interrupted, and a person decides."""


class StepFailed(Exception):  # noqa: N818 - it reads as what happened: raise StepFailed("…")
    """A step did not reach its end; *reason* is one sentence for people.

    *retryable* says that this very failure may pass by itself (a busy lock, say). A run tries such a
    step again only within the limits of the policy. *begun* is false where the step never came to do
    anything: its program is missing.
    """

    def __init__(self, reason: str, *, retryable: bool = False, begun: bool = True) -> None:
        self.reason = reason
        self.retryable = retryable
        self.begun = begun
        super().__init__(reason)


class StepInterrupted(Exception):  # noqa: N818 - it reads as what happened
    """Nobody can tell what a step did: its process ended without a record. A person decides.

    *reason* is one sentence for people.
    """

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class StepContext(Protocol):
    """What the engine gives to an act while it runs."""

    async def program(
        self,
        argv: Sequence[str],
        *,
        cwd: Path,
        variables: Mapping[str, str] = NO_VARIABLES,
        limit: float | None = None,
    ) -> ProgramResult:
        """Run a program under the shim, its output in the run's log.

        *variables* are added to the clean environment; *limit* is in seconds (None: the step's).
        """
        ...

    async def capture(
        self,
        argv: Sequence[str],
        *,
        cwd: Path,
        variables: Mapping[str, str] = NO_VARIABLES,
        limit: float | None = None,
    ) -> tuple[ProgramResult, str]:
        """As `program`, and give its standard output: masked, at most CAPTURE_LIMIT bytes, decoded."""
        ...

    async def once(self, name: str, find: Callable[[], Awaitable[str | None]]) -> str | None:
        """Give what *find* found when the step first came here, also after a crash and a second coming."""
        ...

    def note(self, text: str) -> None:
        """Write a line of our own into the run's log."""
        ...

    async def progress(self, done: int, total: int, text: str) -> None:
        """Say how far the step has come: the *done*th of *total* parts begins, and what it is."""
        ...

    async def follow(self, heard: Callable[[str], Awaitable[None]]) -> None:
        """Let *heard* hear what the step's programs write, line by line, until it is cancelled."""
        ...


class WithoutRun:
    """The half of a StepContext that needs a run's log and memory, where there is no run: it has neither."""

    async def once(self, name: str, find: Callable[[], Awaitable[str | None]]) -> str | None:
        """Remember nothing: there is no second coming."""
        del name
        return await find()

    def note(self, text: str) -> None:
        """Say nothing: there is no log."""

    async def progress(self, done: int, total: int, text: str) -> None:
        """Tell nobody."""

    async def follow(self, heard: Callable[[str], Awaitable[None]]) -> None:
        """Hear nothing."""


class NoPrograms(WithoutRun):
    """What a target gets to be asked with when no program may be run; *refusal* goes on from its name."""

    def __init__(self, refusal: str) -> None:
        self._refusal = refusal

    async def program(
        self,
        argv: Sequence[str],
        *,
        cwd: Path,
        variables: Mapping[str, str] = NO_VARIABLES,
        limit: float | None = None,
    ) -> ProgramResult:
        """Run nothing."""
        del cwd, variables, limit
        raise StepFailed(f"{argv[0]} {self._refusal}")

    async def capture(
        self,
        argv: Sequence[str],
        *,
        cwd: Path,
        variables: Mapping[str, str] = NO_VARIABLES,
        limit: float | None = None,
    ) -> tuple[ProgramResult, str]:
        """Run nothing."""
        return await self.program(argv, cwd=cwd, variables=variables, limit=limit), ""


Act = Callable[[StepContext], Awaitable[str | None]]
"""Does a step and gives a sentence about what it did; raises StepFailed when it could not."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that a run does, as the plan shows it and as the engine does it."""

    name: str
    """Short and stable; the journal's name for it."""
    kind: StepKind
    title: str
    """For people."""
    argv: tuple[str, ...] | None
    """What the plan shows: the program, with placeholders like ``{release_dir}`` for run-private paths.
    None for a step that opconsole does by itself."""
    limit: float
    """Seconds."""
    act: Act
    retryable: bool = False
    """A failure may be tried again within the run, as often as the policy allows."""


def describe_result(result: ProgramResult) -> str:
    """Say in a few words how a program ended, for the reason of a failed step."""
    if result.reason:
        return result.reason
    if result.signal is not None:
        return f"killed by signal {result.signal}"
    if result.status is not None:
        return f"exit status {result.status}"
    return str(result.ending)


def program_failed(name: str, result: ProgramResult) -> StepFailed:
    """Give the failure of a step whose program did not end well."""
    # By value: the programs are only known here to the type checker.
    begun = result.ending.value != "not-started"
    return StepFailed(f"the {name} program failed: {describe_result(result)}", begun=begun)
