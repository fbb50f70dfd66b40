"""From an action to its request: each opens its dialog, and only what the dialog gives is asked."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import TypeVar

from textual.content import Content
from textual.screen import Screen

from opconsole.journal.records import RequestKind
from opconsole.views import RunView, TaskView
from queues.states import RunState
from queues.tasks import TaskKind
from screens.actions import Situation
from screens.desk import Desk, describe
from screens.dialogs.approval import ApprovalDialog, Approved, PlanChanged, WantsReject, plan_changes
from screens.dialogs.decide import DecideDialog
from screens.dialogs.simple import ConfirmDialog, NoticeDialog, ReasonDialog
from screens.look import Role
from screens.mending import Mending
from screens.signing import signature_for
from screens.words import clip, content, lines

Outcome = TypeVar("Outcome")


class Deciding:
    """Opens dialogs over a screen. `perform` runs in a worker, for it waits for the person."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._stories: Mapping[str, Callable[[Situation], Awaitable[None]]] = {
            "approve": self._approve,
            "approve-marked": self._approve_marked,
            "retry-marked": self._retry_marked,
            "cancel-marked": self._cancel_marked,
            "promote": self._promote,
            "reject": self._reject,
            "revert": self._revert,
            "decide": self._decide,
            "verify": self._verify,
            "retry": self._retry,
            "cancel": self._cancel,
            "exempt": self._exempt,
            "start-queue": self._start,
            "pause-queue": self._pause,
        }

    async def perform(self, name: str, situation: Situation) -> None:
        """Carry an action of the registry out, as far as the person goes along."""
        if self._desk.refuse():
            return
        try:
            await self._stories[name](situation)
        except Exception as error:  # noqa: BLE001 (a fault of the console must not end the screen)
            self._desk.tell(f"{describe(error)}. Nothing was asked; try again.", wrong=True)

    async def _approve(self, situation: Situation) -> None:
        if situation.policy is not None:
            from screens.policy_asked import approve_policy  # noqa: PLC0415 (loaded when it is wanted)

            await approve_policy(self._desk, situation.policy)
            return
        run = await self._fresh(situation)
        approval = run.waiting if run else None
        if run is None or approval is None:
            self._desk.tell("Nothing waits for approval here any more.", wrong=True)
            return
        run_id, desk = run.run.id, self._desk
        if run.altered:
            desk.tell("; ".join(plan_changes(approval, run)), wrong=True, title="Do not approve this")
            return
        dialog = ApprovalDialog(
            desk.waits,
            desk.clock,
            run,
            approval,
            operator=desk.console.operator,
            reload=lambda: desk.console.run(run_id),
            read=lambda path: desk.console.migration_source(run_id, path),
            sql=lambda: desk.console.migration_sql(run_id),
        )
        outcome = await self._show(dialog)
        if isinstance(outcome, Approved):
            payload = {"run": run_id, "plan": outcome.digest, "reason": outcome.reason}
            if run.signed:
                signature = await signature_for(desk, run_id, outcome.reason)
                if not signature:
                    return
                payload["signature"] = signature
            desk.ask(RequestKind.APPROVE, {**payload, "environment": outcome.environment})
        elif isinstance(outcome, WantsReject):
            await self._reject(Situation(situation.task, run, situation.queue))
        elif isinstance(outcome, PlanChanged):
            text = lines([*(content("– ", line) for line in outcome.what)])
            await self._show(NoticeDialog(desk.waits, "Not any more what was shown: look at it again", text))

    async def _approve_marked(self, situation: Situation) -> None:
        from screens.approving_many import approve_many  # noqa: PLC0415 (loaded when it is first wanted)

        await approve_many(self._desk, situation.marked)

    async def _retry_marked(self, situation: Situation) -> None:
        from screens.asking_many import RETRYING, ask_many  # noqa: PLC0415 (loaded when it is first wanted)

        await ask_many(self._desk, RETRYING, situation.marked_tasks)

    async def _cancel_marked(self, situation: Situation) -> None:
        from screens.asking_many import CANCELLING, ask_many  # noqa: PLC0415 (loaded when it is first wanted)

        await ask_many(self._desk, CANCELLING, situation.marked_tasks)

    async def _promote(self, situation: Situation) -> None:
        from opconsole.sentences_service import promotion  # noqa: PLC0415 (loads a grammar, for this alone)
        from screens.adding import speak  # noqa: PLC0415 (loaded when it is first wanted)

        here, there = situation.environment, situation.after
        if here is not None and there is not None:
            await speak(self._desk, promotion(here.project, here.environment, there.environment))

    async def _reject(self, situation: Situation) -> None:
        if situation.policy is not None:
            from screens.policy_asked import reject_policy  # noqa: PLC0415 (loaded when it is wanted)

            await reject_policy(self._desk, situation.policy)
            return
        run = situation.run
        if run is None:
            return
        text = content("The run ends as rejected; what depends on it stays blocked.")
        title = f"Reject {run.run.task} for {run.run.environment}"
        dialog = ReasonDialog(self._desk.waits, title, text, "Reject", example="what has to be different")
        reason = await self._show(dialog)
        if reason:
            self._desk.ask(RequestKind.REJECT, {"run": run.run.id, "reason": reason})

    async def _revert(self, situation: Situation) -> None:
        run = await self._fresh(situation)
        if run is None or run.waiting is None:
            self._desk.tell("Nothing waits for approval here any more.", wrong=True)
            return
        changed = changed_before(run, (await self._desk.console.snapshot()).tasks)
        title = f"Revert the cascade at {run.run.task} in {run.run.environment}"
        dialog = ReasonDialog(
            self._desk.waits,
            title,
            _revert_text(changed),
            "Revert",
            example="why all of it is to go back",
        )
        reason = await self._show(dialog)
        if reason:
            payload = {"run": run.run.id, "verb": "revert", "reason": reason}
            self._desk.ask(RequestKind.DECIDE, payload)

    async def _decide(self, situation: Situation) -> None:
        run = await self._fresh(situation)
        if run is None or not run.run.state.undecided:
            self._desk.tell("There is nothing to decide here any more.", wrong=True)
            return
        outcome = await self._show(DecideDialog(self._desk.waits, self._desk.clock, run))
        if outcome is not None:
            payload = {"run": run.run.id, "verb": outcome.verb, "reason": outcome.reason}
            self._desk.ask(RequestKind.DECIDE, payload)

    async def _verify(self, situation: Situation) -> None:
        task = situation.task
        if task is None or task.run is None:
            return
        text = content(
            f"You say that {task.environment or 'production'} was looked at and does what it should."
        )
        title = f"Record the verification of {task.task}"
        dialog = ReasonDialog(self._desk.waits, title, text, "Record", example="what you looked at")
        reason = await self._show(dialog)
        if reason:
            self._desk.ask(RequestKind.VERIFY, {"run": task.run, "reason": reason})

    async def _retry(self, situation: Situation) -> None:
        task = situation.task
        if task is None or task.run is None:
            return
        text = lines(
            [
                content((task.reason, Role.MUTED)),
                content(
                    "A new attempt is a new run with its own plan and, where the gate wants one, approval."
                ),
            ]
        )
        title = f"Run {task.task} again in {task.environment or 'its environment'}"
        if await self._confirmed(title, text, "Run again"):
            self._desk.ask(RequestKind.RETRY, {"run": task.run})

    async def _cancel(self, situation: Situation) -> None:
        task = situation.task
        if task is None or task.run is None:
            return
        text = content(
            "Its program is stopped. What it has changed so far stays; the log says how far it came."
        )
        title = f"Cancel {task.task} in {task.environment or 'its environment'}"
        if await self._confirmed(title, text, "Cancel the run", "Let it run"):
            self._desk.ask(RequestKind.CANCEL, {"run": task.run})

    async def _exempt(self, situation: Situation) -> None:
        if situation.run is not None and situation.finding is not None:
            await Mending(self._desk).exempt(situation.run.run.id, situation.finding)

    async def _start(self, situation: Situation) -> None:
        if situation.queue is None:
            return
        project = situation.queue.project
        text = content("The worker runs what is ready, as far as nobody has to decide. Gates ask as ever.")
        if await self._confirmed(f"Start the queue of {project}", text, "Start"):
            self._desk.ask(RequestKind.START, {"project": project})

    async def _pause(self, situation: Situation) -> None:
        if situation.queue is None:
            return
        project = situation.queue.project
        text = content("What runs goes on to its end; nothing new begins.")
        if await self._confirmed(f"Pause the queue of {project}", text, "Pause"):
            self._desk.ask(RequestKind.PAUSE, {"project": project})

    async def _confirmed(self, title: str, text: Content, button: str, otherwise: str = "Cancel") -> bool:
        dialog = ConfirmDialog(self._desk.waits, title, text, button, otherwise=otherwise)
        return await self._show(dialog) is True

    async def _fresh(self, situation: Situation) -> RunView | None:
        if situation.task is None or situation.task.run is None:
            return None
        return await self._desk.console.run(situation.task.run)

    async def _show(self, dialog: Screen[Outcome]) -> Outcome | None:
        return await self._desk.app.push_screen_wait(dialog)


