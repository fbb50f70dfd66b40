"""Parses the bytes of a work queue file into tasks and faults; `queues.queue_file` is the door to it.

The happy path is a compiled parser of JSON and one pass over the entries. What JSON leaves open
(duplicate keys, NaN) comes out of the parser as a marker in the tree, in the very place where it stands in
the file, so that only the entry around it is refused.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from guardrails.environments import GateKind
from queues.json_text import BOM, Finder
from queues.plain_json import MAX_CONTAINERS, read_plain
from queues.task_fields import FieldFaultError, TaskReader, read_id, read_project, show
from queues.tasks import Task, TaskKey, task_key

MAX_BYTES = 64 * 1024 * 1024
MAX_TASKS = 1_000_000
MAX_DEPTH = 64
LARGE = 1024 * 1024
"""Bytes from which on it pays to try `queues.plain_json` first."""

Path = tuple[str | int, ...]


class FileFaultError(Exception):
    """The file as a whole cannot be used; *offset* is the place in the text, *line* if there is none."""

    def __init__(
        self, field: str, found: str, allowed: str, offset: int = 0, line: int | None = None
    ) -> None:
        self.field = field
        self.found = found
        self.allowed = allowed
        self.offset = offset
        self.line = line
        super().__init__(f"{field}: found {found}; allowed: {allowed}")


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of a file that is usable otherwise. *path* leads from the root to its place."""

    path: Path
    task: str | None
    field: str
    found: str
    allowed: str
    twin: int | None = None
    """The position of the entry that has the same id already."""


@dataclass(frozen=True, slots=True)
class Parsed:
    """What a file holds."""

    project: str
    list_key: str
    tasks: tuple[Task, ...]
    faults: tuple[Fault, ...]


def decode(data: bytes) -> str:
    """Give the text of a file, a BOM left in it; raises FileFaultError for what is too large or not UTF-8."""
    if len(data) > MAX_BYTES:
        raise FileFaultError("file", "more than 64 MiB", "at most 64 MiB")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise FileFaultError("file", f"the byte 0x{data[error.start]:02x}", "UTF-8", line=line) from error


def parse_data(data: bytes, expected: str | None, environments: Mapping[str, GateKind]) -> Parsed:
    """Parse the bytes of a file that must be *expected*'s, if that is known; raises FileFaultError."""
    plain = read_plain(data, MAX_DEPTH) if LARGE <= len(data) <= MAX_BYTES else None
    if plain is not None:
        with suppress(FileFaultError):  # to be raised again below, where its place in the text is known
            return _parse("", plain, [], expected, environments, plain=True)
    text = decode(data)
    faults: list[Fault] = []
    return _parse(text, _root(text, faults), faults, expected, environments)


def _parse(
    text: str,
    root: Mapping[str, object],
    faults: list[Fault],
    expected: str | None,
    environments: Mapping[str, GateKind],
    *,
    plain: bool = False,
) -> Parsed:
    project = _project(text, root, expected)
    list_key, entries = _entries(text, root, faults)
    parser = _EntryParser(project, list_key, TaskReader(project, environments), faults, plain)
    return Parsed(project, list_key, parser.parse(entries), tuple(faults))


def list_key_of(members: Mapping[str, object]) -> str | None:
    """Give the key of a queue's list of tasks: ``features`` before ``tasks``; None if neither is a list."""
    return next((key for key in _LIST_KEYS if isinstance(members.get(key), list)), None)


class _Doubled:
    """Stands in the tree for an object with duplicate keys: which of two values counts would be a guess."""

    def __init__(self, pairs: list[tuple[str, object]]) -> None:
        self.members = dict(pairs)
        self.keys = [key for key, times in Counter(key for key, _ in pairs).items() if times > 1]


@dataclass(frozen=True, slots=True)
class _Unnumber:
    """Stands in the tree for NaN, an infinity, or a number that is too large for a float."""

    spelling: str


