"""Finds deletions in S3 in Python by its tree: boto3 clients and resources, and the aws command line."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from guardrails.cloud.lifecycle import expires_everything
from guardrails.cloud.settings import Risk, setting
from guardrails.operations import Operation, Place, Thing, Verb
from guardrails.s3.awscli import (
    API_CALLS,
    PROGRAM_WORDS,
    PYTHON_CALLS,
    deletes,
    expires,
    is_program,
    mentions,
)
from guardrails.s3.python_names import Names
from guardrails.s3.shell import in_command_line

_RUNNERS = frozenset(
    {"system", "popen", "run", "call", "check_call", "check_output", "Popen", "getoutput", "getstatusoutput"}
    | {"create_subprocess_shell", "sh", "local", "sudo", "execute_command", "spawn", "shell"}
)
_CALLS_BY_NAME = re.compile(r"call|invoke|api", re.IGNORECASE)
_NAMES_A_CALL = re.compile(r"^(?:cmd|command|method|operation|action|api|name)", re.IGNORECASE)
_BY_NAME = frozenset({"getattr", "methodcaller", "attrgetter", "__getattribute__"})
_LISTING = re.compile(
    r"\b(?:paginate|get_paginator|list_object\w*|list_keys|Contents|Versions|DeleteMarkers|object_versions)\b"
    r"|\bobjects\.(?:all|filter|limit|page_size)\b"
)
_DESTROYS = frozenset({"auto_delete_objects", "force_destroy"})
_BOTO2 = {"delete_keys": Thing.OBJECTS, "delete_key": Thing.OBJECT}
_RELEVANT = (
    *PROGRAM_WORDS,
    *("delete_bucket", "delete_object", "delete_key", "delete_'", 'delete_"', "delete_{", "delete_%"),
    *("'delete'", '"delete"', "DeleteBucket", "DeleteObject", "ucket", "Prefix=", "object_versions"),
    *("Object(", "ObjectSummary(", "ObjectVersion(", "auto_delete_objects", "force_destroy", "ifecycle"),
)
"""What stands in every module that this reader can find something in."""


def read_s3(tree: ast.Module, text: str | None = None) -> list[Operation]:
    """Give the deletions in S3 of a module, in the order of the source.

    With its *text* a module that cannot hold any is passed over quickly.
    """
    if text is not None and not mentions(text, _RELEVANT):
        return []
    reader = _Reader(tree)
    found = {operation: None for node in reader.names.nodes for operation in reader.of(node)}
    return sorted(found, key=lambda operation: (operation.place.line, operation.place.column))


def place_of(node: ast.expr | ast.stmt) -> Place:
    """Give the place of a node."""
    return Place(node.lineno, node.col_offset + 1, node.end_lineno or node.lineno)


class _Reader:
    def __init__(self, tree: ast.Module) -> None:
        self.names = Names(tree)

    def of(self, node: ast.AST) -> Iterator[Operation]:
        if isinstance(node, ast.Call):
            yield from self._call(node)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
            yield from self._reference(node)
        elif isinstance(node, ast.List | ast.Tuple) and node.elts:
            yield from self._argument_list(node, self.names.words(node))
        elif isinstance(node, ast.keyword) and node.arg in _DESTROYS and _is_true(node.value):
            yield setting(Risk.FORCE_DESTROY, place_of(node.value), f"{node.arg}=True")

    def _call(self, node: ast.Call) -> Iterator[Operation]:
        function = node.func
        called = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
        if called in _BY_NAME and node.args:
            named = node.args[1] if called == "getattr" and len(node.args) > 1 else node.args[0]
            texts = self.names.texts(named)
            elsewhere = called == "getattr" and any(self.names.is_elsewhere(node.args[0], t) for t in texts)
            for name in () if elsewhere else dict.fromkeys(texts):
                if name in PYTHON_CALLS:
                    yield self._deletion(node, PYTHON_CALLS[name])
        if isinstance(function, ast.Attribute):
            yield from self._method(node, function)
        if _CALLS_BY_NAME.search(called):
            yield from self._by_name(node)
        if called in _RUNNERS:
            yield from self._command_line(node)
        if called in {"create_subprocess_exec", "execlp", "execvp", "spawnlp", "spawnvp"}:
            words = [word for arg in node.args for word in self.names.words(arg) or [self._text(arg) or "X"]]
            yield from self._argument_list(node, words)

    def _by_name(self, node: ast.Call) -> Iterator[Operation]:
        """Give what a helper deletes that takes a method's name, as s3fs has one, or a command line."""
        given = node.args[:1] or [k.value for k in node.keywords if k.arg and _NAMES_A_CALL.search(k.arg)]
        for text in dict.fromkeys(text for argument in given for text in self.names.texts(argument)):
            if text in PYTHON_CALLS:
                yield self._deletion(node, PYTHON_CALLS[text])
            else:
                yield from in_command_line(text, place_of(node))

    def _method(self, node: ast.Call, function: ast.Attribute) -> Iterator[Operation]:
        if function.attr in PYTHON_CALLS:
            if not self.names.is_elsewhere(function.value, function.attr):
                yield self._deletion(node, PYTHON_CALLS[function.attr])
        elif function.attr == "delete":
            thing = self.names.thing(function.value)
            if thing is not None:
                yield self._deletion(node, thing)
            elif self.names.collection(function.value):
                yield self._deletion(node, Thing.OBJECTS)
        elif function.attr in {"_make_api_call", "make_api_call"} and node.args:
            thing = API_CALLS.get(self._text(node.args[0]))
            if thing is not None:
                yield self._deletion(node, thing)
        elif function.attr in {"put_bucket_lifecycle_configuration", "put_bucket_lifecycle"} or (
            function.attr == "put" and "ifecycle" in ast.unparse(function.value)[:4000]
        ):
            given = next((k.value for k in node.keywords if k.arg == "LifecycleConfiguration"), None)
            when = expires_everything(self.names.value(given))
            if when:
                yield setting(Risk.EXPIRES_ALL, place_of(node), ast.unparse(node), note=when)
        elif function.attr in _BOTO2 and self.names.boto and self.names.thing(function.value) is Thing.BUCKET:
            yield self._deletion(node, _BOTO2[function.attr])

    def _reference(self, node: ast.Attribute) -> Iterator[Operation]:
        """Give what a method deletes that is handed on rather than called."""
        outer = self.names.inside.get(node)
        if node.attr not in PYTHON_CALLS or self.names.is_elsewhere(node.value, node.attr):
            return
        if isinstance(outer, ast.Attribute) or (isinstance(outer, ast.Call) and outer.func is node):
            return
        yield self._deletion(node, PYTHON_CALLS[node.attr])

    def _command_line(self, node: ast.Call) -> Iterator[Operation]:
        given = node.args[0] if node.args else next((k.value for k in node.keywords if k.arg == "args"), None)
        if given is None or self._is_read_where_it_stands(given):
            return
        for command in self.names.texts(given):
            yield from in_command_line(command, place_of(node))
        yield from self._argument_list(node, self.names.words(given))

    def _is_read_where_it_stands(self, given: ast.expr) -> bool:
        """Say whether a list of words is judged as such already, which every list is."""
        if isinstance(given, ast.Name):
            given = self.names.values.get(given.id, given)
        elif isinstance(given, ast.Call) and given.args and getattr(given.func, "attr", "") == "join":
            given = given.args[0]
        return isinstance(given, ast.List | ast.Tuple) and any(
            self._argument_list(given, self.names.words(given))
        )

    def _argument_list(self, node: ast.expr, words: list[str]) -> Iterator[Operation]:
        for index, word in enumerate(words[:-1]):
            if not is_program(word) or word.startswith("$"):
                continue
            if word == "mc" and index:
                continue
            thing = deletes(words[index:])
            if thing is not None:
                yield self._deletion(node, thing)
            when = expires(words[index:])
            if when:
                yield setting(Risk.EXPIRES_ALL, place_of(node), ast.unparse(node), note=when)
            return
        if len(words) > 2 and words[0].rsplit("/", 1)[-1] in {"bash", "sh"} and words[1] in {"-c", "-lc"}:
            yield from in_command_line(words[2], place_of(node))

    def _deletion(self, node: ast.expr, thing: Thing) -> Operation:
        note = ""
        if thing is Thing.OBJECT and self._over_a_listing(node):
            thing, note = Thing.OBJECTS, "one after the other, over a listing"
        return Operation(Verb.DELETE, thing, place_of(node), ast.unparse(node), note=note)

    def _over_a_listing(self, node: ast.AST) -> bool:
        outer: ast.AST | None = node
        while outer is not None:
            over: list[ast.expr] = []
            if isinstance(outer, ast.For | ast.AsyncFor):
                over = [outer.iter]
            elif isinstance(outer, ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp):
                over = [generator.iter for generator in outer.generators]
            for iterable in over:
                if _LISTING.search(ast.unparse(iterable)):
                    return True
                if isinstance(iterable, ast.Name) and iterable.id in self.names.values:
                    value = self.names.values[iterable.id]
                    if not isinstance(value, ast.List | ast.Tuple) and _LISTING.search(ast.unparse(value)):
                        return True
            outer = self.names.inside.get(outer)
        return False

    def _text(self, node: ast.expr) -> str:
        return next(iter(self.names.texts(node)), "")


def _is_true(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is True
