"""Sets opconsole beside the programs that people compare it with, in one run and in real terminals.

python -m benchmarks.peers [logs] [start] [--keep DIR] [--lines N]      (default: both, 1,000,000 lines)

Logs: the seconds from the start of the program until the last line of a log is on the screen, and from a
search until its only hit is, and the memory that it keeps then, beside toolong and lnav. Start-up: until a
known word is on the screen, beside posting, harlequin and a bare Textual app. toolong, posting and harlequin
are put into environments of their own (--keep: where to, for the next run); lnav is used where the system has
it (apt-get install lnav). What cannot be had is left out, and why is printed. The rounds go round all
programs, so that a busy moment hits them all; figures are the best of the rounds.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyte

from benchmarks.console import COLUMNS, LINES, MARK, PATIENCE, Terminal, in_terminal, log_line, resident_mb

ROUNDS = 3
NEEDLE = "needle-in-the-hay"
SEARCHING = 30.0
"""Seconds that a search may take."""
TERM = "screen-256color"
"""One whose programs use nothing that pyte cannot do, such as repeating a character."""
OLDER_TREE_SITTER = "tree-sitter<0.26"
"""posting 2.11.1 ends by a segmentation fault with the one that pip takes otherwise, 0.26.1."""
INSTALLING = 600
"""Seconds that a peer may take to install."""


@dataclass(frozen=True)
class LogPeer:
    """A program that shows a log."""

    name: str
    argv: Sequence[str]
    """The log's name follows."""
    search: tuple[bytes, ...]
    """What is typed to search for the needle, piece by piece."""


@dataclass(frozen=True)
class StartPeer:
    """A program that starts, and a word that it shows when it has."""

    name: str
    argv: Sequence[str]
    word: str


