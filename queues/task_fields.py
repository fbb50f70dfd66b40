"""Reads the fields of a work queue entry that opconsole knows, and says what is wrong with them.

Each field has one rule: a function that gives the field's meaning or raises FieldFaultError. A good entry is
read by `TaskReader.read` at little cost; what is wrong with another one, `TaskReader.faults` tells in full.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import fields, make_dataclass
from typing import Any, TypeVar

from guardrails.environments import GateKind, UnknownEnvironmentError, resolve_environment
from queues.tasks import FileStatus, MigrationAction, Task, TaskKey, TaskKind, task_key

Known = TypeVar("Known")

MAX_ID = 128
MAX_NAME = 256
MAX_TEXT = 65_536
MAX_NUMBER = 2**31 - 1


class FieldFaultError(ValueError):
    """One thing that is wrong with one field of an entry; *found* is safe to print."""

    def __init__(self, field: str, found: object, allowed: str, index: int | None = None) -> None:
        self.field = field
        self.found = show(found)
        self.allowed = allowed
        self.index = index  # of the element, where the field is a list
        super().__init__(f"{field} is {self.found}; allowed: {allowed}")


def show(value: object) -> str:
    """Write any value of a file as short printable ASCII (at most 80 characters)."""
    if isinstance(value, str):
        text = json.dumps(value[:80])
    elif value is None or isinstance(value, bool | int | float):
        text = json.dumps(value)
    else:
        text = f"a list of {len(value)}" if isinstance(value, list) else "an object"
    text = text.replace("\x7f", "\\u007f")
    return text if len(text) <= 80 else text[:77] + "..."


def read_id(value: object) -> str:
    """Read a task's id: what can be shown, typed and put behind ``project:`` without a doubt."""
    # One that begins with "-" would be taken for an option where it is typed.
    if (
        value.__class__ is str
        and 0 < len(value) <= MAX_ID
        and _visible(value)
        and ":" not in value
        and value[0] != "-"
    ):
        return str(value)
    raise FieldFaultError(
        "id", value, f"text of 1 to {MAX_ID} visible characters, without a colon, not beginning with -"
    )


def read_project(value: object) -> str:
    """Read a project's name, which also names files and folders."""
    if isinstance(value, str) and _PROJECT.fullmatch(value):
        return value
    raise FieldFaultError(
        "project", value, "letters, digits, '.', '_' and '-', at most 64, the first no sign"
    )


def read_kind(entry: Mapping[str, object]) -> TaskKind:
    """Read the kind of an entry. Near misses of our kinds are faults, lest a deployment never runs unseen."""
    field = "agent_type" if entry.get("agent_type") is not None else "agent"
    name = entry.get(field)
    if not isinstance(name, str):
        return TaskKind.OTHER
    if name in _KINDS:
        return _KINDS[name]
    if name.strip().lower() in _KINDS:
        raise FieldFaultError(field, name, ", ".join(_KINDS) + ", in exactly this spelling")
    return TaskKind.OTHER


def read_status(value: object) -> FileStatus:
    """Read the status; none at all is pending."""
    if value is None:
        return FileStatus.PENDING
    if isinstance(value, str) and value in _STATUSES:
        return _STATUSES[value]
    raise FieldFaultError("status", value, ", ".join(_STATUSES))


def read_environment(value: object, environments: Mapping[str, GateKind]) -> str | None:
    """Read an environment's name, aliases resolved; a look-alike letter is never guessed away."""
    if value is None:
        return None
    allowed = ", ".join(environments)
    # Lower case turns some letters beyond ASCII (the Kelvin sign) into plain ones.
    if not isinstance(value, str) or not (value.isascii() or value in environments):
        raise FieldFaultError("environment", value, allowed)
    try:
        return resolve_environment(value, environments)
    except UnknownEnvironmentError as error:
        raise FieldFaultError("environment", value, allowed) from error


def read_version(value: object) -> str | None:
    """Read a version: what SemVer, PEP 440 and a git tag all can hold, without its leading v."""
    if value is None:
        return None
    if isinstance(value, str):
        plain = value.removeprefix("v")
        if _VERSION.fullmatch(plain) and ".." not in plain and not plain.endswith((".", ".lock")):
            return plain
    raise FieldFaultError(
        "version", value, "text like 1.2.3: letters, digits and . + _ -, at most 64, the first no sign"
    )


