"""Is the set-up sound? One file a group of checks; each says what it found and, of a fault, the fix."""

from __future__ import annotations

from opconsole.doctor.base import Level, Patient, Result, TerminalFacts
from opconsole.doctor.examining import examine, examine_without_workspace

__all__ = ["Level", "Patient", "Result", "TerminalFacts", "examine", "examine_without_workspace"]
