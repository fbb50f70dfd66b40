"""Makes the pictures of the manual, from the same samples as the tests, at a clock that stands still.

Run it by hand after a change of the looks: ``.venv/bin/python docs/make_pictures.py``. The same screens give
the same files, byte for byte.
"""

from __future__ import annotations

import asyncio
import html
import importlib.util
import re
import sys
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

from screens.actions import PLACES

HERE = Path(__file__).resolve().parent
SIZE = (140, 40)
LOG = [
    "n ── Take a clean export",
    "o v2.1.0 9f2c41d07be55a3c1e8",
    "n ── Run the tests",
    "o \x1b[32m.............................................\x1b[0m [ 38%]",
    "o \x1b[32m.............................................\x1b[0m [ 76%]",
    "o \x1b[32m............................\x1b[0m                  [100%]",
    "o \x1b[32m118 passed\x1b[0m in 20.81s",
    "n ── Build",
    "o Successfully built credentialmate-2.1.0.tar.gz",
    "n ── Place the release",
    "o 2.1.0-1: 412 files",
    "e warning: pool_size is not set, using 5",
]


async def main(out: Path) -> None:
    """Make every picture in a folder."""
    with tempfile.TemporaryDirectory() as folder:
        for name, tell in STORIES.items():
            svg = await _picture(_samples(), Path(folder), tell)
            await asyncio.to_thread((out / f"{name}.svg").write_text, svg)
            sys.stdout.write(f"{out / name}.svg\n")


async def _picture(kit: ModuleType, folder: Path, tell: Story) -> str:
    samples, clock = kit.Samples(folder), kit.FakeClock()
    console = _workspace(kit, samples)
    app = kit.OpconsoleApp(console, clock=clock, waits=kit.Waits(guard=0.0, monotonic=clock.monotonic))
    app.animation_level = "none"
    async with app.run_test(size=SIZE) as pilot:
        stage = Stage(pilot, console, samples)
        await tell(stage)
        for line in app.screen.query("Input"):
            line.cursor_blink = False
        await stage.still()
        # Textual names its styles by a hash of its own: a fixed name keeps the files comparable.
        svg = re.sub(r"terminal-\d+", "opconsole", str(app.export_screenshot(title="opconsole")))
        return INDENTED.sub(_without_indent, svg)


def _without_indent(text: re.Match[str]) -> str:
    """Move a text instead of indenting it: not every program that shows SVG keeps leading blanks."""
    start, y, length, rest, blanks, shown = text.groups()
    count = len(blanks.replace(BLANK, " ") + html.unescape(shown))
    moved = float(length) / count * blanks.count(BLANK)
    return f' x="{float(start) + moved:.6g}"{y} textLength="{float(length) - moved:.6g}"{rest}>{shown}<'


class Stage:
    """An app on its stage, and what a story does with it."""

    def __init__(self, pilot: Any, console: Any, samples: Any) -> None:
        self.pilot, self.console, self.samples = pilot, console, samples

    async def until(self, holds: Callable[[], object]) -> None:
        """Wait for a condition."""
        async with asyncio.timeout(30):
            while not (self.pilot.app.whole and holds()):  # noqa: ASYNC110 (nothing tells when a screen shows something)
                await asyncio.sleep(0.02)
        await self.pilot.pause()

    async def select(self, task: str) -> None:
        """Select a task and wait for its run and its log."""
        screen = self.pilot.app.operations
        await self.until(lambda: screen.is_mounted and screen.table.selected)
        screen.table.select(f"credentialmate:{task}")
        await self.until(lambda: (run := screen.situation().run) and run.run.task == task)
        await self.until(lambda: screen.log_pane.view.count)

    async def still(self) -> None:
        """Wait until the screen shows the same twice, some moments apart."""
        last = ""
        async with asyncio.timeout(30):
            while (now := str(self.pilot.app.export_screenshot())) != last:
                last = now
                await self.pilot.pause(0.4)

    async def press(self, key: str, wanted: str) -> None:
        """Press a key and wait for what it brings."""
        await self.pilot.press(key)
        await self.until(lambda: self.pilot.app.screen.query(wanted))


BLANK = "&#160;"
INDENTED = re.compile(rf' x="([0-9.]+)"( y="[0-9.]+") textLength="([0-9.]+)"([^>]*)>((?:{BLANK})+)([^<]+)<')

Story = Callable[[Stage], Awaitable[None]]


async def _operations(stage: Stage) -> None:
    await stage.select("DEPLOY-STAGING-001")


async def _approval(stage: Stage) -> None:
    await stage.select("DEPLOY-PROD-001")
    await stage.press("a", "OptionList")
    await stage.press("p", "#approve")


async def _decide(stage: Stage) -> None:
    await stage.select("DEPLOY-PROD-000")
    await stage.press("a", "OptionList")
    await stage.press("d", "#decide")
    await stage.pilot.press("r")


