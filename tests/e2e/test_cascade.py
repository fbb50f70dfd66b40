"""The guide's cascade from end to end: the program itself, real processes, real services, a real terminal."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pyte
import pytest

PATIENCE = 300.0
PROJECT = "credentialmate"


class Program:
    """The command line, run as a person would run it, on one demo workspace."""

    def __init__(self, folder: Path) -> None:
        self.demo = folder / "demo"
        self.environ = {
            **{
                name: value
                for name, value in os.environ.items()
                # COLUMNS and LINES would hide the size of the test's own terminal.
                if not name.startswith("OPCONSOLE_") and name not in {"COLUMNS", "LINES"}
            },
            "OPCONSOLE_STATE_DIR": str(folder / "state"),
            "HOME": str(folder),
            "TERM": "xterm-256color",
        }

    def argv(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "opconsole", *words]

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.argv(*words),
            check=False,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            env=self.environ,
            timeout=PATIENCE,
        )

    def here(self, *words: str) -> subprocess.CompletedProcess[str]:
        return self.run("-C", str(self.demo), *words)

    def documents(self, *words: str) -> list[dict[str, object]]:
        done = self.here("--json", *words)
        assert done.returncode == 0, done.stderr
        found: list[dict[str, object]] = json.loads(done.stdout)
        return found

    def approve(self, task: str) -> subprocess.CompletedProcess[str]:
        [waiting] = [one for one in self.documents("approvals") if one["task"] == task]
        environment = str(waiting["environment"])
        plan = ("--plan", str(waiting["digest"]))
        return self.here("approve", task, *plan, "--reason", "read it", "--environment", environment)

    def health(self) -> dict[str, Mapping[str, str]]:
        """Ask the three services themselves."""
        found = {}
        for one in self.documents("status"):
            if one["version"] is None:
                continue
            with urllib.request.urlopen(f"{one['url']}/health", timeout=5) as answer:
                found[str(one["environment"])] = json.load(answer)
        return found


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Program]:
    program = Program(tmp_path)
    yield program
    if program.demo.exists():
        stopped = program.run("demo", "--stop", str(program.demo))
        assert stopped.returncode == 0, stopped.stderr


def test_the_demo_plays_the_whole_cascade_by_itself(program: Program) -> None:
    done = program.run("demo", "--headless", "--yes", "--dir", str(program.demo))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "DEPLOYMENT_COMPLETE" in done.stdout
    answers = program.health()
    assert {name: answer["version"] for name, answer in answers.items()} == dict.fromkeys(
        ("development", "staging", "production"), "2.1.0"
    )
    assert {answer["revision"] for answer in answers.values()} == {"0003"}
    assert {one["state"] for one in program.documents("history")} == {"succeeded"}
    assert program.here("audit", "verify").returncode == 0


def test_the_cascade_by_hand_asks_where_the_guide_says_so(program: Program) -> None:
    first = program.run("demo", "--headless", "--dir", str(program.demo))
    assert first.returncode == 0, first.stderr
    run = ("run", "--project", PROJECT, "--max-iterations", "50")
    assert program.here(*run).returncode == 3  # staging's first time
    assert program.here("approve", "DEPLOY-STAGING-001").returncode == 2  # the plan must be named
    assert program.approve("DEPLOY-STAGING-001").returncode == 0
    assert program.here(*run).returncode == 3  # production always
    assert program.approve("DEPLOY-PROD-001").returncode == 0
    assert program.here(*run).returncode == 0
    assert program.here("verify", "DEPLOY-PROD-001", "--reason", "looked at it").returncode == 0
    [newer] = (program.demo / "next").glob("cascade-*.json")
    assert program.here("queue", "add", str(newer)).returncode == 0
    lines = program.here("--json", *run)
    assert lines.returncode == 3  # nothing asked at staging now
    events = [json.loads(line) for line in lines.stdout.splitlines()]
    asked = {event["environment"] for event in events if event["event"] == "approval"}
    assert asked == {"production"}
    entries = json.loads((program.demo / "tasks" / f"work_queue_{PROJECT}.json").read_text())["features"]
    assert [entry["status"] for entry in entries] == ["complete"] * 5 + ["in_progress"]
    log = json.loads((program.demo / "projects" / PROJECT / ".aibrain" / "deployments.json").read_text())
    assert [entry["status"] for entry in log["deployments"]] == ["success"] * 5


class Terminal:
    """A real terminal: a pty with a program in it, and pyte to read what is on its screen."""

    def __init__(
        self, argv: list[str], environ: Mapping[str, str], columns: int = 120, lines: int = 40
    ) -> None:
        self.screen = pyte.Screen(columns, lines)
        self.stream = pyte.ByteStream(self.screen)
        self.raw = bytearray()
        self.pid, self.descriptor = pty.fork()
        if self.pid == 0:
            # In the child, before the program begins: a size that comes later may find nobody listening.
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
            os.execvpe(argv[0], argv, dict(environ))

    def read(self, seconds: float = 0.1) -> bool:
        """Take what the program wrote; False when it has ended."""
        if not select.select([self.descriptor], [], [], seconds)[0]:
            return True
        try:
            data = os.read(self.descriptor, 65536)
        except OSError:
            return False
        self.raw += data
        self.stream.feed(data)
        return bool(data)

    @property
    def text(self) -> str:
        return "\n".join(line.rstrip() for line in self.screen.display)

    def until(self, wanted: str | Callable[[str], bool]) -> str:
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            alive = self.read()
            found = wanted(self.text) if callable(wanted) else re.search(wanted, self.text) is not None
            if found:
                return self.text
            if not alive:
                break
        raise AssertionError(f"never saw {wanted!r}; the screen:\n{self.text}")

    def send(self, keys: str) -> None:
        os.write(self.descriptor, keys.encode())

    def press_until(self, key: str, wanted: str | Callable[[str], bool]) -> None:
        """Press a key, again and again, until something is on the screen, or the screen is as wanted."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            self.send(key)
            settled = time.monotonic() + 0.5
            while time.monotonic() < settled:
                self.read(0.05)
                if wanted(self.text) if callable(wanted) else wanted in self.text:
                    return
        raise AssertionError(f"never saw {wanted!r}; the screen:\n{self.text}")

    def taken_away(self) -> None:
        """Close the terminal under its program: the kernel sends SIGHUP. The program must end by that."""
        os.close(self.descriptor)
        end = time.monotonic() + PATIENCE
        while os.waitpid(self.pid, os.WNOHANG)[0] == 0:
            assert time.monotonic() < end, "the program goes on without its terminal"
            time.sleep(0.05)

    def end(self) -> int:
        end = time.monotonic() + PATIENCE
        while self.read() and time.monotonic() < end:
            pass
        _, status = os.waitpid(self.pid, 0)
        os.close(self.descriptor)
        return os.waitstatus_to_exitcode(status)


