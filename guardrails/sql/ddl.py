"""Understands by its words what a statement does to the shape of a schema, and which transaction it is in.

What is lost (rows, tables) is the parsers' to say; here stands what is locked, added, renamed and checked.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence

from guardrails.operations import Thing, Trait, Verb
from guardrails.sql.lexer import Kind, Token
from guardrails.sql.words import Act, table_name

_NONE: frozenset[Trait] = frozenset()


def ddl_acts(tokens: Sequence[Token], words: Sequence[str], dialect: str) -> Iterator[Act]:
    """Give what a statement does to the schema, or to the transaction that it stands in."""
    read = _READERS.get(words[0]) if words else None
    if read is not None:
        yield from read(tokens, words, dialect)


def is_volatile(words: Sequence[str]) -> bool:
    """Say whether a default's words call a function that gives each row another value."""
    return not _VOLATILE.isdisjoint(words)


_VOLATILE = frozenset(
    """GEN_RANDOM_UUID UUID_GENERATE_V1 UUID_GENERATE_V1MC UUID_GENERATE_V4 UUIDV4 UUIDV7 RANDOM RANDOM_NORMAL
    CLOCK_TIMESTAMP TIMEOFDAY NEXTVAL GEN_RANDOM_BYTES GEN_ULID ULID""".split()  # noqa: SIM905
)
_SERIALS = frozenset({"SERIAL", "BIGSERIAL", "SMALLSERIAL", "SERIAL2", "SERIAL4", "SERIAL8"})


def _create(tokens: Sequence[Token], words: Sequence[str], dialect: str) -> Iterator[Act]:
    for index, word in enumerate(words[1:7], start=1):
        if word == "TABLE" or (word == "VIEW" and words[index - 1] == "MATERIALIZED"):
            name = table_name(tokens[index + 1 :])
            if name:
                yield Act(
                    Verb.CREATE, Thing.TABLE, (name,), traits=_table_traits(words, index, name, dialect)
                )
            return
        if word == "INDEX":
            yield from _index(tokens[index + 1 :], words[index + 1 :])
            return
        if word not in _BEFORE_NAME:
            return


_BEFORE_NAME = frozenset(
    """TEMP TEMPORARY UNLOGGED GLOBAL LOCAL FOREIGN EXTERNAL OR REPLACE UNIQUE FULLTEXT SPATIAL CLUSTERED
    NONCLUSTERED BITMAP MATERIALIZED""".split()  # noqa: SIM905
)


def _table_traits(words: Sequence[str], index: int, name: str, dialect: str) -> frozenset[Trait]:
    temporary = {"TEMP", "TEMPORARY"} & set(words[1:index]) or (dialect == "tsql" and name.startswith("#"))
    if not temporary:
        return _NONE
    drops = any(tuple(words[i : i + 3]) == ("ON", "COMMIT", "DROP") for i in range(index, len(words)))
    return frozenset({Trait.TEMPORARY, Trait.ON_COMMIT_DROP} if drops else {Trait.TEMPORARY})


def _index(tokens: Sequence[Token], words: Sequence[str]) -> Iterator[Act]:
    traits = {Trait.CONCURRENT} if words[:1] and words[0] == "CONCURRENTLY" else set()
    if "ON" not in words:
        return
    on = words.index("ON")
    name = "" if on == 0 else table_name(tokens[bool(traits) : on])
    if words[on + 1 : on + 2] and words[on + 1] == "ONLY":
        traits.add(Trait.ONLY)
    table = table_name(tokens[on + 1 :])
    yield Act(Verb.CREATE, Thing.INDEX, (name,) if name else (), tables=(table,), traits=frozenset(traits))


def _drop(tokens: Sequence[Token], words: Sequence[str], _dialect: str) -> Iterator[Act]:
    if words[1:2] and words[1] == "INDEX":
        concurrent = words[2:3] and words[2] == "CONCURRENTLY"
        names = tuple(
            name for part in _by_comma(tokens[3 if concurrent else 2 :]) if (name := table_name(part))
        )
        rest = words[2:]
        table = table_name(tokens[2 + rest.index("ON") + 1 :]) if "ON" in rest else ""
        traits = frozenset({Trait.CONCURRENT}) if concurrent else _NONE
        yield Act(Verb.DROP, Thing.INDEX, names, tables=(table,) if table else (), traits=traits)


