"""Plans: exactly what a run will do, as one canonical document with a digest.

A plan covers what would change the meaning of an approval: the task, the versions, the commit and the
artifact, the migration files in order, what the guardrails found, the steps with their programs, the
policy and the state of the target. It leaves out durations, run-private paths (they are placeholders),
secret values and the virtual environment.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import zip_longest
from typing import cast

from queues.tasks import Task

ECHO_FIELDS = frozenset({"status", "error", "attempts", "last_attempt", "completed_at"})
"""Fields of a queue file that opconsole itself writes; they are no part of what was asked."""

FORMAT = 2
"""Of a plan's document; it grows with what is covered. 2: the programs before the gate, and their sandbox."""

SHOWN = 80
"""Characters of a value that a difference shows at most."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run will do, and the digest that an approval names."""

    document: Mapping[str, object]
    digest: str

    @property
    def short(self) -> str:
        """The first characters of the digest, for people."""
        return self.digest.removeprefix("sha256:")[:12]


@dataclass(frozen=True, slots=True)
class PlannedMigrations:
    """The migrations that a plan names."""

    folder: str
    """Of the migration files, relative to the project."""
    start: str
    end: str


def planned_migrations(document: Mapping[str, object] | None) -> PlannedMigrations | None:
    """Give the migrations of a plan's document; None where it has none, or does not name them in full."""
    found = (document or {}).get("migrations")
    if not isinstance(found, Mapping):
        return None
    folder, start, end = (found.get(name) for name in ("path", "from", "to"))
    if isinstance(folder, str) and isinstance(start, str) and isinstance(end, str):
        return PlannedMigrations(folder, start, end)
    return None


def seal(document: Mapping[str, object]) -> Plan:
    """Give the plan for a document."""
    return Plan(document, digest(document))


def digest(document: object) -> str:
    """Give the digest of a document: SHA-256 over its canonical JSON."""
    return "sha256:" + hashlib.sha256(canonical(document).encode()).hexdigest()


def canonical(document: object) -> str:
    """Write a document in the one way that equal documents share."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def entry_digest(task: Task) -> str:
    """Give the digest of a queue entry as a person wrote it, without what opconsole echoes into it."""
    return digest({name: value for name, value in task.raw.items() if name not in ECHO_FIELDS})


def differences(old: Mapping[str, object], new: Mapping[str, object]) -> list[str]:
    """Say in sentences where two plans differ, for the person whose approval is void."""
    told = []
    if old.get("format") != new.get("format") and old:
        # Said first and in words: what the older one did not cover was not approved.
        told.append("the plan was made by another version of opconsole, which covers other things")
        old, new = ({name: one[name] for name in one if name != "format"} for one in (old, new))
    return [*told, *_differences("", old, new)]


def _differences(place: str, old: object, new: object) -> Iterator[str]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        before, after = cast("Mapping[str, object]", old), cast("Mapping[str, object]", new)
        for name in sorted({*before, *after}):
            inner = f"{place}.{name}" if place else name
            yield from _differences(inner, before.get(name, _MISSING), after.get(name, _MISSING))
    elif isinstance(old, list) and isinstance(new, list):
        for index, items in enumerate(zip_longest(old, new, fillvalue=_MISSING)):
            yield from _differences(f"{place}[{index}]", *items)
    elif not _same(old, new):
        was, now = (_text(value, beside) for value, beside in ((old, new), (new, old)))
        # What both begin with tells nothing, and would push the difference out of a long text.
        same = _alike(was, now) if max(len(was), len(now)) > SHOWN else 0
        yield f"{place}: was {_shown(was, same)}, is now {_shown(now, same)}"


_MISSING = object()


def _same(old: object, new: object) -> bool:
    """Say whether two values are one to the digest, to which 1 is neither true nor 1.0."""
    if old is _MISSING or new is _MISSING:
        return old is new
    return canonical(old) == canonical(new)


def _text(value: object, beside: object) -> str:
    if value is _MISSING:
        return "not there" if beside is None else "nothing"  # the digest tells them apart
    return "nothing" if value is None else canonical(value)


def _alike(one: str, other: str) -> int:
    """Count the characters that two texts both begin with."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((index for index, (a, b) in pairs if a != b), min(len(one), len(other)))


def _shown(text: str, same: int) -> str:
    """Give the part of a text with the difference in it, which begins after the first *same* characters."""
    begin = max(0, same - SHOWN // 4)
    part = ("…" if begin else "") + text[begin:]
    return part if len(part) <= SHOWN else part[: SHOWN - 1] + "…"