def read_path(value: object) -> str | None:
    """Read a path that must stay inside its project."""
    if value is None:
        return None
    if (
        isinstance(value, str)
        and 0 < len(value) <= 1024
        and value.isprintable()
        and value[0] not in "/~-"
        and "\\" not in value
        and ".." not in value.split("/")
    ):
        return value
    raise FieldFaultError("migrations_path", value, "a path relative to the project, without '..'")


def read_priority(value: object) -> int:
    """Read a priority: 0 is the most urgent, 2 where the file says nothing."""
    if value is None:
        return 2
    if value.__class__ is int and 0 <= value <= MAX_NUMBER:
        return int(value)
    if isinstance(value, str) and value in _PRIORITIES:
        return _PRIORITIES[value]
    raise FieldFaultError("priority", value, 'a whole number from 0, or "P0" to "P3"')


def read_max_iterations(value: object) -> int | None:
    """Read the cap of a task's attempts over all time."""
    if value is None:
        return None
    if value.__class__ is int and 1 <= value <= MAX_NUMBER:
        return int(value)
    raise FieldFaultError("max_iterations", value, "a whole number from 1, or null")


def read_flag(value: object) -> bool:
    """Read run_migrations."""
    if value is None or value is False:
        return False
    if value is True:
        return True
    raise FieldFaultError("run_migrations", value, "true, false or null")


def read_approvers(value: object) -> tuple[bool, tuple[str, ...]]:
    """Read requires_approval: whether it asks for one, and whom it names."""
    if value is None or value is False:
        return False, ()
    if value is True:
        return True, ()
    if not isinstance(value, list):
        raise FieldFaultError("requires_approval", value, "true, false, null or a list of names")
    for index, name in enumerate(value):
        if not (isinstance(name, str) and 0 < len(name) <= MAX_NAME and _visible(name)):
            raise FieldFaultError("requires_approval", name, "a name of visible characters", index)
    return bool(value), tuple(value)


def read_action(value: object) -> MigrationAction:
    """Read what a migration does."""
    if value is None:
        return MigrationAction.RUN
    if isinstance(value, str) and value in _ACTIONS:
        return _ACTIONS[value]
    raise FieldFaultError("action", value, ", ".join(_ACTIONS))


def read_revision(value: object) -> str | None:
    """Read the revision that a migration leads to: an id or its beginning, never an option of Alembic."""
    if value is None:
        return None
    if isinstance(value, str) and _REVISION.fullmatch(value):
        return value
    raise FieldFaultError(
        "revision", value, "a revision of the project, head or base: letters, digits and . _ -, at most 64"
    )


def read_description(value: object) -> str:
    """Read the description: free text, of any letters that can be written again."""
    if value is None:
        return ""
    if (
        isinstance(value, str)
        and len(value) <= MAX_TEXT
        and (value.isascii() or _SURROGATE.search(value) is None)
    ):
        return value
    raise FieldFaultError("description", value, f"text of at most {MAX_TEXT} characters")


def read_line(field: str, value: object) -> str | None:
    """Read a text that must stay on one line of a log."""
    if value is None:
        return None
    if isinstance(value, str) and 0 < len(value) <= MAX_NAME and value.isprintable():
        return value
    raise FieldFaultError(field, value, f"text of 1 to {MAX_NAME} visible characters")


def read_resource(value: object) -> object:
    """Read what is to be provisioned: a line of text, or an object that its own guardrail reads."""
    return value if isinstance(value, dict) else read_line("resource", value)


