"""The operator: a scripted person who approves what waits and decides what is undecided."""

from __future__ import annotations

import random
from collections.abc import Sequence

from chaoslab.project import Workspace
from opconsole.clock import SystemClock
from opconsole.ids import new_request_id
from opconsole.journal import ops
from opconsole.journal.location import JournalPlace
from opconsole.journal.reader import JournalReader
from opconsole.journal.records import ApprovalState, RequestKind, RequestRow, Run
from opconsole.journal.writer import write_once
from queues.states import RunState

VERBS = ("revert", "override", "abort")


class Operator:
    """Asks through the journal, as a console does, one request at a time for each run."""

    def __init__(
        self,
        workspace: Workspace,
        place: JournalPlace,
        reader: JournalReader,
        *,
        seed: int,
        verb: str = "",
        name: str = "ana",
    ) -> None:
        """*verb* is what it decides first, as long as that is not refused."""
        self._name = name
        self._workspace = workspace
        self._place = place
        self._reader = reader
        self._choice = random.Random(seed)
        self._verb = verb
        self._asked: dict[str, tuple[str, tuple[str, int, str]]] = {}
        self._refused: dict[tuple[str, int, str], list[str]] = {}
        self.decisions: list[str] = []
        """What was decided about undecided runs, and the answers."""

    def act(self) -> None:
        """Ask whatever is to be asked now."""
        for run in self._reader.open_runs():
            if not self._answered(run):
                continue
            if run.state is RunState.WAITING:
                self._approve(run)
            elif run.state.undecided:
                self._decide(run)

    def settled(self, tasks: Sequence[str]) -> bool:
        """Say whether all tasks have come to an end, and all of it has left the journal."""
        for task in tasks:
            run = self._reader.latest_run("app", task)
            if run is None or not run.state.final or self._workspace.holder(run.environment) == run.id:
                return False
        return not (self._reader.open_runs() or self._reader.open_requests() or self._reader.open_outbox())

    def _answered(self, run: Run) -> bool:
        if run.id not in self._asked:
            return True
        asked, about = self._asked[run.id]
        request = self._reader.request(asked)
        if request is None:
            return True
        if request.answered_at is None:
            return False
        del self._asked[run.id]
        if request.kind is RequestKind.DECIDE:
            verb, answer = str(request.payload["verb"]), request.answer or ""
            word = "granted" if request.granted else "refused"
            self.decisions.append(f"{run.state.value} {run.task}: {verb} {word}: {answer}")
            if not request.granted and "still runs" not in answer:
                self._refused.setdefault(about, []).append(f"{verb}: {answer}")
        return True

    def _approve(self, run: Run) -> None:
        for approval in self._reader.approvals_of(run.id):
            if approval.state is ApprovalState.WAITING:
                payload = {"run": run.id, "plan": approval.digest, "environment": run.environment}
                self.ask(run, RequestKind.APPROVE, {**payload, "reason": "looked at it"})

    def _decide(self, run: Run) -> None:
        refused = self._refused.get(_as_it_stands(run), [])
        left = [verb for verb in VERBS if not any(one.startswith(verb) for one in refused)]
        if not left:
            raise AssertionError(f"no decision leads on from {run.state.value} ({run.reason}): {refused}")
        verb = self._verb if self._verb in left else self._choice.choice(left)
        self.ask(run, RequestKind.DECIDE, {"run": run.id, "verb": verb, "reason": "so it be"})

    def ask(self, run: Run | None, kind: RequestKind, payload: dict[str, object]) -> None:
        """Write a request into the journal."""
        request = RequestRow(new_request_id(), kind, payload, SystemClock().now(), self._name)
        if run is not None:
            self._asked[run.id] = (request.id, _as_it_stands(run))
        write_once(self._place, ops.insert_request(request))


def _as_it_stands(run: Run) -> tuple[str, int, str]:
    """Name what a decision is about: once that has moved on, an earlier refusal says nothing."""
    return run.id, run.epoch, run.reason
