"""Every command line that the README and the manual show: its command and its options exist."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from opconsole.cli.commands import app

ROOT = Path(__file__).parents[1]
PAGES = sorted([ROOT / "README.md", ROOT / "SECURITY.md", *(ROOT / "docs").glob("*.md")])
COMMAND = re.compile(r"(?:\./)?opconsole(?:\.sh)? [-a-z…].*")
OF_THE_SCRIPT = {"setup", "test", "uv", "audit-dependencies"}
"""What opconsole.sh does by itself."""


def _lines(page: Path) -> Iterator[str]:
    """Give the command lines of a page: those of its blocks of shell, and those between backticks."""
    text = page.read_text("utf-8")
    for language, block in re.findall(r"^ *```(\w+)\n(.*?)^ *```", text, re.DOTALL | re.MULTILINE):
        if language in {"sh", "console"}:
            shown = (line.strip().removeprefix("$ ") for line in block.splitlines())
            yield from (line for line in shown if COMMAND.match(line))
    prose = re.sub(r"^ *```.*?^ *```", "", text, flags=re.DOTALL | re.MULTILINE)
    yield from (span for span in re.findall(r"`([^`]+)`", prose) if COMMAND.match(span))


def _faults(line: str) -> Iterator[str]:
    """Walk down from the root command along the words, and say which of them nobody knows."""
    written = line.replace("\\|", "|").replace("\n", " ")
    try:
        words = shlex.split(written.split(" && ")[0], comments=True)[1:]
    except ValueError:
        return  # a line cut short with "…
    if words and (words[0] in OF_THE_SCRIPT or words[0].startswith("…")):
        return
    command: Any = typer.main.get_command(app)
    options = set(_options(command))
    value_follows = False
    for word in words:
        if value_follows:
            value_follows = False
        elif word.startswith("-") and word.strip("[]") != "-":
            name = word.strip("[]").split("=")[0]
            takes = {opt: not getattr(p, "is_flag", False) for p in command.params for opt in p.opts}
            takes |= {"-C": True, "--json": False, "--version": False}
            if name in options | {"-C", "--json", "--version", "--help"}:
                value_follows = takes.get(name, False) and "=" not in word
            elif command.name != "check":  # it reads its own options
                yield f"{line}: {command.name} has no option {name}"
        elif hasattr(command, "commands"):
            if re.fullmatch(r"[a-z]+(\|[a-z]+)+", word):
                names = word.split("|")
                yield from (f"{line}: no command {one}" for one in names if one not in command.commands)
                return
            found = command.commands.get(word.rstrip(",;:"))
            if found is None:
                yield f"{line}: no command {word}"
                return
            command, options = found, options | set(_options(found))


def _options(command: Any) -> Iterator[str]:
    for parameter in command.params:
        yield from (*parameter.opts, *parameter.secondary_opts)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_line_of_the_page_has_a_command_and_options_that_exist(page: Path) -> None:
    assert [fault for line in _lines(page) for fault in _faults(line)] == []


def test_a_command_or_an_option_that_does_not_exist_is_noticed() -> None:
    assert list(_faults("opconsole deploi shop")) == ["opconsole deploi shop: no command deploi"]
    assert list(_faults("opconsole -C /srv queue add --fast FILE")) == [
        "opconsole -C /srv queue add --fast FILE: add has no option --fast"
    ]


def test_command_lines_are_found_in_the_readme() -> None:
    assert len(list(_lines(ROOT / "README.md"))) > 15
