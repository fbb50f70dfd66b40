"""Runs one command: takes the global options out of the arguments, and says how it ended.

The options -C, --json and --version may stand before or behind the command: they are taken out of the
arguments before the parser sees them.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import typer

from opconsole import __version__
from opconsole.cli.commands import PipeClosedError, app
from opconsole.cli.output import (
    CommandContext,
    ExitStatus,
    UsageError,
    expected_status,
    json_text,
    plain,
    silence,
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and give its exit status. *argv* is without the program's name."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # an old terminal shows an escape rather than ending the command
            stream.reconfigure(errors="backslashreplace")
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        status = run_command(arguments, stdout=sys.stdout, stderr=sys.stderr, environ=os.environ)
        sys.stdout.flush()
    except BrokenPipeError:
        silence(sys.stdout)
        return ExitStatus.CUT_OFF
    return status


def run_command(
    arguments: Sequence[str], *, stdout: TextIO, stderr: TextIO, environ: Mapping[str, str]
) -> int:
    """Run one command with these streams. Raises BrokenPipeError when nobody reads *stdout* any more."""
    command = typer.main.get_command(app)
    try:
        options, rest = hoist(arguments, command)
        if options.version:
            text = json_text({"version": __version__}) if options.json else f"opconsole {__version__}"
            print(text, file=stdout)
            return ExitStatus.DONE
        directory = Path(options.directory) if options.directory is not None else Path.cwd()
        context = CommandContext(directory, options.json, stdout, stderr, environ)
        done = command.main(rest, prog_name="opconsole", standalone_mode=False, obj=context)
    except KeyboardInterrupt:
        return ExitStatus.STOPPED
    except PipeClosedError as error:
        raise BrokenPipeError from error
    except _CLICK_ERROR as error:
        _show_usage(error.format_message(), stderr)
        return ExitStatus.USAGE
    except Exception as error:  # noqa: BLE001 - whatever it is, people get a line and not a traceback
        return _explain(error, stderr, environ)
    return done if isinstance(done, int) else ExitStatus.DONE


@dataclass(frozen=True, slots=True)
class GlobalOptions:
    """The options that every command has."""

    directory: str | None = None
    json: bool = False
    version: bool = False


def hoist(arguments: Sequence[str], command: Any) -> tuple[GlobalOptions, list[str]]:
    """Take the global options out of the arguments of *command*, wherever they stand before a ``--``.

    An option's value is left alone whatever it looks like. Raises UsageError for -C without a folder.
    """
    directory: str | None = None
    found: set[str] = set()
    rest: list[str] = []
    line = iter(arguments)
    for argument in line:
        if argument == "--":
            rest += [argument, *line]
        elif argument == "-C":
            directory = next(line, "")
            if not directory:
                raise UsageError("-C needs the workspace's folder: -C DIR")
        elif argument.startswith("-C"):
            directory = argument[2:]
        elif argument in ("--json", "--version"):
            found.add(argument)
        else:
            rest.append(argument)
            if argument in _valued_options(command):
                rest += [value for value in [next(line, None)] if value is not None]
            # What an option means depends on the command that it stands behind.
            command = getattr(command, "commands", {}).get(argument, command)
    return GlobalOptions(directory, "--json" in found, "--version" in found), rest


def _valued_options(command: Any) -> set[str]:
    """Give the names of a command's options that take a value."""
    options = (one for one in command.params if one.param_type_name == "option" and not one.is_flag)
    return {name for option in options for name in option.opts}


def _show_usage(message: str, stderr: TextIO) -> None:
    lines = [plain(line) for line in message.split("\n")]
    if len(lines) == 1:  # else it is a whole help page
        hint = "opconsole --help lists the commands; opconsole COMMAND --help explains one"
        lines = [f"opconsole: {lines[0]}", hint]
    print("\n".join(lines), file=stderr)


def _explain(error: Exception, stderr: TextIO, environ: Mapping[str, str]) -> int:
    status = expected_status(error)
    if environ.get("OPCONSOLE_DEBUG") == "1":
        traceback.print_exception(error, file=stderr)
    if status is not None:
        for line in str(error).split("\n"):
            print(f"opconsole: {plain(line)}", file=stderr)
        return status
    text = plain(f"{type(error).__name__}: {error}", limit=500)
    print(f"opconsole: something went wrong that it did not expect: {text}", file=stderr)
    print("Set OPCONSOLE_DEBUG=1 and run it again to see where; that is what a report needs", file=stderr)
    return ExitStatus.FAILED


def _click_error() -> type[Any]:
    # The parser's base class has no public name; everything it says of wrong usage derives from it.
    return next(kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException")


_CLICK_ERROR = _click_error()
