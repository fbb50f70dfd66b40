"""What is seen of an environment when its service and its target are asked: health and drift, as values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Health(StrEnum):
    """What was found out about a service."""

    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"
    UNKNOWN = "unknown"  # nothing is deployed, nobody says how to ask, or there was no answer in time


class Drift(StrEnum):
    """How what runs compares with what is on record."""

    SAME = "same"
    OTHER = "drifted"
    UNKNOWN = "unknown"  # the target cannot be asked, or did not answer


@dataclass(frozen=True, slots=True)
class Seen:
    """How an environment is now, and in a sentence each how that is known."""

    health: Health
    health_detail: str
    drift: Drift
    drift_detail: str

    @classmethod
    def unknown(cls, why: str) -> Seen:
        """Give what is seen where asking failed."""
        return cls(Health.UNKNOWN, why, Drift.UNKNOWN, why)
