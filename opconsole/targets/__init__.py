"""Targets: where releases go. Two are built in; others register as entry points of `opconsole.targets`."""

from __future__ import annotations

from opconsole.targets.base import (
    Holder,
    Release,
    Target,
    TargetSettingsError,
    TargetState,
    TargetUse,
)
from opconsole.targets.command import CommandTarget
from opconsole.targets.registry import make_target
from opconsole.targets.releases import ReleasesTarget

__all__ = [
    "CommandTarget",
    "Holder",
    "Release",
    "ReleasesTarget",
    "Target",
    "TargetSettingsError",
    "TargetState",
    "TargetUse",
    "make_target",
]
