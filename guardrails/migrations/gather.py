"""Gathers what a walk through a migration comes upon: operations at their places, and what nobody can tell.

What an imported helper does is told of the line of the migration that calls it, because that is where it is
decided, and where an exemption can stand; the note names the helper and the line in it.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field, replace

from guardrails.findings import Direction
from guardrails.migrations.places import literal_of, place_in
from guardrails.operations import Comment, Operation, Place, Thing, Verb
from guardrails.sql.read import read_sql
from guardrails.sql.words import HOLE, Act


@dataclass(slots=True)
class Walked:
    """What a direction does."""

    operations: list[Operation] = field(default_factory=list)
    comments: list[Comment] = field(default_factory=list)
    statements: int = 0
    analysed: int = 0


@dataclass(frozen=True, slots=True)
class Site:
    """Where a walk is, while it is in another module."""

    place: Place
    """The call in the migration."""
    helper: str
    """The helper by name, with its module."""


class Gatherer:
    """Takes operations down, with the direction and the dialect of the walk."""

    def __init__(self, direction: Direction, dialect: str) -> None:
        self.direction = direction
        self.dialect = dialect
        self.walked = Walked()
        self.site: Site | None = None

    def text(self, node: ast.Call, argument: ast.expr, text: str) -> None:
        """Take down what a text of SQL does that a call executes."""
        literal = literal_of(argument)
        reading = read_sql(text, self.dialect, part=True)
        self.walked.statements += reading.statements
        self.walked.analysed += reading.analysed
        for operation in reading.operations:
            shown = operation.text.replace(HOLE, "{…}")
            self._take(replace(operation, text=shown), place_in(node, literal, operation.place))
        for comment in reading.comments if self.site is None else ():
            place = place_in(node, literal, Place(comment.line))
            self.walked.comments.append(replace(comment, line=place.line))

    def add(self, node: ast.Call, act: Act) -> None:
        """Take down what a call does."""
        operation = Operation(
            act.verb,
            act.thing,
            place_of(node),
            ast.unparse(node),
            act.names,
            act.condition,
            tables=act.tables,
            traits=act.traits,
            dialect=self.dialect,
        )
        self._take(operation, place_of(node))

    def turn(self, node: ast.expr, verb: Verb) -> None:
        """Note that a transaction begins or ends, which is no statement of its own."""
        place = Place(node.lineno, node.col_offset + 1)
        self._take(Operation(verb, Thing.TRANSACTION, place, ""), place)

    def unknown(self, node: ast.expr | ast.stmt, note: str) -> None:
        """Take down code of which nobody can tell what it does."""
        text = ast.unparse(node).split("\n", 1)[0] if isinstance(node, ast.stmt) else ast.unparse(node)
        self._take(Operation(Verb.UNKNOWN, Thing.ANYTHING, place_of(node), text, note=note), place_of(node))
        self.count(known=False)

    def count(self, *, known: bool) -> None:
        """Count a statement."""
        self.walked.statements += 1
        self.walked.analysed += known

    def _take(self, operation: Operation, place: Place) -> None:
        note = operation.note
        if self.site is not None:
            told = f"in {self.site.helper}, line {place.line}"
            note = f"{note}, {told}" if note else told
            place = self.site.place
        self.walked.operations.append(replace(operation, place=place, note=note, direction=self.direction))


def place_of(node: ast.expr | ast.stmt) -> Place:
    """Give the place of code in its file."""
    return Place(node.lineno, node.col_offset + 1, node.end_lineno or 0)