class TaskReader:
    """Reads the entries of one file; a version or environment that was read once costs nothing again."""

    def __init__(self, project: str, environments: Mapping[str, GateKind]) -> None:
        self._project = project
        self._prefix = f"{project}:"
        self._environments = environments
        self._statuses = _Memo(read_status)
        self._environment_names = _Memo(lambda value: read_environment(value, environments))
        self._versions = _Memo(read_version)
        self._paths = _Memo(read_path)
        self._promises = _Memo(lambda value: read_line("completion_promise", value))

    def read(self, entry: Mapping[str, object], position: int) -> Task:
        """Give the task that an entry is; raises FieldFaultError or TypeError when it is none.

        The usual values are let through here, where a call for each would cost more than the whole parsing;
        the rule is asked about every other one.
        """
        get = entry.get
        kind = get("agent_type")
        kind = _KINDS[kind] if kind.__class__ is str and kind in _KINDS else read_kind(entry)
        if kind is _OTHER:
            return self.read_other(entry, position)
        environment = self._environment_names[get("environment")]
        version = self._versions[get("version")]
        if environment is None or version is None:
            self._require(entry, kind)
        task_id = get("id")
        if task_id.__class__ is not str or _PLAIN_ID(task_id) is None:
            task_id = read_id(task_id)
        text = get("description")
        if text.__class__ is not str or len(text) > 500 or not text.isascii():
            text = read_description(text)
        depends_on = get("depends_on")
        if depends_on.__class__ is list and len(depends_on) == 1 and "dependencies" not in entry:
            depends_on = (self.read_dependency(depends_on[0]),)
        elif depends_on is not None or "dependencies" in entry:
            depends_on = self._depends_on(entry)
        migrates = get("run_migrations")
        iterations = get("max_iterations")
        if iterations is not None and not (iterations.__class__ is int and 0 < iterations < 1000):
            iterations = read_max_iterations(iterations)
        priority = get("priority")
        approval = get("requires_approval")
        required, approvers = _NO_APPROVAL if approval is None else read_approvers(approval)
        provisions = kind is _PROVISIONING
        draft = _Draft(
            self._project,
            task_id,
            kind,
            text,
            self._statuses[get("status")],
            environment,
            version,
            read_action(get("action")) if kind is _MIGRATION else _RUN,
            read_revision(get("revision")) if kind is _MIGRATION else None,
            True if migrates is True else read_flag(migrates),
            self._paths[get("migrations_path")],
            depends_on or (),
            2 if priority is None else read_priority(priority),
            required,
            approvers,
            iterations,
            self._promises[get("completion_promise")],
            read_resource(get("resource")) if provisions else None,
            get("business_case") if provisions else None,
            position,
            entry,
            self._prefix + task_id,
        )
        draft.__class__ = Task
        return draft  # type: ignore[no-any-return]  # it is a Task now

    def read_other(self, entry: Mapping[str, object], position: int) -> Task:
        """Give the task that an entry of another kind is: it needs an id, the rest passes as it is.

        It never runs, so what it depends on is not read.
        """
        status = entry.get("status")
        description = entry.get("description")
        return Task(
            self._project,
            read_id(entry.get("id")),
            TaskKind.OTHER,
            description=description if isinstance(description, str) else "",
            status=_STATUSES.get(status, FileStatus.PENDING)
            if isinstance(status, str)
            else FileStatus.PENDING,
            position=position,
            raw=entry,
        )

    def read_dependency(self, value: object) -> TaskKey:
        """Read one dependency: an id of this project, or ``project:ID``."""
        if value.__class__ is str and _PLAIN_ID(value) is not None:
            return TaskKey(self._prefix + value)
        if not isinstance(value, str):
            raise FieldFaultError("depends_on", value, "the id of a task, or project:ID")
        project, colon, task_id = value.rpartition(":")
        if colon and not _PROJECT.fullmatch(project):
            raise FieldFaultError("depends_on", value, "the id of a task, or project:ID")
        try:
            return task_key(project if colon else self._project, read_id(task_id))
        except FieldFaultError as fault:
            raise FieldFaultError("depends_on", value, "the id of a task, or project:ID") from fault

    def faults(self, entry: Mapping[str, object]) -> list[FieldFaultError]:
        """Tell everything that is wrong with the fields of an entry, at most one fault for each value."""
        found: list[FieldFaultError] = []

        def check(rule: Callable[[], object]) -> None:
            try:
                rule()
            except FieldFaultError as fault:
                found.append(fault)

        get = entry.get
        check(lambda: read_id(get("id")))
        try:
            kind = read_kind(entry)
        except FieldFaultError as fault:
            return [*found, fault]
        if kind is TaskKind.OTHER:
            return found
        check(lambda: read_status(get("status")))
        check(lambda: read_environment(get("environment"), self._environments))
        check(lambda: read_version(get("version")))
        found += self._lacking(entry, kind)
        if kind is TaskKind.MIGRATION:
            check(lambda: read_action(get("action")))
            check(lambda: read_revision(get("revision")))
        check(lambda: read_description(get("description")))
        check(lambda: read_flag(get("run_migrations")))
        check(lambda: read_path(get("migrations_path")))
        check(lambda: read_priority(get("priority")))
        check(lambda: read_approvers(get("requires_approval")))
        check(lambda: read_max_iterations(get("max_iterations")))
        check(lambda: read_line("completion_promise", get("completion_promise")))
        if kind is TaskKind.PROVISIONING:
            check(lambda: read_resource(get("resource")))
        return found + self._dependency_faults(entry)

    def _depends_on(self, entry: Mapping[str, object]) -> tuple[TaskKey, ...]:
        """Give all dependencies: of both spellings where an entry has both, for none may be skipped."""
        keys: list[TaskKey] = []
        for field in _DEPENDENCIES:
            values = entry.get(field)
            if values.__class__ is list:
                keys += [self.read_dependency(value) for value in values]
            elif values is not None:
                raise FieldFaultError(field, values, "a list of task ids, or null")
        return tuple(dict.fromkeys(keys))

    def _dependency_faults(self, entry: Mapping[str, object]) -> list[FieldFaultError]:
        found: list[FieldFaultError] = []
        for field in _DEPENDENCIES:
            values = entry.get(field)
            if values is None:
                continue
            if not isinstance(values, list):
                found.append(FieldFaultError(field, values, "a list of task ids, or null"))
                continue
            for index, value in enumerate(values):
                try:
                    self.read_dependency(value)
                except FieldFaultError as fault:
                    found.append(FieldFaultError(field, value, fault.allowed, index))
        return found

    def _require(self, entry: Mapping[str, object], kind: TaskKind) -> None:
        for fault in self._lacking(entry, kind):
            raise fault

    def _lacking(self, entry: Mapping[str, object], kind: TaskKind) -> list[FieldFaultError]:
        allowed = {"environment": ", ".join(self._environments), "version": "text like 1.2.3"}
        needed = [field for field in _NEEDS[kind.value] if entry.get(field) is None]
        return [FieldFaultError(field, None, allowed[field]) for field in needed]


