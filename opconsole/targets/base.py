"""What every target is: a small protocol, the release it takes, and the variables its programs get."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from opconsole.programs import DEFAULT_PATH
from opconsole.sources import VERSION_PATTERN, check_version
from opconsole.steps import NO_VARIABLES, Step, StepContext

MACHINE_ID = Path("/etc/machine-id")

_RELEASE_NAME = re.compile(rf"(?P<version>{VERSION_PATTERN})-(?P<number>[1-9][0-9]{{0,8}})")


class TargetSettingsError(ValueError):
    """A target's settings are wrong; says which target, key, what was found and what is allowed."""

    def __init__(self, kind: str, key: str, found: object, allowed: str) -> None:
        self.kind = kind
        self.key = key
        super().__init__(f"target of type {kind!a}, key {key!a}: found {found!a}; allowed: {allowed}")


@dataclass(frozen=True, slots=True)
class Release:
    """A version as it is placed on a target."""

    name: str
    """``<version>-<n>``, from `Target.next_release_name`."""
    version: str
    commit: str
    artifact: Path
    """The folder or tar file in the artifact store; any other file is placed as it is."""
    artifact_digest: str


@dataclass(frozen=True, slots=True)
class TargetState:
    """What a target says that it runs now."""

    known: bool
    """False: it cannot be probed, or did not answer; then nothing else here counts."""
    release: str | None = None
    """None on a target that never had one, or that does not name releases."""
    version: str | None = None
    commit: str | None = None
    artifact_digest: str | None = None
    holder: str | None = None
    """Which run holds the target, for people."""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Holder:
    """Whose run changes a target now. Two clones of a workspace exclude each other by it."""

    journal_id: str
    run: str
    fence: int
    """Rises with every taking of the environment's lock, from 1: an older holder of the same journal has lost
    it. 0: the lock is not held, so nothing may be changed."""


@dataclass(frozen=True, slots=True)
class TargetUse:
    """For whom and for what a target is used: what its programs are told, and within what limits."""

    project: str
    environment: str
    holder: Holder
    variables: Mapping[str, str] = field(default_factory=lambda: NO_VARIABLES)
    """The environment's own variables for the target's programs."""
    venv: Path | None = None
    """A virtual environment whose programs come first."""
    limit: float = 1800.0
    """Seconds that each program may take."""


class Target(Protocol):
    """Somewhere that releases are placed, switched to and stopped.

    A target builds steps; the engine runs them. No method may change the target by itself but `prune`
    and `clear_holder`.
    """

    def identity(self) -> str:
        """Name where releases go, the same at every call: it is part of the plan's digest."""
        ...

    def probes(self) -> bool:
        """Tell whether `probe` can know; if not, the plan says so."""
        ...

    async def probe(self, context: StepContext) -> TargetState:
        """Ask what runs there now."""
        ...

    def next_release_name(self, version: str) -> str:
        """Name the next release of *version*: ``<version>-<n>``, n counting up and never used again."""
        ...

    def place(self, release: Release) -> list[Step]:
        """Bring a release there; nothing serves it yet."""
        ...

    def switch(
        self, release: Release, *, previous_version: str | None = None, restoring: bool = False
    ) -> list[Step]:
        """Make *release* the one that serves, and restart.

        *previous_version* is what serves now. *restoring* says that this goes back to an earlier release.
        """
        ...

    def stop(self) -> list[Step]:
        """Stop what serves now; no steps where that is not known how."""
        ...

    async def prune(self, protect: Collection[str]) -> list[str]:
        """Remove old releases, never one in *protect* or the one that serves; give the names removed."""
        ...

    async def clear_holder(self) -> None:
        """Let go of the target once the run is final; nothing to do if another run holds it."""
        ...


def release_name(version: str, taken: Iterable[str], issued: int = 0) -> str:
    """Give the name after all of *taken*, and after number *issued*, for *version*.

    >>> release_name("2.1.0", ["2.1.0-1", "2.1.0-rc-7"])
    '2.1.0-2'
    """
    check_version(version)
    numbers = [int(found["number"]) for name in taken if (found := _of(version, name)) is not None]
    return f"{version}-{max([issued, *numbers]) + 1}"


def check_release(release: Release) -> tuple[str, int]:
    """Give a release's version and number; raise ValueError for a name that is not ``<version>-<n>``."""
    check_version(release.version)
    found = _of(release.version, release.name)
    if found is None:
        raise ValueError(
            f"{release.name[:200]!a} is not a release of {release.version}; "
            f"allowed: {release.version}-<number>"
        )
    return release.version, int(found["number"])


def program_variables(use: TargetUse, *, version: str, release: str) -> dict[str, str]:
    """Give the variables that every target's programs get; the target adds its own paths."""
    variables = {
        **use.variables,
        "OPCONSOLE_PROJECT": use.project,
        "OPCONSOLE_ENVIRONMENT": use.environment,
        "OPCONSOLE_VERSION": version,
        "OPCONSOLE_RELEASE": release,
        "OPCONSOLE_RUN": use.holder.run,
        "OPCONSOLE_FENCE": str(use.holder.fence),
    }
    if use.venv is not None:
        rest = use.variables.get("PATH") or DEFAULT_PATH
        variables["VIRTUAL_ENV"] = str(use.venv)
        variables["PATH"] = f"{use.venv / 'bin'}{os.pathsep}{rest}"
    return variables


def machine_id(source: Path = MACHINE_ID) -> str:
    """Give this machine's lasting id; its host name where it has none (some containers, macOS)."""
    try:
        found = source.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        found = ""
    return found if re.fullmatch("[0-9a-f]{32}", found) else f"host-{platform.node() or 'unknown'}"


def _of(version: str, name: str) -> re.Match[str] | None:
    found = _RELEASE_NAME.fullmatch(name)
    return found if found is not None and found["version"] == version else None
