"""What becomes of a sentence: tasks, a question, or a refusal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum

from guardrails.environments import GateKind


class Result(StrEnum):
    """The three ends of a sentence."""

    TASKS = "tasks"  # also of a sentence that is understood and orders nothing: then there are none
    ASK = "ask"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True)
class PlannedTask:
    """One task that a sentence asks for, as it would stand in the queue."""

    project: str
    entry: Mapping[str, object]
    """The fields of the queue file, its id among them."""
    gate: GateKind | None = None
    """Of its environment; None where it has none."""

    @property
    def id(self) -> str:
        """The task's id."""
        return str(self.entry["id"])


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a sentence."""

    result: Result
    tasks: tuple[PlannedTask, ...] = ()
    missing: tuple[str, ...] = ()
    """Of a question: what is missing, by the names of the tasks' fields."""
    message: str = ""
    """For people: the question, the reason, or what else the tasks' reader should know."""


class RefusedSentenceError(Exception):
    """The sentence is not carried out; the message says why and what to say instead."""


class AskedBackError(Exception):
    """Something is missing."""

    def __init__(self, missing: Mapping[str, str]) -> None:
        self.missing = missing
        """What is missing, and the question for each."""
        super().__init__("\n".join(missing.values()))


def did_you_mean(word: str, known: tuple[str, ...]) -> str:
    """Give `; did you mean …?` with the nearest known word, or nothing."""
    plain = word.lower().removesuffix("'s")
    names = {one.lower(): one for one in known if abs(len(one) - len(plain)) <= 3}
    near = get_close_matches(plain, names, n=1, cutoff=0.6)
    return f"; did you mean {names[near[0]]}?" if near else ""


def listing(names: tuple[str, ...]) -> str:
    """Write names as a list for people: `a, b or c`."""
    if len(names) < 2:
        return "".join(names) or "none is configured"
    return f"{', '.join(names[:-1])} or {names[-1]}"
