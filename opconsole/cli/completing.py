"""The commands ``completion`` and ``complete``: a script for the shell, and the candidates that it asks for.

The script hands over the line up to the cursor. What comes back is a candidate a line, with its meaning
behind a tab, or ``:files`` where the shell knows better.
"""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from opconsole.cli.output import CommandContext, ExitStatus, UsageError, expected_status, plain

if TYPE_CHECKING:
    from opconsole.reading import Reading
    from opconsole.views import TaskView

SHELLS = ("bash", "zsh", "fish")
FILES = ":files"
"""What says that file names are wanted."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A word that could stand at the cursor, and what it means."""

    word: str
    meaning: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """A command line up to the cursor, as far as its commands and arguments are known."""

    command: Any
    """The innermost command that was named."""
    path: tuple[str, ...]
    """The names of the commands, from the outermost."""
    arguments: tuple[str, ...]
    """The positional arguments of the command so far."""
    option: Any
    """The option whose value stands at the cursor; None: it is no option's value."""
    current: str
    """The word at the cursor, as far as it is typed."""
    directory: str | None
    """What -C says."""


def print_script(context: CommandContext, shell: str) -> int:
    """Print the completion script of a shell."""
    if shell not in SHELLS:
        raise UsageError(f"{shell!a} is no shell that is known; allowed: {', '.join(SHELLS)}")
    script = files("opconsole.cli").joinpath("completion", f"opconsole.{shell}")
    print(script.read_text(encoding="utf-8"), file=context.stdout, end="")
    return ExitStatus.DONE


def print_candidates(context: CommandContext, program: Any, text: str) -> int:
    """Print what could stand at the end of a line; nothing where the workspace cannot be read."""
    line = read_line(program, split_line(text))
    folder = context.directory / line.directory if line.directory else context.directory
    try:
        for one in candidates(line, replace(context, directory=folder)):
            tail = f"\t{one.meaning}" if one.meaning else ""
            print(f"{one.word}{tail}", file=context.stdout)
    except Exception as error:
        if expected_status(error) is None:
            raise
        # Between two keys nobody wants to read why; the command itself will tell.
    return ExitStatus.DONE


def split_line(text: str) -> list[str]:
    """Part a line as the shell does; the last word is the one at the cursor, with its quote still open."""
    for closing_quote in ("", '"', "'"):
        try:
            words = shlex.split(text + closing_quote)
        except ValueError:
            continue
        return [*words, ""] if not closing_quote and text[-1:].isspace() else words or [""]
    return [*text.split(" ")]


def read_line(program: Any, words: Sequence[str]) -> Line:
    """Find the command, its arguments and the place of the cursor in the words of a line."""
    command, option = program, None
    path: list[str] = []
    arguments: list[str] = []
    directory: str | None = None
    *before, current = words[1:] or [""]
    for word in before:
        if option is not None:
            if option == "-C":
                directory = word
            option = None
        elif word == "-C":
            option = "-C"
        elif word.startswith("-") and len(word) > 1:
            option = _valued(command, word)
        elif word in getattr(command, "commands", {}) and not arguments:
            command = command.commands[word]
            path.append(word)
        else:
            arguments.append(word)
    return Line(command, tuple(path), tuple(arguments), option, current, directory)


def candidates(line: Line, context: CommandContext) -> list[Candidate]:
    """Give what could stand at the cursor."""
    if line.option is not None:
        found = _values(_metavar(line.option), line, context)
    elif line.current.startswith("-"):
        found = list(_options(line.command))
    elif commands := getattr(line.command, "commands", {}):
        found = [Candidate(name, _first_line(one.help)) for name, one in commands.items() if not one.hidden]
    else:
        found = _values(_argument(line), line, context)
    begun = line.current.lower()
    return [one for one in found if one.word == FILES or one.word.lower().startswith(begun)]


def _argument(line: Line) -> str:
    """Give the kind of the positional argument at the cursor, by its name in the help."""
    wanted = [one for one in line.command.params if one.param_type_name == "argument"]
    place = len(line.arguments)
    if place >= len(wanted):
        place = len(wanted) - 1
        if place < 0 or wanted[place].nargs != -1:
            return ""
    return _metavar(wanted[place])


def _metavar(parameter: Any) -> str:
    if parameter == "-C":
        return "DIR"
    if parameter.param_type_name == "option":
        return _OPTIONS.get(parameter.opts[0], (parameter.metavar or "").strip("[]"))
    return str(parameter.metavar or "").strip("[].")


