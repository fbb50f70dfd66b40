"""Opens the console on samples in which every text is hostile: what a test runs in a real terminal.

python hostile_console.py FOLDER
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Any

HOSTILE = (
    "\x1b]52;c;WEFUVEFDSw==\x07[/bold][@click=app.quit]x[/]\x1b]0;XTITLE\x07\x1b]8;;file:///XLINK\x1b\\l\x1b]8;;\x1b\\"
    "\x9b31m\x9d52;c;WEMx\x9c\u202e\u2066\u200b\U000e0041\x1bP1$rXDCS\x1b\\\x1b_XAPC\x1b\\\x00\rover\x08\x08\n"
    "second \x1b[2J\x1b[6n\x1b[21t\x1b"
)
"""One of everything that a terminal, a clipboard or a parser of markup could be steered with."""

KEPT = frozenset({"run", "id", "state", "kind", "key", "digest", "log", "file"})
"""Fields that say which record it is, or where its file lies."""


def hostile(value: Any, name: str = "") -> Any:
    """Give a value with every text in it replaced, except the names that hold records together."""
    if (name in KEPT and isinstance(value, str)) or isinstance(value, Enum | Path | datetime):
        return value
    if isinstance(value, str):
        return HOSTILE
    if isinstance(value, Mapping):
        return {key: hostile(inner, str(key)) for key, inner in value.items()}
    if isinstance(value, tuple | list):
        return type(value)(hostile(inner, name) for inner in value)
    if is_dataclass(value) and not isinstance(value, type):
        given = {one.name: hostile(getattr(value, one.name), one.name) for one in fields(value) if one.init}
        return replace(value, **given)
    return value


def main(folder: Path) -> None:
    """Show the samples of the screens' own tests, made hostile, until somebody ends it from outside."""
    sys.path.insert(0, str(Path(__file__).parents[2]))  # the tests are a package of the checkout's folder
    module = importlib.import_module("tests.screens.conftest")
    samples = module.Samples(folder)
    console = module.console.__wrapped__(samples)
    for run in console.runs.values():
        samples.log(run, [f"{stream} {HOSTILE}".replace("\n", "|") for stream in "one" * 4])
    for one in fields(console):
        value = getattr(console, one.name)
        if one.name == "runs":
            console.runs = {key: hostile(run) for key, run in value.items()}
        elif one.name not in ("folder", "asked", "answer", "fault", "read_only"):
            setattr(console, one.name, hostile(value, one.name))
    console.answer = replace(console.answer, text=HOSTILE)
    console.sources = dict.fromkeys([*console.sources, HOSTILE], HOSTILE)
    from opconsole.app import OpconsoleApp  # noqa: PLC0415 (after its samples)

    class Staying(OpconsoleApp):
        """Goes back but is never left: a key that quits by way of a menu is no fault that a text caused."""

        def exit(self, *_: object, **__: object) -> None:
            """Stay. A fault ends it all the same."""

    Staying(console).run()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
