"""Gives every command that only tells something, one after the other: what a test runs in a real terminal.

python hostile_commands.py WORKSPACE ID...
"""

# ruff: noqa: T201 - it prints for the terminal that it runs in

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

from typer.main import get_command

from opconsole.cli.commands import app
from opconsole.cli.main import run_command

CHANGES = frozenset(
    [
        "demo",
        "init",
        "run",
        "worker",
        "do",
        "serve",
        "console",
        "approve",
        "reject",
        "decide",
        "verify",
        "cancel",
        "retry",
        "rollback",
        "promote",
        "exempt",
        "checkpoint",
        "backup",
        "start",
        "pause",
        "add",
        "check",
        "prune",
        "restore",
    ]
)
"""Commands that do something, or go on for ever."""


def lines(ids: list[str]) -> Iterator[list[str]]:
    """Give the lines of all commands that need nothing, or only an ID."""
    yield from _below(get_command(app), [], ids)


def _below(command: object, above: list[str], ids: list[str]) -> Iterator[list[str]]:
    below = getattr(command, "commands", None)
    if below is not None:
        for name, one in below.items():
            if name not in CHANGES:
                yield from _below(one, [*above, name], ids)
        return
    wanted = [one for one in getattr(command, "params", []) if one.required]
    if not wanted:
        yield above
    elif len(wanted) == 1 and wanted[0].param_type_name == "argument":
        for one in ids:
            yield [*above, one]


def main(workspace: str, ids: list[str]) -> None:
    """Run them all here; each is named before it."""
    for line in lines(ids):
        for options in ([], ["--json"]):
            print(f"== {' '.join(map(ascii, [*options, *line]))}", flush=True)
            status = run_command(
                ["-C", workspace, *options, *line],
                stdout=sys.stdout,
                stderr=sys.stderr,
                environ=dict(os.environ),
            )
            print(f"== status {int(status)}", flush=True)
    print("== all told", flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
