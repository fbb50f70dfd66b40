"""The operations screen: what is selected stays selected, nothing is lost, and nothing changes by one key."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from textual.widgets import Button, ContentSwitcher, Input, Static

from opconsole.journal.records import RequestKind
from queues.states import RunState
from screens.actions import REGISTRY, Scope
from screens.actions.keymap import FORBIDDEN, clashes
from screens.dialogs.decide import DecideDialog
from screens.dialogs.help import HelpText, help_lines
from screens.dialogs.menu import ActionsMenu
from screens.dialogs.simple import ConfirmDialog
from screens.look import STEP_MARKS, TASK_MARKS
from screens.operations import PANES
from screens.widgets.key_bar import KeyBar
from screens.widgets.pipeline import PipelineView
from screens.widgets.strip import StatusStrip
from screens.widgets.violations import ViolationsView

HOSTILE = "\x1b]52;c;ZXZpbA==\x07[/bold][@click=app.quit]x[/]\u202e\x9b31m\x00\nsecond [link=file:///]"


def shown(pilot: Any, widget: Any) -> str:
    return str(pilot.app.operations.query_one(widget).query_one(Static).content)


async def push(pilot: Any, button: str) -> None:
    """Press a button, also one that still shows that it was pressed just now."""
    pilot.app.screen.query_one(f"#{button}", Button).press()
    await pilot.pause()


def strip(pilot: Any) -> str:
    return str(pilot.app.operations.query_one(StatusStrip).content)


async def test_the_queue_is_walked_by_keys_and_the_pipeline_follows(
    console: Any, make_app: Any, until: Any
) -> None:
    async with make_app(console).run_test(size=(140, 40)) as pilot:
        await until(pilot, lambda: pilot.app.operations.query("#queue-table"))
        table = pilot.app.operations.table
        await until(pilot, lambda: table.has_focus and table.selected_key == "credentialmate:DEPLOY-DEV-001")
        await pilot.press("j", "down")
        assert table.selected_key == "credentialmate:DEPLOY-PROD-001"
        await until(pilot, lambda: "waits for approval" in shown(pilot, PipelineView))
        await pilot.press("k")
        assert table.selected_key == "credentialmate:DEPLOY-STAGING-001"
        await until(pilot, lambda: "of about 1 m 40 s" in shown(pilot, PipelineView))
        await pilot.press("G")
        assert table.selected_key == "credentialmate:BUG-17"
        await until(pilot, lambda: "never run and never changed" in shown(pilot, PipelineView))
        await pilot.press("g")
        assert table.selected_key == "credentialmate:DEPLOY-DEV-001"
        for part in ("▶ 1 running", "◆ 1 waiting for you", "✗ 1 failed today", "● worker"):
            assert part in strip(pilot)


async def test_the_selection_stays_with_its_task_when_others_come_and_go(
    console: Any, samples: Any, make_app: Any, until: Any
) -> None:
    async with make_app(console).run_test(size=(140, 40)) as pilot:
        await until(pilot, lambda: pilot.app.operations.query("#queue-table"))
        table = pilot.app.operations.table
        await until(pilot, lambda: table.selected and table.has_focus)
        await pilot.press("j", "j")
        console.tasks = (samples.task("FIRST"), *console.tasks[1:])
        console.change()
        await until(pilot, lambda: table.shown[0].task == "FIRST")
        assert table.selected_key == "credentialmate:DEPLOY-PROD-001"
        console.tasks = tuple(task for task in console.tasks if task.task != "DEPLOY-PROD-001")
        console.change()
        await until(pilot, lambda: len(table.shown) == 4)
        assert table.selected is not None


async def test_a_blocked_run_shows_its_violations_with_the_fix(
    console: Any, make_app: Any, until: Any
) -> None:
    async with make_app(console).run_test(size=(140, 40)) as pilot:
        await until(pilot, lambda: pilot.app.operations.query(ContentSwitcher))
        switcher = pilot.app.operations.query_one(ContentSwitcher)
        await until(pilot, lambda: pilot.app.operations.table.selected)
        pilot.app.operations.table.select("credentialmate:DEPLOY-PROD-002")
        await until(pilot, lambda: switcher.current == "violations-pane")
        await until(pilot, lambda: "fix: rename the table now" in shown(pilot, ViolationsView))
        text = shown(pilot, ViolationsView)
        places = [
            text.find(part) for part in ("1 violation blocks", "CRITICAL (1)", "migration_001.py", "line 15")
        ]
        assert -1 not in places
        assert places == sorted(places)
        assert "DROP TABLE old_users" in text
        assert text.find("MEDIUM (1)") > text.find("CRITICAL (1)")
        await pilot.press("l")
        assert switcher.current == "log-pane"
        console.change()
        await pilot.pause(0.2)
        assert switcher.current == "log-pane", "a person's choice is not taken back"


async def test_a_small_terminal_shows_one_pane_at_a_time_and_loses_none(
    console: Any, make_app: Any, until: Any
) -> None:
    async with make_app(console).run_test(size=(80, 24)) as pilot:
        screen = pilot.app.operations
        await until(pilot, lambda: screen.situation().run)
        for seen in ("queue", "pipeline", "detail", "queue"):
            displayed = [pane for pane in PANES if screen.query_one(f"#{pane}").size.height]
            assert displayed == [seen]
            assert screen.query_one(f"#{seen}").region.bottom <= 23
            await pilot.press("tab")
            await pilot.pause()
        await pilot.press("escape")
        await pilot.press("enter")
        await pilot.pause()
        assert isinstance(screen.focused, PipelineView)
        await pilot.resize_terminal(140, 40)
        await until(pilot, lambda: all(screen.query_one(f"#{p}").size.height for p in PANES))
        await pilot.press("z")
        await until(pilot, lambda: not screen.query_one("#queue").size.height)
        assert screen.query_one("#pipeline").size.width >= 138


async def test_every_pane_says_what_to_do_when_it_is_empty(
    console: Any, samples: Any, make_app: Any, until: Any
) -> None:
    console.tasks, console.queues, console.runs = (), (), {}
    async with make_app(console).run_test(size=(140, 40)) as pilot:
        screen = pilot.app.operations
        empty = screen.query_one("#queue-empty", Static)
        await until(pilot, lambda: "There is no project yet" in str(empty.content))
        assert "opconsole init" in str(empty.content)
        assert "Select a task" in shown(pilot, PipelineView)
        assert "No run yet" in str(screen.query_one("#log-empty", Static).content)
        await pilot.press("v")
        await until(pilot, lambda: "No run yet" in shown(pilot, ViolationsView))
        console.queues = (samples.queue(started=False),)
        console.change()
        await until(pilot, lambda: "queue is empty" in str(empty.content))
        assert "tasks/work_queue_credentialmate.json" in str(empty.content)


async def test_a_fault_of_a_queue_file_is_shown_beside_the_good_tasks(
    console: Any, samples: Any, make_app: Any, until: Any
) -> None:
    faults = tuple(f"line {n}: task X: version: found 3, allowed text" for n in range(5))
    console.queues = (samples.queue(faults=faults),)
    async with make_app(console).run_test(size=(140, 40)) as pilot:
        await until(pilot, lambda: pilot.app.operations.query("#told"))
        bar = pilot.app.operations.query_one("#told", Static)
        await until(pilot, lambda: bar.display and "line 0: task X" in str(bar.content))
        assert "2 more: opconsole queue validate" in str(bar.content)
        assert len(pilot.app.operations.table.shown) == 5


async def test_a_filter_shows_only_what_matches_and_esc_shows_all(
    console: Any, make_app: Any, until: Any
) -> None:
    async with make_app(console).run_test(size=(140, 40)) as pilot:
        await until(pilot, lambda: pilot.app.operations.query("#queue-table"))
        table = pilot.app.operations.table
        await until(pilot, lambda: len(table.shown) == 5)
        await pilot.press("ampersand", *"prod wait")
        await until(pilot, lambda: len(table.shown) == 1)
        assert table.selected_key == "credentialmate:DEPLOY-PROD-001"
        await until(pilot, lambda: pilot.app.operations._run.run.task == "DEPLOY-PROD-001")
        pilot.app.operations.query_one("#filter", Input).value = "nothing like it"
        empty = pilot.app.operations.query_one("#queue-empty", Static)
        await until(pilot, lambda: "No task matches" in str(empty.content))
        await pilot.press("escape")
        await until(pilot, lambda: len(table.shown) == 5)


async def test_the_menu_offers_only_what_is_valid_and_a_dialog_asks_first(
    console: Any, samples: Any, make_app: Any, until: Any
) -> None:
    async with make_app(console).run_test(size=(140, 40)) as pilot:
        await until(pilot, lambda: pilot.app.operations.situation().run)
        for key, names in (
            ("credentialmate:DEPLOY-DEV-001", ["pause-queue"]),
            ("credentialmate:DEPLOY-STAGING-001", ["cancel", "pause-queue"]),
            ("credentialmate:DEPLOY-PROD-001", ["approve", "reject", "revert", "cancel", "pause-queue"]),
            ("credentialmate:DEPLOY-PROD-002", ["retry", "exempt", "pause-queue"]),
        ):
            pilot.app.operations.table.select(key)
            await pilot.press("a")
            await until(pilot, lambda: isinstance(pilot.app.screen, ActionsMenu))
            await pilot.pause()
            assert [option.id for option in pilot.app.screen.query_one("OptionList").options] == names
            if "retry" not in names:
                await pilot.press("escape")
                await until(pilot, lambda: pilot.app.screen is pilot.app.operations)
        await pilot.press("r")
        await until(pilot, lambda: isinstance(pilot.app.screen, ConfirmDialog))
        await pilot.pause()
        assert console.asked == []
        assert pilot.app.screen.focused.id == "cancel"
        await pilot.press("y")
        await until(pilot, lambda: console.asked)
        assert console.asked == [(RequestKind.RETRY, {"run": "run-deploy-prod-002"})]


async def test_a_stuck_run_is_decided_with_a_reason_and_never_by_one_key(
    console: Any, samples: Any, make_app: Any, until: Any
) -> None:
    task, run = samples.run(
        samples.task("STUCK"), RunState.HALTED, reason="health check failed", release="2.1.0-1"
    )
    console.tasks, console.runs = (task,), {run.run.id: run}
    samples.log(run, ["o starting", "e no pool \x1b]0;title\x07"])
    async with make_app(console).run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: pilot.app.operations.situation().run)
        await pilot.press("a")
        await until(pilot, lambda: isinstance(pilot.app.screen, ActionsMenu))
        await pilot.press("d")
        await until(pilot, lambda: isinstance(pilot.app.screen, DecideDialog))
        dialog = pilot.app.screen
        text = dialog.query_one("#text", Static)
        await until(pilot, lambda: "no pool" in str(text.content))
        assert "health check failed" in str(text.content)
        assert "2.1.0-1" in str(text.content)
        assert "\x1b" not in str(text.content)
        assert dialog.focused.id == "cancel"
        await pilot.press("o")
        assert pilot.app.screen is dialog
        await push(pilot, "decide")
        missing = dialog.query_one("#missing", Static)
        assert "reason" in str(missing.content)
        assert console.asked == []
        dialog.query_one("#reason", Input).value = "checked by hand: it serves"
        await push(pilot, "decide")
        await until(pilot, lambda: console.asked)
        payload = {"run": run.run.id, "verb": "override", "reason": "checked by hand: it serves"}
        assert console.asked == [(RequestKind.DECIDE, payload)]


@pytest.mark.parametrize("forced", [True, False])
async def test_read_only_refuses_every_action(console: Any, make_app: Any, until: Any, forced: bool) -> None:
    console.read_only = console.stays_read_only = forced
    async with make_app(console).run_test(size=(140, 40)) as pilot:
        await until(pilot, lambda: pilot.app.operations.situation().run)
        await pilot.press("ctrl+o")
        await until(pilot, lambda: "read-only" in strip(pilot))
        await pilot.press("a")
        await pilot.pause()
        assert pilot.app.screen is pilot.app.operations
        pilot.app.desk.ask(RequestKind.PAUSE, {"project": "credentialmate"})
        await pilot.pause()
        assert console.asked == []
        await pilot.press("ctrl+o")
        await pilot.pause()
        assert ("read-only" in strip(pilot)) is forced


async def test_a_console_that_fails_is_told_and_the_screen_goes_on(
    console: Any, make_app: Any, until: Any
) -> None:
    async with make_app(console).run_test(size=(140, 40), notifications=True) as pilot:
        await until(pilot, lambda: pilot.app.operations.situation().run)
        console.fault = OSError("disk full [/bold]")
        console.change()
        await until(pilot, lambda: pilot.app.screen.query("Toast"))
        assert any("disk full [/bold]" in str(toast.render()) for toast in pilot.app.screen.query("Toast"))
        await pilot.press("j")
        assert pilot.app.operations.table.selected_key == "credentialmate:DEPLOY-STAGING-001"
        console.fault = None
        console.worker_alive = False
        console.change()
        await until(pilot, lambda: "○ no worker" in strip(pilot))


async def test_thousands_of_updates_are_drawn_a_few_times_and_keys_are_answered(
    console: Any, samples: Any, make_app: Any, until: Any
) -> None:
    console.tasks = tuple(samples.task(f"T-{number:06}") for number in range(100_000))
    console.runs = {}
    async with make_app(console).run_test(size=(140, 40)) as pilot:
        await until(pilot, lambda: pilot.app.operations.query("#queue-table"))
        table = pilot.app.operations.table
        await until(pilot, lambda: len(table.shown) == 100_000)
        before = console.shown
        for _ in range(5000):
            console.change()
        await pilot.press("G")
        assert table.selected_key == "credentialmate:T-099999"
        await until(pilot, lambda: console.shown > before)
        assert console.shown - before < 50
        await pilot.press("k")
        assert table.selected_key == "credentialmate:T-099998"


async def test_times_of_open_runs_tick_and_only_their_rows_are_drawn(
    samples: Any, clock: Any, make_app: Any, until: Any, console: Any
) -> None:
    more = tuple(samples.task(f"LATER-{number}") for number in range(20))
    console.tasks = (*console.tasks, *more)
    async with make_app(console).run_test(size=(140, 40)) as pilot:
        screen = pilot.app.operations
        table = screen.table
        await until(pilot, lambda: screen.situation().run)
        drawn: list[str] = []
        cell = table.columns[0].cell
        spied = replace(table.columns[0], cell=lambda task: (drawn.append(task.task), cell(task))[1])
        table.columns = (spied, *table.columns[1:])
        before = {task.task: task for task in table.shown}
        clock.at += timedelta(seconds=7)
        await until(pilot, lambda: "1 m 37 s" in table.render_line(2).text)
        drawn.clear()
        clock.at += timedelta(seconds=1)
        await until(pilot, lambda: {"DEPLOY-STAGING-001", "DEPLOY-PROD-001"} <= set(drawn))
        assert set(drawn) == {"DEPLOY-STAGING-001", "DEPLOY-PROD-001"}
        assert {task.task: task for task in table.shown} == before
        console.tasks = tuple(task for task in console.tasks if task.state == "succeeded")
        console.change()
        await until(pilot, lambda: len(table.shown) == 1 and not screen.queue_pane.ticking)


async def test_the_key_bar_shows_the_keys_of_the_pane_and_can_be_clicked(
    console: Any, make_app: Any, until: Any
) -> None:
    async with make_app(console).run_test(size=(80, 24)) as pilot:
        screen = pilot.app.operations
        bar = screen.query_one(KeyBar)
        await until(pilot, lambda: screen.situation().run)
        assert "enter Open" in str(bar.content)
        assert "f Follow" not in str(bar.content)
        assert "z Zoom" not in str(bar.content), "there is one pane already"
        await pilot.press("l")
        await until(pilot, lambda: "f Follow" in str(bar.content))
        assert str(bar.content).endswith("q Back"), "to the queue: there is one pane in view"
        assert bar.content.cell_length <= 78
        place = str(bar.content).index("Help") + 2
        await pilot.click(KeyBar, offset=(place, 0))
        await until(pilot, lambda: pilot.app.screen.query(HelpText))


async def test_hostile_texts_neither_crash_nor_reach_the_terminal(
    console: Any, samples: Any, make_app: Any, until: Any
) -> None:
    names = ("project", "environment", "version", "waits_for", "description", "gate")
    task = samples.task(HOSTILE, **dict.fromkeys(names, HOSTILE))
    plan = samples.plan(project=HOSTILE, steps=[{"name": HOSTILE, "argv": [HOSTILE]}])
    approval = samples.approval(plan=plan, requested_by=HOSTILE, why=(HOSTILE,))
    finding = {"rule": HOSTILE, "severity": HOSTILE, "message": HOSTILE, "line": "x"}
    report = {"files": [{"path": HOSTILE, "findings": [finding]}, 3]}
    steps = tuple(replace(step, title=HOSTILE, detail=HOSTILE) for step in samples.steps("r"))
    task, run = samples.run(
        task,
        RunState.WAITING,
        reason=HOSTILE,
        report=report,
        steps=steps,
        approvals=(approval,),
        id="r",
        preflight=((True, HOSTILE),),
        requested_by=HOSTILE,
    )
    task, run = replace(task, run="r"), replace(run, log=samples.folder / "r.log")
    samples.log(
        run,
        [
            f"o {HOSTILE}".replace("\n", " "),
            "e \x1b]8;;file:///etc/passwd\x07click\x1b]8;;\x07",
            "o a\rb\x08",
        ],
    )
    console.tasks, console.runs = (task,), {"r": run}
    console.workspace = console.operator = HOSTILE
    console.queues = (samples.queue(project=HOSTILE, faults=(HOSTILE,)),)
    async with make_app(console).run_test(size=(160, 50)) as pilot:
        screen = pilot.app.operations
        await until(pilot, lambda: screen.situation().run and screen.log_pane.view.count == 3)
        for keys in ((), ("v",), ("a",), ("p",)):
            await pilot.press(*keys)
            await pilot.pause(0.1)
            picture = pilot.app.export_screenshot()
            for bad in ("\x1b", "\u202e", "\x9b", "\x07", "\x00"):
                assert bad not in picture
        assert "DEPLOYMENT APPROVAL REQUIRED" in str(pilot.app.screen.query_one("#text", Static).content)
        pilot.app.desk.tell(HOSTILE)
        await pilot.pause()


async def test_leaving_says_that_the_worker_goes_on(
    console: Any, make_app: Any, until: Any, capsys: Any
) -> None:
    app = make_app(console)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: app.operations.situation().run)
        assert "The worker goes on, 1 run with it" in app.farewell()
        console.worker_alive = False
        console.change()
        await until(pilot, lambda: "No worker is running" in app.farewell())
        await pilot.press("q")
    assert app.return_code == 0


async def test_help_shows_the_registry_and_filters_it(console: Any, make_app: Any, until: Any) -> None:
    everything = "\n".join(str(line) for line in help_lines())
    assert all(action.title in everything for action in REGISTRY)
    async with make_app(console).run_test(size=(80, 24)) as pilot:
        await pilot.press("question_mark")
        await until(pilot, lambda: pilot.app.screen.query(HelpText))
        await pilot.press(*"wrap")
        text = pilot.app.screen.query_one(HelpText).query_one(Static)
        await until(pilot, lambda: "Wrap" in str(text.content) and "Quit" not in str(text.content))
        await pilot.press("escape")
        await until(pilot, lambda: pilot.app.screen is pilot.app.operations)


async def test_no_colour_and_every_theme_are_honoured(
    console: Any, make_app: Any, until: Any, monkeypatch: Any
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app = make_app(console)
    async with app.run_test(size=(120, 36)) as pilot:
        assert app.no_color
        for theme in ("high-contrast", "colour-blind-safe"):
            app.theme = theme
            await pilot.pause()
            await until(pilot, lambda: app.operations.situation().run)


def test_no_two_actions_want_the_same_key() -> None:
    assert list(clashes()) == []


def test_terminals_and_multiplexers_keep_their_keys() -> None:
    taken = set(FORBIDDEN)
    assert not taken & {key for action in REGISTRY for key in action.keys}


def test_what_changes_something_has_no_key_of_its_own() -> None:
    keyed = {action.name for action in REGISTRY if action.changes and action.scope is not Scope.TASK}
    assert keyed == {"exempt-finding", "found-exempt-finding"}, (
        "its key opens the dialog of the menu's action"
    )
    assert all(action.changes for action in REGISTRY if action.scope is Scope.TASK)


def test_every_state_has_a_glyph_and_a_word() -> None:
    assert {state.value for state in RunState} <= set(TASK_MARKS)
    assert all(mark.glyph and mark.word for mark in (*TASK_MARKS.values(), *STEP_MARKS.values()))


async def test_a_menu_that_is_left_twice_at_once_is_left_once(
    console: Any, make_app: Any, until: Any
) -> None:
    async with make_app(console).run_test(size=(120, 40)) as pilot:
        screen = pilot.app.operations
        await until(pilot, lambda: screen.situation().run)
        await pilot.press("a")
        await until(pilot, lambda: isinstance(pilot.app.screen, ActionsMenu))
        menu = pilot.app.screen
        menu.dismiss(None)
        menu.dismiss(None)  # a second key that was typed before it had closed
        await pilot.pause()
        assert pilot.app.screen is screen
        await pilot.press("j")
        assert pilot.app.is_running


async def test_a_change_that_concerns_no_task_paints_no_task_again(
    console: Any, samples: Any, make_app: Any, until: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with make_app(console).run_test(size=(140, 40)) as pilot:
        table = pilot.app.operations.table
        await until(pilot, lambda: table.selected)
        painted: list[object] = []
        show = table.show_rows
        monkeypatch.setattr(table, "show_rows", lambda rows: (painted.append(rows), show(rows)))
        before = console.shown
        console.change()
        await until(pilot, lambda: console.shown > before)
        await pilot.pause()
        assert painted == []
        console.put(samples.task("DEPLOY-LATE-001"), None)
        console.change()
        await until(pilot, lambda: any(task.task == "DEPLOY-LATE-001" for task in table.shown))
        assert painted == [console.tasks]
