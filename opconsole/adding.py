"""Adding tasks from the console: a sentence is heard, what it speaks of is given, and a preview is added."""

from __future__ import annotations

from opconsole import sentences_service
from opconsole.console import Preview
from opconsole.knowing import known_of, mentioned
from opconsole.previewing import preview_outcome
from opconsole.reading import Reading
from opconsole.sentences_service import Added, AddedMeanwhileError
from opconsole.workspace import Workspace
from queues.rewrite import QueueWriteError
from queues.sentences.known import Known
from queues.sentences.outcome import Outcome


async def hear(reading: Reading, text: str, project: str | None) -> Preview:
    """Say what a sentence comes to; *project* is meant where it names none."""
    heard = await sentences_service.hear(reading, text, default_project=project)
    return await preview_outcome(reading, text, heard.outcome, heard.lines)


async def vocabulary(reading: Reading, text: str, project: str | None) -> Known:
    """Give what a sentence or a form may speak of; git is asked for the versions of what *text* names."""
    asked = mentioned(text, reading.workspace.settings.projects)
    if project in reading.workspace.settings.projects and not text:
        asked = (project,) if project is not None else asked
    return await known_of(reading, tags_of=asked, default_project=project)


async def add(workspace: Workspace, preview: Preview) -> Added | str:
    """Put the tasks of a preview into their queues; where that was refused, say why."""
    if not isinstance(preview.tasks, Outcome):
        raise TypeError("only what this console has looked at can be added")
    try:
        return await sentences_service.add(workspace, preview.tasks)
    except (AddedMeanwhileError, QueueWriteError) as error:
        return str(error)
