"""What infrastructure code sets, seen as operations that the rules of this folder judge."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from guardrails.operations import Operation, Place, Thing, Verb


class Risk(StrEnum):
    """What a setting lets happen. The value is the name of the rule that judges it."""

    NONE = "none"
    EXPIRES_ALL = "expire-all-objects"
    FORCE_DESTROY = "force-destroy"
    NO_PREVENT_DESTROY = "missing-prevent-destroy"
    NO_FINAL_SNAPSHOT = "skip-final-snapshot"
    NO_PROTECTION = "deletion-protection-off"
    BUCKET_NOT_RETAINED = "bucket-not-retained"
    DATABASE_NOT_RETAINED = "database-not-retained"


CLOUD_RULES = frozenset(risk.value for risk in Risk if risk is not Risk.NONE)
"""The names of the rules about settings."""


@dataclass(frozen=True, slots=True)
class Setting(Operation):
    """A setting of a resource, and what it lets happen."""

    risk: Risk = Risk.NONE


def setting(risk: Risk, place: Place, text: str, *, name: str = "", note: str = "") -> Setting:
    """Give the operation for a setting; *name* is the resource that has it."""
    names = (name.lower(),) if name else ()
    return Setting(Verb.UPDATE, Thing.ANYTHING, place, text, names, note=note, risk=risk)


def is_risk(operation: Operation, risk: Risk) -> bool:
    """Say whether an operation is a setting of that risk."""
    return isinstance(operation, Setting) and operation.risk is risk
