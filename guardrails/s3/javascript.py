"""Finds deletions in S3 in JavaScript and TypeScript by their trees: both SDKs, aliases, command lines."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from guardrails.cloud.lifecycle import expires_everything
from guardrails.cloud.settings import Risk, setting
from guardrails.operations import Comment, Operation, Place, Reading, Thing, Verb
from guardrails.s3.awscli import PROGRAM_WORDS, deletes, is_program, mentions
from guardrails.s3.javascript_names import COMMANDS, METHODS, Names, bare
from guardrails.s3.shell import in_command_line
from guardrails.s3.trees import Grammar, Source, TreeError, inside

if TYPE_CHECKING:
    from tree_sitter import Node

_RELEVANT = re.compile(
    r"delete-?_?(?:bucket|objects?)\b|Delete(?:Bucket|Objects?)Command|['\"`](?:Bucket|Objects?)['\"`]"
    r"|\b(?:aws|awslocal|s3cmd|s4cmd|s5cmd|mc)\b|LifecycleConfiguration|autoDeleteObjects|forceDestroy",
    re.IGNORECASE,
)
_WORDS = (
    *PROGRAM_WORDS,
    *("eleteBucket", "eleteObject", "LifecycleConfiguration", "autoDeleteObjects", "forceDestroy"),
    *(
        "Bucket'",
        'Bucket"',
        "Bucket`",
        "Object'",
        'Object"',
        "Objects'",
        'Objects"',
        "'delete",
        '"delete',
        "`delete",
    ),
)
"""What stands in every source that this reader can find something in."""
_CALLS = re.compile(rb"\b(?:[dD]elete(?:Bucket|Objects?)(?:Command)?)\b")
"""What an unparsable stretch must not hide."""
_LISTING = re.compile(
    r"\b(?:Contents|Versions|DeleteMarkers|CommonPrefixes)\b|[lL]istObject|[lL]ist\w*Objects"
)
_RUNNERS = frozenset(
    {"exec", "execSync", "execa", "execaCommand", "execaCommandSync", "spawn", "spawnSync", "execAsync"}
    | {"$", "execFile", "execFileSync", "execaSync", "execPromise", "zx", "runCommand", "sh", "shell"}
)
_LIFECYCLES = frozenset({"PutBucketLifecycleConfigurationCommand", "putBucketLifecycleConfiguration"})
_CALLBACKS = frozenset({"map", "forEach", "flatMap", "reduce", "filter"})


def read_javascript(text: str, grammars: tuple[Grammar, ...] = ()) -> Reading:
    """Read a JavaScript or TypeScript source; the grammar with the fewest faults is taken.

    Raises TreeError for a source that no parser finishes.
    """
    if not mentions(text, _WORDS) and "safety-exception" not in text:
        return Reading(statements=1, analysed=1)
    return _Reader(_parsed(text, grammars or (Grammar.JAVASCRIPT, Grammar.TYPESCRIPT, Grammar.TSX))).read()


def _parsed(text: str, grammars: tuple[Grammar, ...]) -> Source:
    """Parse with one grammar after the other until one finds no fault.

    A grammar may give up where another does not: that of TSX goes round for ever on some broken sources.
    """
    best: Source | None = None
    gave_up: TreeError | None = None
    for grammar in grammars:
        try:
            source = Source(text, grammar)
        except TreeError as error:
            gave_up = error
            continue
        if best is None or source.errors() < best.errors():
            best = source
        if not best.errors():
            break
    if best is None:
        raise gave_up or TreeError("there is no grammar to parse it with")
    return best


class _Reader:
    def __init__(self, source: Source) -> None:
        self.source = source
        self.names = Names(source)
        self.seen: set[tuple[int, Thing]] = set()

    def read(self) -> Reading:
        hints = _hints(())
        known: set[str] = set()
        for _ in range(4):  # a constant of a constant of an alias is as far as code goes
            grown = self.names.learn(hints)
            hints = _hints(grown)
            if grown == known:
                break
            known = grown
        operations: list[Operation] = []
        comments: list[Comment] = []
        for node in self.source.walk(hints):
            if node.type == "comment":
                line = node.start_point[0] + 1
                comments.append(Comment(line, self.source.text(node), self.source.alone(node)))
            else:
                operations += self._of(node)
        faults = tuple(self.source.faults(_CALLS))
        return Reading(tuple(operations), tuple(comments), 1, 0 if faults else 1, faults)

    def _of(self, node: Node) -> Iterator[Operation]:
        if node.type == "new_expression":
            yield from self._constructed(node)
        elif node.type == "call_expression":
            yield from self._call(node)
        elif node.type in {"member_expression", "subscript_expression"}:
            yield from self._reference(node)
        elif node.type in {"identifier", "shorthand_property_identifier"}:
            yield from self._handed_on(node)
        elif node.type == "pair":
            key = self.names.key(node)
            value = node.child_by_field_name("value")
            if key in {"autoDeleteObjects", "forceDestroy"} and value is not None and value.type == "true":
                place = self.source.place(node)
                yield setting(Risk.FORCE_DESTROY, place, self.source.text(node))

    def _constructed(self, node: Node) -> Iterator[Operation]:
        made = node.child_by_field_name("constructor")
        if made is None:
            return
        thing = self.names.command(made)
        if thing is not None:
            yield from self._deletion(made, node, thing)
        name = self.names.member(made) or self.source.text(made)
        if name in _LIFECYCLES:
            yield from self._lifecycle(node)

    def _call(self, node: Node) -> Iterator[Operation]:
        function = node.child_by_field_name("function")
        arguments = node.child_by_field_name("arguments")
        if function is None or arguments is None:
            return
        function = bare(function)
        name = self.names.member(function) or self.source.text(function)
        if function.type == "identifier" and name in self.names.methods:
            yield from self._deletion(function, node, self.names.methods[name])
        given = [arguments] if arguments.type == "template_string" else _plain(arguments)
        if name in {"makeRequest", "makeUnauthenticatedRequest"} and given:
            thing = METHODS.get(self.names.string(given[0]))
            if thing is not None:
                yield from self._deletion(function, node, thing)
        if name in _LIFECYCLES:
            yield from self._lifecycle(node)
        if name in _RUNNERS and given and not self._is_regex(function):
            yield from self._command_line(node, given)

    def _command_line(self, node: Node, given: list[Node]) -> Iterator[Operation]:
        words = [self.names.string(given[0])]
        listed = next((item for item in given[1:] if item.type == "array"), None)
        if listed is not None:
            words += [self.names.string(item) or "X" for item in _plain(listed)]
        elif is_program(words[0]) and len(given) > 1:
            words += [self.names.string(item) or "X" for item in given[1:]]
        place = self.source.place(node)
        if len(words) == 1 or any(option in words for option in ("-c", "-lc", "/c")):
            for operation in in_command_line(" ".join(words[-1:]), place):
                yield from self._deletion(node, node, operation.thing)
            return
        for index, word in enumerate(words):
            thing = deletes(words[index:]) if is_program(word) and not word.startswith("$") else None
            if thing is not None:
                yield from self._deletion(node, node, thing)
                return

    def _reference(self, node: Node) -> Iterator[Operation]:
        """Give what a method deletes whose name is taken, whether it is called here or handed on."""
        name = self.names.member(node)
        thing = METHODS.get(name)
        receiver = node.child_by_field_name("object")
        if thing is None or receiver is None or self.names.is_own(receiver, name):
            if name in COMMANDS and _is_handed_on(node):
                yield from self._deletion(node, node, COMMANDS[name])
            return
        parent = node.parent
        if parent is not None and parent.type == "assignment_expression" and node == parent.named_children[0]:
            return
        whole = parent if parent is not None and parent.type == "call_expression" else node
        place = node.child_by_field_name("property") or node.child_by_field_name("index") or node
        yield from self._deletion(place, whole, thing)

    def _handed_on(self, node: Node) -> Iterator[Operation]:
        thing = self.names.command(node) if node.type == "identifier" else None
        if node.type == "shorthand_property_identifier":
            thing = self.names.commands.get(self.source.text(node))
        if thing is not None and _is_handed_on(node):
            yield from self._deletion(node, node, thing)

    def _lifecycle(self, node: Node) -> Iterator[Operation]:
        arguments = node.child_by_field_name("arguments")
        given = self.names.value(_plain(arguments)[0]) if arguments and _plain(arguments) else None
        config = given.get("LifecycleConfiguration") if isinstance(given, dict) else None
        when = expires_everything(config)
        if when:
            yield setting(Risk.EXPIRES_ALL, self.source.place(node), self.source.text(node), note=when)

    def _deletion(self, node: Node, whole: Node, thing: Thing) -> Iterator[Operation]:
        note = ""
        if thing is Thing.OBJECT and self._over_a_listing(node):
            thing, note = Thing.OBJECTS, "one after the other, over a listing"
        if (node.start_byte, thing) in self.seen:
            return
        self.seen.add((node.start_byte, thing))
        place: Place = self.source.place(node, whole)
        yield Operation(Verb.DELETE, thing, place, self.source.text(whole), note=note)

    def _over_a_listing(self, node: Node) -> bool:
        for outer in inside(node):
            over: Node | None = None
            if outer.type == "for_in_statement":
                over = outer.child_by_field_name("right")
            elif outer.type == "call_expression":
                function = outer.child_by_field_name("function")
                if function is not None and self.names.member(function) in _CALLBACKS:
                    over = function.child_by_field_name("object")
            if over is not None and _LISTING.search(self.source.text(over)):
                return True
        return False

    def _is_regex(self, function: Node) -> bool:
        receiver = function.child_by_field_name("object")
        return receiver is not None and bare(receiver).type == "regex"


def _hints(names: tuple[str, ...] | set[str]) -> re.Pattern[bytes]:
    own = "".join(rf"|(?<![\w$]){re.escape(name)}(?![\w$])" for name in sorted(names))
    pattern = f"(?:{_RELEVANT.pattern}|safety-exception{own})"
    return re.compile(pattern.encode(), re.IGNORECASE)


def _plain(node: Node) -> list[Node]:
    return [bare(child) for child in node.named_children if child.type != "comment"]


def _is_handed_on(node: Node) -> bool:
    """Say whether a class is a value here: an argument, an item, what a function gives back."""
    parent = node.parent
    if parent is None:
        return False
    if parent.type == "pair":
        return parent.child_by_field_name("value") == node
    return parent.type in {"arguments", "array", "return_statement", "ternary_expression", "object"}
