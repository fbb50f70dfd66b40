"""Adding tasks by a sentence, a form or JSON: shown as they would be, added when the person says so."""

from __future__ import annotations

from opconsole.console import Preview
from opconsole.journal.records import RequestKind
from screens.desk import Desk, describe
from screens.dialogs.form import FormDialog
from screens.dialogs.paste import PasteDialog
from screens.dialogs.planned import Adding, PlannedDialog
from screens.dialogs.simple import ConfirmDialog, NoticeDialog
from screens.words import content, lines


async def speak(desk: Desk, text: str, *, project: str | None = None) -> None:
    """Hear a sentence and offer to add its tasks. *project* is meant where it names none. In a worker."""
    if desk.refuse():
        return
    try:
        preview = await desk.console.hear(text, project)
    except Exception as error:  # noqa: BLE001 (a fault of the console must not end the screen)
        desk.tell(f"{describe(error)}. Nothing was added.", wrong=True)
        return
    await offer(desk, preview)


async def offer(desk: Desk, preview: Preview) -> bool:
    """Show what would be added and add it when the person says so; say whether it was added. In a worker."""
    if desk.refuse():
        return False
    if not preview.count:
        said = [content(line) for line in (*preview.lines, *preview.faults)]
        body = lines(said or [content("It asks for nothing.")])
        await desk.show(NoticeDialog(desk.waits, "Nothing to add", body))
        return False
    try:
        paused = await _paused(desk, preview)
        adding = await desk.show(PlannedDialog(desk.waits, preview, paused=bool(paused)))
        if adding is None or desk.refuse():  # made read-only while the dialog was open
            return False
        answer = await desk.console.add(preview, start=adding is Adding.START)
    except Exception as error:  # noqa: BLE001 (a fault of the console must not end the screen)
        desk.tell(f"{describe(error)}. Look at the queue before adding it again.", wrong=True)
        return False
    desk.tell(answer.text, wrong=not answer.granted, title="" if answer.granted else "Not added")
    if answer.granted and adding is Adding.ADD:
        for project in paused:
            await _offer_to_start(desk, project)
    return answer.granted


async def add_by_form(desk: Desk, project: str | None) -> None:
    """Let the person fill in a task. Whoever leaves the preview comes back to what they had filled in."""
    if desk.refuse():
        return
    values: dict[str, str] = {}
    try:
        snapshot = await desk.console.snapshot()
        projects = tuple(queue.project for queue in snapshot.queues)
        if not projects:
            await _without_project(desk)
            return
        while True:
            begin = project if project in projects else projects[0]
            known = await desk.console.vocabulary("", values.get("project", begin))
            dialog = FormDialog(desk.waits, desk.console, known, snapshot.tasks, values | {"project": begin})
            filled = await desk.show(dialog)
            if filled is None or await offer(desk, filled.preview):
                return
            values, project = dict(filled.values), filled.values.get("project")
    except Exception as error:  # noqa: BLE001 (a fault of the console must not end the screen)
        desk.tell(f"{describe(error)}. Nothing was added.", wrong=True)


async def add_by_json(desk: Desk, project: str | None) -> None:
    """Let the person paste entries. Whoever leaves the preview comes back to the text."""
    if desk.refuse():
        return
    text = ""
    try:
        if not (await desk.console.snapshot()).queues:
            await _without_project(desk)
            return
        while True:
            pasted = await desk.show(PasteDialog(desk.waits, desk.console, project, text))
            if pasted is None or await offer(desk, pasted.preview):
                return
            text = pasted.text
    except Exception as error:  # noqa: BLE001 (a fault of the console must not end the screen)
        desk.tell(f"{describe(error)}. Nothing was added.", wrong=True)


async def _paused(desk: Desk, preview: Preview) -> list[str]:
    """Give the queues of a preview that nobody has started."""
    queues = {queue.project: queue.started for queue in (await desk.console.snapshot()).queues}
    return [project for project in preview.projects if not queues.get(project, False)]


async def _offer_to_start(desk: Desk, project: str) -> None:
    text = content("The worker runs what is ready, as far as nobody has to decide. Gates ask as ever.")
    if await desk.show(ConfirmDialog(desk.waits, f"Start the queue of {project}", text, "Start")):
        desk.ask(RequestKind.START, {"project": project})


async def _without_project(desk: Desk) -> None:
    body = content("opconsole.toml names no project yet, so there is no queue to add to: write one there, ")
    await desk.show(
        NoticeDialog(desk.waits, "No project", lines([body, content("then open the console again.")]))
    )
