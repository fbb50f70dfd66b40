"""A build log full of control sequences leaves screen and clipboard of a real terminal alone.

The log is written by a real build under its shim, in a run that the program itself carried out; then a real
pseudo terminal shows it in the console and by `opconsole logs`, and the bytes that reach it are looked at.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyte
import pytest

BUILD = r"""
import os, time

def say(data):
    os.write(1, data + b"\n")

say(b"t01 \x1b]52;c;T1dORUQwMQ==\x07 and \x9d52;c;QzExQzEx\x9c end01")
say(b"t02 \x1b]0;OWNED02\x07\x1b[21t\x1b]2;OWNED02\x1b\\\x1b[6n\x1b[>0q end02")
say("t03 \x9b2J\x9d0;OWNED03\x9c\x85 \x9b31mred\x9b0m end03".encode())
for part in (b"t04 \x1b", b"]52;c;T1dORUQwNA==", b"\x07 \x1b", b"[2J end04\n"):
    os.write(1, part)
    time.sleep(0.4)  # longer than the shim waits with the beginning of a line
say(b"t05 FAILED\rt05 PASSED")
say(b"t05b FAILED\b\b\b\b\b\bPASSED \x1b[6DPASSED \x1b[2K\x1b[1Aup")
say("t06 prod\u202egnits\u2066\u200b\ufeff\U000e0041 end06".encode())
say(b"t07 \x1b]8;;file:///etc/passwd\x1b\\linked07\x1b]8;;\x1b\\ \x1b]8;;https://evil.invalid\x07\x1b]8;;\x07")
say(b"t08 [/bold][@click=app.quit]x08[/] [link=file:///x]y08[/link] {b} $foreground")
say(b"t08b \x1b[8mhidden08\x1b[0m\x1b[31mcolour\x1b[0m\x1bP1$rOWNED08\x1b\\ \x1b_OWNED08\x1b\\\x1b(0qqq")
say(b"t13 name\x00with NUL")
os.makedirs("dist", exist_ok=True)
open("dist/app.txt", "w").write("built\n")
"""
SHOWN = ("t01", "t02", "t03", "t05", "t06", "t07", "t08")


@dataclass(frozen=True)
class Seen:
    """What a terminal got: the bytes, and the text of the screen (or of all lines printed)."""

    data: bytes
    text: str

    def line(self, name: str) -> str:
        found = [line for line in self.text.splitlines() if re.search(rf"\b{name}\b", line)]
        assert found, f"{name} is not shown:\n{self.text}"
        return found[-1]


SETTINGS = """
[projects.app]
path = "app"
build = ["{python}", "-u", "build.py"]
artifact = "dist"
[projects.app.environments.development.target]
type = "releases"
path = "deployed"
"""


@pytest.fixture(scope="module")
def workspace(
    tmp_path_factory: pytest.TempPathFactory, program_environ: Callable[[Path], dict[str, str]]
) -> Iterator[tuple[Path, dict[str, str]]]:
    """A workspace in which the hostile build has run."""
    folder = tmp_path_factory.mktemp("terminal")
    root, environ = folder / "workspace", program_environ(folder)
    (root / "app").mkdir(parents=True)
    (root / "tasks").mkdir()
    (root / "app" / "build.py").write_text(BUILD)
    (root / "opconsole.toml").write_text(SETTINGS.format(python=sys.executable))
    (root / "tasks" / "work_queue_app.json").write_text(
        '{"project": "app", "features": [{"id": "BUILD", "agent_type": "deployment",'
        ' "environment": "development", "version": "1.0.0", "description": "Build it [/bold]"}]}'
    )
    for path in (root / "opconsole.toml", root / "tasks" / "work_queue_app.json"):
        path.chmod(0o644)
    run = [sys.executable, "-m", "opconsole", "-C", str(root), "run", "--project", "app"]
    done = subprocess.run(run, env=environ, capture_output=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    yield root, environ
    stop = [sys.executable, "-m", "opconsole", "-C", str(root), "worker", "--stop"]
    subprocess.run(stop, env=environ, capture_output=True, timeout=60, check=True)


_SEEN: dict[str, Seen] = {}


@pytest.fixture(params=["console", "logs"])
def seen(
    request: pytest.FixtureRequest, workspace: tuple[Path, dict[str, str]], terminal: Callable[..., Any]
) -> Seen:
    """What reaches a terminal that shows the log: in the console, and printed by `opconsole logs`."""
    if request.param not in _SEEN:
        root, environ = workspace
        program = [sys.executable, "-m", "opconsole", "-C", str(root)]
        if request.param == "console":
            shown = terminal(program, environ)
            shown.until(lambda text: "BUILD" in text and "t08" in text)
            shown.send("lz")  # the log alone
            shown.until(lambda text: all(name in text for name in SHOWN))
            shown.settle()
            _SEEN["console"] = Seen(shown.bytes, shown.text)
        else:
            shown = terminal([*program, "logs", "BUILD"], environ)
            assert shown.over() == 0
            screen = pyte.Screen(150, 200)
            pyte.ByteStream(screen).feed(shown.bytes)
            _SEEN["logs"] = Seen(shown.bytes, "\n".join(screen.display))
    return _SEEN[request.param]


def test_01_osc_52_clipboard_write_in_a_build_log(seen: Seen) -> None:
    assert b"\x1b]52" not in seen.data
    assert b"T1dORUQwMQ" not in seen.data
    assert "end01" in seen.line("t01")


def test_02_title_set_and_report_query_that_types_into_the_shell(seen: Seen) -> None:
    assert b"OWNED02" not in seen.data
    assert not re.search(rb"\x1b\[(?:21t|6n|>0q)", seen.data), "nothing asks the terminal to answer"
    assert "end02" in seen.line("t02")


def test_03_c1_controls_without_esc(seen: Seen) -> None:
    assert not re.search(rb"\xc2[\x80-\x9f]", seen.data)
    assert b"OWNED03" not in seen.data
    assert "red" in seen.line("t03")
    assert "end03" in seen.line("t03"), "it cleared nothing"


def test_04_esc_split_across_chunks(seen: Seen) -> None:
    assert b"\x1b]52" not in seen.data
    assert "end04" in seen.text
    assert "t01" in seen.text, "nothing was cleared"


def test_05_carriage_return_or_backspaces_that_overwrite_failed(seen: Seen) -> None:
    assert "FAILED\\rt05 PASSED" in seen.line("t05")
    assert "FAILED\\b\\b" in seen.line("t05b")
    assert b"\x08" not in seen.data


def test_06_bidi_or_zero_width_characters_in_a_build_log(seen: Seen) -> None:
    assert "prod\\u202egnits\\u2066\\u200b\\ufeff\\U000e0041" in seen.line("t06")
    assert not re.search("[\u202e\u2066\u200b\ufeff\U000e0041]", seen.data.decode("utf-8", "replace"))


def test_07_osc_8_link_to_file_or_another_host(seen: Seen) -> None:
    assert b"\x1b]8;" not in seen.data
    assert b"evil.invalid" not in seen.data
    assert b"/etc/passwd" not in seen.data
    assert "linked07" in seen.line("t07")


def test_08_markup_in_a_build_log_is_ordinary_text(seen: Seen) -> None:
    assert "[/bold][@click=app.quit]x08[/] [link=file:///x]y08[/link] {b} $foreground" in seen.line("t08")
    assert "hidden08" in seen.line("t08b"), "nothing is concealed"
    assert b"OWNED08" not in seen.data
    assert "qqq" in seen.line("t08b"), "no other character set"


def test_13_nul_in_a_build_log_is_shown(seen: Seen) -> None:
    assert "name\\x00with NUL" in seen.line("t13")
    assert b"\x00" not in seen.data


def test_colours_of_a_build_log_stay(seen: Seen) -> None:
    line = next(part for part in re.split(rb"\r|\n|\x1b\[\d+;\d+H", seen.data) if b"colour" in part)
    before = line[: line.index(b"colour")]
    assert re.search(
        rb"\x1b\[(?:[0-9;:]*;)?(?:31|38[;:][0-9;:]+)(?:;[0-9;:]*)?m(?:\x1b\[[0-9;]*m)*$", before
    ), before


def test_nothing_else_that_data_could_send_reaches_the_terminal(
    seen: Seen, harmless: Callable[[bytes], None]
) -> None:
    harmless(seen.data)