def main() -> None:
    """Install what can be had, measure, and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", help="logs, start; both without any")
    parser.add_argument("--keep", type=Path, help="folder of the peers' environments, kept for the next run")
    parser.add_argument("--lines", type=int, default=1_000_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="opconsole-peers-") as scratch:
        folder = given.keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        parts = given.parts or ["logs", "start"]
        if "logs" in parts:
            logs(folder, Path(scratch), given.lines)
        if "start" in parts:
            start(folder, Path(scratch))


class Screen:
    """What a person sees in a terminal, whatever way the program paints it."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._screen = pyte.Screen(COLUMNS, LINES)
        self._stream = pyte.ByteStream(self._screen)

    def until(self, *words: str, patience: float = PATIENCE) -> float:
        """Give the moment (monotonic) at which one of the words stands there."""
        deadline = time.monotonic() + patience
        while not any(word in line for line in self._screen.display for word in words):
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"{' or '.join(words)} was not shown in {patience:.0f} s")
            if data := self._terminal.read(min(left, 0.5)):
                self._stream.feed(data)
        return time.monotonic()

    def settle(self, seconds: float) -> None:
        """Take in what is painted for so long."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self._stream.feed(self._terminal.read(left))

    def type(self, keys: bytes) -> None:
        """Press keys."""
        self._terminal.type(keys)


# -- logs


def logs(folder: Path, scratch: Path, lines: int) -> None:
    """Show a log in each program."""
    path = scratch / "log"
    with path.open("w", encoding="utf-8") as file:
        file.writelines(log_line(number) for number in range(lines // 2))
        file.write(f"2026-03-02T14:05:00.120Z o {NEEDLE}\n")
        file.writelines(log_line(number) for number in range(lines // 2, lines))
    peers = list(log_peers(folder))
    tails: dict[str, list[float]] = {peer.name: [] for peer in peers}
    finds: dict[str, list[float]] = {peer.name: [] for peer in peers}
    sizes: dict[str, list[float]] = {peer.name: [] for peer in peers}
    for _ in range(ROUNDS):
        for peer in peers:
            sizes[peer.name] += watch_log(
                peer, path, scratch, lines=lines, tails=tails[peer.name], finds=finds[peer.name]
            )
    print(f"-- a log of {lines:,} lines ({path.stat().st_size / 1e6:.0f} MB)")
    table("the last line is on the screen, from the start of the program", tails)
    table("a hit in the middle is, from the end of typing what to search for", finds)
    table("the memory that it keeps then", sizes, "MB")


def log_peers(folder: Path) -> Iterator[LogPeer]:
    """Give the programs that can be had."""
    ours = (sys.executable, "-m", "benchmarks.peers", "--child")
    yield LogPeer("opconsole", ours, (b"/", NEEDLE.encode(), b"\r"))
    if toolong := installed(folder, "toolong", "tl"):
        yield LogPeer("toolong", (toolong,), ())  # its search only marks what is in view
    if lnav := shutil.which("lnav"):
        yield LogPeer("lnav", (lnav,), (b"g", b"/", NEEDLE.encode(), b"\r"))
    else:
        print("   lnav is left out: this system has none (apt-get install lnav)")


def watch_log(
    peer: LogPeer, path: Path, scratch: Path, *, lines: int, tails: list[float], finds: list[float]
) -> list[float]:
    """Add the seconds until the last line is shown, and from a search until its hit is; give the MB then."""
    around = [f"part {number} of" for number in (lines // 2 - 1, lines // 2)]
    try:
        began = time.monotonic()
        with in_terminal([*peer.argv, str(path)], {"HOME": str(scratch), "TERM": TERM}) as terminal:
            screen = Screen(terminal)
            tails.append(screen.until(f"part {lines - 1} of") - began)
            screen.settle(2.0)  # it may still be counting
            if not peer.search:
                return [resident_mb(terminal.process.pid)]
            for keys in peer.search[:-1]:
                screen.type(keys)
                screen.settle(0.5)
            began = time.monotonic()
            screen.type(peer.search[-1])
            finds.append(screen.until(*around, patience=SEARCHING) - began)
            return [resident_mb(terminal.process.pid)]
    except (TimeoutError, OSError) as error:
        print(f"   {peer.name}: {error}")
        return []


def show_log(path: Path) -> None:
    """Be our own log, alone in a terminal."""
    from textual.app import App, ComposeResult  # noqa: PLC0415 - imports are part of the measurement
    from textual.binding import Binding  # noqa: PLC0415

    from screens.widgets.log_pane import LogPane  # noqa: PLC0415

    class Log(App[None]):
        BINDINGS = [Binding("slash", "search")]  # noqa: RUF012

        def compose(self) -> ComposeResult:
            yield LogPane()

        def on_mount(self) -> None:
            pane = self.query_one(LogPane)
            pane.show_log(path)
            pane.view.focus()

        def action_search(self) -> None:
            self.query_one(LogPane).begin_search()

    Log().run()


# -- start-up


def start(folder: Path, scratch: Path) -> None:
    """Start each program on nothing."""
    peers = list(start_peers(folder, scratch))
    took: dict[str, list[float]] = {peer.name: [] for peer in peers}
    for _ in range(ROUNDS):
        for peer in peers:
            try:
                began = time.monotonic()
                with in_terminal(peer.argv, {"HOME": str(scratch), "TERM": TERM}) as terminal:
                    took[peer.name].append(Screen(terminal).until(peer.word) - began)
            except (TimeoutError, OSError) as error:
                print(f"   {peer.name}: {error}")
    print("-- start-up")
    table("a known word is on the screen, from the start of the program", took)


def start_peers(folder: Path, scratch: Path) -> Iterator[StartPeer]:
    """Give the programs that can be had."""
    child = (sys.executable, "-m", "benchmarks.console", "--child")
    yield StartPeer("opconsole, an empty queue", (*child, "empty", str(scratch / "told")), MARK)
    yield StartPeer("a bare Textual app", (*child, "bare", str(scratch / "told")), MARK)
    if posting := installed(folder, "posting", "posting", OLDER_TREE_SITTER):
        yield StartPeer("posting", (posting,), "Send")
    if harlequin := installed(folder, "harlequin", "harlequin"):
        yield StartPeer("harlequin", (harlequin,), "Query Editor")


# -- what can be had, and what came of it


def installed(folder: Path, package: str, program: str, *beside: str) -> str | None:
    """Give a peer's program, from an environment of its own; None where it cannot be had.

    *beside* are requirements that its own leave out.
    """
    place = folder / package
    found = place / "bin" / program
    if not found.exists():
        try:
            venv.create(place, with_pip=True, clear=True)
            install = [str(place / "bin" / "python"), "-m", "pip", "install", "-q", package, *beside]
            done = subprocess.run(install, capture_output=True, text=True, timeout=INSTALLING, check=False)
        except (OSError, subprocess.SubprocessError) as error:
            print(f"   {package} is left out: {error}")
            return None
        if done.returncode or not found.exists():
            reason = done.stderr.strip().splitlines()[-1:] or ["it has no program of that name"]
            print(f"   {package} is left out: {reason[0]}")
            return None
    version = subprocess.run(
        [
            str(place / "bin" / "python"),
            "-c",
            f"from importlib.metadata import version; print(version('{package}'))",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    print(f"   {package} {version.stdout.strip()}")
    return str(found)


def table(what: str, took: Mapping[str, Sequence[float]], unit: str = "s") -> None:
    """Print the best of each, beside ours."""
    print(f"   {what}:")
    names = list(took)
    ours = min(took[names[0]], default=None)
    for name in names:
        best = min(took[name], default=None)
        if best is None:
            print(f"     {name:<28} was not shown")
        else:
            ratio = f"{best / ours:5.2f} x ours" if ours and name != names[0] else ""
            print(f"     {name:<28} {best:7.3f} {unit}   {ratio}  ({len(took[name])} rounds)")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        show_log(Path(sys.argv[2]))
    else:
        main()