def _values(kind: str, line: Line, context: CommandContext) -> list[Candidate]:
    if "|" in kind:
        return [Candidate(word) for word in kind.split("|")]
    if kind.startswith(("FILE", "PATH", "DIR")):
        return [Candidate(FILES)]
    if kind not in _DYNAMIC:
        return []
    from opconsole.reading import open_reading  # noqa: PLC0415 - only these need the workspace

    with closing(open_reading(context.workspace())) as reading:
        return list(_DYNAMIC[kind](reading, line))


def _projects(reading: Reading, _: Line) -> Iterator[Candidate]:
    for name, project in reading.workspace.settings.projects.items():
        yield Candidate(name, ", ".join(project.environments))


def _environments(reading: Reading, line: Line) -> Iterator[Candidate]:
    settings = reading.workspace.settings.projects
    named = [settings[name] for name in line.arguments if name in settings] or list(settings.values())
    taken = set(line.arguments[1:])
    gates = {name: one.gate.value for project in named for name, one in project.environments.items()}
    yield from (Candidate(name, f"gate: {gate}") for name, gate in gates.items() if name not in taken)


def _ids(reading: Reading, line: Line) -> Iterator[Candidate]:
    tasks = [task for task in reading.snapshot().tasks if _fits(task, line.path)]
    names = [task.task for task in reading.snapshot().tasks]
    for task in tasks:
        name = task.task if names.count(task.task) == 1 else task.key
        yield Candidate(plain(name), plain(f"{task.state}: {task.description}", limit=60))


def _fits(task: TaskView, path: Sequence[str]) -> bool:
    """Say whether a command has anything to do with a task in its present state."""
    wanted = _STATES.get(path[-1] if path else "")
    if path[-1:] == ("verify",):
        return task.unverified
    if path[:1] == ("queue",):
        return True
    return task.run is not None and (wanted is None or task.state in wanted)


def _versions(reading: Reading, line: Line) -> Iterator[Candidate]:
    if reading.reader is None or len(line.arguments) < 2:
        return
    project, name = line.arguments[:2]
    workspace = reading.workspace
    if project not in workspace.settings.projects or name not in workspace.environments(project):
        return
    for version in dict.fromkeys(one.version for one in reading.reader.releases(project, name)):
        yield Candidate(version, f"was deployed to {name}")


def _sentence(reading: Reading, line: Line) -> Iterator[Candidate]:
    """Complete a sentence, whether it stands in quotes as one word or as many without."""
    from opconsole.knowing import known_of, mentioned  # noqa: PLC0415 - only this needs the grammar
    from queues.sentences.completing import complete  # noqa: PLC0415

    head = " ".join([*line.arguments, ""]) if line.arguments else ""
    text = head + line.current
    tags = mentioned(text, reading.workspace.settings.projects)
    done = complete(text, len(text), asyncio.run(known_of(reading, tags_of=tags)))
    for one in done.candidates:
        yield Candidate(done.applied(text, one).removeprefix(head))


def _options(command: Any) -> Iterator[Candidate]:
    for one in command.params:
        if one.param_type_name == "option":
            yield from (Candidate(name, _first_line(one.help)) for name in one.opts if name.startswith("--"))
    yield Candidate("--json", "Machine output: one document.")


def _valued(command: Any, word: str) -> Any:
    """Give the option of that name if it takes a value and the word holds none."""
    for one in command.params:
        if one.param_type_name == "option" and word in one.opts and not one.is_flag:
            return one
    return None


def _first_line(text: str | None) -> str:
    return (text or "").strip().split("\n")[0]


_DYNAMIC: Mapping[str, Callable[[Reading, Line], Iterator[Candidate]]] = {
    "ID": _ids,
    "PROJECT": _projects,
    "ENV": _environments,
    "FROM": _environments,
    "TO": _environments,
    "VERSION": _versions,
    "PROMPT": _sentence,
}
_OPTIONS = {"--project": "PROJECT", "--environment": "ENV", "--to": "VERSION"}
_STATES: Mapping[str, frozenset[str]] = {
    "approve": frozenset({"waiting"}),
    "reject": frozenset({"waiting"}),
    "decide": frozenset({"halted", "interrupted", "waiting"}),
    "cancel": frozenset({"pending", "preflight", "running", "waiting"}),
    "retry": frozenset({"failed", "rolled_back", "rejected", "blocked", "cancelled", "succeeded"}),
}
