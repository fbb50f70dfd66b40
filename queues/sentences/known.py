"""What a sentence may speak of: projects, their environments and versions, and what the queues hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from guardrails.environments import ALIASES, GateKind

GATE_ORDER = (GateKind.DEVELOPMENT, GateKind.STAGING, GateKind.PRODUCTION)
"""The order in which a version goes through the environments."""


@dataclass(frozen=True, slots=True)
class Serving:
    """The release that serves in an environment now."""

    version: str
    migrations_path: str | None = None
    """Where its migrations lay, if it was deployed with migrations."""


@dataclass(frozen=True, slots=True)
class KnownProject:
    """A project as sentences may speak of it."""

    name: str
    environments: Mapping[str, GateKind]
    """In the order of the settings, with the gate of each."""
    migrates: bool | None = None
    """Whether its settings have migrations; None: not known."""
    versions: tuple[str, ...] | None = None
    """Its versions by its tags, newest first; None: not known."""
    serving: Mapping[str, Serving] = field(default_factory=dict)
    """What each environment serves, by the journal's word."""
    served: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The versions that ever served in each environment, newest first."""
    taken: frozenset[str] = frozenset()
    """Ids that a new task must not have: of its queue and of the journal."""

    def in_order(self, names: tuple[str, ...] | None = None) -> tuple[str, ...]:
        """Give environments (by default all) in the order in which a version goes through them."""
        wanted = [name for name in self.environments if names is None or name in names]
        return tuple(sorted(wanted, key=lambda name: GATE_ORDER.index(self.environments[name])))


@dataclass(frozen=True, slots=True)
class Known:
    """All that is known when a sentence is read."""

    projects: Mapping[str, KnownProject]
    default_project: str | None = None
    """The project that is meant where a sentence names none; None: the only one there is."""

    @property
    def environments(self) -> Mapping[str, str]:
        """Every word for an environment, lower case, with the name that it stands for."""
        names = {name: name for project in self.projects.values() for name in project.environments}
        return {alias: name for alias, name in ALIASES.items() if name in names} | names

    @property
    def meant_project(self) -> str | None:
        """The project that needs no naming."""
        if self.default_project is not None:
            return self.default_project
        return next(iter(self.projects)) if len(self.projects) == 1 else None
