"""Understands a statement by its words: the quick look before, and the way out when no parser knows it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from guardrails.operations import Condition, Thing, Trait, Verb
from guardrails.sql.lexer import Kind, Token

HOLE = "opconsole_unknown_part"
"""Stands in SQL for a part that is only known when it runs."""


@dataclass(frozen=True, slots=True)
class Act:
    """What a statement does, before its place is known."""

    verb: Verb
    thing: Thing
    names: tuple[str, ...] = ()
    condition: Condition = Condition.SOME
    tables: tuple[str, ...] = ()
    traits: frozenset[Trait] = frozenset()


_KNOWN = frozenset(
    """ABORT ALTER ANALYZE ANALYSE ATTACH BEGIN CALL CHECKPOINT CLOSE CLUSTER COMMENT COMMIT COPY CREATE
    DEALLOCATE DECLARE DELETE DETACH DISCARD DROP END FETCH FLUSH GRANT IMPORT INSERT KILL LISTEN LOAD
    LOCK MERGE MOVE NOTIFY OPTIMIZE PRAGMA REASSIGN REFRESH REINDEX RELEASE RENAME REPAIR REPLACE RESET
    REVOKE ROLLBACK SAVEPOINT SECURITY SELECT SET SHOW START TABLE TRUNCATE UNLISTEN UNLOCK UPDATE USE
    VACUUM VALUES WITH DESCRIBE DESC CHANGE GO PRINT DENY IF WHILE HANDLER INSTALL UNINSTALL SIGNAL""".split()  # noqa: SIM905
)
LOUD = frozenset(
    {
        "DROP",
        "TRUNCATE",
        "DELETE",
        "UPDATE",
        "MERGE",
        "EXECUTE",
        "EXEC",
        "EXPLAIN",
        "IF",
        "WHILE",
        "QUERY_TO_XML",
    }
)
"""Words without which a statement loses nothing."""
_HARMLESS = frozenset(
    {"GRANT", "REVOKE", "COMMENT", "LISTEN", "NOTIFY", "SHOW", "PRAGMA", "LOCK", "DENY", "DECLARE"}
)
"""Statements that only name what others do: ``GRANT DELETE``, ``COMMENT ON``."""
_LOUD_FIRST = frozenset({"DO", "DROP"})
_NAMING = frozenset(
    """TABLE FROM INTO UPDATE COLUMN JOIN ON EXISTS INDEX ONLY IN CONSTRAINT TO VALUES TYPE SET ADD ALTER
    DROP SCHEMA DATABASE VIEW SEQUENCE TRIGGER FUNCTION USING REFERENCES KEY BY AND OR WHERE LIKE
    BETWEEN DEFAULT AS LIMIT OFFSET SELECT NOT IS THEN ELSE WHEN EXTENSION ROLE USER OWNER DOMAIN POLICY
    RENAME VALUE TRUNCATE CONCURRENTLY INTERVAL ILIKE FOR PROCEDURE PARTITION IDENTIFIED GRANT REVOKE
    MODIFY LANGUAGE COMMENT PUBLICATION SUBSCRIPTION""".split()  # noqa: SIM905
)
"""Words after which an unknown part can only be a name or a value."""


def known(word: str, dialect: str) -> bool:
    """Say whether a statement may begin with *word*."""
    if word in {"IF", "WHILE", "GO", "PRINT", "DENY"}:
        return dialect in {"tsql", "fabric"}
    return word in _KNOWN or word == "DO"


def is_quiet(words: Sequence[str]) -> bool:
    """Say that a statement needs no closer look: it begins as one, and no word of it could hit a rule."""
    first = words[0] if words else ""
    if first == "(":
        return False
    if first in _HARMLESS:
        return True
    if first == "CREATE":
        return "TABLE" not in words[:6] or LOUD.isdisjoint(words) or "AS" not in words
    return first in _KNOWN and first not in _LOUD_FIRST and LOUD.isdisjoint(words)


def is_loose(tokens: Sequence[Token]) -> bool:
    """Say whether an unknown part stands where it decides what the statement does."""
    for index, token in enumerate(tokens):
        if token.text != HOLE:
            continue
        before = tokens[index - 1] if index else None
        if before is None:
            return True
        if before.kind is Kind.WORD and before.upper not in _NAMING:
            return True
        if before.kind in {Kind.QUOTED, Kind.STRING, Kind.NUMBER} or before.text == ")":
            return True
    return False


def table_name(tokens: Sequence[Token]) -> str:
    """Give the possibly qualified name that stands at the beginning, in lower case, without quotes."""
    index = 0
    while index < len(tokens) and tokens[index].upper in {"IF", "NOT", "EXISTS", "ONLY", "TABLE", "FROM"}:
        index += 1
    name = ""
    wants_part = True
    for token in tokens[index:]:
        if wants_part and token.kind in {Kind.WORD, Kind.QUOTED, Kind.STRING}:
            name += re.sub(r'^["`\[\']|["`\]\']$', "", token.text).lower()
        elif not wants_part and token.text == ".":
            name += "."
        else:
            break
        wants_part = not wants_part
    return name


def from_words(tokens: Sequence[Token], dialect: str) -> list[Act]:
    """Understand a statement that no parser could read, by the words at its turning points."""
    words = [token.upper or token.text for token in tokens]
    if words[0] == "CREATE":
        return []
    acts = []
    for index, word in enumerate(words):
        if not _turns(words, index, loose=dialect in {"tsql", "fabric"}):
            continue
        if word == "DROP":
            acts += drop_act(words[index + 1 :], tokens[index + 1 :], dialect)
        elif word == "TRUNCATE":
            acts.append(Act(Verb.TRUNCATE, Thing.TABLE, _names(tokens[index + 1 :])))
        elif word == "DELETE":
            acts.append(Act(Verb.DELETE, Thing.ROWS, _names(tokens[index + 1 :]), _where(words, index)))
        elif word == "UPDATE":
            acts.append(Act(Verb.UPDATE, Thing.ROWS, _names(tokens[index + 1 :]), _where(words, index)))
    if words[0] == "ALTER":
        acts += _alter(words, tokens, dialect)
    return acts


def drop_act(words: Sequence[str], tokens: Sequence[Token], dialect: str) -> list[Act]:
    """Understand what follows DROP."""
    index = 0
    while index < len(words) and words[index] in {"EXTERNAL", "ICEBERG"}:
        index += 1
    kind = words[index] if index < len(words) else ""
    things = {"TABLE": Thing.TABLE, "TABLES": Thing.TABLE, "DATABASE": Thing.DATABASE, "SCHEMA": Thing.SCHEMA}
    thing = Thing.SCHEMA if kind == "OWNED" else things.get(kind)
    if thing is Thing.SCHEMA and is_mysql(dialect):
        thing = Thing.DATABASE
    return [] if thing is None else [Act(Verb.DROP, thing, _names(tokens[index + 1 :]))]


def is_mysql(dialect: str) -> bool:
    """Say whether SCHEMA is another word for DATABASE."""
    return dialect in {"mysql", "mariadb", "singlestore", "doris", "starrocks"}


def _names(tokens: Sequence[Token]) -> tuple[str, ...]:
    name = table_name(tokens)
    return (name,) if name else ()


def _turns(words: Sequence[str], index: int, *, loose: bool) -> bool:  # noqa: PLR0911 (one line a case)
    """Say whether a verb at *index* is one: at the start, in a CTE, or after the words that lead to it."""
    if index == 0:
        return True
    before = words[index - 1]
    if words[index] in {"DELETE", "UPDATE"}:
        if before == "THEN" and words[0] == "MERGE":
            return words[index] == "DELETE"
        if before == "(" and index > 1 and words[index - 2] in {"AS", "MATERIALIZED"}:
            return True
        if words[0] in {"WITH", "IF", "WHILE"} and before == ")":
            return True
    if words[0] == "COPY" and before == "(":
        return True
    if words[index] in {"DROP", "TRUNCATE"} and words[index + 1 : index + 2] in (["TABLE"], ["DATABASE"]):
        return words[0] != "ALTER" and loose  # T-SQL ends no statement with a semicolon
    return words[0] in {"IF", "WHILE", "BEGIN"} and before in {")", "BEGIN", "ELSE", ";", "NULL"}


def _where(words: Sequence[str], start: int) -> Condition:
    depth = 0
    for index in range(start, len(words)):
        word = words[index]
        depth += (word == "(") - (word == ")")
        if depth < 0:
            break
        if word == "WHERE" and depth == 0:
            rest = list(words[index + 1 : index + 5])
            trivial = rest[:1] == ["TRUE"] and rest[1:2] in ([], [")"], ["RETURNING"])
            return Condition.ALWAYS_TRUE if trivial or rest == ["1", "=", "1"] else Condition.SOME
    return Condition.SOME if words[0] == "MERGE" else Condition.NONE


def _alter(words: Sequence[str], tokens: Sequence[Token], dialect: str) -> list[Act]:
    if "TABLE" not in words[:3]:
        return []
    table = table_name(tokens[list(words).index("TABLE") + 1 :])
    acts = []
    for index, word in enumerate(words[:-1]):
        following = words[index + 1]
        if word == "TRUNCATE" and following == "PARTITION":
            acts.append(Act(Verb.TRUNCATE, Thing.TABLE, (table,)))
        elif word == "DROP" and following == "PARTITION":
            acts.append(Act(Verb.DROP, Thing.TABLE, (table,)))
        elif word == "DROP" and following == "COLUMN":
            column = table_name(tokens[index + 2 :])
            acts.append(Act(Verb.DROP, Thing.COLUMN, (f"{table}.{column}",)))
    return acts
