"""Target types by name: the built-in ones, and those that other packages register as entry points.

A package offers a type by an entry point in the group ``opconsole.targets`` whose object is a
`TargetFactory`: it takes the settings' mapping and the `TargetUse`, and gives a `Target`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.metadata import entry_points

from opconsole.targets.base import Target, TargetSettingsError, TargetUse
from opconsole.targets.command import make_command_target
from opconsole.targets.releases import make_releases_target

GROUP = "opconsole.targets"

TargetFactory = Callable[[Mapping[str, object], TargetUse], Target]

BUILT_IN: Mapping[str, TargetFactory] = {
    "releases": make_releases_target,
    "command": make_command_target,
}


def make_target(kind: str, settings: Mapping[str, object], use: TargetUse) -> Target:
    """Make the target of type *kind* from its part of the settings (without ``type``).

    Raises TargetSettingsError for an unknown type or key, and for values of the wrong form. A built-in type
    cannot be replaced by an entry point: an installed package must not change where releases go.
    """
    factory = BUILT_IN.get(kind) or _registered(kind)
    return factory(settings, use)


def target_types() -> tuple[str, ...]:
    """Give every type that `make_target` knows."""
    return (*BUILT_IN, *sorted(set(entry_points(group=GROUP).names) - set(BUILT_IN)))


def _registered(kind: str) -> TargetFactory:
    found = list(entry_points(group=GROUP, name=kind))
    if len(found) != 1:
        claimed = ", ".join(entry.value for entry in found)
        raise TargetSettingsError(
            kind,
            "type",
            f"several packages offering it: {claimed}" if found else kind,
            "one of " + ", ".join(target_types()),
        )
    factory: TargetFactory = found[0].load()
    return factory
