"""The shell around the screens: one registry of actions, the command line, other keys, and where one was."""

from __future__ import annotations

from typing import Any

import pytest
from textual.widgets import Button, Input, OptionList, Static

from screens.actions import PLACES, REGISTRY, Scope, read_keymap
from screens.actions.keymap import key_name
from screens.dialogs.command_line import CommandLine, called
from screens.dialogs.help import HelpText
from screens.dialogs.menu import ActionsMenu
from screens.dialogs.planned import PlannedDialog
from screens.dialogs.simple import ConfirmDialog, NoticeDialog
from screens.trail import Trail, View
from screens.widgets.key_bar import KeyBar
from screens.widgets.log_pane import LogPane


async def settle(pilot: Any, until: Any) -> None:
    await until(pilot, lambda: pilot.app.operations.is_mounted and pilot.app.operations.query(LogPane))
    await until(pilot, lambda: pilot.app.operations.situation().run)


async def test_the_command_line_finds_actions_by_their_names_and_does_them(
    console: Any, make_app: Any, until: Any
) -> None:
    async with make_app(console).run_test(size=(120, 36)) as pilot:
        await settle(pilot, until)
        await pilot.press("colon")
        await until(pilot, lambda: isinstance(pilot.app.screen, CommandLine))
        names = pilot.app.screen.query_one(OptionList)
        await until(pilot, lambda: names.option_count > 20)
        await pilot.press(*"pause-q")
        await until(pilot, lambda: names.option_count == 1)
        await pilot.press("tab")
        assert pilot.app.screen.query_one(Input).value == "pause-queue"
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, ConfirmDialog))
        assert console.asked == [], "its dialog asks first"


async def test_what_has_no_key_can_be_chosen_with_the_arrows(console: Any, make_app: Any, until: Any) -> None:
    async with make_app(console).run_test(size=(120, 36)) as pilot:
        await settle(pilot, until)
        await pilot.press("ctrl+p")
        await until(pilot, lambda: isinstance(pilot.app.screen, CommandLine))
        await pilot.press(*"error")
        names = pilot.app.screen.query_one(OptionList)
        await until(pilot, lambda: names.option_count == 2)
        await pilot.press("down")
        assert names.highlighted == 1
        pilot.app.screen.query_one(Input).value = "nosuchthing"
        nothing = pilot.app.screen.query_one("#nothing", Static)
        await until(pilot, lambda: nothing.display and "Nothing is called so" in str(nothing.content))
        await pilot.press("enter")
        assert isinstance(pilot.app.screen, CommandLine)
        await pilot.press("escape")
        await until(pilot, lambda: pilot.app.screen is pilot.app.operations)


async def test_a_sentence_is_heard_shown_as_a_plan_and_added_only_when_the_person_says_so(
    console: Any, make_app: Any, until: Any
) -> None:
    async with make_app(console).run_test(size=(100, 30)) as pilot:
        await settle(pilot, until)
        for button, added in (("cancel", []), ("add", [("Deploy 2.2.0 to staging", False)])):
            await pilot.press("colon")
            await until(pilot, lambda: isinstance(pilot.app.screen, CommandLine))
            pilot.app.screen.query_one(Input).value = "Deploy 2.2.0 to staging"
            await until(pilot, lambda: pilot.app.screen.query_one(OptionList).option_count == 1)
            await pilot.press("enter")
            await until(pilot, lambda: isinstance(pilot.app.screen, PlannedDialog))
            await pilot.pause()
            assert pilot.app.screen.focused.id == "cancel"
            assert "DEPLOY-STAGING-003" in str(pilot.app.screen.query_one("#text", Static).content)
            pilot.app.screen.query_one(f"#{button}", Button).press()
            await until(pilot, lambda: pilot.app.screen is pilot.app.operations)
            await until(pilot, lambda added=added: console.added == added)
        assert console.heard == [("Deploy 2.2.0 to staging", "credentialmate")] * 2


async def test_a_sentence_that_says_too_little_is_answered_with_the_question(
    console: Any, make_app: Any, until: Any
) -> None:
    async with make_app(console).run_test(size=(100, 30)) as pilot:
        await settle(pilot, until)
        pilot.app.operations.say("make it so")
        await until(pilot, lambda: isinstance(pilot.app.screen, NoticeDialog))
        assert "Which version?" in str(pilot.app.screen.query_one("#text", Static).content)
        assert console.added == []


async def test_only_what_is_valid_now_is_offered(console: Any, make_app: Any, until: Any) -> None:
    async with make_app(console).run_test(size=(120, 36)) as pilot:
        await settle(pilot, until)
        names = {called(action) for action in pilot.app.operations.palette()}
        assert {"log", "pause-queue", "operations", "theme"} <= names
        assert not {"start-queue", "approve", "verify", "exempt"} & names


