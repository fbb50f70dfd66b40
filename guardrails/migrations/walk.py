"""Walks one direction of a migration without running it and gathers what it does to the database."""

from __future__ import annotations

import ast
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from guardrails.context import in_context
from guardrails.findings import Direction
from guardrails.migrations.core import Built, built, chain
from guardrails.migrations.module import Function, Module, note_imports
from guardrails.migrations.ops import op_acts, tables_of
from guardrails.migrations.places import (
    arguments,
    autocommit_block,
    bodies,
    called,
    is_autocommit,
    is_connection,
    literal_of,
    place_in,
)
from guardrails.migrations.strings import Names, elements, mentions, replaced, texts
from guardrails.operations import Comment, Condition, Operation, Place, Thing, Verb
from guardrails.sql.read import read_sql
from guardrails.sql.words import HOLE, Act

_DEEPEST = 8
"""How far helpers that call helpers are followed."""
_EXECUTES = frozenset({"execute", "exec_driver_sql", "scalar", "scalars", "executescript", "executemany"})
_LOSING = frozenset({"drop_table", "drop_column", "execute"})
_KNOWN_PACKAGES = frozenset(
    {"alembic", "sqlalchemy", "sqlmodel", "geoalchemy2", "pgvector", "sqlalchemy_utils"}
)


@dataclass(slots=True)
class Walked:
    """What a direction does."""

    operations: list[Operation] = field(default_factory=list)
    comments: list[Comment] = field(default_factory=list)
    statements: int = 0
    analysed: int = 0


@dataclass(slots=True)
class _Scope:
    names: Names
    ops: set[str]
    batches: dict[str, tuple[str, ...]] = field(default_factory=dict)
    calls: tuple[str, ...] = ()

    def inner(self, function: str) -> _Scope:
        return _Scope(Names(self.names), set(self.ops), dict(self.batches), (*self.calls, function))


def walk(module: Module, function: Function | None, direction: Direction, dialect: str) -> Walked:
    """Walk a function, with the helpers of the module that it calls; None walks what runs on import."""
    walker = _Walker(module, direction, dialect)
    scope = _Scope(module.names, set(module.op_names))
    if function is None:
        walker.body([s for s in module.tree.body if not isinstance(s, ast.ClassDef)], scope)
    else:
        walker.enter(function, scope.inner(function.name), op_first=True)
    walker.walked.operations = in_context(walker.walked.operations, transactional=True)
    return walker.walked