# A task before it is frozen: the same fields in the same slots. Freezing makes a constructor set each
# attribute by a call, which takes five times as long. A draft sets them plainly and then becomes a task,
# which Python allows between classes of the same slots.
_Draft: Any = make_dataclass("_Draft", [part.name for part in fields(Task)], slots=True)


class _Memo(dict[object, Known]):
    """Answers of a rule by value. Only text and null pass such a rule, so that 1 and true never meet."""

    def __init__(self, rule: Callable[[object], Known]) -> None:
        super().__init__()
        self._rule = rule

    def __missing__(self, value: object) -> Known:
        known = self[value] = self._rule(value)
        return known


def _visible(text: str) -> bool:
    """Tell whether every letter of a text shows itself, and none stands at an edge unseen."""
    if text.isascii():
        return text.isprintable() and text[0] != " " != text[-1]
    return text.isprintable() and text == text.strip() and _UNSEEN.search(text) is None


# Printable by Unicode's word, and yet nothing to see: joiners, fillers, variation selectors.
_UNSEEN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
_SURROGATE = re.compile("[\ud800-\udfff]")
# What read_id surely allows, for one call instead of six.
_PLAIN_ID = re.compile(r"[0-9A-Za-z_.#/][0-9A-Za-z_.#/-]{0,127}").fullmatch
_PROJECT = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,63}")
_VERSION = re.compile(r"[0-9A-Za-z][0-9A-Za-z.+_-]{0,63}")
_REVISION = re.compile(r"[0-9A-Za-z_][0-9A-Za-z_.-]{0,63}")
_KINDS = {kind.value: kind for kind in TaskKind if kind.ours}
# An enum's members are slow to reach by their class, and a file asks for them a hundred thousand times.
_OTHER, _MIGRATION, _PROVISIONING = TaskKind.OTHER, TaskKind.MIGRATION, TaskKind.PROVISIONING
_RUN = MigrationAction.RUN
_STATUSES = {status.value: status for status in FileStatus}
_ACTIONS = {action.value: action for action in MigrationAction}
_PRIORITIES = {"P0": 0, "P1": 1, "P2": 2, "P3": 3}
_DEPENDENCIES = ("depends_on", "dependencies")
_NO_APPROVAL: tuple[bool, tuple[str, ...]] = (False, ())
_NEEDS: Mapping[str, tuple[str, ...]] = {
    TaskKind.DEPLOYMENT.value: ("environment", "version"),
    TaskKind.MIGRATION.value: ("environment",),
    TaskKind.ROLLBACK.value: ("environment",),
    TaskKind.PROVISIONING.value: (),  # whether its business case is whole, its own guardrail says
    TaskKind.OTHER.value: (),
}
