"""From a sentence to tasks in a queue: it is heard, shown, and added when the person says so."""

from __future__ import annotations

from screens.desk import Desk, describe
from screens.dialogs.simple import NoticeDialog
from screens.dialogs.spoken import Adding, SpokenDialog
from screens.words import content, lines


async def speak(desk: Desk, text: str, *, project: str | None = None) -> None:
    """Hear a sentence and offer to add its tasks. *project* is meant where it names none. In a worker."""
    if desk.refuse():
        return
    try:
        preview = await desk.console.hear(text, project)
        if not preview.count:
            body = lines([content(line) for line in preview.lines] or [content("It asks for nothing.")])
            await desk.show(NoticeDialog(desk.waits, "Nothing to add", body))
            return
        adding = await desk.show(SpokenDialog(desk.waits, preview))
        if adding is None or desk.refuse():  # made read-only while the dialog was open
            return
        answer = await desk.console.add(preview, start=adding is Adding.START)
    except Exception as error:  # noqa: BLE001 (a fault of the console must not end the screen)
        desk.tell(f"{describe(error)}. Look at the queue before saying it again.", wrong=True)
    else:
        desk.tell(answer.text, wrong=not answer.granted, title="" if answer.granted else "Not added")
