"""A task filled in line by line: what is wrong is told as one types, and what could stand there offered."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.suggester import Suggester
from textual.widgets import Input

from opconsole.console import Console, Preview
from opconsole.views import TaskView
from queues.sentences.known import Known
from screens.desk import Waits, describe
from screens.dialogs.base import Dialog
from screens.entry_form import FIELDS, KINDS, FormField, candidates, entry_of, faults_of, fields_of
from screens.look import Role
from screens.widgets.controls import Field, PushButton
from screens.words import clip, content, folded, lines, safe

OFFERED = 12
"""Candidates that are named; the arrows reach all."""


@dataclass(frozen=True, slots=True)
class Filled:
    """What was filled in, and what it comes to."""

    values: Mapping[str, str]
    preview: Preview


class Offers(Suggester):
    """Offers the first candidate that begins with what was typed last."""

    def __init__(self, field: FormField, offered: Callable[[str], Sequence[str]]) -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self._field = field
        self._offered = offered

    async def get_suggestion(self, value: str) -> str | None:
        """Give the whole line as it would be."""
        head, part = last_part(self._field, value)
        found = (one for one in self._offered(self._field.name) if part and one.startswith(part))
        return next((head + one for one in found), None)


class FormLine(Input):
    """A line of the form: ``↓`` and ``↑`` put the next and the previous candidate into it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down", "offer(1)", show=False),
        Binding("up", "offer(-1)", show=False),
    ]

    def __init__(self, field: FormField, value: str, candidates: Callable[[str], Sequence[str]]) -> None:
        """A line shows what it holds as it is: so nothing that could steer a terminal is put into it."""

        def offered(name: str) -> list[str]:
            return [one for one in candidates(name) if one == safe(one)]

        super().__init__(
            safe(value),
            placeholder=field.example,
            id=field.name,
            compact=True,
            max_length=4000,
            suggester=Offers(field, offered),
            select_on_focus=False,
        )
        self._field = field
        self._offered = offered

    def action_offer(self, step: int) -> None:
        """Put another candidate in the place of what was typed last."""
        found = self._offered(self._field.name)
        if not found:
            return
        head, part = last_part(self._field, self.value)
        if part in found:
            chosen = found[(found.index(part) + step) % len(found)]
        else:
            chosen = next((one for one in found if part.lower() in one.lower()), found[0 if step > 0 else -1])
        self.value = head + chosen
        self.cursor_position = len(self.value)


class LineField(Field):
    """A label and its line of the form; ``✗`` stands before a label whose line is at fault."""

    def __init__(self, field: FormField, line: FormLine) -> None:
        super().__init__(field.name, field.label)
        self._input = line
        self._plain = field.label

    def mark(self, *, wrong: bool) -> None:
        """Say whether the line is at fault."""
        self._text = f"✗ {self._plain}" if wrong else self._plain
        if self._input.has_focus:
            self.on_descendant_focus()
        else:
            self.on_descendant_blur()


