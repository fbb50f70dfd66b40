"""What a sentence says, part by part: the values that the grammar's tree becomes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Verb(StrEnum):
    """What a statement asks for, or what else it is."""

    DEPLOY = "deploy"
    RUN = "run"
    MIGRATE = "migrate"
    DOWNGRADE = "downgrade"
    VALIDATE = "validate"
    ROLLBACK = "roll back"
    PROMOTE = "promote"
    PROVISION = "provision"
    STAGE = "stage"  # one environment's line of a cascade
    FRAGMENT = "fragment"  # goes with the order: "Tag: v2.1.0"
    CASE = "case"  # an item of a business case
    IF_DEPLOY = "if deploy"  # "If dev succeeds, deploy to staging"
    WAIT = "wait"  # "wait for my approval for production"
    HALT = "halt"  # "If any step fails, halt and report"
    GATES = "gates"  # "auto-rollback is enabled for dev and staging"
    NOTE = "note"  # an acknowledgement or a heading: it changes nothing


ORDERS = frozenset(
    {
        Verb.DEPLOY,
        Verb.RUN,
        Verb.MIGRATE,
        Verb.DOWNGRADE,
        Verb.VALIDATE,
        Verb.ROLLBACK,
        Verb.PROMOTE,
        Verb.PROVISION,
    }
)


@dataclass(frozen=True, slots=True)
class Projects:
    """Projects by name; all of them where *names* is empty."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Environments:
    """Environments by name; all of them where *names* is empty."""

    names: tuple[str, ...]
    ordered: bool = False
    """The sentence gives an order: "dev, then staging"."""
    source: bool = False
    """It says "from"."""


@dataclass(frozen=True, slots=True)
class Version:
    """A version, without its v."""

    text: str


@dataclass(frozen=True, slots=True)
class Path:
    """A path of migrations."""

    text: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """A word that nothing is known of, and the preposition before it."""

    word: str
    preposition: str = ""


@dataclass(frozen=True, slots=True)
class Hole:
    """A placeholder of the guide that nobody filled in: ``<project>``."""

    name: str


class Mark(StrEnum):
    """A part that says all by being there."""

    WITH_MIGRATIONS = "with migrations"
    MIGRATIONS = "migrations"
    PREVIOUS = "previous"
    LATEST = "latest"
    CHECKS = "checks"
    FIRST = "first"
    AUTO = "auto"
    DEPLOYMENT = "deployment"
    DATABASE = "database"
    APPROVAL = "approval"  # an acknowledgement stood there
    CASE = "case"


Part = Projects | Environments | Version | Path | Unknown | Hole | Mark


@dataclass(frozen=True, slots=True)
class Statement:
    """One sentence or line."""

    verb: Verb
    parts: tuple[Part, ...] = ()
    environment: str = ""
    """The one that a stage, or the condition of IF_DEPLOY, is about."""
    resource: tuple[str, ...] = ()
    """The kinds of resource that a provisioning names."""
    names: tuple[str, ...] = ()
    """What the resource is to be called; more than one contradict each other."""
    purpose: tuple[tuple[str, str], ...] = ()
    """The remaining words of a provisioning: the grammar's name for each, and the word."""
    label: str = ""
    key: str = ""
    text: str = ""
    """An item of a business case: its label as written, its key, its text."""
