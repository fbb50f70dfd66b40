"""A program gets the console's terminal: one that draws and reads keys plays the part of the editor."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from test_cascade import PATIENCE, Program, Terminal

EDITOR = r"""#!/bin/sh
# Draws over the whole terminal, says how it is set, and changes the file when a line was typed.
printf '\033[2J\033[H'
printf 'EDITED BY HAND %s\r\n' 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20
printf 'EDITING %s %s\r\n' "$1" "$2"
stty -a | grep -qw -e '-icanon\|-echo\|-isig' && echo 'STILL RAW' || echo 'AS A SHELL HAS IT'
trap 'echo INTERRUPTED' INT
until read answer; do :; done
[ "$answer" = refuse ] && exit 3
[ "$answer" = die ] && { stty raw -echo; kill -9 $$; }
sed -i "$(printf '%s' "${1#+}"),\$s/2.1.0/2.2.0/" "$2"
"""
SETTINGS = """
[projects.shop]
path = "shop"
[projects.shop.environments.staging]
target = {type = "releases", path = "deployed"}
"""


class Tmux:
    """A terminal of tmux's: what is drawn in it is read as a person would see it."""

    def __init__(self, argv: list[str], environ: dict[str, str], folder: Path) -> None:
        self.socket = str(folder / "tmux")
        self.environ = {name: value for name, value in environ.items() if name != "TMUX"}
        self.tmux(
            "new-session", "-d", "-x", "120", "-y", "40", f"{shlex.join(argv)}; echo STATUS $?; stty -a; cat"
        )

    def tmux(self, *words: str) -> str:
        argv = ["tmux", "-S", self.socket, "-f", os.devnull, *words]
        done = subprocess.run(argv, env=self.environ, check=True, capture_output=True, text=True, timeout=60)
        return done.stdout

    @property
    def text(self) -> str:
        return self.tmux("capture-pane", "-p")

    def send(self, keys: str) -> None:
        self.tmux("send-keys", "-l", keys)

    def until(self, wanted: Callable[[str], bool]) -> str:
        end = time.monotonic() + PATIENCE
        while not wanted(text := self.text):
            assert time.monotonic() < end, f"never seen; the screen:\n{text}"
            time.sleep(0.1)
        return text


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Program]:
    program = Program(tmp_path)
    (program.demo / "tasks").mkdir(parents=True)
    program.demo.chmod(0o755)
    (program.demo / "opconsole.toml").write_text(SETTINGS)
    deploy = {"agent_type": "deployment", "environment": "staging", "version": "2.1.0"}
    entries = [{"id": name, **deploy} for name in ("FIRST", "SECOND")]
    text = json.dumps({"project": "shop", "features": entries}, indent=2)
    queue(program).write_text(text)
    editor = tmp_path / "vi"
    editor.write_text(EDITOR)
    editor.chmod(0o755)
    program.environ["VISUAL"] = str(editor)
    yield program
    assert program.here("worker", "--stop").returncode in (0, 2)


def queue(program: Program) -> Path:
    return program.demo / "tasks" / "work_queue_shop.json"


def opened(program: Program) -> Terminal:
    terminal = Terminal(program.argv("-C", str(program.demo)), program.environ)
    terminal.until(r"› *\S+ \S+ +FIRST")
    terminal.until("● worker")
    return terminal


def test_the_editor_has_the_terminal_and_then_the_console_has_all_of_it_again(program: Program) -> None:
    terminal = opened(program)
    terminal.send("j")
    before = terminal.until(r"› *\S+ \S+ +SECOND")
    terminal.raw.clear()
    terminal.send("o")
    seen = terminal.until("AS A SHELL HAS IT|STILL RAW")
    assert "AS A SHELL HAS IT" in seen
    given = terminal.raw.partition(b"EDITED BY HAND")[0]
    assert all(sequence in given for sequence in (b"\x1b[?1049l", b"\x1b[?25h", b"\x1b[?1000l"))
    line = int(seen.split("EDITING +")[1].split()[0])
    assert "SECOND" in "".join(queue(program).read_text().splitlines()[line - 1 : line + 1])
    terminal.send("\x03")
    terminal.until("INTERRUPTED")  # ctrl+c is the editor's, as in vi: the console does not end by it
    terminal.raw.clear()
    terminal.send("\r")
    text = terminal.until("work_queue_shop.json: 1 changed")
    assert b"\x1b[?1049h" in terminal.raw
    assert b"\x1b[?1000h" in terminal.raw
    assert "EDIT" not in text
    assert text.split("\n")[0] == before.split("\n")[0]
    assert text.split("\n")[-1] == before.split("\n")[-1]
    terminal.press_until("D", "What changed in the queue files")
    terminal.until("SECOND  changed")
    terminal.until('version: "2.1.0" → "2.2.0"')
    terminal.press_until("y", lambda text: "What changed in" not in text)
    terminal.until(lambda text: "1 changed" not in text)
    terminal.send("q")
    assert terminal.end() == 0


def test_an_editor_that_fails_or_is_not_there_is_told_with_what_to_do(program: Program) -> None:
    terminal = opened(program)
    terminal.send("o")
    terminal.until("AS A SHELL HAS IT")
    terminal.send("refuse\r")
    terminal.until(r"ended with status 3")
    terminal.until(r"› *\S+ \S+ +FIRST")
    terminal.send("o")
    terminal.until("AS A SHELL HAS IT")
    terminal.send("die\r")
    terminal.until("SIGKILL")
    Path(program.environ["VISUAL"]).unlink()
    terminal.send("o")
    terminal.until(r"cannot be started: No such file[\s\S]*\$VISUAL")
    terminal.send("q")
    assert terminal.end() == 0
    assert "2.2.0" not in queue(program).read_text()


@pytest.mark.skipif(shutil.which("tmux") is None, reason="there is no tmux here")
def test_in_tmux_the_editor_and_then_the_console_have_the_whole_pane(
    program: Program, tmp_path: Path
) -> None:
    terminal = Tmux(program.argv("-C", str(program.demo)), program.environ, tmp_path)
    try:
        before = terminal.until(lambda text: "FIRST" in text and "● worker" in text)
        terminal.send("o")
        terminal.until(lambda text: "AS A SHELL HAS IT" in text and "Queue" not in text)
        terminal.send("die\r")
        after = terminal.until(lambda text: "SIGKILL" in text and "Queue" in text)
        assert "EDIT" not in after
        assert next(line for line in before.split("\n") if "FIRST" in line)[:70] in after
        terminal.send("q")
        end = terminal.until(lambda text: "STATUS" in text and "icanon" in text)
        assert "STATUS 0" in end
        assert "-icanon" not in end
        assert "-echo " not in end
    finally:
        terminal.tmux("kill-server")


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash here, whose jobs can be stopped")
def test_ctrl_z_goes_to_the_shell_and_fg_draws_the_console_whole(program: Program) -> None:
    terminal = Terminal(["bash", "--norc", "--noprofile", "-i"], {**program.environ, "PS1": "SHELL> "})
    terminal.until("SHELL>")
    terminal.send(shlex.join(program.argv("-C", str(program.demo))) + "\r")
    terminal.until(r"› *\S+ \S+ +FIRST")
    before = terminal.until("● worker")
    terminal.send("\x1a")
    terminal.until("Stopped")
    terminal.screen.reset()  # as on a real terminal nothing of before is left
    terminal.send("fg\r")
    terminal.until(lambda text: all(line in text for line in before.split("\n") if line.strip()))
    terminal.send("q")
    terminal.until("The worker goes on")
    terminal.send("exit\r")
    terminal.end()
