"""Walks one direction of a migration without running it and gathers what it does to the database."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Sequence
from dataclasses import dataclass, field

from guardrails.context import in_context
from guardrails.findings import Direction
from guardrails.migrations.core import Built, built, chain
from guardrails.migrations.gather import Gatherer, Site, Walked, place_of
from guardrails.migrations.module import Function, Module, is_known, note_imports
from guardrails.migrations.ops import op_acts, tables_of
from guardrails.migrations.places import (
    arguments,
    autocommit_block,
    bodies,
    called,
    is_autocommit,
    is_connection,
    parameters,
)
from guardrails.migrations.project import DEEPEST_IMPORT, Imports, Target
from guardrails.migrations.strings import Names, closed, dotted, elements, mentions, replaced, texts
from guardrails.operations import Condition, Thing, Verb
from guardrails.sql.words import HOLE, Act

_DEEPEST = 8
"""How far helpers that call helpers are followed."""
_EXECUTES = frozenset({"execute", "exec_driver_sql", "scalar", "scalars", "executescript", "executemany"})
_LOSING = frozenset({"drop_table", "drop_column", "execute"})
_MOST_STATEMENTS = 50_000
"""How many statements are walked in one direction, those of helpers each time that they are called."""


@dataclass(slots=True)
class _Scope:
    names: Names
    ops: set[str]
    batches: dict[str, tuple[str, ...]] = field(default_factory=dict)
    calls: tuple[str, ...] = ()

    def inner(self, function: str) -> _Scope:
        return _Scope(Names(self.names), set(self.ops), dict(self.batches), (*self.calls, function))


def walk(
    module: Module,
    function: Function | None,
    direction: Direction,
    dialect: str,
    imports: Imports | None = None,
) -> Walked:
    """Walk a function, with the helpers that it calls; None walks what runs on import.

    Helpers of other modules are followed as far as *imports* finds them.
    """
    walker = _Walker(module, direction, dialect, imports)
    scope = _Scope(module.names, set(module.op_names))
    if function is None:
        walker.body([s for s in module.tree.body if not isinstance(s, ast.ClassDef)], scope)
    else:
        walker.enter(function, scope.inner(walker.key(function.name)), op_first=True)
    walker.walked.operations = in_context(walker.walked.operations, transactional=True)
    return walker.walked


class _Walker(Gatherer):
    def __init__(self, module: Module, direction: Direction, dialect: str, imports: Imports | None) -> None:
        super().__init__(direction, dialect)
        self.module = module
        self.imports = imports
        self.functions = dict(module.functions)
        self.branches = 0
        """How many branches and loops the walk is inside of."""
        self.statements = 0
        self.away = 0
        """How many modules away from the migration the walk is."""
        self.for_value = False
        """It is in a helper that is called for what it returns, and is handed nothing to work on."""

    def key(self, function: str) -> str:
        """Name a function of the module so that no other module has the same."""
        return f"{self.module.path or ''}:{function}"

    def enter(self, function: Function, scope: _Scope, *, op_first: bool = False) -> None:
        parameters = [argument.arg for argument in function.args.args]
        if op_first and parameters and parameters[0] not in {"engine_name", "self"}:
            scope.ops.add(parameters[0])
        self.body(function.body, scope)

    def body(self, statements: Sequence[ast.stmt], scope: _Scope) -> None:
        for statement in statements:
            self._statement(statement, scope)

    def _statement(self, statement: ast.stmt, scope: _Scope) -> None:
        self.statements += 1
        if self.statements > _MOST_STATEMENTS:
            if self.statements == _MOST_STATEMENTS + 1:
                self.unknown(statement, "there is too much to follow")
            return
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
            self.turn(alone, Verb.END)
        self.branches += branches
        for inner in bodies(statement):
            self.body(inner, scope)
        self.branches -= branches
        if alone is not None:
            self.turn(alone, Verb.BEGIN)

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
                if name.startswith(f"{self.direction.value}_") and self.key(name) not in scope.calls:
                    self.enter(helper, scope.inner(self.key(name)))

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
            self._foreign(node, name, scope, alone=alone)
        elif name.startswith(HOLE):
            if alone or self._handed(node, scope):
                self.unknown(node, "what it calls is only known when it runs")
        else:
            values = scope.names.of(name)
            if values is None and self.module.stars and not hasattr(builtins, name):
                self._foreign(node, name, scope, alone=alone)
            for value in values or []:
                if (
                    isinstance(value, ast.Attribute | ast.Name | ast.Call)
                    and getattr(value, "id", "") != name
                ):
                    self._call(node, value, scope, alone=alone, depth=depth + 1)

    def _helper(self, node: ast.Call, helper: Function, scope: _Scope) -> None:
        key = self.key(helper.name)
        if key in scope.calls:
            return
        if len(scope.calls) > _DEEPEST:
            self.unknown(node, "helpers call helpers too deep")
            return
        inner = scope.inner(key)
        given, defaults = parameters(node, helper)
        for name, value in [*given, *defaults]:
            resolved = scope.names.of(value.id) if isinstance(value, ast.Name) else None
            if not self._hand(name, value, scope, inner):
                inner.names.bind(name, resolved if resolved is not None else [value])
        self.body(helper.body, inner)

    def _hand(self, name: str, value: ast.expr, scope: _Scope, inner: _Scope) -> bool:
        """Hand op or a batch on to a helper; False: it is neither."""
        if self._is_op(value, scope):
            inner.ops.add(name)
        elif isinstance(value, ast.Name) and value.id in scope.batches:
            inner.batches[name] = scope.batches[value.id]
        else:
            return False
        return True

    def _foreign(self, node: ast.Call, name: str, scope: _Scope, *, alone: bool) -> None:
        """Follow a call of what is imported, by its dotted name in this module."""
        first = name.split(".", 1)[0]
        origins = [self.module.imported[first]] if first in self.module.imported else self.module.stars
        if all(map(is_known, origins)):
            return
        self._callbacks(node, scope)
        target = self.imports.find(self.module, name) if self.imports is not None else None
        if target is not None and target.function is not None:
            wanted = not alone and not self._handed(node, scope)
            self._follow(node, target, target.function, scope, for_value=wanted)
        elif self.for_value and not self._handed(node, scope):
            return  # as what the migration itself calls for a value: now(), say
        elif alone or (self._handed(node, scope) and not self._is_op(node, scope)):
            self.unknown(node, "a helper of another module may do anything")

    def _handed(self, node: ast.Call, scope: _Scope) -> bool:
        given = [*node.args, *(keyword.value for keyword in node.keywords)]
        return any(self._is_op(each, scope) or is_connection(each, scope.names) for each in given)

    def _callbacks(self, node: ast.Call, scope: _Scope) -> None:
        """See what functions do that are handed to somebody who will call them."""
        for given in [*node.args, *(keyword.value for keyword in node.keywords)]:
            if isinstance(given, ast.Name) and given.id in self.functions:
                later = ast.copy_location(ast.Call(given, [], []), node)
                self._helper(later, self.functions[given.id], scope)

    def _follow(
        self, node: ast.Call, target: Target, function: Function, scope: _Scope, *, for_value: bool
    ) -> None:
        key = f"{target.path}:{function.name}"
        if key in scope.calls:
            return
        if len(scope.calls) > _DEEPEST or self.away >= DEEPEST_IMPORT:
            self.unknown(node, "helpers call helpers too deep")
            return
        inner = _Scope(Names(target.module.names), set(target.module.op_names), {}, (*scope.calls, key))
        given, defaults = parameters(node, function)
        for name, value in given:
            if isinstance(value, ast.Name) and value.id in self.functions:
                inner.names.bind(name, [ast.Constant(None)])  # what it does has been seen
            elif not self._hand(name, value, scope, inner):
                inner.names.bind(name, [closed(value, scope.names)])
        for name, value in defaults:
            inner.names.bind(name, [value])
        here = self.module, self.functions, self.site, self.for_value
        place = self.site.place if self.site is not None else place_of(node)
        self.site = Site(place, f"{function.name}() of {target.where}")
        self.module, self.functions = target.module, dict(target.module.functions)
        self.for_value |= for_value
        self.away += 1
        self.body(function.body, inner)
        self.away -= 1
        self.module, self.functions, self.site, self.for_value = here

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
            self.unknown(node, "an operation that the reader does not know")
            return
        for act in acts:
            self.add(node, act)
        self.count(known=True)

    def _method(self, node: ast.Call, function: ast.Attribute, scope: _Scope, *, alone: bool) -> None:
        method = function.attr
        steps = chain(function.value)
        if method == "execution_options" and is_autocommit(node):
            self.turn(node, Verb.END)
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
        elif (name := dotted(function)).split(".", 1)[0] in self.module.imported:
            first = name.split(".", 1)[0]
            plain = isinstance(function.value, ast.Name) or self.module.imported[first] == first
            if scope.names.of(first) is None:
                self._foreign(node, name, scope, alone=alone and plain)

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
            self.unknown(node, "what it executes is not given")
            return
        found = texts(argument, scope.names)
        if found:
            for text in found:
                self.text(node, argument, text)
            return
        results = list(built(argument, scope.names))
        for result in results or [Built.UNKNOWN]:
            if isinstance(result, Built):
                if result is Built.UNKNOWN:
                    self.unknown(node, "the SQL that it executes is only known when it runs")
                else:
                    self.count(known=True)
            else:
                self._acts(node, [result])


def _batch_of(node: ast.expr, scope: _Scope) -> tuple[str, ...] | None:
    if isinstance(node, ast.Call) and called(node) == "batch_alter_table":
        return tables_of(node, scope.names)
    return scope.batches.get(node.id) if isinstance(node, ast.Name) else None


def _limit(limited: bool) -> Condition:
    return Condition.SOME if limited else Condition.NONE
