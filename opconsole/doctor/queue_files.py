"""The queue files: what of them cannot be used."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial

from opconsole.doctor.base import Check, Patient, Result, fail, ok
from queues.graph import Graph, path_text, short_name
from queues.queue_file import QueueFile, read_queue

SHOWN = 20
"""Faults of one file that are listed."""


def checks(patient: Patient) -> Iterable[Check]:
    """Give the checks."""
    yield Check("queue files", partial(look, patient))


def look(patient: Patient) -> Iterator[Result]:
    """Look at all of them together: a dependency may lead from one into another."""
    files = list(read(patient))
    for file in files:
        for error in file.errors[:SHOWN]:
            place = f"{file.name}:{error.line}"
            text = f"task {error.task}: {error.message}" if error.task else error.message
            yield fail(place, text, f"opconsole queue validate names all faults of {file.name}")
        if len(file.errors) > SHOWN:
            more = len(file.errors) - SHOWN
            yield fail(file.name, f"and {more} more faults", "opconsole queue validate lists them")
        if not file.errors:
            yield ok(file.name, f"{len(file.tasks)} tasks")
    graph = Graph(task for file in files for task in file.tasks)
    for cycle in graph.cycles:
        shown = path_text([short_name(key, "") for key in cycle])
        yield fail(
            "depends_on", f"a cycle: {shown}; these tasks never run", "take one of these dependencies out"
        )
    names = {task.key for file in files for task in file.tasks}
    for key, missing in graph.unknown:
        if key in names:
            yield fail(
                "depends_on",
                f"{key} depends on {missing}, which no queue has",
                "write the id of a task there",
            )


def read(patient: Patient) -> Iterator[QueueFile]:
    """Read the files that are there; a project need not have one yet."""
    for name in patient.workspace.settings.projects:
        path = patient.workspace.queue_path(name)
        if path.exists():
            yield read_queue(path, project=name, environments=patient.workspace.environments(name))
