"""Pictures of every dialog, and of every screen that has nothing to show, as a person has looked at them.

After a wanted change: ``pytest tests/screens/test_dialog_pictures.py --snapshot-update``, then look at them.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import screens
from opconsole.audit_check import ChainCheck, Found
from opconsole.console import Changed, QueueChanges
from opconsole.journal.records import StepState
from opconsole.view_making import ENTRY_CHANGED
from queues.states import RunState
from screens.actions.places import PLACES
from screens.dialogs.approval import ApprovalDialog
from screens.dialogs.approve_many import ApproveManyDialog
from screens.dialogs.command_line import CommandLine
from screens.dialogs.decide import DecideDialog
from screens.dialogs.exempt import ExemptDialog
from screens.dialogs.form import FormDialog
from screens.dialogs.help import HelpScreen
from screens.dialogs.menu import ActionsMenu
from screens.dialogs.modal import Modal
from screens.dialogs.paste import PasteDialog
from screens.dialogs.planned import PlannedDialog
from screens.dialogs.save import SaveDialog
from screens.dialogs.simple import ConfirmDialog, NoticeDialog, ReasonDialog
from screens.editing import ChangesDialog
from screens.policy_asked import PolicyDialog
from screens.words import content, lines

SIZES = [pytest.param((140, 40), id="wide"), pytest.param((80, 24), id="small")]
THEMES = ["textual-dark", "high-contrast"]
ENTRY = '{"id": "NEW-1", "agent_type": "deployment", "environment": "staging", "version": "9.9.9"}'
PATH = "backend/alembic/versions/migration_001.py"


@dataclass
class Stage:
    """A console on its stage, and what leads to a dialog."""

    pilot: Any
    console: Any
    samples: Any
    until: Any

    async def select(self, task: str) -> None:
        screen = self.pilot.app.operations
        await self.until(self.pilot, lambda: screen.is_mounted and screen.table.selected)
        screen.table.select(f"credentialmate:{task}")
        await self.until(self.pilot, lambda: (now := screen.situation().task) and now.task == task)
        await self.until(self.pilot, lambda: screen.situation().run or not now_runs(screen))
        run = screen.situation().run
        if run is not None and run.run.state is RunState.BLOCKED:  # what is behind a dialog is in the picture
            code = screen.query_one("#violations-pane").query_one("Static")
            await self.until(self.pilot, lambda: "» 15 │" in str(code.content))
        elif run is not None and run.log.exists():
            await self.until(self.pilot, lambda: screen.log_pane.view.count)
        await self.until(self.pilot, lambda: laid_out(screen))

    async def press(self, key: str, dialog: type[Modal[Any]]) -> None:
        await self.pilot.press(key)
        await self.until(self.pilot, lambda: isinstance(self.pilot.app.screen, dialog))

    async def act(self, task: str, key: str, dialog: type[Modal[Any]]) -> None:
        """Choose an action of a task's menu."""
        await self.select(task)
        await self.press("a", ActionsMenu)
        await self.press(key, dialog)


def now_runs(screen: Any) -> bool:
    task = screen.situation().task
    return task is not None and task.run is not None


def laid_out(screen: Any) -> bool:
    """Say whether the pipeline has room for all that it says: behind a dialog nothing is laid out."""
    pane = screen.query_one("#pipeline-view")
    text = pane.query_one("Static")
    return not pane.size.height or text.size.height > str(text.content).count("\n")


Story = Callable[[Stage], Awaitable[None]]


async def menu(stage: Stage) -> None:
    await stage.select("DEPLOY-PROD-001")
    await stage.press("a", ActionsMenu)


async def help_(stage: Stage) -> None:
    await stage.press("question_mark", HelpScreen)


async def command_line(stage: Stage) -> None:
    await stage.press("colon", CommandLine)
    await stage.pilot.press(*"appr")


async def approval(stage: Stage) -> None:
    await stage.act("DEPLOY-PROD-001", "p", ApprovalDialog)


