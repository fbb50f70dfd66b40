"""Reads an Alembic migration from its source into a MigrationFile; nothing of it is executed."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence

from guardrails.findings import Direction
from guardrails.migrations.gather import Walked
from guardrails.migrations.model import MigrationFile
from guardrails.migrations.module import Function, Module, read_module
from guardrails.migrations.project import Imports
from guardrails.migrations.walk import walk
from guardrails.operations import Operation, Place, Thing, Verb


def is_migration(tree: ast.Module) -> bool:
    """Say whether a module looks like a migration: a revision with its parent, or upgrade() that uses op."""
    module = read_module(tree)
    directions = {"upgrade", "downgrade"} & ({*module.functions} | {*module.assigned})
    if "revision" in module.assigned:
        return bool(directions) or "down_revision" in module.assigned
    if not directions:
        return False
    sources = [*module.imported.values(), *module.stars]
    alembic = any(source.split(".", 1)[0] == "alembic" for source in sources)
    return (
        alembic
        or bool(module.op_functions)
        or any(isinstance(node, ast.Name) and node.id in module.op_names for node in ast.walk(tree))
    )


def read_migration(
    tree: ast.Module, path: str, dialect: str = "postgres", imports: Imports | None = None
) -> MigrationFile:
    """Read a migration. Give its tree, the path that findings name, and the dialect of its SQL.

    What it calls of its own project is followed as far as *imports* finds it.
    """
    module = read_module(tree)
    if imports is not None:
        imports.adopt(module)
    walks = [walk(module, None, Direction.UPGRADE, dialect, imports)]
    up = _direction(module, Direction.UPGRADE, imports)
    down = _direction(module, Direction.DOWNGRADE, imports)
    for direction, (exists, function) in ((Direction.UPGRADE, up), (Direction.DOWNGRADE, down)):
        if function is not None:
            walks.append(walk(module, function, direction, dialect, imports))
        elif exists:
            walks.append(_elsewhere(direction))
    parents = _revisions(module, "down_revision")
    return MigrationFile(
        path=path,
        revision=next(iter(_revisions(module, "revision")), None),
        down_revisions=parents,
        depends_on=_revisions(module, "depends_on"),
        description=(ast.get_docstring(tree) or "").strip().split("\n", 1)[0],
        has_upgrade=up[0],
        has_downgrade=down[0],
        reversible=down[0] and _reversible(up[1], down[1], parents, _functions(module, imports)),
        upgrade_line=up[1].lineno if up[1] else 1,
        downgrade_line=down[1].lineno if down[1] else 1,
        operations=_in_order(walks),
        comments=tuple(comment for walked in walks for comment in walked.comments),
        statements=sum(walked.statements for walked in walks),
        analysed=sum(walked.analysed for walked in walks),
    )


def does_something(body: Sequence[ast.stmt], functions: Mapping[str, Function], depth: int = 0) -> bool:
    """Say whether a body gets to anything but pass, a docstring, a return or a raise."""
    for statement in body:
        if isinstance(statement, ast.Raise | ast.Return) and not _calls(statement):
            return False
        if isinstance(statement, ast.Raise):
            return False
        if isinstance(statement, ast.Pass | ast.Import | ast.ImportFrom | ast.Global | ast.Nonlocal):
            continue
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        if isinstance(statement, ast.Expr):
            value = statement.value
            if isinstance(value, ast.Constant):
                continue
            if isinstance(value, ast.Call) and isinstance(value.func, ast.Name):
                if value.func.id == "print":
                    continue
                helper = functions.get(value.func.id)
                if helper is not None and depth < 8 and not does_something(helper.body, functions, depth + 1):
                    continue
        return True
    return False


def _calls(statement: ast.stmt) -> bool:
    return any(isinstance(node, ast.Call) for node in ast.walk(statement))


def _functions(module: Module, imports: Imports | None) -> Mapping[str, Function]:
    """Give the functions that the module knows by name, those imported from its project too."""
    found = dict(module.functions)
    if imports is not None:
        called = {
            node.func.id
            for node in ast.walk(module.tree)
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        }
        for name in sorted((called | {"upgrade", "downgrade"}) & {*module.imported}):
            target = imports.find(module, name)
            if target is not None and target.function is not None:
                found.setdefault(name, target.function)
    return found


def _direction(module: Module, direction: Direction, imports: Imports | None) -> tuple[bool, Function | None]:
    """Say whether a direction exists, and give its function; one from elsewhere as a call of it."""
    name = direction.value
    if name in module.functions:
        return True, module.functions[name]
    value = module.assigned.get(name)
    if isinstance(value, ast.Name) and value.id in module.functions:
        return True, module.functions[value.id]
    if isinstance(value, ast.Lambda):
        body = ast.Expr(value.body, lineno=value.lineno, col_offset=value.col_offset)
        function = ast.FunctionDef(
            name, value.args, [body], [], lineno=value.lineno, col_offset=value.col_offset
        )
        return True, function
    if isinstance(value, ast.Constant):
        return False, None
    if value is None and imports is not None and name in module.imported:
        target = imports.find(module, name)
        if target is not None and target.function is not None:
            tree = ast.parse(f"def {name}(): {name}()")
            function = next(s for s in tree.body if isinstance(s, ast.FunctionDef))
            return True, function
    return value is not None or name in module.imported, None


def _elsewhere(direction: Direction) -> Walked:
    note = f"{direction.value}() stands in another file"
    operation = Operation(
        Verb.UNKNOWN, Thing.ANYTHING, Place(1), f"{direction.value}()", note=note, direction=direction
    )
    return Walked([operation], [], 1, 0)


def _reversible(
    up: Function | None, down: Function | None, parents: tuple[str, ...], functions: Mapping[str, Function]
) -> bool:
    if down is None:
        return True  # it stands elsewhere, which is a finding of its own
    if does_something(down.body, functions):
        return True
    merges = len(parents) > 1 and up is not None and not does_something(up.body, functions)
    return merges and not any(isinstance(statement, ast.Raise) for statement in down.body)


def _revisions(module: Module, name: str) -> tuple[str, ...]:
    value = module.assigned.get(name)
    if isinstance(value, ast.Constant):
        return (value.value,) if isinstance(value.value, str) and value.value else ()
    if isinstance(value, ast.Tuple | ast.List | ast.Set):
        return tuple(e.value for e in value.elts if isinstance(e, ast.Constant) and isinstance(e.value, str))
    return ()


def _in_order(walks: Sequence[Walked]) -> tuple[Operation, ...]:
    found = dict.fromkeys(
        operation
        for walked in walks
        for operation in walked.operations
        if operation.thing is not Thing.TRANSACTION
    )
    return tuple(sorted(found, key=lambda o: (o.place.line, o.place.column, o.direction or "")))
