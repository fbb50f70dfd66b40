"""What names stand for in a Python module: things of S3, other services, strings, own definitions."""

from __future__ import annotations

import ast
from enum import Enum
from itertools import islice

from guardrails.cloud.lifecycle import UNKNOWN, Value
from guardrails.operations import Thing
from guardrails.s3.awscli import PYTHON_CALLS

_MAKES = {
    "Bucket": Thing.BUCKET,
    "Object": Thing.OBJECT,
    "ObjectSummary": Thing.OBJECT,
    "ObjectVersion": Thing.OBJECT,
}
_COLLECTIONS = frozenset({"objects", "object_versions"})
_NARROWS = frozenset({"all", "filter", "limit", "page_size"})
_FEW = 32
"""Strings that a name may stand for."""
_LONGEST = 4096
"""Characters of a string that are kept: a doubling constant must not fill the memory."""
_DEEPEST = 20


class Elsewhere(Enum):
    """A receiver that is known, and is nothing of S3's."""

    OWN_CLASS = "own class"
    OTHER_SERVICE = "other service"


class Names:
    """The names of a module, read in one walk over its tree; scopes are not told apart."""

    def __init__(self, tree: ast.Module) -> None:
        self.boto = False
        self.things: dict[str, Thing] = {}
        """Names, and attributes as ``.name``, that hold a bucket or an object."""
        self.strings: dict[str, tuple[str, ...]] = {}
        """Every string that a name may hold, or that a name's dict or tuple holds."""
        self.lists: dict[str, list[str]] = {}
        """Argument lists under a name."""
        self.values: dict[str, ast.expr] = {}
        self.own: dict[str, set[str]] = {}
        """The module's classes with their methods."""
        self.inside: dict[ast.AST, ast.AST] = {}
        """What each node stands in."""
        self._elsewhere: dict[str, set[Elsewhere | None]] = {}
        self.nodes: list[ast.AST] = [tree]
        for node in self.nodes:  # it grows while it is walked
            for child in ast.iter_child_nodes(node):
                self.inside[child] = node
                self.nodes.append(child)
            self._look(node)
        for node in self.nodes:
            self._look_again(node)

    def is_elsewhere(self, node: ast.expr, method: str) -> bool:
        """Say whether ``node.method`` is known to be nothing of S3's."""
        if isinstance(node, ast.Name) and node.id in {"self", "cls"}:
            return any(method in self.own[holder] for holder in self._holders(node))
        if isinstance(node, ast.Call) and _name(node.func) == "super":
            return False
        known = self._kind(node)
        if known is None:
            kinds = self._elsewhere.get(dotted(node), {None})
            known = next(iter(kinds)) if len(kinds) == 1 else None
        if known is Elsewhere.OWN_CLASS:
            return True
        return known is Elsewhere.OTHER_SERVICE

    def thing(self, node: ast.expr) -> Thing | None:
        """Say which thing of S3's an expression is."""
        made = _made(node)
        if made is not None:
            return made
        name = dotted(node)
        if not name:
            return None
        held = self.things.get(name) or self.things.get("." + name.rsplit(".", 1)[-1] if "." in name else "")
        if held is None and self.boto and name.lower().endswith("bucket"):
            return Thing.BUCKET
        return held

    def collection(self, node: ast.expr, depth: int = 0) -> bool:
        """Say whether an expression is a bucket's objects or versions, all or some of them."""
        inner, filtered = node, False
        while (
            isinstance(inner, ast.Call)
            and isinstance(inner.func, ast.Attribute)
            and inner.func.attr in _NARROWS
        ):
            filtered |= any(keyword.arg == "Prefix" for keyword in inner.keywords)
            inner = inner.func.value
        if isinstance(inner, ast.Name):
            value = self.values.get(inner.id)
            return value is not None and depth < 3 and self.collection(value, depth + 1)
        if not isinstance(inner, ast.Attribute) or inner.attr not in _COLLECTIONS:
            return False
        if inner.attr == "object_versions":
            return True
        return filtered or self.thing(inner.value) is Thing.BUCKET

    def texts(self, node: ast.expr | None, depth: int = 0) -> tuple[str, ...]:
        """Give each string that an expression may be, ``X`` for the parts that cannot be told."""
        if depth > _DEEPEST:
            return ()
        found: tuple[str, ...] = ()
        if isinstance(node, ast.Constant):
            found = (node.value,) if isinstance(node.value, str) else ()
        elif isinstance(node, ast.Name):
            found = self.strings.get(node.id, ())
        elif isinstance(node, ast.JoinedStr):
            found = ("".join(self._part(part, depth) for part in node.values),)
        elif isinstance(node, ast.BinOp):
            found = self._combined(node, depth)
        elif isinstance(node, ast.IfExp):
            found = (*self.texts(node.body, depth + 1), *self.texts(node.orelse, depth + 1))
        elif isinstance(node, ast.Subscript):
            found = self.texts(node.value, depth + 1)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if node.func.attr in {"get", "format", "strip", "lower"}:
                found = self.texts(node.func.value, depth + 1)
            elif node.func.attr == "join" and node.args:
                found = (" ".join(self.words(node.args[0])),)
        elif isinstance(node, ast.Dict):
            found = tuple(text for value in node.values for text in self.texts(value, depth + 1))
        return tuple(text[:_LONGEST] for text in found[:_FEW])

    def words(self, node: ast.expr) -> list[str]:
        """Give the words of an argument list, ``X`` for those that cannot be told."""
        if isinstance(node, ast.Name):
            return self.lists.get(node.id, [])
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            return [*self.words(node.left), *self.words(node.right)]
        if isinstance(node, ast.List | ast.Tuple):
            found: list[str] = []
            for item in node.elts[:_LONGEST]:
                if isinstance(item, ast.Starred):
                    found += self.words(item.value) or ["X"]
                else:
                    found.append(next(iter(self.texts(item)), "X"))
            return found
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "split":
            source = node.args[0] if _name(node.func.value) == "shlex" and node.args else node.func.value
            return next(iter(self.texts(source)), "").split()
        return []

    def value(self, node: ast.expr | None, depth: int = 0) -> Value:
        """Give a literal as a value; names are followed."""
        if node is None or depth > _DEEPEST:
            return UNKNOWN
        if isinstance(node, ast.Constant):
            return node.value
        if isinstance(node, ast.List | ast.Tuple):
            return [self.value(item, depth + 1) for item in node.elts]
        if isinstance(node, ast.Dict):
            return {
                key.value if isinstance(key, ast.Constant) else "...": self.value(value, depth + 1)
                for key, value in zip(node.keys, node.values, strict=True)
            }
        if isinstance(node, ast.Name) and node.id in self.values:
            return self.value(self.values[node.id], depth + 5)
        return UNKNOWN

    def _combined(self, node: ast.BinOp, depth: int) -> tuple[str, ...]:
        left = self.texts(node.left, depth + 1)
        if isinstance(node.op, ast.Mod):
            return left
        right = self.texts(node.right, depth + 1) if isinstance(node.op, ast.Add) else ()
        if not left and not right:
            return ()
        return tuple(islice((a + b for a in left or ("X",) for b in right or ("X",)), _FEW))

    def _part(self, part: ast.expr, depth: int) -> str:
        inner = part.value if isinstance(part, ast.FormattedValue) else part
        return next(iter(self.texts(inner, depth + 1)), "X")

    def _look(self, node: ast.AST) -> None:
        if isinstance(node, ast.Import):
            self.boto |= any("boto" in alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            self.boto |= "boto" in (node.module or "")
        elif isinstance(node, ast.ClassDef):
            methods = {s.name for s in node.body if isinstance(s, ast.FunctionDef | ast.AsyncFunctionDef)}
            self.own.setdefault(node.name, set()).update(methods & {*PYTHON_CALLS})
        elif isinstance(node, ast.Assign):
            for target in node.targets:
                self._assigned(target, node.value)
        elif isinstance(node, ast.AnnAssign | ast.NamedExpr) and node.value is not None:
            self._assigned(node.target, node.value)
        elif isinstance(node, ast.For | ast.AsyncFor | ast.comprehension):
            self._looped(node.target, node.iter)
        elif isinstance(node, ast.arg) and node.annotation is not None:
            written = ast.unparse(node.annotation).strip("'\"").rsplit(".", 1)[-1]
            if written in _MAKES:
                self.things[node.arg] = _MAKES[written]
        elif isinstance(node, ast.withitem) and node.optional_vars is not None:
            self._assigned(node.optional_vars, node.context_expr)

    def _look_again(self, node: ast.AST) -> None:
        """Learn what rests on names of the whole module: instances of its classes, loops over collections."""
        if isinstance(node, ast.Assign):
            for target in node.targets:
                name = dotted(target)
                if name:
                    self._elsewhere.setdefault(name, set()).add(self._kind(node.value))
                if isinstance(target, ast.Name) and isinstance(node.value, ast.List | ast.BinOp | ast.Tuple):
                    self.lists[target.id] = self.words(node.value)
        elif (
            isinstance(node, ast.For | ast.AsyncFor | ast.comprehension)
            and isinstance(node.target, ast.Name)
            and self.collection(node.iter)
        ):
            self.things[node.target.id] = Thing.OBJECT

    def _assigned(self, target: ast.expr, value: ast.expr) -> None:
        if isinstance(value, ast.Await):
            value = value.value
        name = dotted(target)
        if not name:
            return
        made = _made(value)
        if made is not None:
            self.things[name if "." not in name else "." + name.rsplit(".", 1)[-1]] = made
        if isinstance(target, ast.Name):
            self.values[name] = value
            texts = self.texts(value)
            if isinstance(value, ast.List | ast.Tuple):
                texts = tuple(text for item in value.elts for text in self.texts(item))
            self.strings[name] = (*self.strings.get(name, ()), *texts)[:_FEW]

    def _looped(self, target: ast.expr, over: ast.expr) -> None:
        if isinstance(target, ast.Name) and isinstance(over, ast.List | ast.Tuple | ast.Set):
            texts = tuple(text for item in over.elts for text in self.texts(item))
            self.strings[target.id] = (*self.strings.get(target.id, ()), *texts)[:_FEW]

    def _kind(self, value: ast.expr) -> Elsewhere | None:
        if isinstance(value, ast.Await):
            value = value.value
        if not isinstance(value, ast.Call):
            return None
        called = _name(value.func)
        if called in self.own and isinstance(value.func, ast.Name):
            return Elsewhere.OWN_CLASS if self.own[called] else None
        if called in {"client", "resource"} and (value.args or value.keywords):
            service = value.args[0] if value.args else value.keywords[0].value
            known = self.texts(service)
            if known and not any(text.startswith("s3") or "X" in text for text in known):
                return Elsewhere.OTHER_SERVICE
        return None

    def _holders(self, node: ast.AST) -> list[str]:
        found = []
        outer: ast.AST | None = node
        while outer is not None:
            if isinstance(outer, ast.ClassDef):
                found.append(outer.name)
            outer = self.inside.get(outer)
        return found


def dotted(node: ast.expr) -> str:
    """Give ``a.b.c`` for names and their attributes; empty for anything else."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return ""
    return ".".join([node.id, *reversed(parts)])


def _made(node: ast.expr) -> Thing | None:
    if isinstance(node, ast.Await):
        node = node.value
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return _MAKES.get(node.func.attr)
    return None


def _name(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""
