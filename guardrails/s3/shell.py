"""Finds deletions in S3 in shell scripts by their tree: commands, variables, pipelines and here-documents."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from guardrails.cloud.settings import Risk, setting
from guardrails.operations import Comment, Operation, Place, Reading, Thing, Verb
from guardrails.s3.awscli import PROGRAM_WORDS, deletes, expires, is_program, mentions
from guardrails.s3.shell_words import Variables
from guardrails.s3.trees import Grammar, Source, inside

if TYPE_CHECKING:
    from tree_sitter import Node

_RELEVANT = (*PROGRAM_WORDS, "s3", "mc")
_CALLS = re.compile(
    rb"\b(?:s3\s+(?:rb|rm|sync)|s3api\s+delete-(?:bucket|objects?)|s[345]cmd\s+(?:rb|rm|del|sync)|mc\s+rb)\b"
)
"""What an unparsable stretch must not hide."""
_HINTS = "|".join(("safety-exception", r"\w\+?=", r"\bfor\b", *map(re.escape, PROGRAM_WORDS), r"\bmc\b"))
_ASSIGNS = re.compile(rb"\w\+?=|\bfor\b")
_PREFIX = re.compile(r"\w+=.*|time|!|then|do|else", re.DOTALL)
_TALKS = frozenset(
    {"echo", "printf", ":", "grep", "rg", "sed", "log", "alias", "man", "help", "which", "type"}
)
_SHELLS = frozenset({"bash", "sh", "zsh", "dash", "ksh"})
_RUNS = _SHELLS | {"eval", "ssh", "su", "docker", "docker-compose", "podman", "kubectl", "watch", "trap"}
_MANY = frozenset({"xargs", "parallel"})
_LISTING = re.compile(r"\bs3\s+ls\b|list-object|\bls\s+s3://")
_DEEPEST = 5


def read_shell(text: str) -> Reading:
    """Read a shell script. Raises TreeError for one that no parser finishes."""
    if not mentions(text, _RELEVANT) and "safety-exception" not in text:
        return Reading(statements=1, analysed=1)
    return _Reader(Source(text, Grammar.BASH)).read()


def in_command_line(command: str, place: Place, depth: int = 0) -> Iterator[Operation]:
    """Give what a command line in a string deletes, all of it at *place*."""
    if depth > _DEEPEST or not mentions(command, _RELEVANT):
        return
    reader = _Reader(Source(command, Grammar.BASH), depth)
    for operation in reader.read().operations:
        yield operation.at(place)


class _Reader:
    def __init__(self, source: Source, depth: int = 0) -> None:
        self.source = source
        self.depth = depth
        self.variables = Variables(source)
        self.commands = 0

    def read(self) -> Reading:
        operations: dict[Operation, None] = {}
        comments = []
        for node in self.source.walk(self._hints()):
            self.variables.learn(node)
            if node.type == "comment":
                line = node.start_point[0] + 1
                comments.append(Comment(line, self.source.text(node), self.source.alone(node)))
            elif node.type == "command":
                self.commands += 1
                operations.update(dict.fromkeys(self._command(node)))
            elif node.type == "heredoc_redirect":
                operations.update(dict.fromkeys(self._heredoc(node)))
        faults = tuple(self.source.faults(_CALLS))
        count = max(self.commands, 1)
        return Reading(tuple(operations), tuple(comments), count, max(count - len(faults), 0), faults)

    def _hints(self) -> re.Pattern[bytes]:
        """Give what stands in every node that is worth a look, so that long scripts are read quickly."""
        first = Variables(self.source)
        for node in self.source.walk(_ASSIGNS):
            first.learn(node)
        names = "".join(rf"|\b{re.escape(name)}\b" for name in sorted(first.worth_a_look()))
        return re.compile(f"(?:{_HINTS}{names})".encode())

    def _command(self, node: Node) -> Iterator[Operation]:
        whole = self._statement(node)
        place, shown = self.source.place(node, whole), self.source.text(whole)
        for words in self.variables.commands(node):
            start = next((i for i, text in enumerate(words) if not _PREFIX.fullmatch(text)), len(words))
            if start == len(words):
                continue
            if _name(words[start]) in _TALKS and not (
                _name(words[start]) in {"echo", "printf"} and self._is_piped_into_a_shell(node)
            ):
                continue
            if _name(words[start]) in {"echo", "printf"}:
                yield from in_command_line(" ".join(words[start + 1 :]), place, self.depth + 1)
                continue
            yield from self._line(node, words[start:], place, shown)
            for child in node.named_children:
                if child.type == "herestring_redirect" and _runs(words):
                    told = self.variables.text(child.named_children[0]) if child.named_children else ""
                    yield from in_command_line(told, place, self.depth + 1)

    def _line(self, node: Node, words: Sequence[str], place: Place, shown: str) -> Iterator[Operation]:
        for index, word in enumerate(words):
            if not is_program(word):
                continue
            if _name(word) == "mc" and index and _name(words[index - 1]) not in {*_MANY, "sudo"}:
                continue
            thing = deletes(words[index:])
            if thing is not None:
                note = ""
                if thing is Thing.OBJECT and (_MANY & set(map(_name, words[:index])) or self._listed(node)):
                    thing, note = Thing.OBJECTS, "one after the other, over a list"
                yield Operation(Verb.DELETE, thing, place, shown, note=note)
            when = expires(words[index:])
            if when:
                yield setting(Risk.EXPIRES_ALL, place, shown, note=when)
            return
        if _runs(words) or _MANY & set(map(_name, words)):
            for text in words:
                if " " in text.strip():
                    yield from in_command_line(text, place, self.depth + 1)

    def _heredoc(self, node: Node) -> Iterator[Operation]:
        """Give what a here-document deletes that a shell reads."""
        body = next((child for child in node.named_children if child.type == "heredoc_body"), None)
        statement = node.parent
        if body is None or statement is None or self.depth > _DEEPEST:
            return
        readers = [
            words
            for part in (*statement.named_children, *(c for c in node.named_children if c is not body))
            for command in _commands_of(part)
            for words in self.variables.commands(command)
        ]
        if not any(_runs(words) for words in readers):
            return
        first = body.start_point[0]
        for operation in (
            _Reader(Source(self.source.text(body), Grammar.BASH), self.depth + 1).read().operations
        ):
            place = operation.place
            yield operation.at(
                Place(
                    place.line + first,
                    place.column,
                    place.last_line + first,
                    place.first_line + first,
                )
            )

    def _is_piped_into_a_shell(self, node: Node) -> bool:
        pipeline = node.parent
        if pipeline is None or pipeline.type != "pipeline":
            return False
        return any(
            _name(words[0]) in {*_SHELLS, "sudo", "ssh", "xargs"} and _runs(words)
            for command in pipeline.named_children
            if command.type == "command" and command.start_byte > node.start_byte
            for words in self.variables.commands(command)
            if words
        )

    def _listed(self, node: Node) -> bool:
        """Say whether a command runs once for each object of a listing."""
        for outer in inside(node):
            head = ""
            if outer.type == "for_statement":
                head = "".join(self.source.text(v) for v in outer.children_by_field_name("value"))
            elif outer.type == "while_statement":
                holder = outer.parent
                if holder is not None and holder.type in {"pipeline", "redirected_statement"}:
                    head = self.source.text(holder)
            if head and _LISTING.search(head):
                return True
        return False

    def _statement(self, node: Node) -> Node:
        parent = node.parent
        return parent if parent is not None and parent.type == "redirected_statement" else node


def _name(word: str) -> str:
    return word.rsplit("/", 1)[-1]


def _runs(words: Sequence[str]) -> bool:
    return any(_name(word) in _RUNS for word in words)


def _commands_of(node: Node) -> Iterator[Node]:
    stack = [node]
    while stack:
        inner = stack.pop()
        if inner.type == "command":
            yield inner
        elif inner.type in {"pipeline", "list", "redirected_statement"}:
            stack += inner.named_children
