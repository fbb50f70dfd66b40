"""Makes the pictures of README and manual: it plays the demo, and opens the console on it.

Run it by hand after a change of the looks: ``.venv/bin/python docs/make_pictures.py``. It takes two minutes.
Nothing in them is made up: the demo's cascade is deployed, a newer one waits for production, a broken version
halts there, and the guardrails stop another. The demo's folder is shown, so it has a name of its own: another
than ``/srv/demo`` can be given. Nothing else of this machine may be shown; that is looked for.
"""

from __future__ import annotations

import argparse
import asyncio
import getpass
import html
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from opconsole.app import OpconsoleApp
from opconsole.cli.worker import ensure_worker
from opconsole.client import Client
from opconsole.demo.make import PROJECT
from opconsole.journal.location import STATE_VARIABLE
from opconsole.journal.records import StepState
from opconsole.targets.base import machine_id
from opconsole.workspace import Workspace
from queues.states import RunState
from screens.actions import PLACES
from screens.desk import Waits

PICTURES = Path(__file__).resolve().parent / "pictures"
SIZE = (140, 40)
PATIENCE = 180.0
"""Seconds for anything that the demo or a screen is waited for; a slow machine is no failure."""
ASKS, DECIDES = "ana", "jonas"
"""Who asks for the deployments, and who approves them."""


def main() -> int:
    """Make every picture."""
    parser = argparse.ArgumentParser(description="Make the pictures of README and manual from the demo.")
    parser.add_argument("folder", nargs="?", type=Path, default=Path("/srv/demo"), help="the demo's folder")
    folder = parser.parse_args().folder
    with played_in(folder) as demo:
        asyncio.run(make(demo, PICTURES))
    return 0


@contextmanager
def played_in(folder: Path) -> Iterator[Demo]:
    """Give a new demo in a folder that does not exist yet; end and remove it afterwards."""
    try:
        folder.mkdir(mode=0o700)
    except OSError as problem:
        sys.exit(f"{folder} cannot be made ({problem.strerror}): name a new folder outside home and /tmp")
    for name in [name for name in os.environ if name.startswith("OPCONSOLE_")]:
        del os.environ[name]
    try:
        with tempfile.TemporaryDirectory() as state:
            # Of this process, too: it opens the journal, and the worker is its child.
            os.environ |= {STATE_VARIABLE: state, "OPCONSOLE_OPERATOR": ASKS}
            demo = Demo(folder)
            try:
                yield demo
            finally:
                demo.run("demo", "--stop", str(folder))
    finally:
        shutil.rmtree(folder)


class Demo:
    """The demo workspace, and the command line as two people use it there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(self, *words: str, who: str = ASKS) -> str:
        """Run a command, and give what it prints. Raises CalledProcessError where it fails."""
        return subprocess.run(
            [sys.executable, "-m", "opconsole", *words],
            env={**os.environ, "OPCONSOLE_OPERATOR": who},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            timeout=PATIENCE,
        ).stdout

    def here(self, *words: str, who: str = ASKS) -> str:
        """Do the same in the workspace."""
        return self.run("-C", str(self.folder), *words, who=who)

    def begin(self) -> None:
        """Make the demo, let its own operator deploy the cascade, and let a worker wait for more."""
        self.run("demo", "--headless", "--yes", "--dir", str(self.folder))
        client = self.client()
        try:
            if not ensure_worker(client.workspace, client.place):
                raise ChildProcessError("the worker did not start")
        finally:
            client.close()

    def add(self, name: str) -> None:
        """Add one of the demo's further queue files; the worker begins its tasks."""
        self.here("queue", "add", str(self.folder / "next" / name))

    def approve(self, task: str) -> None:
        """Approve what a task waits for."""
        [waits] = [one for one in json.loads(self.here("--json", "approvals")) if one["task"] == task]
        words = (
            "--plan",
            waits["digest"],
            "--environment",
            waits["environment"],
            "--reason",
            "Read the plan",
        )
        self.here("approve", task, *words, who=DECIDES)

    def client(self) -> Client:
        """Open the workspace as the console does."""
        return Client.open(Workspace.open(self.folder), operator=ASKS)

    async def comes_to(self, task: str, wanted: RunState) -> None:
        """Wait until a task's run has come to a state. Raises TimeoutError."""
        client = await asyncio.to_thread(self.client)
        try:
            async with asyncio.timeout(PATIENCE):
                while True:
                    runs = await asyncio.to_thread(client.reader.latest_runs)
                    if (run := runs.get((PROJECT, task))) is not None and run.state is wanted:
                        return
                    await asyncio.sleep(0.2)
        finally:
            client.close()

    @asynccontextmanager
    async def stage(self) -> AsyncIterator[Stage]:
        """Open the console on the workspace."""
        client = await asyncio.to_thread(self.client)
        app = OpconsoleApp(client, waits=Waits(guard=0.0))
        app.animation_level = "none"
        try:
            async with app.run_test(size=SIZE) as pilot:
                yield Stage(pilot, self)
        finally:
            client.close()


