"""What the top level of a migration module defines: its constants, functions, imports, and who is ``op``."""

from __future__ import annotations

import ast
import sys
from dataclasses import dataclass, field
from pathlib import Path

from guardrails.migrations.ops import OPERATIONS
from guardrails.migrations.strings import Names

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(slots=True)
class Module:
    """The top level of a module."""

    tree: ast.Module
    names: Names = field(default_factory=Names)
    functions: dict[str, Function] = field(default_factory=dict)
    assigned: dict[str, ast.expr] = field(default_factory=dict)
    op_names: set[str] = field(default_factory=lambda: {"op"})
    op_functions: dict[str, str] = field(default_factory=dict)
    """Names imported from alembic.op, and what they are called there."""
    methods: dict[str, Function] = field(default_factory=dict)
    """Methods of the module's classes, by name alone."""
    imported: dict[str, str] = field(default_factory=dict)
    """Other imported names, and what each is, dotted; what is imported relatively begins with a dot."""
    stars: list[str] = field(default_factory=list)
    """What is imported whole, each as ``package.module.*``."""
    path: Path | None = None
    """Where it stands; None: its imports cannot be followed."""


_KNOWN_PACKAGES = frozenset(
    {"alembic", "sqlalchemy", "sqlmodel", "geoalchemy2", "pgvector", "sqlalchemy_utils"}
)


def is_known(origin: str) -> bool:
    """Say whether what is imported is the standard library's, or another's that needs no look."""
    root = origin.split(".", 1)[0]
    return root in sys.stdlib_module_names or root in _KNOWN_PACKAGES


def read_module(tree: ast.Module) -> Module:
    """Read the top level of a module, inside ``if`` and ``try`` too."""
    module = Module(tree)
    _read(tree.body, module)
    return module


def note_imports(statement: ast.Import | ast.ImportFrom, module: Module) -> None:
    """Note what an import binds: alembic's op under any name, and what comes from elsewhere."""
    if isinstance(statement, ast.ImportFrom):
        _import(statement, module)
        return
    for alias in statement.names:
        if alias.name == "alembic.op" and alias.asname:
            module.op_names.add(alias.asname)
        else:
            name = alias.name if alias.asname else alias.name.split(".", 1)[0]
            module.imported[alias.asname or name] = name


def _read(statements: list[ast.stmt], module: Module) -> None:
    for statement in statements:
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
            module.functions[statement.name] = statement
            module.names.define(statement)
        elif isinstance(statement, ast.Assign):
            for target in statement.targets:
                _assign(target, statement.value, module)
        elif isinstance(statement, ast.AnnAssign) and statement.value is not None:
            _assign(statement.target, statement.value, module)
        elif isinstance(statement, ast.Import | ast.ImportFrom):
            note_imports(statement, module)
        elif isinstance(statement, ast.ClassDef):
            found = (s for s in statement.body if isinstance(s, ast.FunctionDef | ast.AsyncFunctionDef))
            module.methods |= {function.name: function for function in found}
        elif isinstance(statement, ast.If | ast.Try | ast.With):
            _read(statement.body, module)
            _read(getattr(statement, "orelse", []), module)
            for handler in getattr(statement, "handlers", []):
                _read(handler.body, module)


def _assign(target: ast.expr, value: ast.expr, module: Module) -> None:
    if isinstance(target, ast.Name):
        module.names.bind(target.id, [value])
        module.assigned[target.id] = value
    elif isinstance(target, ast.Tuple | ast.List) and isinstance(value, ast.Tuple | ast.List):
        for inner, part in zip(target.elts, value.elts, strict=False):
            _assign(inner, part, module)


def _import(statement: ast.ImportFrom, module: Module) -> None:
    source = "." * statement.level + (statement.module or "")
    for alias in statement.names:
        name = alias.asname or alias.name
        if source == "alembic.op" and name == "*":
            module.op_functions |= {operation: operation for operation in OPERATIONS}
        elif source == "alembic.op":
            module.op_functions[name] = alias.name
        elif source == "alembic" and alias.name == "op":
            module.op_names.add(name)
        elif name == "*":
            module.stars.append(_inside(source, name))
        else:
            module.imported[name] = _inside(source, alias.name)


def _inside(source: str, name: str) -> str:
    return source + name if source.endswith(".") else f"{source}.{name}"
