"""Adding tasks in the console by sentence, form and JSON; edits of queue files; several tasks at once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from textual import events
from textual.widgets import Button, Input, OptionList, Static

from guardrails.environments import STANDARD
from opconsole.app import OpconsoleApp
from opconsole.console import Changed, QueueChanges
from opconsole.journal.records import RequestKind
from queues.sentences.known import Known, KnownProject, Serving
from queues.states import RunState
from screens.dialogs.command_line import CommandLine
from screens.dialogs.form import FormDialog
from screens.dialogs.menu import ActionsMenu
from screens.dialogs.paste import JsonArea, PasteDialog
from screens.dialogs.planned import PlannedDialog
from screens.dialogs.simple import ConfirmDialog, NoticeDialog
from screens.editing import ChangesDialog
from screens.entry_form import FIELDS, KINDS, candidates, entry_of, faults_of, fields_of
from screens.widgets.log_pane import LogPane

ENTRY = {"id": "NEW-1", "agent_type": "deployment", "environment": "staging", "version": "2.2.0"}
SHOP = KnownProject(
    "shop",
    STANDARD,
    versions=("2.2.0", "2.1.0"),
    serving={"staging": Serving("2.1.0")},
    served={"staging": ("2.1.0", "2.0.0")},
    taken=frozenset({"DEPLOY-STAGING-001"}),
)


async def settle(pilot: Any, until: Any) -> None:
    await until(pilot, lambda: pilot.app.operations.is_mounted and pilot.app.operations.query(LogPane))
    await until(pilot, lambda: pilot.app.operations.table.selected)


def text_of(app: OpconsoleApp, part: str = "#text") -> str:
    return str(app.screen.query_one(part, Static).content)


async def opens(pilot: Any, until: Any, dialog: type) -> Any:
    await until(pilot, lambda: isinstance(pilot.app.screen, dialog) and pilot.app.screen.focused)
    return pilot.app.screen


# -- by JSON


async def test_pasted_json_is_previewed_with_cancel_focused_and_y_adds_and_asks_whether_to_start(
    console: Any, samples: Any, make_app: Any, until: Any
) -> None:
    console.queues = (samples.queue(started=False),)
    console.warnings = ("no tag names 2.2.0",)
    async with make_app(console).run_test(size=(120, 36)) as pilot:
        await settle(pilot, until)
        await pilot.press("P")
        dialog = await opens(pilot, until, PasteDialog)
        pilot.app.post_message(events.Paste(json.dumps(ENTRY)))
        await until(pilot, lambda: "✓ 1 task for credentialmate" in text_of(pilot.app))
        await pilot.press("f2")
        dialog = await opens(pilot, until, PlannedDialog)
        assert dialog.focused.id == "cancel"
        shown = text_of(pilot.app)
        assert "NEW-1  credentialmate" in shown
        assert "▲ no tag names 2.2.0" in shown
        assert '"version": "2.2.0"' in shown
        assert console.added == []
        await pilot.press("y")
        confirm = await opens(pilot, until, ConfirmDialog)
        assert console.added == [("", False)]
        assert confirm.focused.id == "cancel"
        assert "Start the queue of credentialmate" in text_of(pilot.app, "#title")
        await pilot.press("y")
        await until(pilot, lambda: console.asked == [(RequestKind.START, {"project": "credentialmate"})])


async def test_faults_of_pasted_json_are_told_with_line_and_field_and_nothing_goes_on(
    console: Any, make_app: Any, until: Any
) -> None:
    async with make_app(console).run_test(size=(120, 36)) as pilot:
        await settle(pilot, until)
        await pilot.press("P")
        dialog = await opens(pilot, until, PasteDialog)
        area = dialog.query_one(JsonArea)
        pilot.app.post_message(events.Paste('{"id": "A",\n "agent_type": "deployment"\n}\x1b]0;title\x07'))
        await until(pilot, lambda: "✗ line 1: A: environment" in text_of(pilot.app))
        assert "\x1b" not in area.text
        await pilot.press("f2")
        await until(pilot, lambda: "Mend what is told" in text_of(pilot.app, "#missing"))
        area.text = '{"id": '
        await until(pilot, lambda: "no JSON" in text_of(pilot.app))
        await pilot.press("escape")
        await until(pilot, lambda: pilot.app.screen is pilot.app.operations)
        assert console.added == []


async def test_whoever_leaves_the_preview_comes_back_to_what_was_pasted(
    console: Any, make_app: Any, until: Any
) -> None:
    async with make_app(console).run_test(size=(120, 36)) as pilot:
        await settle(pilot, until)
        await pilot.press("P")
        dialog = await opens(pilot, until, PasteDialog)
        dialog.query_one(JsonArea).text = json.dumps(ENTRY)
        await pilot.press("f2")
        await opens(pilot, until, PlannedDialog)
        await pilot.press("escape")
        dialog = await opens(pilot, until, PasteDialog)
        assert dialog.query_one(JsonArea).text == json.dumps(ENTRY)


@pytest.mark.parametrize("key", ["P", "i"])
async def test_a_read_only_console_offers_neither_form_nor_json(
    console: Any, make_app: Any, until: Any, key: str
) -> None:
    console.read_only = True
    async with make_app(console).run_test(size=(120, 36)) as pilot:
        await settle(pilot, until)
        await pilot.press(key)
        await until(pilot, lambda: pilot.app._notifications)
        assert pilot.app.screen is pilot.app.operations


# -- by form


async def test_a_form_is_filled_in_with_candidates_and_previewed(
    console: Any, make_app: Any, until: Any
) -> None:
    async with make_app(console).run_test(size=(120, 40)) as pilot:
        await settle(pilot, until)
        await pilot.press("i")
        dialog = await opens(pilot, until, FormDialog)
        assert dialog.focused.id == "agent_type"
        await pilot.press("enter")
        assert dialog.focused.id == "environment"
        await pilot.press(*"stag", "down", "enter")
        assert dialog.query_one("#environment", Input).value == "staging"
        assert dialog.focused.id == "version"
        assert "2.2.0, 2.1.0" in text_of(pilot.app)
        await pilot.press(*"2..")
        await until(pilot, lambda: "version is" in text_of(pilot.app, "#missing"))
        await pilot.press("backspace", "backspace", "backspace", "down", "f2")
        await opens(pilot, until, PlannedDialog)
        shown = text_of(pilot.app)
        assert "DEPLOY-STAGING-001" in shown
        assert "Deploy v2.2.0 to staging" in shown
        await pilot.press("escape")
        dialog = await opens(pilot, until, FormDialog)
        assert dialog.query_one("#version", Input).value == "2.2.0"
        await pilot.press("f2")
        await opens(pilot, until, PlannedDialog)
        await pilot.press("y")
        await until(pilot, lambda: console.added == [("", False)])
        await until(pilot, lambda: pilot.app.screen is pilot.app.operations)


async def test_the_form_shows_the_lines_of_the_kind_and_what_is_still_wanted(
    console: Any, make_app: Any, until: Any
) -> None:
    async with make_app(console).run_test(size=(80, 24)) as pilot:
        await settle(pilot, until)
        await pilot.press("i")
        dialog = await opens(pilot, until, FormDialog)
        assert not dialog.query_one("#resource").parent.display
        dialog.query_one("#agent_type", Input).value = "provisioning"
        await until(pilot, lambda: dialog.query_one("#resource").parent.display)
        assert not dialog.query_one("#version").parent.display
        dialog.query_one("#agent_type", Input).value = "deployment"
        await until(pilot, lambda: "still wanted: environment, version" in text_of(pilot.app, "#missing"))
        for part in ("#buttons", "#id"):
            assert dialog.query_one(part).region.bottom <= 24


@pytest.mark.parametrize("kind", KINDS)
def test_a_form_says_nothing_of_its_own_about_what_is_allowed(kind: str) -> None:
    values = {"project": "shop", "agent_type": kind, "environment": "prd", "version": "a b", "id": "x:y"}
    found = faults_of(entry_of(values, SHOP), SHOP)
    assert found["environment"].allowed == "development, staging, production"
    assert ("version" in found) == (kind != "provisioning")
    assert "colon" in found["id"].allowed


def test_each_kind_makes_an_entry_that_the_reader_takes() -> None:
    common = {"project": "shop", "environment": "staging"}
    given = (
        {"agent_type": "deployment", "version": "v2.2.0", "run_migrations": "yes", "depends_on": "A, till:B"},
        {"agent_type": "migration", "action": "validate", "requires_approval": "ana, bo"},
        {"agent_type": "rollback", "version": "2.0.0", "requires_approval": "yes"},
        {"agent_type": "provisioning", "resource": '{"type": "s3_bucket"}', "risk_assessment": "loss"},
    )
    entries = [entry_of({**common, **values}, SHOP) for values in given]
    assert all(faults_of(entry, SHOP) == {} for entry in entries)
    assert entries[0]["id"] == "DEPLOY-STAGING-002"
    assert (entries[0]["run_migrations"], entries[0]["depends_on"]) == (True, ["A", "till:B"])
    assert (entries[1]["id"], entries[1]["requires_approval"]) == ("VALIDATE-STAGING-001", ["ana", "bo"])
    assert entries[2]["requires_approval"] is True
    assert (entries[3]["resource"], entries[3]["business_case"]) == (
        {"type": "s3_bucket"},
        {"risk_assessment": "loss"},
    )


def test_what_is_no_yes_and_no_no_is_left_to_the_reader_to_fault() -> None:
    values = {"agent_type": "deployment", "environment": "dev", "version": "1", "run_migrations": "maybe"}
    found = faults_of(entry_of(values, SHOP), SHOP)
    assert str(found["run_migrations"]) == 'run_migrations is "maybe"; allowed: true, false or null'


def test_a_version_is_offered_from_tags_and_for_a_rollback_from_the_releases_before(samples: Any) -> None:
    known = Known({"shop": SHOP})
    tasks = (samples.task("A", project="shop"), samples.task("B", project="shop"), samples.task("C"))
    values = {"project": "shop", "environment": "staging", "agent_type": "deployment"}
    assert candidates("version", values, known, tasks) == ("2.2.0", "2.1.0")
    assert candidates("version", {**values, "agent_type": "rollback"}, known, tasks) == ("2.0.0",)
    assert candidates("depends_on", values, known, tasks) == ("B", "A", "credentialmate:C")
    assert candidates("environment", values, known, tasks) == ("development", "staging", "production")
    hidden = KnownProject("shop", STANDARD, versions=("1.0\x1b[2J", "1.1"))
    assert candidates("version", values, Known({"shop": hidden}), tasks) == ("1.1",)
    assert {field.name for kind in KINDS for field in fields_of(kind)} == {field.name for field in FIELDS}


# -- by sentence


async def test_what_a_sentence_lacks_is_asked_in_the_line_and_what_was_said_stays(
    console: Any, make_app: Any, until: Any
) -> None:
    heard: list[str] = []
    hear = console.hear

    async def asking(text: str, project: str | None = None) -> Any:
        heard.append(text)
        return await hear(text if "2.2.0" in text else "to staging", project)

    console.hear = asking
    async with make_app(console).run_test(size=(100, 30)) as pilot:
        await settle(pilot, until)
        await pilot.press("colon")
        line = await opens(pilot, until, CommandLine)
        line.query_one(Input).value = "Deploy to staging"
        await until(pilot, lambda: line.query_one(OptionList).option_count == 1)
        await pilot.press("enter")
        await until(pilot, lambda: "Which version?" in text_of(pilot.app, "#nothing"))
        assert "“Deploy to staging”" in text_of(pilot.app, "#nothing")
        assert line.query_one(Input).value == ""
        assert line.query_one(OptionList).option_count == 2
        await pilot.press("escape")
        assert line.query_one(Input).value == "Deploy to staging"
        await pilot.press("enter")
        await until(pilot, lambda: line.query_one(Input).value == "")
        await pilot.press("tab")
        assert line.query_one(Input).value == "2.2.0"
        await pilot.press("enter")
        await opens(pilot, until, PlannedDialog)
        assert heard[-1].split("\n")[0] == "Deploy to staging"
        assert "2.2.0" in heard[-1].split("\n")[1]


async def test_a_refused_sentence_is_answered_in_the_line(console: Any, make_app: Any, until: Any) -> None:
    async with make_app(console).run_test(size=(100, 30)) as pilot:
        await settle(pilot, until)
        await pilot.press("colon")
        line = await opens(pilot, until, CommandLine)
        line.query_one(Input).value = "no version of it"
        await pilot.press("enter")
        await until(pilot, lambda: "Which version?" in text_of(pilot.app, "#nothing"))
        assert line.query_one(Input).value == "no version of it"
        assert console.added == []


async def test_tab_completes_a_sentence_word_by_word(console: Any, make_app: Any, until: Any) -> None:
    async with make_app(console).run_test(size=(100, 30)) as pilot:
        await settle(pilot, until)
        await pilot.press("colon")
        line = await opens(pilot, until, CommandLine)
        field = line.query_one(Input)
        field.value = "Deploy credentialmate 2.2.0 to st"
        field.cursor_position = len(field.value)
        await pilot.press("tab")
        await until(pilot, lambda: field.value == "Deploy credentialmate 2.2.0 to staging ")
        field.value = "Deploy credentialmate "
        field.cursor_position = len(field.value)
        await pilot.press("tab")
        await until(pilot, lambda: field.value != "Deploy credentialmate ")
        first = field.value
        await pilot.press("tab")
        await until(pilot, lambda: field.value != first)
        assert " · " in text_of(pilot.app, "#nothing")


# -- edits


async def test_faults_and_changes_stand_on_top_of_the_queue_with_what_to_do_next(
    console: Any, samples: Any, make_app: Any, until: Any
) -> None:
    fault = "line 7: environment: found nowhere; allowed: staging"
    console.queues = (samples.queue(faults=(fault,), broken=True, changed="1 added, 2 changed"),)
    async with make_app(console).run_test(size=(140, 40)) as pilot:
        await settle(pilot, until)
        told = pilot.app.operations.query_one("#told", Static)
        shown = str(told.content)
        assert "work_queue_credentialmate.json: 1 added, 2 changed · D shows it" in shown
        assert f"credentialmate: {fault}" in shown
        assert "its tasks are those of before; o opens the file there" in shown
        assert told.region.y < pilot.app.operations.table.region.y


async def test_changes_are_shown_task_by_task_until_they_are_said_to_be_seen(
    console: Any, make_app: Any, until: Any
) -> None:
    edited = Changed(
        "credentialmate", "A", "changed", (("version", '"1"', '"2\x1b[2J"'),), ("its entry changed",)
    )
    came = Changed("credentialmate", "B", "added")
    console.edited = (QueueChanges("credentialmate", Path("tasks/q.json"), (edited, came)),)
    async with make_app(console).run_test(size=(120, 36)) as pilot:
        await settle(pilot, until)
        for key, left in (("escape", 1), ("y", 0)):
            await pilot.press("D")
            dialog = await opens(pilot, until, ChangesDialog)
            assert dialog.focused.id == "cancel"
            shown = text_of(pilot.app)
            assert "~ A  changed" in shown
            assert 'version: "1" → "2"' in shown
            assert "▲ its entry changed" in shown
            assert "+ B  added" in shown
            before = console.shown
            await pilot.press(key)
            await until(pilot, lambda: pilot.app.screen is pilot.app.operations)
            await until(pilot, lambda left=left: len(console.edited) == left)
        await until(pilot, lambda: console.shown > before)  # the news goes from the queue at once


async def test_without_a_terminal_to_leave_the_place_of_the_task_is_told(
    console: Any, make_app: Any, until: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VISUAL", "vi")
    async with make_app(console).run_test(size=(120, 36)) as pilot:
        await settle(pilot, until)
        await pilot.press("o")
        await until(pilot, lambda: pilot.app._notifications)
        [note] = pilot.app._notifications
        assert "work_queue_credentialmate.json:3 by hand" in note.message


# -- empty


@pytest.mark.parametrize(
    ("queues", "said"),
    [
        ((), "There is no project yet."),
        (({"missing": True, "faults": ("line 1: file: cannot be read",)},), "There is no work queue yet."),
        (({},), "The queue is empty."),
        (({"faults": ("line 1: no JSON",), "broken": True},), "No task of the queue can be read."),
    ],
)
async def test_an_empty_queue_says_what_to_do_next_and_its_keys_work(
    console: Any, samples: Any, make_app: Any, until: Any, *, queues: Any, said: str
) -> None:
    console.tasks = ()
    console.queues = tuple(samples.queue(**changes) for changes in queues)
    async with make_app(console).run_test(size=(120, 36)) as pilot:
        await until(pilot, lambda: pilot.app.operations.query("#queue-empty"))
        await until(pilot, lambda: said in text_of(pilot.app, "#queue-empty"))
        screen = pilot.app.operations
        await until(pilot, lambda: screen.focused is screen.queue_pane.main)
        await pilot.press("i")
        if queues:
            await opens(pilot, until, FormDialog)
        else:
            await opens(pilot, until, NoticeDialog)
        await pilot.press("escape")
        await until(pilot, lambda: pilot.app.screen is screen)
        console.tasks = (samples.task(),)
        console.change()
        await until(pilot, lambda: screen.focused is screen.table)


# -- several at once


async def test_marked_tasks_are_run_again_together_and_each_result_is_shown(
    console: Any, samples: Any, make_app: Any, until: Any
) -> None:
    for name in ("FAILED-1", "FAILED-2"):
        console.put(*samples.run(samples.task(name), RunState.FAILED))
    async with make_app(console).run_test(size=(120, 36)) as pilot:
        await settle(pilot, until)
        table = pilot.app.operations.table
        for name in ("FAILED-1", "FAILED-2", "DEPLOY-DEV-001"):
            table.select(f"credentialmate:{name}")
            await pilot.press("space")
        await pilot.press("a")
        await opens(pilot, until, ActionsMenu)
        await pilot.press("R")
        dialog = await opens(pilot, until, ConfirmDialog)
        assert dialog.focused.id == "cancel"
        shown = text_of(pilot.app)
        assert "FAILED-1" in shown
        assert "FAILED-2" in shown
        assert "DEPLOY-DEV-001" not in shown
        assert "1 more of the marked cannot be" in shown
        dialog.query_one("#do", Button).press()
        await opens(pilot, until, NoticeDialog)
        assert [kind for kind, _ in console.asked] == [RequestKind.RETRY] * 2
        assert "✓ FAILED-1" in text_of(pilot.app)


async def test_cancelling_the_marked_asks_for_each_that_is_not_over(
    console: Any, make_app: Any, until: Any
) -> None:
    async with make_app(console).run_test(size=(120, 36)) as pilot:
        await settle(pilot, until)
        for name in ("DEPLOY-STAGING-001", "DEPLOY-PROD-001"):
            pilot.app.operations.table.select(f"credentialmate:{name}")
            await pilot.press("space")
        await pilot.press("a")
        await opens(pilot, until, ActionsMenu)
        await pilot.press("C")
        await opens(pilot, until, ConfirmDialog)
        await pilot.press("y")
        await opens(pilot, until, NoticeDialog)
        asked = [(kind, payload["run"]) for kind, payload in console.asked]
        assert asked == [
            (RequestKind.CANCEL, "run-deploy-staging-001"),
            (RequestKind.CANCEL, "run-deploy-prod-001"),
        ]
