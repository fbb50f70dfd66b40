"""Looks at an environment: asks its service whether it is healthy, and its target what it runs."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from opconsole.probing import probe
from opconsole.seen import Seen
from opconsole.surroundings import Site
from opconsole.target_drift import drift_of
from opconsole.views import EnvironmentView
from opconsole.workspace import Workspace


async def look(
    workspace: Workspace,
    view: EnvironmentView,
    environ: Mapping[str, str],
    *,
    journal: str,
    known: Sequence[str],
) -> Seen:
    """Ask both at the same time. *known* are the names of the environment's releases on record."""
    site = Site(workspace, environ, view.project, view.environment, version=view.version)
    probed, compared = await asyncio.gather(
        probe(workspace, view, environ), drift_of(site, view, journal=journal, known=known)
    )
    return Seen(probed.health, probed.detail, compared.drift, compared.detail)