async def test_other_keys_hold_in_the_screen_the_footer_the_menu_and_the_help(
    console: Any, make_app: Any, until: Any
) -> None:
    keys = read_keymap({"filter": ["F"], "actions": ["ctrl+k", "f5"], "approve": ["k"], "help": ["h"]})
    assert keys.faults == ()
    async with make_app(console, keys=keys).run_test(size=(140, 40)) as pilot:
        await settle(pilot, until)
        bar = pilot.app.operations.query_one(KeyBar)
        await until(pilot, lambda: "F Filter" in str(bar.content) and "^k Actions" in str(bar.content))
        await pilot.press("ampersand")
        assert not pilot.app.operations.queue_pane.filtering
        await pilot.press("F")
        assert pilot.app.operations.queue_pane.filtering
        await pilot.press("escape")
        pilot.app.operations.table.select("credentialmate:DEPLOY-PROD-001")
        await pilot.press("f5")
        await until(pilot, lambda: isinstance(pilot.app.screen, ActionsMenu))
        await pilot.press("p")
        assert isinstance(pilot.app.screen, ActionsMenu)
        await pilot.press("k")
        await until(pilot, lambda: pilot.app.screen.query("#approve"))
        await pilot.press("escape")
        await until(pilot, lambda: pilot.app.screen is pilot.app.operations)
        await pilot.press("h")
        await until(pilot, lambda: pilot.app.screen.query(HelpText))
        help_text = pilot.app.screen.query_one(HelpText).query_one(Static)
        await until(pilot, lambda: "^k f5" in str(help_text.content))


@pytest.mark.parametrize(
    ("name", "keys", "said"),
    [
        ("filtre", ["F"], "no action has this name; found: F; allowed: filter"),
        ("filter", ["ctrl+super"], "no key is called so; found: ctrl+super"),
        ("filter", [], "an action without a key"),
        ("filter", ["ctrl+b"], "terminals and tmux keep this key"),
        ("filter", ["ctrl+q"], "this key leaves the console"),
        ("filter", ["s"], "sort has this key in the same place; found: s"),
        ("follow", ["z"], "zoom has this key in the same place"),
        ("approve", ["f5"], "it stands in the actions menu"),
        ("approve", ["x"], "reject has this key in the same place"),
    ],
)
def test_a_binding_that_cannot_hold_is_told_and_keeps_its_own_key(
    name: str, keys: list[str], said: str
) -> None:
    keymap = read_keymap({name: keys, "copy": ["Y"]})
    [fault] = keymap.faults
    assert said in str(fault)
    assert str(fault).startswith(f"console.keys.{name}: ")
    assert keymap.changed == {"copy": ("Y",)}


def test_keys_can_change_places_and_one_key_serves_where_it_is_never_wanted_twice() -> None:
    swapped = read_keymap(
        {"sort": ["ampersand"], "filter": ["s"], "next-error": ["n", "r"], "next-hit": ["m"]}
    )
    assert swapped.faults == ()
    assert swapped.keys(next(one for one in REGISTRY if one.name == "next-error")) == ("n", "r")


def test_of_two_new_bindings_that_clash_one_holds() -> None:
    keymap = read_keymap({"sort": ["f9"], "filter": ["f9"]})
    assert len(keymap.changed) == len(keymap.faults) == 1


def test_keys_are_written_as_people_write_them() -> None:
    written = {"?": "question_mark", "Ctrl+K": "ctrl+k", "X": "X", ",": "comma", "-": "minus", "F5": "f5"}
    assert {text: key_name(text) for text in written} == written
    assert [key_name(text) for text in ("", "ctrl+", "f99", "\x1b", "hyper+x")] == [None] * 5


async def test_faults_of_the_settings_are_read_before_anything_else(
    console: Any, make_app: Any, until: Any
) -> None:
    note = "opconsole.toml:7: console.keys.filtre: no action has this name"
    async with make_app(console, notes=(note,)).run_test(size=(100, 30)) as pilot:
        await until(pilot, lambda: isinstance(pilot.app.screen, NoticeDialog))
        text = pilot.app.screen.query_one("#text", Static)
        await until(pilot, lambda: note in str(text.content))
        await pilot.press("escape")
        await until(pilot, lambda: pilot.app.screen is pilot.app.operations)


async def test_where_i_was_is_one_key_away_and_so_is_where_i_was_after(
    console: Any, make_app: Any, until: Any
) -> None:
    async with make_app(console).run_test(size=(140, 40)) as pilot:
        screen = pilot.app.operations
        await settle(pilot, until)
        await pilot.press("j", "enter")
        await until(pilot, lambda: screen.view.where == "pipeline credentialmate:DEPLOY-STAGING-001")
        pilot.app.go("operations", "detail credentialmate:DEPLOY-PROD-002")
        assert screen.view.where == "detail credentialmate:DEPLOY-PROD-002"
        await pilot.press("left_square_bracket")
        assert screen.view.where == "pipeline credentialmate:DEPLOY-STAGING-001"
        await pilot.press("left_square_bracket")
        assert screen.view.where == "queue credentialmate:DEPLOY-STAGING-001"
        await pilot.press("left_square_bracket", "right_square_bracket", "right_square_bracket")
        assert screen.view.where == "detail credentialmate:DEPLOY-PROD-002"


def test_a_trail_forgets_what_came_after_once_one_goes_elsewhere() -> None:
    a, b, c = (View(name) for name in "abc")
    trail = Trail()
    trail.leave(a)
    trail.leave(b)
    assert trail.back(c) == b
    assert trail.back(b) == a
    assert trail.back(a) is None
    trail.leave(a)
    assert trail.forward(c) is None
    assert trail.back(c) == a


def test_every_screen_has_its_key_and_its_action() -> None:
    going = {action.argument: action.keys for action in REGISTRY if action.verb == "go"}
    assert going == {place.name: (place.key,) for place in PLACES}
    assert len({action.name for action in REGISTRY}) == len(REGISTRY)
    assert all(action.keys for action in REGISTRY if action.scope is not Scope.EVERYWHERE)
