"""Says what a call of an Alembic operation does, on ``op`` itself or on a batch of one table."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from guardrails.migrations.places import called
from guardrails.migrations.strings import Names, texts
from guardrails.operations import Thing, Trait, Verb
from guardrails.sql.ddl import is_volatile
from guardrails.sql.words import HOLE, Act

_HARMLESS = frozenset(
    """batch_alter_table bulk_insert drop_check drop_table_comment get_bind get_context invoke_for_target f
    implementation_for register_operation drop_sequence drop_foreign_key drop_unique drop_primary_key
    inline_literal""".split()  # noqa: SIM905
)
_HARMLESS_BEGINNINGS = ("create_", "add_", "alter_", "replace_", "sync_", "rename_")


def op_acts(
    node: ast.Call, method: str, names: Names, batch: tuple[str, ...] | None = None
) -> list[Act] | None:
    """Give what a call does; None: nobody knows. *batch*: a batch's table, in each of its names."""
    read = _READERS.get(method)
    if read is not None:
        return list(read(_Call(node, names, batch)))
    known = batch is not None or method in _HARMLESS or method.startswith(_HARMLESS_BEGINNINGS)
    return [] if known else None


def tables_of(node: ast.Call, names: Names) -> tuple[str, ...]:
    """Give the table that batch_alter_table is called for, in each name that it may have."""
    return _Call(node, names, None).table(0, "table_name")


@dataclass(frozen=True, slots=True)
class _Call:
    node: ast.Call
    names: Names
    batch: tuple[str, ...] | None

    def of(self, position: int, name: str) -> ast.expr | None:
        """Give an argument; a batch's calls leave the table out, which *position* counts."""
        if len(self.node.args) > position >= 0:
            argument = self.node.args[position]
            return None if isinstance(argument, ast.Starred) else argument
        return next((k.value for k in self.node.keywords if k.arg == name), None)

    def option(self, name: str) -> ast.expr | None:
        return self.of(-1, name)

    def is_true(self, name: str) -> bool:
        value = self.option(name)
        return value is not None and not (isinstance(value, ast.Constant) and not value.value)

    def strings(self, position: int, name: str) -> tuple[str, ...]:
        argument = self.of(position, name)
        found = texts(argument, self.names) if argument is not None else []
        return () if not found or any(HOLE in text for text in found) else tuple(t.lower() for t in found)

    def table(self, position: int, name: str) -> tuple[str, ...]:
        if self.batch is not None:
            return self.batch
        schemas = self.strings(-1, "schema") if self.option("schema") is not None else ()
        prefix = f"{schemas[0]}." if len(schemas) == 1 else ""
        return tuple(prefix + table for table in self.strings(position, name))

    def after_table(self, position: int) -> int:
        """Give the position of an argument that follows the table's, which a batch has not."""
        return position - 1 if self.batch is not None else position


def _create_table(call: _Call) -> Iterator[Act]:
    prefixes = call.option("prefixes")
    temporary = prefixes is not None and re.search("temp", ast.unparse(prefixes), re.IGNORECASE) is not None
    traits = frozenset({Trait.TEMPORARY}) if temporary else frozenset()
    yield Act(Verb.CREATE, Thing.TABLE, call.table(0, "table_name"), traits=traits)


def _drop_table(call: _Call) -> Iterator[Act]:
    yield Act(Verb.DROP, Thing.TABLE, call.table(0, "table_name"))


def _drop_column(call: _Call) -> Iterator[Act]:
    columns = _columns(call, call.strings(call.after_table(1), "column_name"))
    yield Act(Verb.DROP, Thing.COLUMN, columns, tables=call.table(0, "table_name"))


def _columns(call: _Call, columns: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"{table}.{column}" for table in call.table(0, "table_name") for column in columns)


def _add_column(call: _Call) -> Iterator[Act]:
    node = call.of(call.after_table(1), "column")
    tables = call.table(0, "table_name")
    for column in _calls(node, call.names):
        inner = _Call(column, call.names, None)
        traits = _column_traits(inner)
        yield Act(
            Verb.CREATE,
            Thing.COLUMN,
            _columns(call, inner.strings(0, "name")),
            tables=tables,
            traits=frozenset(traits),
        )
        if inner.is_true("unique") or inner.is_true("primary_key"):
            yield Act(Verb.ADD, Thing.UNIQUE, tables=tables)
        if inner.is_true("index") and not inner.is_true("unique"):
            yield Act(Verb.CREATE, Thing.INDEX, tables=tables)
        if "ForeignKey" in _made_of(column) and not call.is_true("inline_references"):
            yield Act(Verb.ADD, Thing.FOREIGN_KEY, tables=tables)


def _column_traits(column: _Call) -> Iterator[Trait]:
    given = {"Identity", "Computed", "Sequence"} & set(_made_of(column.node))
    default = column.option("server_default")
    has_default = default is not None and not (isinstance(default, ast.Constant) and default.value is None)
    nullable = column.option("nullable")
    not_null = isinstance(nullable, ast.Constant) and nullable.value is False
    if (not_null or column.is_true("primary_key")) and not has_default and not given:
        yield Trait.NOT_NULL
    if given or (has_default and default is not None and _volatile(default, column.names)):
        yield Trait.REWRITES