def changed_before(run: RunView, tasks: Iterable[TaskView]) -> list[TaskView]:
    """Give the deployments that a run came after and that succeeded, the latest first.

    The journal knows better whether their releases still serve; this tells the person what to expect.
    """
    known = {task.key: task for task in tasks}
    found: dict[str, TaskView] = {}
    open_keys = [f"{run.run.project}:{run.run.task}"]
    while open_keys:
        task = known.get(open_keys.pop())
        for name in task.depends_on if task is not None else ():
            key = name if ":" in name else f"{run.run.project}:{name}"
            if key in known and key not in found:
                found[key] = known[key]
                open_keys.append(key)
    return [
        task
        for task in found.values()
        if task.project == run.run.project
        and task.kind == TaskKind.DEPLOYMENT
        and task.state == RunState.SUCCEEDED
    ]


def _revert_text(changed: list[TaskView]) -> Content:
    rows = [
        content("This run is rejected: it changes nothing."),
        content(
            "For every environment before it that still serves what this cascade deployed, "
            "a rollback task is added to the queue; each goes through its own environment's gate."
        ),
        content(""),
        content(("Deployed so far", Role.MUTED)),
    ]
    rows += [
        content(
            f"  {clip(task.environment or '–', 20):<20}  ",
            (f"{clip(task.version or '–', 20):<12}  {clip(task.task, 40)}", Role.MUTED),
        )
        for task in changed
    ]
    return lines(rows if changed else [*rows, content(("  nothing: this is only a rejection", Role.MUTED))])