@dataclass(slots=True)
class _EntryParser:
    """Goes through the entries of the list."""

    project: str
    list_key: str
    reader: TaskReader
    faults: list[Fault]
    plain: bool
    """Nothing in the tree is marked or nested too deeply."""
    places: dict[TaskKey, int] = field(default_factory=dict)
    """Where a task occurs first, be its entry usable or not."""

    def parse(self, entries: Sequence[Any]) -> tuple[Task, ...]:
        tasks = self._all(entries) if self.plain else None
        return self._linked(self._usable(entries) if tasks is None else tasks)

    def _all(self, entries: Sequence[Any]) -> list[Task] | None:
        """Read the entries of a file in which nothing is wrong; None for another one."""
        try:
            tasks = list(map(self.reader.read, entries, range(len(entries))))
        except (FieldFaultError, TypeError, AttributeError):  # AttributeError: an entry is no object
            return None
        places = {task.key: task.position for task in tasks}
        if len(places) < len(tasks):
            return None
        self.places = places
        return tasks

    def _usable(self, entries: Sequence[Any]) -> list[Task]:
        """Read what can be used, and note what is wrong with the rest."""
        read = self.reader.read
        place_of = self.places.setdefault
        tasks: list[Task] = []
        for position, entry in enumerate(entries):
            plain = entry.__class__ is dict and (self.plain or _regular(entry.values(), _ENTRY_DEPTH + 1))
            try:
                task = read(entry, position) if plain else None
            except (FieldFaultError, TypeError):  # TypeError: a list or object where a word should be
                task = None
            if task is None:
                self._refuse(position, entry)
            elif place_of(task.key, position) == position:
                tasks.append(task)
            else:
                self._note_twin(position, task.id)
        return tasks

    def _refuse(self, position: int, entry: object) -> None:
        """Note everything that is wrong with an entry."""
        before = len(self.faults)
        where = (self.list_key, position)
        members = entry.members if isinstance(entry, _Doubled) else entry
        if not isinstance(members, dict):
            self.faults.append(Fault(where, None, self.list_key, _found(entry), "an object for each task"))
            return
        task_id = self._register(position, members.get("id"))
        odd = _irregularities(entry, where, _ENTRY_DEPTH)
        self.faults += [Fault(path, task_id, _field(path), found, allowed) for path, found, allowed in odd]
        told = {path[2] for path, _, _ in odd if len(path) > 2}
        for fault in self.reader.faults(members):
            if fault.field not in told:
                path = (*where, fault.field) if fault.index is None else (*where, fault.field, fault.index)
                self.faults.append(Fault(path, task_id, fault.field, fault.found, fault.allowed))
        if len(self.faults) == before:
            self.faults.append(Fault(where, task_id, self.list_key, "an unreadable entry", "a task"))

    def _register(self, position: int, value: object) -> str | None:
        try:
            task_id = read_id(value)
        except FieldFaultError:
            return None
        if self.places.setdefault(task_key(self.project, task_id), position) != position:
            self._note_twin(position, task_id)
        return task_id

    def _note_twin(self, position: int, task_id: str) -> None:
        path = (self.list_key, position, "id")
        twin = self.places[task_key(self.project, task_id)]
        self.faults.append(Fault(path, task_id, "id", show(task_id), "an id that no other task has", twin))

    def _linked(self, tasks: list[Task]) -> tuple[Task, ...]:
        """Give the tasks less those that depend on themselves or on an id that the file does not have."""
        prefix = f"{self.project}:"
        known = self.places.keys()
        linked = [task for task in tasks if task.depends_on]
        all_known = known >= set(chain.from_iterable([task.depends_on for task in linked]))
        bad: set[int] = set()
        for task in linked:
            if all_known and task.key not in task.depends_on:
                continue
            strange = {key for key in task.depends_on if key not in known and key.startswith(prefix)}
            if strange or task.key in task.depends_on:
                bad.add(task.position)
                self._note_links(task, strange)
        return tuple([task for task in tasks if task.position not in bad] if bad else tasks)

    def _note_links(self, task: Task, strange: set[TaskKey]) -> None:
        told: set[TaskKey] = set()
        for name in ("depends_on", "dependencies"):
            values = task.raw.get(name)
            for index, value in enumerate(values if isinstance(values, list) else ()):
                key = self.reader.read_dependency(value)
                if key in told or not (key == task.key or key in strange):
                    continue
                told.add(key)
                allowed = (
                    "another task" if key == task.key else "the id of a task of this file, or project:ID"
                )
                path = (self.list_key, task.position, name, index)
                self.faults.append(Fault(path, task.id, name, show(value), allowed))


def _root(text: str, faults: list[Fault]) -> dict[str, object]:
    if text.count("{") + text.count("[") > MAX_CONTAINERS:
        raise FileFaultError("file", "more lists and objects than a queue has", f"at most {MAX_CONTAINERS:,}")
    root = _parse_json(text)
    if isinstance(root, _Doubled):
        for key in root.keys:
            if key in ("project", *_LIST_KEYS):
                raise FileFaultError(key, "a duplicate key", _ONCE, Finder(text).place([key]))
            faults.append(Fault((key,), None, _field((key,)), "a duplicate key", _ONCE))
        root = root.members
    if not isinstance(root, dict):
        raise FileFaultError("file", _found(root), "an object with project and features")
    return root


def _parse_json(text: str) -> object:
    skipped = 1 if text.startswith(BOM) else 0
    try:
        return _DECODER.decode(text[skipped:] if skipped else text)
    except json.JSONDecodeError as error:
        found = f"{error.msg} (line {error.lineno}, column {error.colno})"
        raise FileFaultError("file", found, "JSON", error.pos + skipped) from error
    except RecursionError as error:
        raise FileFaultError("file", _TOO_DEEP, _DEPTHS, _first_too_deep(text)) from error
    except ValueError as error:  # Python refuses whole numbers of more than 4,300 digits
        match = _HUGE.search(text)
        raise FileFaultError(
            "file", "a number of thousands of digits", "JSON", match.start() if match else 0
        ) from error