def _volatile(default: ast.expr, names: Names) -> bool:
    found = texts(default, names)
    if isinstance(default, ast.Constant) or called(default) == "literal":
        return False  # a plain value; sa.text() is what makes it code
    words = [word.upper() for text in found for word in re.findall(r"\w+", text)]
    return is_volatile(words or [called(default).upper()])


def _made_of(column: ast.Call) -> list[str]:
    return [called(argument) for argument in column.args]


def _calls(node: ast.expr | None, names: Names) -> list[ast.Call]:
    if isinstance(node, ast.Name):
        return [
            call for value in names.of(node.id) or [] if value is not node for call in _calls(value, Names())
        ]
    return [node] if isinstance(node, ast.Call) else []


def _alter_column(call: _Call) -> Iterator[Act]:
    tables = call.table(0, "table_name")
    named = call.strings(call.after_table(1), "column_name")
    columns = _columns(call, named)
    nullable, before = call.option("nullable"), call.option("existing_nullable")
    refuses = isinstance(nullable, ast.Constant) and nullable.value is False
    if refuses and not (isinstance(before, ast.Constant) and before.value is False):
        yield Act(Verb.ALTER, Thing.NOT_NULL, columns, tables=tables)
    kind, old = call.option("type_"), call.option("existing_type")
    if kind is not None:
        traits = frozenset({Trait.WIDENS}) if _widens(old, kind) else frozenset()
        yield Act(Verb.ALTER, Thing.COLUMN_TYPE, columns, tables=tables, traits=traits)
    new = call.strings(-1, "new_column_name")
    if call.option("new_column_name") is not None and (not new or new != named):
        yield Act(Verb.RENAME, Thing.COLUMN, columns, tables=tables)


_STRINGS = frozenset({"String", "VARCHAR", "Unicode", "AutoString"})
_TEXTS = frozenset({"Text", "TEXT", "UnicodeText"})


def _widens(old: ast.expr | None, new: ast.expr) -> bool:
    """Say whether Postgres changes the type in its catalogue alone: a longer VARCHAR, or TEXT."""
    if old is None:
        return False
    if ast.dump(old) == ast.dump(new):
        return True
    was, now = _type_name(old), _type_name(new)
    if was in _STRINGS | _TEXTS and now in _TEXTS:
        return True
    if was in _STRINGS and now in _STRINGS:
        before, after = _length(old), _length(new)
        return after is None or (before is not None and after >= before)
    return was in _TEXTS and now in _STRINGS and _length(new) is None


def _type_name(node: ast.expr) -> str:
    return called(node) or (node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", ""))


def _length(node: ast.expr) -> int | None:
    if not isinstance(node, ast.Call):
        return None
    value = node.args[0] if node.args else next((k.value for k in node.keywords if k.arg == "length"), None)
    return value.value if isinstance(value, ast.Constant) and isinstance(value.value, int) else None


def _rename_table(call: _Call) -> Iterator[Act]:
    old, new = call.table(0, "old_table_name"), call.strings(1, "new_table_name")
    names = (*old, *new) if len(old) == len(new) == 1 else ()
    yield Act(Verb.RENAME, Thing.TABLE, names, tables=old)


def _concurrently(call: _Call) -> frozenset[Trait]:
    return frozenset({Trait.CONCURRENT}) if call.is_true("postgresql_concurrently") else frozenset()


def _create_index(call: _Call) -> Iterator[Act]:
    tables = call.table(1, "table_name")
    yield Act(
        Verb.CREATE, Thing.INDEX, call.strings(0, "index_name"), tables=tables, traits=_concurrently(call)
    )


def _drop_index(call: _Call) -> Iterator[Act]:
    tables = call.table(1, "table_name")
    yield Act(
        Verb.DROP, Thing.INDEX, call.strings(0, "index_name"), tables=tables, traits=_concurrently(call)
    )


def _adds(thing: Thing) -> Callable[[_Call], Iterator[Act]]:
    def read(call: _Call) -> Iterator[Act]:
        tables = call.table(1, "source_table" if thing is Thing.FOREIGN_KEY else "table_name")
        later = frozenset({Trait.NOT_VALID}) if call.is_true("postgresql_not_valid") else frozenset()
        yield Act(Verb.ADD, thing, tables=tables, traits=later)

    return read


def _drop_constraint(call: _Call) -> Iterator[Act]:
    name = call.of(0, "constraint_name")
    unnamed = isinstance(name, ast.Constant) and name.value is None
    traits = frozenset({Trait.UNNAMED}) if unnamed else frozenset()
    yield Act(Verb.DROP, Thing.CONSTRAINT, tables=call.table(1, "table_name"), traits=traits)


_READERS: Mapping[str, Callable[[_Call], Iterator[Act]]] = {
    "create_table": _create_table,
    "drop_table": _drop_table,
    "add_column": _add_column,
    "drop_column": _drop_column,
    "alter_column": _alter_column,
    "rename_table": _rename_table,
    "create_index": _create_index,
    "drop_index": _drop_index,
    "create_foreign_key": _adds(Thing.FOREIGN_KEY),
    "create_check_constraint": _adds(Thing.CHECK),
    "create_unique_constraint": _adds(Thing.UNIQUE),
    "create_primary_key": _adds(Thing.UNIQUE),
    "drop_constraint": _drop_constraint,
}

OPERATIONS = frozenset(_READERS) | _HARMLESS | {"execute", "run_async"}
"""What ``from alembic.op import *`` brings along."""
