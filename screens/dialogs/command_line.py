"""The command line: actions and screens by their names, found as one types; and sentences that add tasks.

A sentence is heard here: what it lacks is asked for in the line itself, and what it says stays in view.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from opconsole.console import Preview
from queues.sentences.known import Known
from screens.actions import Action, Keymap, Scope, key_label
from screens.desk import describe
from screens.dialogs.modal import Modal
from screens.look import Role
from screens.widgets.text import TextView
from screens.words import content, lines, safe

ROWS = 12
"""Names that are shown at once; the list scrolls."""
SAID_FIRST = frozenset({"action", "sentence", "resource"})
"""What is missing at the beginning of a sentence: it is asked for by keeping the sentence to be mended."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """What was typed is no name: it is to be read as a sentence."""

    text: str


@dataclass(frozen=True, slots=True)
class Offered:
    """An answer to a question."""

    text: str


@dataclass(frozen=True, slots=True)
class Speech:
    """How sentences are heard where the line was opened."""

    hear: Callable[[str], Awaitable[Preview]]
    known: Callable[[str], Awaitable[Known]]
    refuse: Callable[[], bool]
    """Says so, and gives True, where nothing may be changed."""


Row = Action | Sentence | Offered
Said = Action | Preview


class CommandLine(Modal[Said]):
    """Gives the action whose name was typed or chosen, or what a sentence comes to, or None."""

    DEFAULT_CSS = """
    CommandLine {
        align: center bottom;
        background: $background 50%;
        & > Vertical { width: 100%; height: auto; background: $surface; }
        & OptionList {
            height: auto; max-height: 12; border: none; background: transparent; padding: 0 1;
            text-wrap: nowrap; text-overflow: ellipsis;
        }
        & OptionList > .option-list--option-highlighted { background: $primary 45%; }
        & #line { height: 1; layout: horizontal; background: $panel; }
        & #line > Static { width: 2; padding: 0 0 0 1; }
        & Input { width: 1fr; background: $panel; }
        & #nothing { padding: 0 2; color: $text-warning; display: none; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "Back"),
        Binding("down,ctrl+n", "move(1)", show=False, priority=True),
        Binding("up,ctrl+p", "move(-1)", show=False, priority=True),
        Binding("tab", "complete", show=False, priority=True),
    ]

    def __init__(self, choices: Sequence[Action], keys: Keymap, speech: Speech) -> None:
        super().__init__()
        self._choices = tuple(choices)
        self._keymap = keys
        self._speech = speech
        self._found: list[Row] = []
        self._kept = ""
        """The sentence that a question is about; empty while none is asked."""
        self._missing = ""
        """The field that is asked for."""
        self._answers: tuple[str, ...] = ()
        self._listed = ""
        """What the list is for."""
        self._cycle: tuple[str, tuple[str, ...], int] = ("", (), 0)
        """The line as it was completed last, all the lines that it could be, and which of them it is."""

    def compose(self) -> ComposeResult:
        """Put the names over the line."""
        with Vertical():
            yield OptionList(markup=False)
            yield TextView(id="nothing")
            with Vertical(id="line"):
                yield Static(":")
                yield Input(
                    placeholder="an action, a screen, or a sentence such as: Deploy 2.1.0 to staging",
                    compact=True,
                )

    def on_mount(self) -> None:
        """Begin with all that can be done here."""
        self.query_one(OptionList).can_focus = False
        self.query_one(Input).focus()
        self._list("")

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        del event  # more may have been typed since
        self._catch_up()

    @on(Input.Submitted)
    def _entered(self) -> None:
        self._catch_up()
        place = self.query_one(OptionList).highlighted
        if self._found:
            self._take(self._found[place or 0])
        elif self._kept and (answer := self.query_one(Input).value.strip()):
            self._take(Offered(answer))

    @on(OptionList.OptionSelected)
    def _chosen(self, event: OptionList.OptionSelected) -> None:
        self._take(self._found[event.option_index])

    def action_leave(self) -> None:
        """Leave a question for its sentence, and the line for the screen."""
        if self._kept:
            text, self._kept = self._kept, ""
            self._write(text)
        else:
            self.dismiss(None)

    def action_move(self, rows: int) -> None:
        """Point at another name."""
        names = self.query_one(OptionList)
        (names.action_cursor_down if rows > 0 else names.action_cursor_up)()

    def action_complete(self) -> None:
        """Write the name or the answer that is pointed at into the line; go on with a sentence."""
        self._catch_up()
        place = self.query_one(OptionList).highlighted
        chosen = self._found[place or 0] if self._found else None
        if isinstance(chosen, Action):
            self._write(called(chosen))
        elif isinstance(chosen, Offered):
            self._write(chosen.text)
        elif not self._kept:
            self.run_worker(self._go_on(), group="hearing", exclusive=True)

    def _catch_up(self) -> None:
        """List for what stands in the line now: a key may come before the news of what was typed."""
        if self._listed != (text := self.query_one(Input).value):
            self._list(text)

    def _write(self, text: str) -> None:
        line = self.query_one(Input)
        line.value = text
        line.cursor_position = len(text)
        self._list(text)

    # -- sentences

    def _take(self, row: Row) -> None:
        if isinstance(row, Action):
            self.dismiss(row)
        elif not self._speech.refuse():
            from queues.sentences.interpret import completed  # noqa: PLC0415 (loads a grammar, for this alone)

            text = row.text if isinstance(row, Sentence) else completed(self._kept, self._missing, row.text)
            self.run_worker(self._hear(text), group="hearing", exclusive=True)

    async def _hear(self, text: str) -> None:
        self._tell(content((f"“{text}”", Role.MUTED), "  is read …"))
        try:
            preview = await self._speech.hear(text)
        except Exception as error:  # noqa: BLE001 (the person reads why, and can say it otherwise)
            self._tell(content(f"{describe(error)}. Nothing was added."))
            return
        if preview.count:
            self.dismiss(preview)
        elif preview.missing and preview.missing[0] not in SAID_FIRST:
            await self._ask(text, preview)
        else:
            self._kept = ""
            said = preview.lines or preview.faults or ("It asks for nothing.",)
            self._tell(lines([content(line) for line in said]))

    async def _ask(self, text: str, preview: Preview) -> None:
        """Ask for what is missing first; the rest is asked for once that is known."""
        self._kept, self._missing = text, preview.missing[0]
        self._answers = answers(self._missing, await self._speech.known(text))
        self._write("")
        self._tell(content((f"“{text}”  ", Role.MUTED), preview.lines[0] if preview.lines else self._missing))

    async def _go_on(self) -> None:
        """Complete the word that is typed; once more: with the next one that could stand there."""
        from queues.sentences.completing import complete  # noqa: PLC0415 (loads a grammar, for this alone)

        line = self.query_one(Input)
        written, could_be, place = self._cycle
        if could_be and written == line.value:
            place = (place + 1) % len(could_be)
        else:
            text, cursor = line.value, line.cursor_position
            completion = complete(text, cursor, await self._speech.known(text))
            found = [one for one in completion.candidates if one == safe(one)]
            could_be, place = tuple(completion.applied(text, one) for one in found), 0
            self._tell(content((" · ".join(found[:ROWS]) or "Nothing is known to stand here.", Role.MUTED)))
        if could_be:
            only = len(could_be) == 1
            self._cycle = ("", (), 0) if only else (could_be[place], could_be, place)
            self.query_one(Input).value = could_be[place] + " " * only
            line.cursor_position = len(line.value)

    # -- what is shown

    def _tell(self, text: Content) -> None:
        nothing = self.query_one("#nothing", TextView)
        nothing.display = True
        nothing.put(text)

    def _list(self, text: str) -> None:
        self._listed = text
        if self._kept:
            wanted = text.strip().casefold()
            self._found = [Offered(one) for one in self._answers if one.casefold().startswith(wanted)]
        else:
            self._found = [*matching(self._choices, text)]
            if len(text.split()) > 1:
                self._found.append(Sentence(text.strip()))
        names = self.query_one(OptionList)
        names.clear_options()
        names.add_options(Option(self._row(one)) for one in self._found)
        names.highlighted = 0 if self._found else None
        nothing = self.query_one("#nothing", TextView)
        if not self._kept and text not in self._cycle[1]:
            nothing.display = not self._found
            nothing.put(
                content("Nothing is called so here. A sentence has more words: Deploy 2.1.0 to staging")
            )

    def _row(self, action: Row) -> Content:
        if isinstance(action, Offered):
            return content(action.text)
        if isinstance(action, Sentence):
            return content(("Read it as a sentence", Role.ASKS), (f"  {action.text}", Role.MUTED))
        keys = " ".join(key_label(key) for key in self._keymap.keys(action))
        if action.scope is Scope.TASK:
            keys = f"a {keys}"
        return content(
            f"{called(action):<18}",
            (f"{keys:<10}", Role.BUSY),
            (f"{action.title}: {action.help}", Role.MUTED),
        )