class _Walker:
    def __init__(self, module: Module, direction: Direction, dialect: str) -> None:
        self.module = module
        self.direction = direction
        self.dialect = dialect
        self.walked = Walked()
        self.functions = dict(module.functions)
        self.branches = 0
        """How many branches and loops the walk is inside of."""

    def enter(self, function: Function, scope: _Scope, *, op_first: bool = False) -> None:
        parameters = [argument.arg for argument in function.args.args]
        if op_first and parameters and parameters[0] not in {"engine_name", "self"}:
            scope.ops.add(parameters[0])
        self.body(function.body, scope)

    def body(self, statements: Sequence[ast.stmt], scope: _Scope) -> None:
        for statement in statements:
            self._statement(statement, scope)

    def _statement(self, statement: ast.stmt, scope: _Scope) -> None:
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
            self.functions.setdefault(statement.name, statement)
            scope.names.define(statement)
            return
        if isinstance(statement, ast.Import | ast.ImportFrom):
            note_imports(statement, self.module)
            scope.ops |= self.module.op_names
            return
        if isinstance(statement, ast.ClassDef):
            found = (s for s in statement.body if isinstance(s, ast.FunctionDef | ast.AsyncFunctionDef))
            self.module.methods |= {function.name: function for function in found}
        self._bind(statement, scope)
        for child in ast.iter_child_nodes(statement):
            if isinstance(child, ast.expr):
                self._expression(child, scope, alone=isinstance(statement, ast.Expr))
            elif isinstance(child, ast.withitem):
                self._expression(child.context_expr, scope)
        branches = not isinstance(statement, ast.With | ast.AsyncWith)
        alone = autocommit_block(statement) if isinstance(statement, ast.With | ast.AsyncWith) else None
        if alone is not None:
            self._turn(alone, Verb.END)
        self.branches += branches
        for inner in bodies(statement):
            self.body(inner, scope)
        self.branches -= branches
        if alone is not None:
            self._turn(alone, Verb.BEGIN)

    def _bind(self, statement: ast.stmt, scope: _Scope) -> None:
        if isinstance(statement, ast.Assign):
            for target in statement.targets:
                self._assign(target, statement.value, scope)
        elif isinstance(statement, ast.AnnAssign) and statement.value is not None:
            self._assign(statement.target, statement.value, scope)
        elif isinstance(statement, ast.AugAssign) and isinstance(statement.target, ast.Name):
            name = statement.target.id
            self._assign(statement.target, ast.BinOp(ast.Name(name), ast.Add(), statement.value), scope)
        elif isinstance(statement, ast.For | ast.AsyncFor):
            self._loop(statement.target, statement.iter, scope)
        elif isinstance(statement, ast.With | ast.AsyncWith):
            for item in statement.items:
                if isinstance(item.optional_vars, ast.Name):
                    self._assign(item.optional_vars, item.context_expr, scope)

    def _assign(self, target: ast.expr, value: ast.expr, scope: _Scope) -> None:
        if isinstance(target, ast.Name):
            if self._is_op(value, scope):
                scope.ops.add(target.id)
            elif isinstance(value, ast.Call) and called(value) == "batch_alter_table":
                scope.batches[target.id] = tables_of(value, scope.names)
            before = scope.names.of(target.id) or []
            if before and mentions(value, target.id):
                # It grows: what it was before is a part of it, and outside of branches it is nothing else any more.  # noqa: E501
                grown = [replaced(value, target.id, old) for old in before[:8]]
                scope.names.bind(target.id, grown, instead=not self.branches)
            else:
                scope.names.bind(target.id, [value])
        elif isinstance(target, ast.Tuple | ast.List) and isinstance(value, ast.Tuple | ast.List):
            for inner, part in zip(target.elts, value.elts, strict=False):
                self._assign(inner, part, scope)

    def _loop(self, target: ast.expr, iterated: ast.expr, scope: _Scope) -> None:
        for item in elements(iterated, scope.names) or []:
            self._assign(target, item, scope)

    def _expression(self, expression: ast.expr, scope: _Scope, *, alone: bool = False) -> None:
        for node in ast.walk(expression):
            if isinstance(node, ast.comprehension):
                self._loop(node.target, node.iter, scope)
            elif isinstance(node, ast.NamedExpr):
                self._assign(node.target, node.value, scope)
        for node in ast.walk(expression):
            if isinstance(node, ast.Call):
                self._call(node, node.func, scope, alone=alone and node is expression)
                self._handed_on(node, scope)

    def _call(
        self, node: ast.Call, function: ast.expr, scope: _Scope, *, alone: bool, depth: int = 0
    ) -> None:
        if depth > _DEEPEST:
            return
        if isinstance(function, ast.Name):
            self._named(node, function.id, scope, alone=alone, depth=depth)
        elif isinstance(function, ast.Attribute):
            if self._is_op(function.value, scope):
                self._op(node, function.attr, scope)
            elif (table := _batch_of(function.value, scope)) is not None:
                self._batch(node, function.attr, table, scope)
            else:
                self._method(node, function, scope, alone=alone)
        elif isinstance(function, ast.Call) and called(function) == "getattr" and len(function.args) > 1:
            if self._is_op(function.args[0], scope):
                methods = texts(function.args[1], scope.names) or [HOLE]
                for method in methods:
                    self._op(node, method, scope)
        elif isinstance(function, ast.Subscript) and called(function.value) == "globals":
            for name, helper in self.functions.items():
                if name.startswith(f"{self.direction.value}_") and name not in scope.calls:
                    self.enter(helper, scope.inner(name))

    def _handed_on(self, node: ast.Call, scope: _Scope) -> None:
        """See the operations that are handed to somebody who will call them: map(op.drop_table, names)."""
        for index, given in enumerate(node.args):
            loses = isinstance(given, ast.Attribute) and given.attr in _LOSING
            if loses and isinstance(given, ast.Attribute) and self._is_op(given.value, scope):
                later = ast.Call(given, node.args[index + 1 :], [])
                self._op(ast.copy_location(later, node), given.attr, scope)

    def _named(self, node: ast.Call, name: str, scope: _Scope, *, alone: bool, depth: int) -> None:
        method = self.module.op_functions.get(name)
        if method is not None:
            self._op(node, method, scope)
        elif name in self.functions:
            self._helper(node, self.functions[name], scope)
        elif name in self.module.imported:
            self._foreign(node, self.module.imported[name], scope, alone=alone)
        else:
            for value in scope.names.of(name) or []:
                if (
                    isinstance(value, ast.Attribute | ast.Name | ast.Call)
                    and getattr(value, "id", "") != name
                ):
                    self._call(node, value, scope, alone=alone, depth=depth + 1)

    def _helper(self, node: ast.Call, helper: Function, scope: _Scope) -> None:
        if helper.name in scope.calls:
            return
        if len(scope.calls) > _DEEPEST:
            self._unknown(node, "helpers call helpers too deep")
            return
        inner = scope.inner(helper.name)
        parameters = [argument.arg for argument in (*helper.args.posonlyargs, *helper.args.args)]
        parameters = [name for name in parameters if name not in {"self", "cls"}]
        given = [*zip(parameters, node.args, strict=False)]
        given += [(keyword.arg, keyword.value) for keyword in node.keywords if keyword.arg]
        bound = {name for name, _ in given}
        defaults = helper.args.defaults
        given += [
            (name, default)
            for name, default in zip(parameters[len(parameters) - len(defaults) :], defaults, strict=False)
            if name not in bound
        ]
        for name, value in given:
            resolved = scope.names.of(value.id) if isinstance(value, ast.Name) else None
            if self._is_op(value, scope):
                inner.ops.add(name)
            elif isinstance(value, ast.Name) and value.id in scope.batches:
                inner.batches[name] = scope.batches[value.id]
            else:
                inner.names.bind(name, resolved if resolved is not None else [value])
        self.body(helper.body, inner)

    def _foreign(self, node: ast.Call, package: str, scope: _Scope, *, alone: bool) -> None:
        root = package.split(".", 1)[0]
        if root and (root in sys.stdlib_module_names or root in _KNOWN_PACKAGES):
            return
        handed = any(self._is_op(each, scope) or is_connection(each, scope.names) for each in node.args)
        if alone or (handed and not self._is_op(node, scope)):
            self._unknown(node, "a helper of another module may do anything")

    def _op(self, node: ast.Call, method: str, scope: _Scope) -> None:
        if method == "execute":
            self._sql(node, arguments(node).get("sqltext"), scope)
        elif method == "run_async" and node.args and isinstance(node.args[0], ast.Name):
            self._named(node, node.args[0].id, scope, alone=True, depth=0)
        else:
            self._acts(node, op_acts(node, method, scope.names))

    def _batch(self, node: ast.Call, method: str, table: tuple[str, ...], scope: _Scope) -> None:
        if method == "execute":
            self._sql(node, node.args[0] if node.args else None, scope)
        else:
            self._acts(node, op_acts(node, method, scope.names, table))

    def _acts(self, node: ast.Call, acts: list[Act] | None) -> None:
        if acts is None:
            self._unknown(node, "an operation that the reader does not know")
            return
        for act in acts:
            self._add(node, act)
        self._count(known=True)

    def _method(self, node: ast.Call, function: ast.Attribute, scope: _Scope, *, alone: bool) -> None:
        method = function.attr
        steps = chain(function.value)
        if method == "execution_options" and is_autocommit(node):
            self._turn(node, Verb.END)
        elif method in _EXECUTES:
            argument = node.args[0] if node.args else arguments(node).get("statement")
            if argument is not None:
                self._sql(node, argument, scope)
        elif method in {"append", "extend"} and isinstance(function.value, ast.Name) and node.args:
            item = node.args[0]
            grown = item if method == "extend" else ast.List([item], ast.Load())
            scope.names.bind(function.value.id, [grown])
        elif method == "delete" and node.args and is_connection(function.value, scope.names):
            self._acts(node, [Act(Verb.DELETE, Thing.ROWS)])  # an object, and so its row
        elif method == "delete" and "query" in steps:
            limited = bool({"filter", "filter_by", "where"} & set(steps))
            self._acts(node, [Act(Verb.DELETE, Thing.ROWS, condition=_limit(limited))])
        elif method == "update" and "query" in steps:
            limited = bool({"filter", "filter_by", "where"} & set(steps))
            self._acts(node, [Act(Verb.UPDATE, Thing.ROWS, condition=_limit(limited))])
        elif method == "drop_all" or (method == "drop" and self._is_table(function.value, scope)):
            self._acts(node, [Act(Verb.DROP, Thing.TABLE)])
        elif method in self.module.methods:
            self._helper(node, self.module.methods[method], scope)
        elif alone and isinstance(function.value, ast.Name) and function.value.id in self.module.imported:
            self._foreign(node, self.module.imported[function.value.id], scope, alone=True)

    def _is_table(self, node: ast.expr, scope: _Scope) -> bool:
        if isinstance(node, ast.Name):
            return any(
                self._is_table(v, scope) for v in scope.names.of(node.id) or [] if not isinstance(v, ast.Name)
            )
        return (isinstance(node, ast.Call) and called(node) == "Table") or (
            isinstance(node, ast.Attribute) and node.attr == "__table__"
        )

    def _is_op(self, node: ast.expr, scope: _Scope) -> bool:
        if isinstance(node, ast.Name):
            return node.id in scope.ops
        if isinstance(node, ast.Call) and called(node)[:1].isupper():  # ProgressWrapper(op, …)
            return any(self._is_op(argument, scope) for argument in node.args)
        return isinstance(node, ast.Attribute) and node.attr == "op"

    def _sql(self, node: ast.Call, argument: ast.expr | None, scope: _Scope) -> None:
        if argument is None and node.args:
            argument = node.args[0]
        if argument is None:
            self._unknown(node, "what it executes is not given")
            return
        found = texts(argument, scope.names)
        if found:
            for text in found:
                self._text(node, argument, text)
            return
        results = list(built(argument, scope.names))
        for result in results or [Built.UNKNOWN]:
            if isinstance(result, Built):
                if result is Built.UNKNOWN:
                    self._unknown(node, "the SQL that it executes is only known when it runs")
                else:
                    self._count(known=True)
            else:
                self._acts(node, [result])

    def _text(self, node: ast.Call, argument: ast.expr, text: str) -> None:
        literal = literal_of(argument)
        reading = read_sql(text, self.dialect, part=True)
        self.walked.statements += reading.statements
        self.walked.analysed += reading.analysed
        for operation in reading.operations:
            place = place_in(node, literal, operation.place)
            shown = operation.text.replace(HOLE, "{…}")
            self.walked.operations.append(
                replace(operation, place=place, text=shown, direction=self.direction)
            )
        for comment in reading.comments:
            place = place_in(node, literal, Place(comment.line))
            self.walked.comments.append(replace(comment, line=place.line))

    def _add(self, node: ast.Call, act: Act) -> None:
        place = Place(node.lineno, node.col_offset + 1, node.end_lineno or 0)
        self.walked.operations.append(
            Operation(
                act.verb,
                act.thing,
                place,
                ast.unparse(node),
                act.names,
                act.condition,
                tables=act.tables,
                traits=act.traits,
                dialect=self.dialect,
                direction=self.direction,
            )
        )

    def _turn(self, node: ast.expr, verb: Verb) -> None:
        """Note that a transaction begins or ends, which is no statement of its own."""
        place = Place(node.lineno, node.col_offset + 1)
        self.walked.operations.append(Operation(verb, Thing.TRANSACTION, place, "", direction=self.direction))

    def _unknown(self, node: ast.Call, note: str) -> None:
        place = Place(node.lineno, node.col_offset + 1, node.end_lineno or 0)
        self.walked.operations.append(
            Operation(
                Verb.UNKNOWN, Thing.ANYTHING, place, ast.unparse(node), note=note, direction=self.direction
            )
        )
        self._count(known=False)

    def _count(self, *, known: bool) -> None:
        self.walked.statements += 1
        self.walked.analysed += known


def _batch_of(node: ast.expr, scope: _Scope) -> tuple[str, ...] | None:
    if isinstance(node, ast.Call) and called(node) == "batch_alter_table":
        return tables_of(node, scope.names)
    return scope.batches.get(node.id) if isinstance(node, ast.Name) else None


def _limit(limited: bool) -> Condition:
    return Condition.SOME if limited else Condition.NONE