class FormDialog(Dialog[Filled]):
    """Gives a filled-in task and what it comes to, or None."""

    AUTO_FOCUS = "#agent_type"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("f2", "look", "Look at it", priority=True)]

    def __init__(
        self,
        waits: Waits,
        console: Console,
        known: Known,
        tasks: Sequence[TaskView],
        values: Mapping[str, str],
    ) -> None:
        super().__init__(waits)
        self._workspace = console
        self._known = known
        self._tasks = tuple(tasks)
        self._values = {"agent_type": "deployment", **values}
        self._told: tuple[str, ...] = ()

    # -- what it is made of

    def title_text(self) -> Content:
        """Say what is wanted."""
        return content(("Add a task", Role.STRONG))

    def body(self, width: int) -> Content:
        """Say what could stand in the line that has the keys, or what is wrong with the whole."""
        rows = [row for text in self._told for row in folded(f"✗ {text}", width, indent=0, role=Role.BAD)]
        field = self._here()
        if field is not None and not rows:
            found = self.offered(field.name)
            more = f" and {len(found) - OFFERED} more" if len(found) > OFFERED else ""
            text = f"{field.label}: {', '.join(found[:OFFERED])}{more} (↓ ↑)" if found else field.label
            rows = [content((clip(text, width), Role.MUTED))]
        return lines(rows or [content("")])

    def fields(self) -> ComposeResult:
        """Give a line for every field of any kind; those of the kind are shown."""
        shown = {field.name for field in fields_of(self._values["agent_type"])}
        for field in FIELDS:
            line = FormLine(field, self._values.get(field.name, ""), self.offered)
            row = LineField(field, line)
            row.display = field.name in shown
            yield row

    def field_rows(self) -> int:
        """Give a row for each line that is shown."""
        return len(fields_of(self._values["agent_type"]))

    def buttons(self) -> ComposeResult:
        """Offer to look at the task."""
        yield PushButton("Look at the task (f2)", id="look", variant="primary", compact=True)

    # -- what is filled in

    @property
    def values(self) -> dict[str, str]:
        """What stands in the lines."""
        return {line.id or "": line.value for line in self.query(FormLine)}

    def offered(self, name: str) -> tuple[str, ...]:
        """Give what could stand in a line."""
        return candidates(name, self.values if self._ready else self._values, self._known, self._tasks)

    def on_mount(self) -> None:
        """Look at what came back from the preview."""
        self._judge()

    def on_descendant_focus(self) -> None:
        """Tell about the line that has the keys now."""
        if self._ready:
            self._judge()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Judge what was typed by the rules of queue files."""
        event.prevent_default()
        event.stop()
        self._told = ()
        if event.input.id == "agent_type":
            shown = {field.name for field in fields_of(event.value.strip())}
            for row in self.query(LineField):
                row.display = row.query_one(FormLine).id in shown
            self._values["agent_type"] = event.value.strip()
            self.call_after_refresh(self._leave_room)
        if event.input.id == "project" and event.value.strip() in self._known.projects:
            self.run_worker(self._learn(event.value.strip()), group="learning", exclusive=True)
        self._judge()

    def after_field(self, field: str) -> str:
        """Go on to the next line that is shown, at last to the button."""
        names = [one.name for one in fields_of(self._values["agent_type"])]
        place = names.index(field) + 1 if field in names else len(names)
        return names[place] if place < len(names) else "look"

    async def _learn(self, project: str) -> None:
        """Learn the versions of another project."""
        try:
            self._known = await self._workspace.vocabulary("", project)
        except Exception as error:  # noqa: BLE001 (a fault of the console must not end the dialog)
            self.say_missing(describe(error))
        else:
            self._judge()

    def _judge(self) -> None:
        """Mark the lines at fault; say what is wrong with the one that has the keys, or with the first."""
        values = self.values
        project = self._known.projects.get(values["project"].strip())
        names = ", ".join(self._known.projects)
        wrong = {"project": f"project: allowed: {names}"} if project is None else {}
        if project is not None:
            found = faults_of(entry_of(values, project), project)
            wrong = {name: str(fault) for name, fault in found.items()}
            if values["agent_type"].strip() not in KINDS:
                wrong["agent_type"] = f"agent_type: allowed: {', '.join(KINDS)}"
        for row in self.query(LineField):
            line = row.query_one(FormLine)
            row.mark(wrong=line.id in wrong and bool(line.value.strip()))
        here = self._here()
        typed = [name for name in wrong if values.get(name, "").strip()]
        told = here.name if here is not None and here.name in wrong else next(iter(typed), None)
        if told is not None:
            self.say_missing(wrong[told])
        elif wrong:
            self.say_missing(f"still wanted: {', '.join(wrong)}")
        else:
            self.say_missing("f2 shows the task as it would be; tab, shift+tab: the lines; esc leaves")
        self.redraw()

    def _here(self) -> FormField | None:
        focused = self.focused.id if self.focused is not None else None
        return next((field for field in FIELDS if field.name == focused), None)

    # -- looking at it

    def pressed(self, button: str) -> None:
        """Look at the task."""
        del button
        self.action_look()

    def action_look(self) -> None:
        """Give the task, where it can be added; else say what is wrong."""
        if not self.drops_keys():
            self.run_worker(self._look(), group="looking", exclusive=True)

    async def _look(self) -> None:
        values = {name: text.strip() for name, text in self.values.items()}
        project = self._known.projects.get(values["project"])
        if project is None:
            self.query_one("#project").focus()
            return
        entry = entry_of(values, project)
        try:
            preview = await self._workspace.read_entries(json.dumps([entry]), project.name)
        except Exception as error:  # noqa: BLE001 (a fault of the console must not end the dialog)
            self.say_missing(describe(error))
            return
        if not preview.faults:
            self.dismiss(Filled(values, preview))
            return
        self._told = tuple(fault.partition(": ")[2] for fault in preview.faults)  # lines mean nothing here
        self.redraw()
        self.call_after_refresh(self._leave_room)


def last_part(field: FormField, value: str) -> tuple[str, str]:
    """Divide a line into what stays and the word that is typed; of several words the last is typed."""
    if not field.several or "," not in value:
        return "", value.strip()
    head, _, part = value.rpartition(",")
    return f"{head}, ", part.strip()