async def approval_unfolded(stage: Stage) -> None:
    for name in ("6a02_add_email", "77c0_index_email"):
        path = f"backend/alembic/versions/{name}.py"
        stage.console.sources[path] = stage.samples.blocked_source()
    await approval(stage)
    await stage.pilot.press("m")
    await stage.until(stage.pilot, lambda: stage.pilot.app.screen.query_one("#body").scroll_y > 0)


async def approval_sql(stage: Stage) -> None:
    """What the migrations come to as SQL."""
    stage.console.sql = (
        "-- Running upgrade 4f1e -> 77c0\n\nCREATE INDEX by_email ON users (email);\n\n"
        "UPDATE alembic_version SET version_num='77c0' WHERE alembic_version.version_num = '4f1e';\n"
    )
    await approval_unfolded(stage)
    await stage.pilot.press("m")
    text = stage.pilot.app.screen.query_one("#text")
    await stage.until(stage.pilot, lambda: "UPDATE alembic_version" in str(text.content))


async def approval_tier_1(stage: Stage) -> None:
    stage.console.put(*stage.samples.waiting(1))
    await stage.pilot.app._reload()
    await approval(stage)


async def approval_tier_3(stage: Stage) -> None:
    """A decision of the third tier on its way: it can still be taken back."""
    stage.console.put(*stage.samples.waiting(3))
    stage.console.operator = "bob"
    await stage.pilot.app._reload()
    await approval(stage)
    dialog = stage.pilot.app.screen
    dialog.query_one("#reason").value = "read the plan, looked at the copy"
    dialog.query_one("#environment").value = "production"
    dialog.query_one("#approve").press()
    await stage.until(stage.pilot, lambda: "Sending" in str(dialog.query_one("#missing").content))


async def approval_refused_yet(stage: Stage) -> None:
    """Who asked is alone and has to wait, and somebody edited the entry."""
    task, run = stage.samples.waiting(3)
    stage.console.put(task, replace(run, entry_note=ENTRY_CHANGED))
    await stage.pilot.app._reload()
    await approval(stage)


async def approval_missing(stage: Stage) -> None:
    """Something is missing that the tier wants."""
    await approval(stage)
    stage.pilot.app.screen.query_one("#approve").press()


async def approval_provisioning(stage: Stage) -> None:
    run = stage.samples.provisioning()
    dialog = ApprovalDialog(
        stage.pilot.app.desk.waits,
        stage.pilot.app.desk.clock,
        run,
        run.waiting,
        operator="bob",
        reload=None,
        read=None,
        sql=None,
    )
    stage.pilot.app.push_screen(dialog)
    await stage.until(stage.pilot, lambda: stage.pilot.app.screen is dialog)


async def approve_many(stage: Stage) -> None:
    stage.pilot.app.operations.table.select("credentialmate:DEPLOY-PROD-001")
    await stage.pilot.press("2")
    await stage.until(stage.pilot, lambda: stage.pilot.app.here.situation().task)
    await stage.pilot.press("j", "space", "space", "a")
    await stage.until(stage.pilot, lambda: isinstance(stage.pilot.app.screen, ActionsMenu))
    await stage.press("m", ApproveManyDialog)


async def decide(stage: Stage) -> None:
    await stage.act("DEPLOY-PROD-000", "d", DecideDialog)


async def decide_chosen(stage: Stage) -> None:
    await decide(stage)
    await stage.pilot.press("r")


async def decide_choosing(stage: Stage) -> None:
    """The three ways have the keys: what they say of the rest stays in view."""
    await decide(stage)
    stage.pilot.app.screen.query_one("#verb").focus()
    await stage.pilot.pause()


async def reject(stage: Stage) -> None:
    await stage.act("DEPLOY-PROD-001", "x", ReasonDialog)


async def revert(stage: Stage) -> None:
    await stage.act("DEPLOY-PROD-001", "b", ReasonDialog)


async def cancel(stage: Stage) -> None:
    await stage.act("DEPLOY-STAGING-001", "c", ConfirmDialog)


async def retry(stage: Stage) -> None:
    await stage.act("DEPLOY-PROD-002", "r", ConfirmDialog)


async def exempt(stage: Stage) -> None:
    await stage.act("DEPLOY-PROD-002", "e", ExemptDialog)


