"""Orders that provision: an AWS resource, what it is for, and its business case."""

from __future__ import annotations

from queues.sentences.case import missing_items, read_case
from queues.sentences.entries import (
    provisioning,
)
from queues.sentences.known import Known
from queues.sentences.order import Order, single
from queues.sentences.outcome import RefusedSentenceError, did_you_mean, listing
from queues.sentences.questions import CASE_LABELS, RESOURCES, TITLES, Done, ask, given, one_of
from queues.sentences.said import (
    Environments,
    Hole,
    Mark,
    Part,
    Path,
    Projects,
    Statement,
    Verb,
    Version,
)


def provision(own: Statement, order: Order) -> Done:
    """Ask for an AWS resource, with its business case."""
    order.refuse_unknown()
    order.refuse_marks((Mark.CASE,))
    if any(isinstance(part, Version | Path) for part in order.parts):
        raise RefusedSentenceError("a resource has no version and no migrations; nothing was added")
    words = _Purpose.of(own)
    kind = single(own.resource, "resource")
    whole = Order(order.verb, (*order.parts, *words.parts), order.companions, order.known)
    project = whole.project()
    environment = whole.environment(project) if project else None
    case_items = order.statements(Verb.CASE)
    for one in case_items:
        if not one.key:
            raise RefusedSentenceError(
                f"{one.label!a} is no item of a business case; allowed: {', '.join(CASE_LABELS.values())}"
            )
    keys = [one.key for one in case_items]
    twice = next((key for key in keys if keys.count(key) > 1), None)
    if twice is not None:
        raise RefusedSentenceError(f"the business case has more than one {CASE_LABELS[twice]}; allowed: one")
    if kind is None and words.text and not whole.hole("resource"):
        raise RefusedSentenceError(
            f"{words.first!a} is no resource that can be provisioned{did_you_mean(words.first, RESOURCES)}; "
            f"allowed: {listing(RESOURCES)}"
        )
    case = read_case((one.key, one.text) for one in case_items)
    missing = {"resource": kind is None, "project": project is None}
    near = words.near_project(order.known) if project is None else ""
    ask(
        order.known,
        missing | dict.fromkeys(missing_items(case), True),
        one_of(project),
        more=near,
    )
    project, kind = given(project), given(kind)
    title = TITLES[kind]
    name = single(own.names, "name")
    text = (
        f"{title}{f' {name}' if name else ''} for {f'{words.text} of ' if words.text else ''}{project.name}"
    )
    resource: object = (
        {"type": kind, "name": name} if name else f"{title}{f' for {words.text}' * bool(words.text)}"
    )
    return [provisioning(project, environment, resource, text, case)], (
        "Provisioning always waits for a person's approval.",
    )


class _Purpose:
    """The words of a provisioning beside the resource: project and environment among what it is for."""

    def __init__(self, parts: tuple[Part, ...], words: tuple[str, ...]) -> None:
        self.parts = parts
        self.text = " ".join(words).replace(" ,", ",")
        self.first = words[0] if words else ""
        self._words = words

    @classmethod
    def of(cls, own: Statement) -> _Purpose:
        """Part the words of a statement."""
        parts: list[Part] = []
        kept: list[str] = []
        waiting: list[str] = []  # prepositions that may belong to a name
        for kind, word in own.purpose:
            if kind == "PROJECT":
                parts.append(Projects((word,)))
                waiting.clear()
            elif kind == "ENVIRONMENT":
                parts.append(Environments((word,)))
                waiting.clear()
            elif kind == "HOLE":
                parts.append(Hole(word))
                waiting.clear()
            elif kind in _LABELS:
                waiting.clear()
            elif kind in ("PREPOSITION", "_AND", "_COMMA", "JOIN"):
                waiting = [word]
            else:
                kept += [*waiting, word] if kept else [word]
                waiting.clear()
        return cls(tuple(parts), tuple(kept))

    def near_project(self, known: Known) -> str:
        """Give the project that one of the words is nearly, as a question."""
        near = (did_you_mean(word, tuple(known.projects)) for word in self._words)
        return next((one for one in near if one), "")


_LABELS = ("_PROJECT_NOUN", "PROJECT_LABEL", "_ENVIRONMENT_NOUN", "ENVIRONMENT_LABEL", "QUALITY")
