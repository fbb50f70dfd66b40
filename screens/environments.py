"""The environments screen: what every project runs where, whether it is healthy, whether it has drifted."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.content import Content
from textual.timer import Timer

from guardrails.environments import GateKind
from opconsole.seen import Seen
from opconsole.views import EnvironmentView
from screens.actions import Scope, Situation, bindings
from screens.base import ConsoleScreen
from screens.desk import Desk, describe
from screens.latest import Latest
from screens.look import Role
from screens.widgets.heading import Heading
from screens.widgets.key_bar import KeyBar
from screens.widgets.matrix import DRIFT, HEALTH, Cell, MatrixView, Place
from screens.widgets.text import TextView
from screens.words import content, folded, lines, moment

EVERY = 60.0
"""Seconds after which everything is asked again while the screen is looked at."""
AT_ONCE = 4
"""Services that are asked at the same time."""
_GATES = {kind.value: place for place, kind in enumerate(GateKind)}


class EnvironmentsScreen(ConsoleScreen):
    """The matrix, and all that is known of the selected place."""

    PLACE = "environments"
    DEFAULT_CSS = """
    EnvironmentsScreen {
        & MatrixView { height: 1fr; }
        & #about { height: auto; max-height: 40%; padding: 0 1; border-top: hkey $panel; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [*bindings(Scope.ENVIRONMENTS)]

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._views: tuple[EnvironmentView, ...] = ()
        self._seen: dict[Place, tuple[str | None, Seen]] = {}
        self._asking: set[Place] = set()
        self._gate = asyncio.Semaphore(AT_ONCE)
        self._loading = Latest(self._load)
        self._timer: Timer | None = None
        self._wanted: Place | None = None
        self._matrix = MatrixView(desk.clock.now)

    def compose(self) -> ComposeResult:
        """Put the matrix over what is known of the selected place."""
        yield self.strip()
        yield Heading(environments="Environments")
        yield self._matrix
        yield TextView(id="about")
        yield KeyBar()

    def on_mount(self) -> None:
        """Begin with what is known already."""
        self._ready = True
        self.query_one(Heading).activate(on=True)
        self._show_all()
        self._matrix.focus()
        self.run_worker(self._loading.run(), group="loading")

    def on_screen_resume(self) -> None:
        """Ask now, and every minute while it is looked at."""
        if self._timer is None:
            self._timer = self.set_interval(EVERY, self.action_ask_again)
        self.action_ask_again()

    def on_screen_suspend(self) -> None:
        """Ask nobody behind another screen."""
        if self._timer is not None:
            self._timer.stop()
            self._timer = None

    @property
    def asks(self) -> bool:
        """Whether everything is asked again in a while."""
        return self._timer is not None

    # -- what is shown

    def _show_all(self) -> None:
        super()._show_all()
        self._loading.want()

    async def _load(self) -> None:
        try:
            self._views = await self._desk.console.environments()
        except Exception as error:  # noqa: BLE001 (the screen goes on; the person hears of it)
            self._desk.tell(f"{describe(error)}. The environments could not be read.", wrong=True)
            return
        self._show_cells()
        for view in self._views:
            known = self._seen.get(_place(view))
            if known is None or known[0] != view.release:  # another release: what was seen is old
                self._ask(view)

    def _show_cells(self) -> None:
        cells = []
        for view in self._views:
            known = self._seen.get(_place(view))
            cells.append(Cell(view, known[1] if known is not None else None))
        self._matrix.show_cells(cells, _columns(self._views))
        if self._wanted and self._matrix.select(self._wanted):
            self._wanted = None
        self._show_about()

    @on(MatrixView.Selected)
    def _show_about(self) -> None:
        cell = self._matrix.selected
        width = max(30, self.app.size.width - 4)
        rows = lines(self._about(cell, width)) if cell else Content("")
        self.query_one("#about", TextView).put(rows)

    def _about(self, cell: Cell, width: int) -> Iterator[Content]:
        view, seen, now = cell.view, cell.seen, self._desk.clock.now()
        yield content((f"{view.project} in {view.environment}", Role.STRONG))
        told = [("Gate", view.gate), ("Address", view.url or "")]
        if view.deployed_at:
            told.append(
                ("Deployed", f"{moment(view.deployed_at, now)} by {view.deployed_by or 'nobody known'}")
            )
        if seen is not None:
            told.append(("Health", f"{HEALTH[seen.health]}: {seen.health_detail}"))
            told.append(("Drift", f"{DRIFT[seen.drift]}: {seen.drift_detail}"))
        if view.held:
            since = f" since {moment(view.held.since, now)}" if view.held.since else ""
            told.append(("Lock", f"held by {view.held.task}{since}, {view.held.executor}".rstrip(", ")))
        told += [("Frozen", view.frozen or ""), ("Runs", view.running or ""), ("Waits", view.waiting or "")]
        for label, text in told:
            if text:
                first, *more = folded(text, width, indent=11)
                yield content((f"  {label:<9}", Role.MUTED), first[11:])
                yield from more

    # -- asking

    def action_ask_again(self) -> None:
        """Ask every service and target how it is; each answer is shown as it comes."""
        for view in self._views:
            self._ask(view)

    def _ask(self, view: EnvironmentView) -> None:
        place = _place(view)
        if place not in self._asking and self.is_current:
            self._asking.add(place)
            self.run_worker(self._asked(view), group="asking", exit_on_error=False)

    async def _asked(self, view: EnvironmentView) -> None:
        try:
            async with self._gate:
                seen = await self._desk.console.look(view)
        except Exception as error:  # noqa: BLE001 (the cell says so, and the screen goes on)
            seen = Seen.unknown(describe(error))
        finally:
            self._asking.discard(_place(view))
        self._seen[_place(view)] = (view.release, seen)
        self._show_cells()

    # -- where one is

    def where(self) -> str:
        """Name the selected place."""
        cell = self._matrix.selected
        return f"{cell.view.project} {cell.view.environment}" if cell else ""

    def go_to(self, where: str) -> None:
        """Select a place; one that is not there any more is passed over."""
        project, _, environment = where.partition(" ")
        if not self._matrix.select((project, environment)):
            self._wanted = (project, environment)

    # -- actions

    def situation(self) -> Situation:
        """Say which environment is selected."""
        cell = self._matrix.selected
        if cell is None:
            return Situation()
        queues = self._snapshot.queues if self._snapshot else ()
        queue = next((queue for queue in queues if queue.project == cell.view.project), None)
        return Situation(queue=queue, environment=cell.view, after=self._after(cell.view))

    def _after(self, view: EnvironmentView) -> EnvironmentView | None:
        """Give the project's next environment, towards production."""
        own = [one for one in self._views if one.project == view.project]
        order = _columns(own)
        place = order.index(view.environment) + 1 if view.environment in order else len(order)
        return next((one for one in own if order[place : place + 1] == [one.environment]), None)

    def parts(self) -> Iterable[object]:
        """Give the matrix."""
        return (self._matrix,)

    @on(MatrixView.Opened)
    def _opened(self) -> None:
        """Go to what runs or waits there."""
        self.action_log()

    def action_log(self) -> None:
        """Go to the run that is at work there, or waits there, on the operations screen."""
        cell = self._matrix.selected
        task = cell and (cell.view.running or cell.view.waiting or self._last(cell.view))
        if cell and task:
            self._desk.go("operations", f"detail {cell.view.project}:{task}")
        elif cell:
            self._desk.tell(f"Nothing has run in {cell.view.environment} of {cell.view.project} yet.")

    def _last(self, view: EnvironmentView) -> str | None:
        """Name the task that ended there last."""
        tasks = self._snapshot.tasks if self._snapshot else ()
        there = [
            task
            for task in tasks
            if (task.project, task.environment) == (view.project, view.environment) and task.finished_at
        ]
        return max(there, key=lambda task: (task.finished_at, task.task)).task if there else None

    def action_copy(self) -> None:
        """Copy what the selected environment runs."""
        cell = self._matrix.selected
        if cell is not None:
            view = cell.view
            text = " ".join(
                part for part in (view.project, view.environment, view.version, view.release) if part
            )
            self.app.copy_to_clipboard(text)
            self._desk.tell("Copied what it runs.")


def _place(view: EnvironmentView) -> Place:
    return view.project, view.environment


def _columns(views: Iterable[EnvironmentView]) -> list[str]:
    """Order environments by their gates, towards production; those of one gate as the settings have them."""
    gates: dict[str, int] = {}
    for view in views:
        gates.setdefault(view.environment, _GATES.get(view.gate, len(_GATES)))
    return sorted(gates, key=lambda name: gates[name])