async def exempt_diff(stage: Stage) -> None:
    await exempt(stage)
    dialog = stage.pilot.app.screen
    dialog.query_one("#reason").value = "the table was copied on Monday"
    dialog.query_one("#diff").press()
    await stage.until(stage.pilot, lambda: isinstance(stage.pilot.app.screen, ConfirmDialog))


async def notice(stage: Stage) -> None:
    text = lines([content("– ", one) for one in ("the version: 2.1.0 became 2.1.1", "1 migration more")])
    dialog = NoticeDialog(stage.pilot.app.desk.waits, "Not any more what was shown: look at it again", text)
    stage.pilot.app.push_screen(dialog)
    await stage.until(stage.pilot, lambda: stage.pilot.app.screen is dialog)


async def form(stage: Stage) -> None:
    await stage.press("i", FormDialog)


async def form_filled(stage: Stage) -> None:
    await form(stage)
    await stage.pilot.press("tab", *"deployment", "tab", *"moon")


async def paste(stage: Stage) -> None:
    await stage.press("P", PasteDialog)
    await stage.pilot.press(*'{"id": 7,')


async def planned(stage: Stage) -> None:
    stage.console.warnings = ("no tag names 9.9.9: the run fails until there is one; the newest is 2.2.0",)
    stage.pilot.app.operations.offer(await stage.console.read_entries(ENTRY))
    await stage.until(stage.pilot, lambda: isinstance(stage.pilot.app.screen, PlannedDialog))


async def changes(stage: Stage) -> None:
    changed = Changed(
        "credentialmate", "A-1", "changed", (("version", '"1"', '"2"'),), ("its entry changed",)
    )
    gone = Changed("credentialmate", "A-2", "removed")
    faults = ('line 3, column 9: "environment" is "moon"; it may be development, staging or production',)
    file = Path("/home/alice/operations/tasks/work_queue_credentialmate.json")
    stage.console.edited = (QueueChanges("credentialmate", file, (changed, gone), faults),)
    await stage.press("D", ChangesDialog)


async def save(stage: Stage) -> None:
    stage.samples.chain(stage.console.record)
    await stage.pilot.press("6")
    await stage.until(stage.pilot, lambda: stage.pilot.app.here.PLACE == "audit")
    await stage.press("S", SaveDialog)
    stage.pilot.app.screen.query_one("#file").value = "/home/alice/audit.jsonl"


async def policy(stage: Stage) -> None:
    stage.console.policy_asked = stage.samples.policy()
    await stage.pilot.app._reload()
    await stage.pilot.press("2")
    screen = await shown(stage, "approvals")
    await stage.until(stage.pilot, lambda: screen._list.table.select("p-7c41d0"))
    await stage.until(stage.pilot, lambda: screen.situation().policy)
    await stage.press("enter", PolicyDialog)


async def shown(stage: Stage, name: str) -> Any:
    app = stage.pilot.app
    await stage.until(stage.pilot, lambda: name == app.here.PLACE and app.here._ready)
    return app.here


DIALOGS: dict[str, tuple[type[Modal[Any]], Story]] = {
    "menu": (ActionsMenu, menu),
    "help": (HelpScreen, help_),
    "command-line": (CommandLine, command_line),
    "approval": (ApprovalDialog, approval),
    "approval-unfolded": (ApprovalDialog, approval_unfolded),
    "approval-sql": (ApprovalDialog, approval_sql),
    "approval-tier-1": (ApprovalDialog, approval_tier_1),
    "approval-tier-3": (ApprovalDialog, approval_tier_3),
    "approval-refused-yet": (ApprovalDialog, approval_refused_yet),
    "approval-missing": (ApprovalDialog, approval_missing),
    "approval-provisioning": (ApprovalDialog, approval_provisioning),
    "approve-many": (ApproveManyDialog, approve_many),
    "decide": (DecideDialog, decide),
    "decide-chosen": (DecideDialog, decide_chosen),
    "decide-choosing": (DecideDialog, decide_choosing),
    "reject": (ReasonDialog, reject),
    "revert": (ReasonDialog, revert),
    "cancel": (ConfirmDialog, cancel),
    "retry": (ConfirmDialog, retry),
    "exempt": (ExemptDialog, exempt),
    "exempt-diff": (ConfirmDialog, exempt_diff),
    "notice": (NoticeDialog, notice),
    "form": (FormDialog, form),
    "form-filled": (FormDialog, form_filled),
    "paste": (PasteDialog, paste),
    "planned": (PlannedDialog, planned),
    "changes": (ChangesDialog, changes),
    "policy": (PolicyDialog, policy),
    "save": (SaveDialog, save),
}


