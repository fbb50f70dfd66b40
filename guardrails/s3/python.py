"""Finds deletions in S3 in Python by its tree: boto3 clients and resources, and the aws command line."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from guardrails.operations import Operation, Place, Thing, Verb
from guardrails.s3.awscli import PYTHON_CALLS, deletes, is_aws
from guardrails.s3.shell import in_command_line

_RUNNERS = frozenset(
    {"system", "popen", "run", "call", "check_call", "check_output", "Popen", "getoutput", "getstatusoutput"}
    | {"create_subprocess_shell", "sh", "local", "sudo", "execute_command"}
)


def read_s3(tree: ast.Module) -> list[Operation]:
    """Give the deletions in S3 of a module, in the order of the source."""
    reader = _Reader(tree)
    found = [operation for node in ast.walk(tree) for operation in reader.of(node)]
    return sorted(found, key=lambda operation: (operation.place.line, operation.place.column))


def place_of(node: ast.expr | ast.stmt) -> Place:
    """Give the place of a node."""
    return Place(node.lineno, node.col_offset + 1, node.end_lineno or node.lineno)


class _Reader:
    def __init__(self, tree: ast.Module) -> None:
        self.known: dict[str, Thing] = {}
        self.constants: dict[str, str] = {}
        self.quiet: set[ast.AST] = set()
        """Attributes that are judged with their call, or that only lead on to another attribute."""
        self.boto = False
        for node in ast.walk(tree):
            self._look(node)

    def _look(self, node: ast.AST) -> None:
        if isinstance(node, ast.Import):
            self.boto |= any("boto" in alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            self.boto |= "boto" in (node.module or "")
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Attribute):
            self.quiet.add(node.value)
        elif isinstance(node, ast.Call):
            self.quiet.add(node.func)
        elif (
            isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name)
        ):
            name = node.targets[0].id
            if isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
                self.constants[name] = node.value.value
            made = _made(node.value)
            if made is not None:
                self.known[name] = made

    def of(self, node: ast.AST) -> Iterator[Operation]:
        if isinstance(node, ast.Call):
            yield from self._call(node)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load) and node not in self.quiet:
            if node.attr in PYTHON_CALLS:
                yield _operation(node, PYTHON_CALLS[node.attr])
        elif isinstance(node, ast.List | ast.Tuple):
            words = [_literal(item) for item in node.elts]
            if words and is_aws(words[0]) and not words[0].startswith("$"):
                thing = deletes(words[1:])
                if thing is not None:
                    yield _operation(node, thing)

    def _call(self, node: ast.Call) -> Iterator[Operation]:
        function = node.func
        if isinstance(function, ast.Name) and function.id in {"getattr", "methodcaller"} and node.args:
            name = self._string(node.args[1 if function.id == "getattr" and len(node.args) > 1 else 0])
            if name in PYTHON_CALLS:
                yield _operation(node, PYTHON_CALLS[name])
        if isinstance(function, ast.Attribute):
            if function.attr in PYTHON_CALLS:
                yield _operation(node, PYTHON_CALLS[function.attr])
            elif function.attr == "delete":
                thing = self._receiver(function.value)
                if thing is not None:
                    yield _operation(node, thing)
        called = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
        if called in _RUNNERS and node.args:
            command = self._string(node.args[0])
            if command:
                yield from in_command_line(command, place_of(node))
        if called in {"create_subprocess_exec", "execlp", "execvp"}:
            words = [_literal(item) for item in node.args]
            for index, word in enumerate(words[:2]):
                thing = deletes(words[index + 1 :]) if is_aws(word) else None
                if thing is not None:
                    yield _operation(node, thing)
                    break

    def _string(self, node: ast.expr) -> str:
        if isinstance(node, ast.Name):
            return self.constants.get(node.id, "")
        return _literal(node)

    def _receiver(self, node: ast.expr) -> Thing | None:
        """Say what ``node.delete()`` deletes in S3; None: something else, such as a Django manager."""
        inner: ast.expr = node
        filtered = False
        while isinstance(inner, ast.Call) and isinstance(inner.func, ast.Attribute):
            if inner.func.attr in {"all", "filter", "limit", "page_size"}:
                filtered |= any(keyword.arg == "Prefix" for keyword in inner.keywords)
                inner = inner.func.value
            else:
                break
        if isinstance(inner, ast.Attribute) and inner.attr == "object_versions":
            return Thing.OBJECTS
        if isinstance(inner, ast.Attribute) and inner.attr == "objects":
            return Thing.OBJECTS if filtered or self._what(inner.value) is Thing.BUCKET else None
        return self._what(inner) if inner is node else None

    def _what(self, node: ast.expr) -> Thing | None:
        made = _made(node)
        if made is not None:
            return made
        if isinstance(node, ast.Name):
            known = self.known.get(node.id)
            if known is None and self.boto and node.id.lower().endswith("bucket"):
                return Thing.BUCKET
            return known
        if isinstance(node, ast.Attribute) and self.boto and node.attr.lower().endswith("bucket"):
            return Thing.BUCKET
        return None


def _made(node: ast.expr) -> Thing | None:
    if isinstance(node, ast.Await):
        node = node.value
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return {"Bucket": Thing.BUCKET, "Object": Thing.OBJECT, "ObjectSummary": Thing.OBJECT}.get(
            node.func.attr
        )
    return None


def _literal(node: ast.expr) -> str:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "X" for part in node.values)
    return ""


def _operation(node: ast.expr, thing: Thing) -> Operation:
    return Operation(Verb.DELETE, thing, place_of(node), ast.unparse(node))
