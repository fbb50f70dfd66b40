"""Sentences in a workspace: heard, shown as a plan, added to the queues; for commands and screens alike."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from guardrails.sanitise import sanitise
from opconsole.gate_words import gate_words
from opconsole.knowing import known_of, mentioned
from opconsole.queue_adding import add_entries
from opconsole.reading import Reading
from opconsole.workspace import Workspace
from queues.echo import DuplicateTaskError
from queues.sentences.interpret import interpret
from queues.sentences.outcome import Outcome, PlannedTask, Result


@dataclass(frozen=True, slots=True)
class Heard:
    """A sentence, what became of it, and how that is shown to people."""

    text: str
    outcome: Outcome
    lines: tuple[str, ...]
    """The plan of its tasks, or the question or reason: safe to show, a line each."""

    @property
    def tasks(self) -> tuple[PlannedTask, ...]:
        """The tasks that would be added; none for a question or a refusal."""
        return self.outcome.tasks


@dataclass(frozen=True, slots=True)
class Added:
    """Tasks that stand in their queues now."""

    keys: tuple[str, ...]
    """``project:ID`` of each."""
    projects: tuple[str, ...]
    """Whose queues they stand in, to be started by a request `start` each."""


class AddedMeanwhileError(Exception):
    """Somebody else added a task with the same id between the plan and its confirmation."""

    def __init__(self, error: DuplicateTaskError, added: Sequence[str]) -> None:
        done = f"; already added: {', '.join(added)}" if added else ""
        super().__init__(f"{error}{done}; say the sentence again, and it takes the next free ids")


async def hear(reading: Reading, text: str, *, default_project: str | None = None) -> Heard:
    """Say what a sentence comes to, without changing anything.

    *default_project* is meant where the sentence names none, such as the one that a screen shows.
    """
    projects = reading.workspace.settings.projects
    known = await known_of(reading, tags_of=mentioned(text, projects), default_project=default_project)
    outcome = await asyncio.to_thread(interpret, text, known)
    lines = await asyncio.to_thread(lambda: tuple(preview(reading, outcome)))
    return Heard(text, outcome, lines)


def promotion(project: str, source: str, target: str) -> str:
    """Give the sentence that deploys to *target* what *source* runs."""
    return f'Promote "{project}" from {source} to {target}'


def preview(reading: Reading, outcome: Outcome) -> Iterator[str]:
    """Show an outcome to people: for each task what, where, which version, and what will be asked."""
    if outcome.tasks:
        width = max(len(task.id) for task in outcome.tasks)
        for task in outcome.tasks:
            yield _plain(f"{task.id:<{width}}  {task.project}: {_what(task)}")
            yield _plain(f"{'':<{width}}  {gate_words(reading, task.project, task.entry)}")
            yield from (_plain(f"{'':<{width}}  {line}") for line in _case(task))
    yield from (_plain(line) for line in outcome.message.split("\n") if line)


async def add(workspace: Workspace, outcome: Outcome) -> Added:
    """Put the tasks of an outcome into their queues; it starts none of them.

    Raises AddedMeanwhileError or QueueWriteError; each project's tasks are added all or none.
    """
    if outcome.result is not Result.TASKS:
        raise ValueError("only tasks can be added")
    keys: list[str] = []
    projects = tuple(dict.fromkeys(task.project for task in outcome.tasks))
    for project in projects:
        tasks = [task for task in outcome.tasks if task.project == project]
        try:
            await asyncio.to_thread(add_entries, workspace, project, [task.entry for task in tasks])
        except DuplicateTaskError as error:
            raise AddedMeanwhileError(error, keys) from error
        keys += [f"{project}:{task.id}" for task in tasks]
    return Added(tuple(keys), projects)


def task_json(task: PlannedTask) -> dict[str, object]:
    """Give a task as the contract's JSON has it: the queue file's fields, and whose queue it goes to."""
    return {"project": task.project, **task.entry}


def heard_json(heard: Heard) -> dict[str, object]:
    """Give what became of a sentence, as the contract's JSON has it."""
    outcome = heard.outcome
    return {
        "result": outcome.result.value,
        "tasks": [task_json(task) for task in outcome.tasks],
        "missing": list(outcome.missing),
        "message": outcome.message,
    }


def _what(task: PlannedTask) -> str:
    """Say in a few words what a task does, and after which other one."""
    entry = task.entry
    text = str(entry["description"])
    if entry.get("migrations_path"):
        text += f" from {entry['migrations_path']}"
    after = entry.get("depends_on")
    if isinstance(after, list) and after and "(after " not in text:
        text += f", after {', '.join(map(str, after))}"
    return text


def _case(task: PlannedTask) -> Iterator[str]:
    """Give the lines of a provisioning's business case."""
    case = task.entry.get("business_case")
    for key, text in case.items() if isinstance(case, Mapping) else ():
        if key != "monthly_usd":
            yield f"{key.replace('_', ' ')}: {' / '.join(str(text).splitlines())}"


def _plain(line: str) -> str:
    return sanitise(line, single_line=True)
