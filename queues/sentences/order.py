"""One order with all that was said to go with it, and what its words come to: project, places, version."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from guardrails.environments import GateKind
from queues.sentences.known import Known, KnownProject
from queues.sentences.outcome import RefusedSentenceError, did_you_mean, listing
from queues.sentences.said import (
    Environments,
    Hole,
    Mark,
    Part,
    Path,
    Projects,
    Statement,
    Unknown,
    Verb,
    Version,
)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Order:
    """An order and its companions. Contradictions between them raise RefusedSentenceError."""

    verb: Verb
    parts: tuple[Part, ...]
    """Of the order itself and of the fragments that go with it."""
    companions: tuple[Statement, ...]
    """The other statements, in their order."""
    known: Known

    def has(self, mark: Mark) -> bool:
        """Say whether a mark was among the parts."""
        return mark in self.parts

    def parts_of(self, kind: type[T]) -> list[T]:
        """Give the parts of one kind."""
        return [part for part in self.parts if isinstance(part, kind)]

    def hole(self, name: str) -> bool:
        """Say whether a placeholder stands where a name should be."""
        return Hole(name) in self.parts

    def statements(self, verb: Verb) -> list[Statement]:
        """Give the companions of one kind."""
        return [one for one in self.companions if one.verb is verb]

    # -- what the words come to

    def version(self) -> str | None:
        """Give the one version."""
        return single([one.text for one in self.parts_of(Version)], "version")

    def path(self) -> str | None:
        """Give the one path of migrations."""
        return single([one.text for one in self.parts_of(Path)], "migrations path")

    def projects(self) -> tuple[KnownProject, ...]:
        """Give the projects that are meant; none where the sentence says none and several could be meant."""
        names = single([one.names for one in self.parts_of(Projects)], "project", " and ".join)
        if names is None:
            meant = None if self.hole("project") else self.known.meant_project
            names = () if meant is None else (meant,)
        elif not names:
            names = tuple(self.known.projects)
        return tuple(self.known.projects[name] for name in dict.fromkeys(names))

    def project(self) -> KnownProject | None:
        """Give the one project of an order that is about one; None where it is missing."""
        found = self.projects()
        if len(found) > 1:
            raise RefusedSentenceError(
                f"{listing(tuple(one.name for one in found)).replace(' or ', ' and ')} are named: "
                f"say what to {self.verb.value} for one project at a time; nothing was added"
            )
        return found[0] if found else None

    def places(self) -> Environments | None:
        """Give the environments that are named as the place, whatever "from" says; None where none is."""
        found = [one for one in self.parts_of(Environments) if not one.source]
        names = single([tuple(sorted(one.names)) for one in found], "environment", _places_text)
        if names is None:
            return None
        return next((one for one in found if one.ordered), found[0])

    def environment(self, project: KnownProject) -> str | None:
        """Give the one environment of an order that is about one; None where it is missing."""
        found = self.places()
        if found is None:
            return None
        if len(found.names) != 1:
            raise RefusedSentenceError(
                f"say what to {self.verb.value} in one environment at a time; nothing was added"
            )
        return here(project, found.names[0])

    def refuse_unknown(self) -> None:
        """Refuse words that nothing is known of, with the nearest known."""
        for part in self.parts_of(Unknown):
            raise RefusedSentenceError(unknown_text(part, self.known))

    def refuse_marks(self, allowed: Iterable[Mark]) -> None:
        """Refuse what says nothing for an order of this kind, so that no word is dropped."""
        fine = {*allowed, Mark.APPROVAL}
        for part in self.parts:
            if isinstance(part, Mark) and part not in fine:
                raise RefusedSentenceError(
                    f"{part.value!a} says nothing for the order to {self.verb.value}: leave it out, or say "
                    "it as the guide does (docs/sentences.md); nothing was added"
                )


def single(found: Sequence[T], what: str, text: object = str) -> T | None:
    """Give the one value that all agree on; None where there is none. Raises RefusedSentenceError."""
    different = list(dict.fromkeys(found))
    if len(different) > 1:
        write = text if callable(text) else str
        both = " and ".join(str(write(one)) or "all" for one in different)
        raise RefusedSentenceError(
            f"the sentence contradicts itself: it names more than one {what}: {both}; nothing was added"
        )
    return different[0] if different else None


def here(project: KnownProject, name: str) -> str:
    """Give an environment's name if the project has it. Raises RefusedSentenceError."""
    if name not in project.environments:
        raise RefusedSentenceError(
            f"{project.name} has no environment {name}; it has {listing(tuple(project.environments))}"
        )
    return name


def unknown_text(part: Unknown, known: Known) -> str:
    """Say of a word that nothing is known of what could have stood there, and the nearest of it."""
    projects, environments = tuple(known.projects), tuple(known.environments)
    word = part.word
    if part.preposition in ("to", "into", "onto", "on", "across"):
        near = did_you_mean(part.word, environments) or did_you_mean(part.word, projects)
        return f"unknown environment {word!a}; allowed: {listing(_full(known))}{near}"
    if part.preposition in ("for", "of"):
        near = did_you_mean(part.word, projects) or did_you_mean(part.word, environments)
        return f"unknown project {word!a}; allowed: {listing(projects)}{near}"
    near = did_you_mean(part.word, (*projects, *environments))
    if near:
        kind = (
            "project" if near.removeprefix("; did you mean ").removesuffix("?") in projects else "environment"
        )
        return f"unknown {kind} {word!a}{near}"
    return (
        f"{word!a} is not understood: it is no project ({listing(projects)}), no environment "
        f"({listing(_full(known))}) and no version like 1.2.3"
    )


def gate_of(project: KnownProject, environment: str) -> GateKind:
    """Give the gate of an environment that the project has."""
    return project.environments[environment]


def _full(known: Known) -> tuple[str, ...]:
    return tuple(dict.fromkeys(known.environments.values()))


def _places_text(names: Sequence[str]) -> str:
    return ", ".join(names) or "all environments"