def test_on_a_terminal_run_asks_as_the_guide_prints_it(program: Program) -> None:
    assert program.run("demo", "--headless", "--dir", str(program.demo)).returncode == 0
    argv = program.argv("-C", str(program.demo), "run", "--project", PROJECT)
    terminal = Terminal(argv, program.environ, columns=140, lines=80)
    seen = terminal.until(r"Proceed with deployment\? \[Y/N\]")
    assert "Environment: STAGING\nVersion: 2.1.0\nProject: credentialmate\nMigrations: YES (path: " in seen
    terminal.send("y\n")
    terminal.until("\nReason:")
    terminal.send("the first time\n")
    terminal.until("Type the environment's name")
    terminal.send("staging\n")
    seen = terminal.until(r"Environment: PRODUCTION[\s\S]*Proceed with deployment\? \[Y/N\]")
    # By the bytes: the emulator loses what stands behind the warning sign.
    assert "⚠️ WARNING: Production deployment requires explicit approval".encode() in terminal.raw
    for tick in ("All tests passed", "Migrations validated (reversible)", "Build successful"):
        assert tick in seen
    terminal.send("n\n")
    terminal.until("Reason for rejecting:")
    terminal.send("not today\n")
    assert terminal.end() == 1
    states = {str(one["task"]): one["state"] for one in program.documents("history")}
    assert states == {
        "DEPLOY-DEV-001": "succeeded",
        "DEPLOY-STAGING-001": "succeeded",
        "DEPLOY-PROD-001": "rejected",
    }


def test_in_the_console_the_cascade_is_approved_by_keys_and_outlives_the_terminal(program: Program) -> None:
    assert program.run("demo", "--headless", "--dir", str(program.demo)).returncode == 0
    terminal = Terminal(program.argv("-C", str(program.demo)), program.environ)
    terminal.until(lambda text: "DEPLOY-STAGING-001" in text and "waiting" in text)
    assert program.here("queue", "start", PROJECT).returncode == 0  # by the worker that the console started
    terminal.send("j")
    terminal.until(r"waits for approval: first time in staging")
    terminal.send("a")
    terminal.until("Approve …")
    terminal.send("\r")
    terminal.until("Deploy to STAGING")
    terminal.press_until("\x1b[Z", "› Reason")  # the dialog drops the keys of its first half second
    terminal.send("read the plan")
    terminal.press_until("\t", "› Environment's name")
    terminal.send("staging")
    terminal.press_until("\t", "›Approve‹")
    terminal.send("\r")
    terminal.until(r"Queue[\s\S]*running +DEPLOY-STAGING-001")
    os.kill(terminal.pid, signal.SIGHUP)
    terminal.end()
    end = time.monotonic() + PATIENCE
    while not any(one["state"] == "waiting" for one in program.documents("approvals")):
        assert time.monotonic() < end, program.here("history").stdout
    [waiting] = program.documents("approvals")
    assert waiting["task"] == "DEPLOY-PROD-001"
    states = {str(one["task"]): one["state"] for one in program.documents("history")}
    assert states["DEPLOY-STAGING-001"] == "succeeded"
    assert program.health()["staging"]["version"] == "2.1.0"
