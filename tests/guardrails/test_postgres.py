"""Postgres' own parser beside sqlglot: what it reads alone, and that the stricter of both counts."""

from __future__ import annotations

import pytest

from guardrails.operations import Condition, Thing, Verb
from guardrails.sql import postgres
from guardrails.sql.postgres import from_postgres, stricter
from guardrails.sql.read import read_sql
from guardrails.sql.words import Act

needs_parser = pytest.mark.skipif(
    not postgres.available(), reason="the extra 'postgres' (postgast) is not installed"
)


@needs_parser
@pytest.mark.parametrize(
    ("text", "verb", "thing", "condition"),
    [
        ("DROP TABLE a.b, c", Verb.DROP, Thing.TABLE, Condition.SOME),
        ("DROP DATABASE d WITH (FORCE)", Verb.DROP, Thing.DATABASE, Condition.SOME),
        ("DROP OWNED BY x", Verb.DROP, Thing.SCHEMA, Condition.SOME),
        ("TRUNCATE a", Verb.TRUNCATE, Thing.TABLE, Condition.SOME),
        ("DELETE FROM a WHERE CURRENT OF c", Verb.DELETE, Thing.ROWS, Condition.SOME),
        ("DELETE FROM a WHERE NOT false", Verb.DELETE, Thing.ROWS, Condition.ALWAYS_TRUE),
        ("DELETE FROM a WHERE id = id", Verb.DELETE, Thing.ROWS, Condition.ALWAYS_TRUE),
        ("DELETE FROM a WHERE 1 < 2 OR b = 3", Verb.DELETE, Thing.ROWS, Condition.ALWAYS_TRUE),
        ("DELETE FROM a WHERE 1 = 2", Verb.DELETE, Thing.ROWS, Condition.SOME),
        ("WITH x AS (DELETE FROM a RETURNING *) SELECT 1", Verb.DELETE, Thing.ROWS, Condition.NONE),
        ("ALTER TABLE a ADD c int, DROP b", Verb.DROP, Thing.COLUMN, Condition.SOME),
        (
            "MERGE INTO a USING b ON a.x = b.x WHEN MATCHED THEN DELETE",
            Verb.DELETE,
            Thing.ROWS,
            Condition.SOME,
        ),
    ],
)
def test_postgres_s_own_parser_sees_what_is_lost(
    text: str, verb: Verb, thing: Thing, condition: Condition
) -> None:
    acts = from_postgres(text)
    assert acts is not None
    assert [(act.verb, act.thing, act.condition) for act in acts] == [(verb, thing, condition)]


@needs_parser
@pytest.mark.parametrize(
    "text",
    [
        "DROP INDEX a, b",
        "SELECT 'DROP TABLE a'",
        "INSERT INTO a VALUES (1) ON CONFLICT (b) DO UPDATE SET c = 1",
    ],
)
def test_what_loses_nothing_is_nothing(text: str) -> None:
    assert from_postgres(text) == []


@needs_parser
def test_a_statement_that_only_postgres_knows_is_analysed() -> None:
    reading = read_sql(
        "WITH x AS MATERIALIZED (DELETE FROM a WHERE CURRENT OF c RETURNING *) SELECT * FROM x"
    )
    assert (reading.statements, reading.analysed) == (1, 1)


def test_what_postgres_refuses_is_left_to_the_other_reader() -> None:
    assert from_postgres("this is no sql") is None
    assert from_postgres("SELECT 1; SELECT 2") is None


def test_the_stricter_of_two_readings_counts() -> None:
    some, every = (Act(Verb.DELETE, Thing.ROWS, ("a",), c) for c in (Condition.SOME, Condition.NONE))
    drop = Act(Verb.DROP, Thing.TABLE, ("b",))
    assert stricter([some], [every]) == [every]
    assert stricter([every], [some]) == [every]
    assert stricter([some], [drop]) == [some, drop]
    assert stricter(None, [drop]) == stricter([drop], None) == [drop]
    assert stricter(None, None) is None