def _project(text: str, root: Mapping[str, object], expected: str | None) -> str:
    said = root.get("project")
    if said is None and expected is not None:
        return expected
    try:
        project = read_project(said)
    except FieldFaultError as fault:
        place = Finder(text).place(["project"])
        raise FileFaultError("project", fault.found, expected or fault.allowed, place) from fault
    if expected is not None and project != expected:
        place = Finder(text).place(["project"])
        raise FileFaultError("project", show(project), f"{show(expected)}, as the file's name says", place)
    return project


def _entries(text: str, root: Mapping[str, object], faults: list[Fault]) -> tuple[str, list[object]]:
    key = list_key_of(root)
    entries = root[key] if key else None
    if key is None or not isinstance(entries, list):
        there = next((name for name in _LIST_KEYS if name in root), None)
        found, place = (_found(root[there]), Finder(text).place([there])) if there else ("nothing", 0)
        raise FileFaultError(there or "features", found, "a list of tasks", place)
    if len(entries) > MAX_TASKS:
        found = f"{len(entries):,} tasks"
        raise FileFaultError(key, found, f"at most {MAX_TASKS:,}", Finder(text).place([key]))
    if key == "features" and isinstance(root.get("tasks"), list):
        faults.append(Fault(("tasks",), None, "tasks", "a second list of tasks", "either features or tasks"))
    for name, value in root.items():
        if name != key and value.__class__ not in _PLAIN:
            for path, found, allowed in _irregularities(value, (name,), 2):
                faults.append(Fault(path, None, _field(path), found, allowed))
    return key, entries


def _regular(values: Iterable[object], depth: int) -> bool:
    """Tell whether nothing among *values*, which stand at that depth, is marked or nested too deeply."""
    for value in [value for value in values if value.__class__ not in _PLAIN]:
        if depth > MAX_DEPTH:
            return False
        if value.__class__ is list:
            below: Iterable[object] = value
        elif value.__class__ is dict:
            below = value.values()
        else:
            return False
        if not (_PLAIN.issuperset(map(type, below)) or _regular(below, depth + 1)):
            return False
    return True


def _irregularities(value: object, path: Path, depth: int) -> list[tuple[Path, str, str]]:
    """List what is marked or nested too deeply in a value at that depth: path, found, allowed."""
    if value.__class__ in _PLAIN:
        return []
    if isinstance(value, _Unnumber):
        return [(path, value.spelling, "a number that JSON has")]
    if depth > MAX_DEPTH:
        return [(path, _TOO_DEEP, _DEPTHS)]
    found: list[tuple[Path, str, str]] = []
    below: Iterable[tuple[str | int, object]] = ()
    if isinstance(value, _Doubled):
        found += [((*path, key), "a duplicate key", _ONCE) for key in value.keys]
        below = value.members.items()
    elif isinstance(value, dict):
        below = value.items()
    elif isinstance(value, list):
        below = enumerate(value)
    for step, inner in below:
        found += _irregularities(inner, (*path, step), depth + 1)
    return found


def _field(path: Sequence[str | int]) -> str:
    """Name a place for a person: the keys on the way to it, from the task's or the root's own key on."""
    steps = path[2:] if len(path) > 2 and isinstance(path[1], int) else path
    keys = [step if _WORD.fullmatch(step) else show(step) for step in steps if isinstance(step, str)]
    name = ".".join(keys)
    return name if len(name) <= 120 else name[:117] + "..."


def _found(value: object) -> str:
    return value.spelling if isinstance(value, _Unnumber) else show(value)


def _first_too_deep(text: str) -> int:
    depth = 0
    for match in _BRACKETS.finditer(text):
        bracket = match[0]
        if bracket in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                return match.start()
        elif bracket in "]}":
            depth -= 1
    return 0


def _object(pairs: list[tuple[str, object]]) -> object:
    members = dict(pairs)
    return members if len(members) == len(pairs) else _Doubled(pairs)


def _float(spelling: str) -> object:
    number = float(spelling)
    return _Unnumber(spelling[:40]) if number in _INFINITIES else number


_INFINITIES = (float("inf"), float("-inf"))
_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_float=_float, parse_constant=_Unnumber)
_LIST_KEYS = ("features", "tasks")
_PLAIN = frozenset({str, int, float, bool, type(None)})
_ENTRY_DEPTH = 3  # the document is 1, its list 2
_ONCE = "each key once"
_TOO_DEEP = "lists or objects nested too deeply"
_DEPTHS = f"a depth of at most {MAX_DEPTH}"
_HUGE = re.compile(r"[0-9]{4301}")
_WORD = re.compile(r"[0-9A-Za-z_-]{1,64}")
_BRACKETS = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]', re.DOTALL)