def _alter(tokens: Sequence[Token], words: Sequence[str], dialect: str) -> Iterator[Act]:
    kind = words[1] if len(words) > 1 else ""
    if kind == "TYPE":
        name = table_name(tokens[2:])
        if any(words[i : i + 2] == ("ADD", "VALUE") for i in range(2, 7)):
            yield Act(Verb.ADD, Thing.ENUM_VALUE, (name,))
        elif any(words[i : i + 2] == ("RENAME", "VALUE") for i in range(2, 7)):
            yield Act(Verb.RENAME, Thing.ENUM_VALUE, (name,))
        return
    start = words.index("TABLE") + 1 if "TABLE" in words[1:4] else 0
    if not start or words[0:2] == ("ALTER", "DEFAULT"):
        return
    while start < len(words) and words[start] in {"IF", "EXISTS", "ONLY"}:
        start += 1
    table = table_name(tokens[start:])
    start += 2 * table.count(".") + 1
    if start < len(tokens) and tokens[start].text == "*":
        start += 1
    for action in _by_comma(tokens[start:]):
        yield from _action(action, tuple(token.upper for token in action), table, dialect)


def _action(action: Sequence[Token], words: Sequence[str], table: str, dialect: str) -> Iterator[Act]:
    first, second = words[0] if words else "", words[1] if len(words) > 1 else ""
    of = (table,)
    if first == "ADD":
        yield from _add(action[1:], words[1:], table)
    elif first == "DROP" and second == "CONSTRAINT":
        yield Act(Verb.DROP, Thing.CONSTRAINT, (table_name(action[2:]),), tables=of)
    elif first == "ALTER":
        start = 2 if second == "COLUMN" else 1
        column, rest = (f"{table}.{table_name(action[start:])}",), words[start + 1 :]
        if rest[:3] == ("SET", "NOT", "NULL"):
            yield Act(Verb.ALTER, Thing.NOT_NULL, column, tables=of)
        elif rest[:1] == ("TYPE",) or rest[:3] == ("SET", "DATA", "TYPE"):
            yield Act(Verb.ALTER, Thing.COLUMN_TYPE, column, tables=of)
    elif first == "RENAME":
        yield from _rename(action, words, table)
    elif first == "CHANGE" and dialect in {"mysql", "mariadb"}:
        start = 2 if second == "COLUMN" else 1
        if table_name(action[start:]) != table_name(action[start + 1 :]):
            yield Act(Verb.RENAME, Thing.COLUMN, (f"{table}.{table_name(action[start:])}",), tables=of)
    elif first == "VALIDATE":
        yield Act(Verb.VALIDATE, Thing.CONSTRAINT, (table_name(action[2:]),), tables=of)
    elif first == "DETACH" and "CONCURRENTLY" in words:
        yield Act(Verb.REBUILD, Thing.TABLE, of, tables=of, traits=frozenset({Trait.CONCURRENT}))


def _rename(action: Sequence[Token], words: Sequence[str], table: str) -> Iterator[Act]:
    if words[1:2] in (("TO",), ("AS",)):
        yield Act(Verb.RENAME, Thing.TABLE, (table, table_name(action[2:])), tables=(table,))
    elif words[1:2] and words[1] not in {"CONSTRAINT", "INDEX", "KEY"}:
        start = 2 if words[1] == "COLUMN" else 1
        if words[start + 1 : start + 2] == ("TO",):
            yield Act(Verb.RENAME, Thing.COLUMN, (f"{table}.{table_name(action[start:])}",), tables=(table,))


def _add(tokens: Sequence[Token], words: Sequence[str], table: str) -> Iterator[Act]:
    first = words[0] if words else ""
    if first == "CONSTRAINT":
        yield from _constraint(tokens[2:], words[2:], table)
    elif first in _CONSTRAINTS or first == "EXCLUDE":
        yield from _constraint(tokens, words, table)
    elif first not in {"", "INDEX", "KEY", "FULLTEXT", "SPATIAL", "PARTITION", "VALUE", "PERIOD", "SYSTEM"}:
        start = 1 if first == "COLUMN" else 0
        while start < len(words) and words[start] in {"IF", "NOT", "EXISTS"}:
            start += 1
        name = table_name(tokens[start : start + 1])
        if name:
            yield from _column(words[start + 1 :], tokens[start + 1 :], name, table)


_CONSTRAINTS = {
    "PRIMARY": Thing.UNIQUE,
    "UNIQUE": Thing.UNIQUE,
    "FOREIGN": Thing.FOREIGN_KEY,
    "CHECK": Thing.CHECK,
}


def _constraint(tokens: Sequence[Token], words: Sequence[str], table: str) -> Iterator[Act]:
    first = words[0] if words else ""
    traits = set()
    if words[-2:] == ("NOT", "VALID") or ("NOT", "VALID") in itertools.pairwise(words):
        traits.add(Trait.NOT_VALID)
    if ("USING", "INDEX") in itertools.pairwise(words) and "TABLESPACE" not in words:
        traits.add(Trait.USING_INDEX)
    if first == "NOT":  # ADD CONSTRAINT … NOT NULL column, since Postgres 18
        if Trait.NOT_VALID not in traits:
            yield Act(Verb.ALTER, Thing.NOT_NULL, (f"{table}.{table_name(tokens[2:])}",), tables=(table,))
    elif first in _CONSTRAINTS:
        yield Act(Verb.ADD, _CONSTRAINTS[first], tables=(table,), traits=frozenset(traits))