def test_every_dialog_has_a_picture() -> None:
    found = set()
    for module in pkgutil.walk_packages(screens.__path__, "screens."):
        for _, one in inspect.getmembers(importlib.import_module(module.name), inspect.isclass):
            if issubclass(one, Modal) and one.__module__.startswith("screens."):
                found.add(one)
    leaves = {one for one in found if not any(other is not one and issubclass(other, one) for other in found)}
    assert leaves == {dialog for dialog, _ in DIALOGS.values()}


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", DIALOGS)
def test_every_dialog_looks_as_it_did(
    console: Any,
    samples: Any,
    make_app: Any,
    until: Any,
    snap_in_themes: Any,
    *,
    name: str,
    size: Any,
    theme: str,
) -> None:
    _filled(console, samples)
    dialog, story = DIALOGS[name]

    async def open_it(pilot: Any) -> None:
        stage = Stage(pilot, console, samples, until)
        await stage.select("DEPLOY-PROD-001")
        await story(stage)
        pilot.app.clear_notifications()
        assert isinstance(pilot.app.screen, dialog)

    assert snap_in_themes(make_app(console), theme, size, open_it)


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", [place.name for place in PLACES])
def test_every_empty_screen_says_what_to_do(
    console: Any, make_app: Any, until: Any, snap_in_themes: Any, *, name: str, size: Any, theme: str
) -> None:
    console.tasks, console.runs, console.places = (), {}, ()
    console.record.check = ChainCheck(0, None, None, (), Found())

    async def go(pilot: Any) -> None:
        await until(pilot, lambda: pilot.app.operations.is_mounted and console.shown)
        pilot.app.go(name)
        await until(pilot, lambda: name == pilot.app.here.PLACE)

    assert snap_in_themes(make_app(console), theme, size, go)


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("size", SIZES)
def test_the_operations_screen_in_other_colours_looks_as_it_did(
    console: Any, samples: Any, make_app: Any, until: Any, snap_in_themes: Any, *, size: Any, theme: str
) -> None:
    _filled(console, samples)

    async def select(pilot: Any) -> None:
        await Stage(pilot, console, samples, until).select("DEPLOY-STAGING-001")
        await until(pilot, lambda: pilot.app.operations.log_pane.view.count)

    assert snap_in_themes(make_app(console), theme, size, select)


def _filled(console: Any, samples: Any) -> None:
    """Put a second approval, a halted run and the project's own files into the console."""
    staging = samples.task("DEPLOY-STAGING-002", environment="staging", gate="staging")
    approval = samples.approval("run-deploy-staging-002", plan=samples.plan(environment="staging"))
    console.put(*samples.run(staging, RunState.WAITING, approvals=(replace(approval, id="approval-2"),)))
    reason = "health check failed: GET /health answered 503 three times"
    steps = tuple(
        replace(
            step, state=StepState.FAILED, detail=reason, finished_at=step.started_at + timedelta(seconds=9)
        )
        if step.name == "health"
        else step
        for step in samples.steps("run-deploy-prod-000", at=8)
    )
    halted = samples.task("DEPLOY-PROD-000", version="2.0.1", description="Deploy v2.0.1 to production")
    given = {"release": "2.0.1-1", "previous_release": "2.0.0-3", "version": "2.0.1", "steps": steps}
    console.put(*samples.run(halted, RunState.HALTED, reason=reason, **given))
    file = samples.folder / "project" / PATH
    file.parent.mkdir(parents=True)
    file.write_text(samples.blocked_source())
    console.folder = samples.folder / "project"
    console.sources[PATH] = samples.blocked_source()
