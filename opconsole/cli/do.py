"""The commands ``do`` and ``promote``: sentences that become tasks, shown before they are added."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence

from opconsole.cli.advice import starts_with
from opconsole.cli.asking import ask_on_terminal
from opconsole.cli.output import CommandContext, ExitStatus, UsageError, interactive, json_text, plain, worst
from opconsole.client import Client
from opconsole.journal.records import RequestKind
from opconsole.reading import Reading, open_reading
from opconsole.sentences_service import Added, AddedMeanwhileError, Heard, add, hear, heard_json, promotion
from opconsole.workspace import Workspace
from queues.sentences.interpret import completed
from queues.sentences.outcome import Result

STATUS = {Result.TASKS: ExitStatus.DONE, Result.ASK: ExitStatus.WAITING, Result.REFUSE: ExitStatus.USAGE}
"""The contract's exit status of what became of a sentence."""


def do(context: CommandContext, words: Sequence[str], *, dry_run: bool, yes: bool) -> int:
    """Turn sentences into tasks; show them, and add and start them where a person agrees."""
    workspace = context.workspace()
    if list(words) == ["-"]:
        return asyncio.run(_Doing(context, workspace, dry_run=dry_run, yes=yes).lines())
    text = " ".join(words).replace("\\n", "\n")
    return asyncio.run(_Doing(context, workspace, dry_run=dry_run, yes=yes).one(text))


def promote(
    context: CommandContext, project: str, source: str, target: str, *, dry_run: bool, yes: bool
) -> int:
    """Deploy the version that one environment runs to another, as the sentence for it does."""
    workspace = context.workspace()
    workspace.project(project)
    for name in (source, target):
        workspace.environment(project, name)  # names what is allowed
    text = promotion(project, source, target)
    return asyncio.run(_Doing(context, workspace, dry_run=dry_run, yes=yes).one(text))


class _Doing:
    """One call of the command."""

    def __init__(self, context: CommandContext, workspace: Workspace, *, dry_run: bool, yes: bool) -> None:
        self._context = context
        self._workspace = workspace
        self._dry_run = dry_run
        self._yes = yes

    async def lines(self) -> int:
        """Take one prompt a line from stdin, and print one JSON object a line."""
        statuses = []
        reading = await asyncio.to_thread(open_reading, self._workspace)
        try:
            while line := await asyncio.to_thread(sys.stdin.readline):
                heard = await hear(reading, line.rstrip("\n").replace("\\n", "\n"))
                document = heard_json(heard)
                status = STATUS[heard.outcome.result]
                if heard.tasks and not self._dry_run:
                    if not self._yes:
                        raise UsageError("prompts from stdin are added only with --yes; or say --dry-run")
                    document["added"] = list((await self._add(heard)).keys)
                print(json_text(document, indent=None), file=self._context.stdout, flush=True)
                statuses.append(status)
        finally:
            reading.close()
        return worst(statuses)

    async def one(self, text: str) -> int:
        """Take one prompt: ask a person at a terminal for what is missing, and whether to add its tasks."""
        reading = await asyncio.to_thread(open_reading, self._workspace)
        try:
            heard = await self._heard(reading, text)
            if heard is None:
                return ExitStatus.WAITING
            self._show(heard)
            added = await self._agreed(heard)
            if self._context.json:
                more = {} if added is None else {"added": list(added.keys)}
                self._context.document(heard_json(heard) | more)
        finally:
            reading.close()
        if heard.tasks and added is None and not self._dry_run:
            return ExitStatus.FAILED if interactive(self._context) else ExitStatus.USAGE
        return STATUS[heard.outcome.result]

    async def _heard(self, reading: Reading, text: str) -> Heard | None:
        """Hear a sentence; None where the person would not answer."""
        heard = await hear(reading, text)
        while heard.outcome.result is Result.ASK and interactive(self._context) and not self._dry_run:
            questions = zip(heard.outcome.missing, heard.outcome.message.split("\n"), strict=False)
            for missing, question in questions:
                if missing in ("action", "sentence", "resource"):
                    return heard  # what is missing there is said at the beginning, not behind
                try:
                    answer = (await ask_on_terminal(f"{plain(question)}: ")).strip()
                except EOFError:
                    return None
                if not answer:
                    self._context.say("nothing was added")
                    return None
                text = completed(text, missing, answer)
            heard = await hear(reading, text)
        return heard

    def _show(self, heard: Heard) -> None:
        if heard.outcome.result is Result.TASKS:
            for line in heard.lines:
                self._context.say(line)
            return
        for line in heard.lines:
            self._context.warn(line)

    async def _agreed(self, heard: Heard) -> Added | None:
        """Add the tasks if a person agrees, or has agreed beforehand; None where nothing was added."""
        if not heard.tasks or self._dry_run:
            return None
        if not self._yes:
            if not interactive(self._context):
                self._context.warn(
                    "nothing was added: without a terminal to ask on, say --yes (or --dry-run)"
                )
                return None
            if not await self._confirmed(len(heard.tasks)):
                self._context.say("nothing was added")
                return None
        return await self._add(heard)

    async def _confirmed(self, number: int) -> bool:
        what = "this task" if number == 1 else f"these {number} tasks"
        try:
            answer = await ask_on_terminal(f"Add {what} and start the queue? [y/N] ")
        except EOFError:
            return False
        return answer.strip().lower() in {"y", "yes"}

    async def _add(self, heard: Heard) -> Added:
        try:
            added = await add(self._workspace, heard.outcome)
        except AddedMeanwhileError as error:
            raise UsageError(str(error)) from error
        self._context.say(f"added {', '.join(plain(task.id) for task in heard.tasks)}")
        await self._start(added)
        return added

    async def _start(self, added: Added) -> None:
        client = await asyncio.to_thread(Client.open, self._workspace)
        try:
            for project in added.projects:
                answer = await client.ask(RequestKind.START, {"project": project})
                if not answer.granted:
                    self._context.warn(plain(answer.text))
                    continue
                self._context.say(
                    await asyncio.to_thread(starts_with, self._context, client.reading, project)
                )
        finally:
            client.close()
