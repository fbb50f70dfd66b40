"""Drift: a target is asked with its own probe alone, and what it says is compared with the journal."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from opconsole.seen import Drift
from opconsole.surroundings import Site
from opconsole.target_drift import drift_of
from opconsole.views import EnvironmentView
from opconsole.workspace import Workspace

SETTINGS = """
[projects.shop]
path = "."
[projects.shop.environments.staging.target]
type = "command"
deploy = ["false"]
rollback = ["false"]
probe = [{probe}]
[projects.shop.environments.development.target]
type = "releases"
path = "served"
"""


def site(folder: Path, environment: str, probe: str) -> Site:
    words = ", ".join(f'"{word}"' for word in (sys.executable, "-c", probe))
    (folder / "opconsole.toml").write_text(SETTINGS.format(probe=words))
    return Site(Workspace.open(folder, environ={}), os.environ, "shop", environment)


def view(environment: str, version: str | None) -> EnvironmentView:
    release = f"{version}-1" if version else None
    return EnvironmentView(
        "shop", environment, environment, version, release, None, None, None, None, None, None
    )


async def test_a_targets_own_probe_is_run_and_compared(tmp_path: Path) -> None:
    here = site(tmp_path, "staging", "import os; print('2.0.' + os.environ['OPCONSOLE_FENCE'])")
    same = await drift_of(here, view("staging", "2.0.0"), journal="j", known=["2.0.0-1"])
    assert (same.drift, same.detail) == (Drift.SAME, "it runs 2.0.0, as recorded")
    other = await drift_of(here, view("staging", "2.1.0"), journal="j", known=[])
    assert (other.drift, other.detail) == (Drift.OTHER, "it runs 2.0.0; on record is 2.1.0")


async def test_a_probe_that_fails_leaves_it_unknown(tmp_path: Path) -> None:
    here = site(tmp_path, "staging", "raise SystemExit(3)")
    found = await drift_of(here, view("staging", "2.0.0"), journal="j", known=[])
    assert (found.drift, "exited with status 3" in found.detail) == (Drift.UNKNOWN, True)


async def test_a_folder_without_releases_is_as_recorded_when_nothing_was_deployed(
    tmp_path: Path,
) -> None:
    here = site(tmp_path, "development", "")
    found = await drift_of(here, view("development", None), journal="j", known=[])
    assert (found.drift, found.detail) == (Drift.SAME, "nothing runs there, as recorded")
    assert not (tmp_path / "served").exists(), "looking makes nothing"