class Stage:
    """An app on its stage, and what a story does with it."""

    def __init__(self, pilot: Any, demo: Demo) -> None:
        self.pilot, self.demo = pilot, demo

    @property
    def app(self) -> OpconsoleApp:
        """The console's app."""
        app: OpconsoleApp = self.pilot.app
        return app

    async def until(self, holds: Callable[[], object]) -> None:
        """Wait for a condition. Raises TimeoutError."""
        async with asyncio.timeout(PATIENCE):
            while not (self.app.whole and holds()):  # noqa: ASYNC110 (nothing tells when a screen shows something)
                await asyncio.sleep(0.02)

    async def select(self, task: str) -> None:
        """Select a task and wait for its run and its log."""
        screen = self.app.operations
        name = f"{PROJECT}:{task}"
        await self.until(lambda: screen.is_mounted and screen.table.select(name))
        await self.until(lambda: (run := screen.situation().run) and run.run.task == task)
        await self.until(lambda: screen.log_pane.view.count)

    async def press(self, key: str, wanted: str) -> None:
        """Press a key and wait for what it brings."""
        await self.pilot.press(key)
        await self.until(lambda: self.app.screen.query(wanted))

    async def still(self) -> None:
        """Wait until the screen shows the same twice, some moments apart, and not that more is to come."""
        last = ""
        async with asyncio.timeout(PATIENCE):
            while (now := str(self.app.export_screenshot())) != last or TO_COME.search(now):
                last = now
                await self.pilot.pause(0.6)

    def picture(self) -> str:
        """Give what is shown, as SVG. Raises ValueError where it shows something of this machine."""
        # Textual names its styles by a hash of its own: a fixed name keeps the files comparable.
        svg = re.sub(r"terminal-\d+", "opconsole", str(self.app.export_screenshot(title="opconsole")))
        svg = INDENTED.sub(_without_indent, svg)
        if found := of_this_machine(svg):
            raise ValueError(f"a picture would show {', '.join(found)}: play the demo in another folder")
        return svg


def of_this_machine(svg: str) -> list[str]:
    """Name what a picture shows of the machine that it was made on."""
    shown = html.unescape(" ".join(re.findall(r"<text[^>]*>([^<]*)</text>", svg)))
    whole = re.sub(r"\s+", "", shown)  # a path may be broken between two lines
    folders = {str(Path.home()), tempfile.gettempdir(), sys.prefix, str(PICTURES.parents[1]), machine_id()}
    names = {getpass.getuser(), socket.gethostname()}
    found = [folder for folder in folders if folder in whole]
    return sorted(found + [name for name in names if re.search(rf"\b{re.escape(name)}\b", shown)])


BLANK = "&#160;"
TO_COME = re.compile(rf"(?:reading|asking|verifying)(?:{BLANK}|<)", re.IGNORECASE)
"""What a screen says while it does not show everything yet."""
INDENTED = re.compile(rf' x="([0-9.]+)"( y="[0-9.]+") textLength="([0-9.]+)"([^>]*)>((?:{BLANK})+)([^<]+)<')


def _without_indent(text: re.Match[str]) -> str:
    """Move a text instead of indenting it: not every program that shows SVG keeps leading blanks."""
    start, y, length, rest, blanks, shown = text.groups()
    count = len(blanks.replace(BLANK, " ") + html.unescape(shown))
    moved = float(length) / count * blanks.count(BLANK)
    return f' x="{float(start) + moved:.6g}"{y} textLength="{float(length) - moved:.6g}"{rest}>{shown}<'