async def _help(stage: Stage) -> None:
    await stage.select("DEPLOY-STAGING-001")
    await stage.press("question_mark", "HelpText")


async def _add(stage: Stage) -> None:
    await stage.select("DEPLOY-STAGING-001")
    await stage.press("i", "FormLine")


AT = {"approvals": "credentialmate:DEPLOY-PROD-001"}
"""Where a screen is gone to, if not where it begins."""


def _screen(name: str) -> Story:
    """Give the story of a screen: it is gone to, and shows what it loads."""

    async def tell(stage: Stage) -> None:
        await stage.select("DEPLOY-PROD-001")
        stage.pilot.app.go(name, AT.get(name, ""))
        await stage.until(lambda: name == stage.pilot.app.here.PLACE and stage.pilot.app.here.is_current)
        await stage.still()

    return tell


STORIES: dict[str, Story] = {
    **{place.name: _screen(place.name) for place in PLACES},
    "operations": _operations,
    "approval": _approval,
    "decide": _decide,
    "help": _help,
    "add": _add,
}
"""Every screen that is registered, and some dialogs."""


def _workspace(kit: ModuleType, samples: Any) -> Any:
    """Give the guide's cascade in the middle of its way, with one run blocked and one halted."""
    console = kit.FakeConsole(queues=(samples.queue(),))
    ago = kit.timedelta
    done = samples.task("DEPLOY-DEV-001", environment="development", gate="development")
    console.put(*samples.run(done, kit.RunState.SUCCEEDED, finished_at=kit.NOW - ago(seconds=50)))
    staging = samples.task(
        "DEPLOY-STAGING-001",
        environment="staging",
        gate="staging",
        depends_on=("credentialmate:DEPLOY-DEV-001",),
    )
    staging = replace(staging, description="Deploy v2.1.0 to staging with migrations")
    console.put(*samples.run(staging, kit.RunState.RUNNING))
    console.put(*samples.waiting(depends_on=("credentialmate:DEPLOY-STAGING-001",)))
    console.sources["backend/alembic/versions/migration_001.py"] = samples.blocked_source()
    task, run = samples.blocked()
    console.put(task, replace(run, steps=_stopped(kit, samples.steps(run.run.id, at=2))))
    halted = samples.task("DEPLOY-PROD-000", version="2.0.1", description="Deploy v2.0.1 to production")
    reason = "health check failed: GET /health answered 503 three times"
    steps = tuple(
        replace(step, state=kit.StepState.FAILED, detail=reason, finished_at=step.started_at)
        if step.name == "health"
        else step
        for step in samples.steps("run-deploy-prod-000", at=8)
    )
    changes = {"release": "2.0.1-1", "previous_release": "2.0.0-3", "version": "2.0.1", "steps": steps}
    revisions = {"revision_before": "4be1", "revision_after": "6a02"}
    task, run = samples.run(halted, kit.RunState.HALTED, reason=reason, **changes, **revisions)
    console.put(replace(task, waits_for="a decision: revert, override or abort"), run)
    bug = samples.task("BUG-17", kind="other", environment=None, version=None, gate=None)
    console.put(replace(bug, state="in_progress", description="Fix the login page"))
    for view in console.runs.values():
        samples.log(view, LOG)
    samples.log(run, [*LOG, "n ── Wait for health", "e GET /health: 503 no database pool"])
    samples.history(console.record)
    samples.chain(console.record)
    console.places = (
        samples.environment("development", version="2.1.0", release="2.1.0-1"),
        samples.environment("staging", version="2.0.1", release="2.0.1-1", running="DEPLOY-STAGING-001"),
        samples.environment(version="2.0.0", release="2.0.0-3", revision="4be1", waiting="DEPLOY-PROD-001"),
    )
    wrong = "it runs 1.9.9-1; on record is 2.0.0-3"
    console.seen["credentialmate", "production"] = kit.Seen(kit.Health.HEALTHY, "200", kit.Drift.OTHER, wrong)
    return console


def _stopped(kit: ModuleType, steps: Any) -> tuple[Any, ...]:
    """Give the steps of a run that the scan stopped."""
    found = {"state": kit.StepState.FAILED, "detail": "2 findings, 1 of them blocks"}
    return tuple(
        replace(step, **found, finished_at=step.started_at + kit.timedelta(seconds=0.9))
        if step.state is kit.StepState.RUNNING
        else replace(step, state=kit.StepState.SKIPPED)
        if step.state is kit.StepState.PENDING
        else step
        for step in steps
    )


def _samples() -> ModuleType:
    path = HERE.parent / "tests" / "screens" / "conftest.py"
    spec = importlib.util.spec_from_file_location("opconsole_samples", path)
    if spec is None or spec.loader is None:
        raise ImportError(f"there are no samples at {path}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    asyncio.run(main(HERE / "pictures"))
