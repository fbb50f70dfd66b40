"""End what a demo workspace runs: its worker first, then the services of its three environments."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from opconsole.demo.make import DemoWorkspace, open_demo
from opconsole.demo.settings_text import DemoEnvironment

LIMIT = 30  # seconds for one service to stop; its own program kills it long before
STOP = ("current/service.py", "stop")


@dataclass(frozen=True, slots=True)
class Stopped:
    """What became of one environment's service."""

    environment: str
    ok: bool
    message: str
    """What its program said, or why it could not be asked."""


def stop_demo(directory: Path, *, stop_worker: Callable[[Path], object] | None = None) -> tuple[Stopped, ...]:
    """End the worker and the services of the demo in ``directory``; each environment's outcome is told.

    ``stop_worker`` is called with the directory before anything else, so that no step starts a service again.
    Raises DemoError where there is no demo.
    """
    demo = open_demo(directory)
    if stop_worker is not None:
        stop_worker(demo.directory)
    return tuple(_stop(demo, environment) for environment in demo.environments)


def _stop(demo: DemoWorkspace, environment: DemoEnvironment) -> Stopped:
    if not (environment.target / STOP[0]).exists():
        return Stopped(environment.name, ok=True, message="nothing was deployed")
    python = demo.python if demo.python.exists() else Path(sys.executable)
    try:
        done = subprocess.run(
            [str(python), *STOP],
            cwd=environment.target,
            env={"PATH": os.environ.get("PATH", os.defpath), "OPCONSOLE_SHARED_DIR": str(environment.shared)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=LIMIT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as problem:
        return Stopped(environment.name, ok=False, message=str(problem))
    return Stopped(environment.name, ok=done.returncode == 0, message=done.stdout.strip())