def _column(words: Sequence[str], tokens: Sequence[Token], name: str, table: str) -> Iterator[Act]:
    level = [word or token.text for word, token in _outside_brackets(words, tokens)]
    pairs = set(itertools.pairwise(level))
    has_default = "DEFAULT" in level and ("DEFAULT", "NULL") not in pairs
    given = has_default or "GENERATED" in level or "AUTO_INCREMENT" in level or "IDENTITY" in level
    given = given or level[:1] == ["AS"] or not _SERIALS.isdisjoint(level[:1])
    traits = set()
    if (("NOT", "NULL") in pairs or ("PRIMARY", "KEY") in pairs) and not given:
        traits.add(Trait.NOT_NULL)
    volatile = has_default and is_volatile(level[level.index("DEFAULT") :])
    if volatile or "STORED" in level or not _SERIALS.isdisjoint(level[:1]) or ("AS", "IDENTITY") in pairs:
        traits.add(Trait.REWRITES)
    of = (table,)
    yield Act(Verb.CREATE, Thing.COLUMN, (f"{table}.{name}",), tables=of, traits=frozenset(traits))
    if "UNIQUE" in level or ("PRIMARY", "KEY") in pairs:
        yield Act(Verb.ADD, Thing.UNIQUE, tables=of)
    if "CHECK" in level:
        yield Act(Verb.ADD, Thing.CHECK, tables=of)
    if "REFERENCES" in level:
        # A new column that is NULL everywhere refers to nothing: Postgres looks at no row.
        unchecked = frozenset() if has_default else frozenset({Trait.NOT_VALID})
        yield Act(Verb.ADD, Thing.FOREIGN_KEY, tables=of, traits=unchecked)


def _outside_brackets(words: Sequence[str], tokens: Sequence[Token]) -> Iterator[tuple[str, Token]]:
    depth = 0
    for word, token in zip(words, tokens, strict=True):
        depth += token.text == "("
        if depth == 0:
            yield word, token
        depth -= token.text == ")"


def _by_comma(tokens: Sequence[Token]) -> Iterator[Sequence[Token]]:
    depth = start = 0
    for index, token in enumerate(tokens):
        if token.kind is Kind.SYMBOL:
            depth += (token.text in "([") - (token.text in ")]")
            if token.text == "," and depth == 0:
                yield tokens[start:index]
                start = index + 1
    yield tokens[start:]


def _renames(tokens: Sequence[Token], words: Sequence[str], _dialect: str) -> Iterator[Act]:
    if words[1:2] == ("TABLE",):  # MySQL
        for part in _by_comma(tokens[2:]):
            old = table_name(part)
            new = table_name(part[2 * old.count(".") + 2 :])
            yield Act(Verb.RENAME, Thing.TABLE, (old, new), tables=(old,))


def _reindex(_tokens: Sequence[Token], words: Sequence[str], _dialect: str) -> Iterator[Act]:
    if "CONCURRENTLY" in words:
        yield Act(Verb.REBUILD, Thing.INDEX, traits=frozenset({Trait.CONCURRENT}))


def _set(_tokens: Sequence[Token], words: Sequence[str], _dialect: str) -> Iterator[Act]:
    if {"LOCK_TIMEOUT", "STATEMENT_TIMEOUT"} & set(words[1:4]):
        yield Act(Verb.SET, Thing.TIMEOUT)


def _select(_tokens: Sequence[Token], words: Sequence[str], _dialect: str) -> Iterator[Act]:
    if "SET_CONFIG" in words[1:4]:
        yield Act(Verb.SET, Thing.TIMEOUT)


def _begin(_tokens: Sequence[Token], words: Sequence[str], _dialect: str) -> Iterator[Act]:
    if words[0] == "BEGIN" or words[1:2] == ("TRANSACTION",):
        yield Act(Verb.BEGIN, Thing.TRANSACTION)


def _end(_tokens: Sequence[Token], words: Sequence[str], _dialect: str) -> Iterator[Act]:
    if not {"TO", "PREPARED"} & set(words[1:]):
        yield Act(Verb.END, Thing.TRANSACTION)


_READERS: Mapping[str, Callable[[Sequence[Token], Sequence[str], str], Iterator[Act]]] = {
    "CREATE": _create,
    "DROP": _drop,
    "ALTER": _alter,
    "RENAME": _renames,
    "REINDEX": _reindex,
    "SET": _set,
    "SELECT": _select,
    "BEGIN": _begin,
    "START": _begin,
    "COMMIT": _end,
    "END": _end,
    "ROLLBACK": _end,
    "ABORT": _end,
}
