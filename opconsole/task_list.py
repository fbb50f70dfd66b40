"""The views of all tasks in their order, each made when somebody first looks at it.

A screen shows forty of 100,000 tasks; making the others first would take longer than reading their files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import overload

from opconsole.views import TaskView


class TaskList(Sequence[TaskView]):
    """All tasks. One that is first looked at later shows how it stands then; what is made stays as it is."""

    __slots__ = ("_make", "_views")
    __hash__ = None  # type: ignore[assignment]  # two lists with the same views are equal

    def __init__(self, views: Iterable[TaskView | None], make: Callable[[int], TaskView]) -> None:
        """Hold these views, and make the one of a place that has None. Any thread may look."""
        self._views = list(views)
        self._make = make

    def complete(self) -> None:
        """Make all that are missing. Takes a moment for very many: on an event loop, call it in a thread."""
        for _ in self:
            pass

    def __len__(self) -> int:
        return len(self._views)

    @overload
    def __getitem__(self, index: int) -> TaskView: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[TaskView]: ...
    def __getitem__(self, index: int | slice) -> TaskView | Sequence[TaskView]:
        if isinstance(index, slice):
            return [self[each] for each in range(*index.indices(len(self._views)))]
        view = self._views[index]
        return self._made(range(len(self._views))[index]) if view is None else view

    def __iter__(self) -> Iterator[TaskView]:
        for place, view in enumerate(self._views):
            yield self._made(place) if view is None else view

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence):
            return NotImplemented
        return len(self) == len(other) and all(
            one is another or one == another for one, another in zip(self, other, strict=True)
        )

    def __repr__(self) -> str:
        return f"TaskList({list(self)!r})"

    def _made(self, place: int) -> TaskView:
        view = self._views[place] = self._make(place)
        return view