Story = Callable[[Stage], Awaitable[None]]
"""Brings a stage to what its picture shows."""


@dataclass(frozen=True)
class Chapter:
    """What happens to the demo, and the pictures that are taken then."""

    happens: Callable[[Demo], Awaitable[None]]
    pictures: Mapping[str, Story]


async def make(demo: Demo, out: Path) -> None:
    """Play every chapter and write its pictures into a folder."""
    for chapter in CHAPTERS:
        await chapter.happens(demo)
        for name, tell in chapter.pictures.items():
            async with demo.stage() as stage:
                await tell(stage)
                svg = stage.picture()
            await asyncio.to_thread((out / f"{name}.svg").write_text, svg)
            sys.stdout.write(f"{out / name}.svg\n")


async def _newer_to_come(demo: Demo) -> None:
    await asyncio.to_thread(demo.begin)
    await asyncio.to_thread(demo.here, "queue", "pause", PROJECT)
    await asyncio.to_thread(demo.add, "cascade-2.2.0.json")


async def _newer_waits(demo: Demo) -> None:
    await demo.comes_to("DEPLOY-PROD-002", RunState.WAITING)


async def _trouble(demo: Demo) -> None:
    await asyncio.to_thread(demo.add, "blocked-2.4.0.json")
    await demo.comes_to("BLOCKED-PROD-001", RunState.BLOCKED)
    await asyncio.to_thread(demo.add, "broken-2.3.0.json")
    await demo.comes_to("BROKEN-PROD-001", RunState.WAITING)
    await asyncio.to_thread(demo.approve, "BROKEN-PROD-001")
    await demo.comes_to("BROKEN-PROD-001", RunState.HALTED)


async def _operations(stage: Stage) -> None:
    """Start the queue, and look at the cascade's second task in the middle of its work."""
    await asyncio.to_thread(stage.demo.here, "queue", "start", PROJECT)
    await stage.select("DEPLOY-STAGING-002")

    def at_work() -> bool:
        view = stage.app.operations.situation().run
        steps = view.steps if view is not None else ()
        return any(step.name == "migrate" and step.state is StepState.RUNNING for step in steps)

    await stage.until(at_work)


async def _approval(stage: Stage) -> None:
    await stage.select("DEPLOY-PROD-002")
    await stage.press("a", "OptionList")
    await stage.press("p", "#approve")
    await stage.still()


async def _decide(stage: Stage) -> None:
    await stage.select("BROKEN-PROD-001")
    await stage.press("a", "OptionList")
    await stage.press("d", "#decide")
    await stage.pilot.press("r")
    await stage.still()


async def _help(stage: Stage) -> None:
    await stage.press("question_mark", "HelpText")
    await stage.still()


async def _add(stage: Stage) -> None:
    await stage.press("i", "FormLine")
    for line in stage.app.screen.query("Input"):
        line.cursor_blink = False
    await stage.still()


AT = {
    "approvals": f"{PROJECT}:DEPLOY-PROD-002",
    "dependencies": f"{PROJECT}:DEPLOY-PROD-002",
    "environments": f"{PROJECT} production",
}
"""Where a screen is gone to, if not where it begins."""


def _screen(name: str) -> Story:
    """Give the story of a screen: it is gone to, and shows what it loads."""

    async def tell(stage: Stage) -> None:
        await stage.until(lambda: stage.app.operations.is_mounted)
        stage.app.go(name, AT.get(name, ""))
        await stage.until(lambda: name == stage.app.here.PLACE and stage.app.here.is_current)
        await stage.still()

    return tell


SHOWN_BEFORE = ("dependencies", "operations")
"""Screens that are shown while there is something to come, or at work."""

CHAPTERS = (
    Chapter(_newer_to_come, {"dependencies": _screen("dependencies"), "operations": _operations}),
    Chapter(_newer_waits, {"approval": _approval, "add": _add, "help": _help}),
    Chapter(
        _trouble,
        {
            "decide": _decide,
            **{place.name: _screen(place.name) for place in PLACES if place.name not in SHOWN_BEFORE},
        },
    ),
)
"""Every screen that is registered, and some dialogs."""


if __name__ == "__main__":
    sys.exit(main())