def answers(missing: str, known: Known) -> tuple[str, ...]:
    """Give what could answer a question for a field of a task."""
    projects = list(known.projects.values())
    meant = [one for one in projects if one.name == known.meant_project] or projects
    found: dict[str, list[str]] = {
        "project": [one.name for one in projects],
        "environment": [name for one in meant for name in one.in_order()],
        "version": [version for one in meant for version in one.versions or ()],
    }
    return tuple(dict.fromkeys(one for one in found.get(missing, ()) if one == safe(one)))


def called(action: Action) -> str:
    """Give the name that is typed for an action; a screen's is its own."""
    return action.argument if action.verb == "go" else action.name


def matching(choices: Sequence[Action], text: str) -> list[Action]:
    """Give the actions that a text means, the likeliest first: by the name's beginning, then by any words."""
    wanted = text.strip().casefold()
    ranked = [(rank, action) for action in choices if (rank := _rank(action, wanted)) is not None]
    return [action for _, action in sorted(ranked, key=lambda pair: pair[0])]


OTHER_NAMES = {"q": "leave", "quit": "leave", "exit": "leave"}
"""What people type who come from elsewhere; never the beginning of another action's name to them."""


def _rank(action: Action, wanted: str) -> int | None:
    name, title = called(action).casefold(), action.title.casefold()
    if OTHER_NAMES.get(wanted) == action.name:
        return 0
    if name == wanted:
        return 0 if action.verb == "go" else 1
    if name.startswith(wanted) or title.startswith(wanted):
        return 2
    if all(word in f"{name} {title}" for word in wanted.split()):
        return 3
    return 4 if all(word in action.help.casefold() for word in wanted.split()) else None
