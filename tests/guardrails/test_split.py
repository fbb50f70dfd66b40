"""The lexer and the splitter: they cover every input, and no input makes them fail."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardrails.operations import Verb
from guardrails.sql.lexer import lex
from guardrails.sql.read import read_sql
from guardrails.sql.split import PieceKind, split

DIALECTS = st.sampled_from(["postgres", "mysql", "sqlite", "tsql", "bigquery", "oracle"])
PARTS = st.sampled_from(
    [
        "'",
        '"',
        "`",
        "$$",
        "$a$",
        "--",
        "#",
        "/*",
        "*/",
        "/*!",
        ";",
        "(",
        ")",
        "\\",
        "\n",
        "BEGIN",
        "END",
        "CREATE",
        "TRIGGER",
        "CASE",
        "DO",
        "EXECUTE",
        "COPY",
        "FROM",
        "stdin",
        "DROP",
        "TABLE",
        "DELETE",
        "WHERE",
        "a",
        "1",
        "=",
        "DELIMITER",
        "//",
        "E'",
        "\\.",
        ".",
        "[",
        "]",
        "IF",
        "THEN",
        "LOOP",
        ":=",
        "||",
        "format(",
        "%I",
        "LANGUAGE",
    ]
)
SCRIPTS = st.one_of(st.text(), st.lists(PARTS).map(" ".join), st.lists(PARTS).map("".join))


def statements(text: str, dialect: str = "postgres") -> list[str]:
    return [
        text[piece.tokens[0].start : piece.tokens[-1].end]
        for piece in split(text, dialect)
        if piece.kind is PieceKind.STATEMENT
    ]


@given(SCRIPTS, DIALECTS)
@settings(deadline=None, max_examples=200)
def test_the_pieces_of_any_text_cover_it(text: str, dialect: str) -> None:
    pieces = split(text, dialect)
    assert "".join(text[piece.start : piece.end] for piece in pieces) == text
    assert all(before.end == after.start for before, after in pairwise(pieces))


@given(SCRIPTS, DIALECTS)
@settings(deadline=None, max_examples=200)
def test_the_tokens_of_any_text_cover_it(text: str, dialect: str) -> None:
    assert "".join(token.text for token in lex(text, dialect)) == text


@given(SCRIPTS, DIALECTS)
@settings(deadline=None, max_examples=150)
def test_reading_any_text_ends_in_a_reading(text: str, dialect: str) -> None:
    reading = read_sql(text, dialect)
    assert 0 <= reading.analysed <= reading.statements


@pytest.mark.parametrize(
    ("text", "dialect", "expected"),
    [
        ("a; b ;; c", "postgres", ["a", "b", "c"]),
        ("select ';'; b", "postgres", ["select ';'", "b"]),
        ("select E'\\';'; b", "postgres", ["select E'\\';'", "b"]),
        ("select $x$ ; $$ ; $x$; b", "postgres", ["select $x$ ; $$ ; $x$", "b"]),
        ('select ";"; b', "postgres", ['select ";"', "b"]),
        ("/* ; /* ; */ ; */ a; b", "postgres", ["a", "b"]),
        ("a -- ;\n+ 1; b", "postgres", ["a -- ;\n+ 1", "b"]),
        ("a # ;\n; b", "mysql", ["a", "b"]),
        ("select 'a\\';'; b", "mysql", ["select 'a\\';'", "b"]),
        ("select `;`; b", "mysql", ["select `;`", "b"]),
        ("select [;]; b", "tsql", ["select [;]", "b"]),
        (
            "create rule r as on insert to a do (b; c); d",
            "postgres",
            ["create rule r as on insert to a do (b; c)", "d"],
        ),
        (
            "CREATE TRIGGER t AFTER INSERT ON a BEGIN b; SELECT CASE WHEN 1 THEN 2 END; END; c",
            "sqlite",
            ["CREATE TRIGGER t AFTER INSERT ON a BEGIN b; SELECT CASE WHEN 1 THEN 2 END; END", "c"],
        ),
        (
            "DELIMITER //\nCREATE PROCEDURE p() BEGIN a; END//\nDELIMITER ;\nb;",
            "mysql",
            ["CREATE PROCEDURE p() BEGIN a; END", "b"],
        ),
        ("COPY a FROM stdin;\n1;2\n\\.\nb;", "postgres", ["COPY a FROM stdin", "b"]),
        ("\\set x ';'\na;", "postgres", ["a"]),
        ("(a; b; c", "postgres", ["(a", "b", "c"]),
        ("CREATE TRIGGER t BEGIN a; b; c", "sqlite", ["CREATE TRIGGER t BEGIN a", "b", "c"]),
    ],
)
def test_statements_are_split_where_the_database_would(text: str, dialect: str, expected: list[str]) -> None:
    assert statements(text, dialect) == expected


def test_a_block_that_never_ends_hides_nothing_behind_it() -> None:
    reading = read_sql("CREATE TRIGGER t BEGIN a; DROP TABLE b; SELECT (1; TRUNCATE c", "sqlite")
    assert {Verb.DROP, Verb.TRUNCATE} <= {operation.verb for operation in reading.operations}


def test_positions_count_from_one_and_point_at_the_statement() -> None:
    (operation,) = read_sql("SELECT 1;\n\n  DROP TABLE\n a;").operations
    assert (operation.place.line, operation.place.column, operation.place.last_line) == (3, 3, 4)


def test_positions_in_a_do_block_are_those_of_the_inner_statement() -> None:
    (operation,) = read_sql("SELECT 1;\nDO $$\nBEGIN\n  DROP TABLE a;\nEND $$;").operations
    assert (operation.place.line, operation.text) == (4, "DROP TABLE a")


@pytest.mark.parametrize("nested", ["(" * 5000, "NOT " * 3000, "CASE WHEN " * 2000, "/*" * 5000, "$$" * 501])
def test_deep_nesting_is_survived(nested: str) -> None:
    reading = read_sql(f"DELETE FROM a WHERE {nested}; SELECT 1")
    assert reading.statements >= 1
