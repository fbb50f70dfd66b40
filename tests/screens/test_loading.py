"""What the console loads before its first picture: its first screen, and nothing that is wanted later."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

LATER = (
    "pydantic",
    "pydantic_settings",
    "regex",
    "pygments",
    "sqlalchemy",
    "opconsole.exempting",
    "screens.deciding",
    "screens.mending",
    "ctypes",
    "opconsole.journal.records",
    "opconsole.shim",
    "opconsole.views",
    "screens.findings",
    "screens.widgets.controls",
    "screens.widgets.log_pane",
    "screens.widgets.pipeline",
    "screens.widgets.violations",
    "screens.dialogs.approval",
    "screens.dialogs.help",
    "screens.dialogs.command_line",
    "screens.approvals",
    "screens.environments",
    "screens.violations",
    "screens.dependencies",
    "queues.sentences",
)


def loaded(module: str) -> set[str]:
    told = f"import sys, {module}; print('\\n'.join(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", told],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
        timeout=120,
    )
    return set(done.stdout.split())


def test_the_first_picture_waits_for_nothing_that_is_wanted_later() -> None:
    assert loaded("opconsole.app") & set(LATER) == set()


def test_the_command_shows_its_first_picture_before_it_loads_what_reads_a_journal() -> None:
    later = {"sqlalchemy", "alembic", "opconsole.client", "opconsole.reading", "opconsole.engine"}
    assert loaded("opconsole.cli.console") & later == set()


def test_opening_the_console_loads_no_engine() -> None:
    opened = loaded("opconsole.client, opconsole.cli.worker")
    assert opened & {"opconsole.engine", "opconsole.requests", "alembic"} == set()
