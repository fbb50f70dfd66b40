"""The quick way through plain statements sees exactly what the careful way sees."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardrails.rules import all_rules
from guardrails.rules.base import Language
from guardrails.sql import read
from guardrails.sql.read import read_sql
from guardrails.sql.split import Piece, split

SCRIPTS = sorted(
    {
        (example.code, example.dialect)
        for rule in all_rules()
        for example in (*rule.bad, *rule.good)
        if example.language is Language.SQL
    }
)
PARTS = st.sampled_from(
    [
        "DELETE FROM a WHERE b = 'x'",
        "DELETE FROM a WHERE 1=1",
        "DELETE FROM a WHERE b = 'c = 1, d'",
        "DELETE FROM a WHERE true = 1",
        "UPDATE t SET a = 1, b = -2 WHERE \"c\".d <> '5'",
        "INSERT INTO a VALUES (1, 'x; DROP TABLE a')",
        "INSERT INTO a VALUES (')'); DROP TABLE b",
        "CREATE TABLE a (b int)",
        "CREATE TRIGGER t AFTER INSERT ON a BEGIN DELETE FROM b; END",
        "-- note\n",
        "/* DROP TABLE x; */",
        "DROP TABLE `a`",
        "COPY a FROM stdin",
        "\\.\n",
        "ALTER TABLE a ADD b int NOT NULL, ALTER c SET NOT NULL",
        "BEGIN",
        "COMMIT",
        "SELECT f(",
        ")",
        "$$",
        "'",
        '"',
        ";",
        "; ",
        ";\n",
        " ",
        "\n",
    ]
)


def slowly(text: str, dialect: str, patch: pytest.MonkeyPatch) -> object:
    def careful(text: str, dialect: str = "postgres", *, plain: bool = False) -> list[Piece]:
        return split(text, dialect)

    with patch.context() as patched:
        patched.setattr(read, "split", careful)
        return read_sql(text, dialect)


@pytest.mark.parametrize(("text", "dialect"), SCRIPTS)
def test_every_example_reads_the_same_both_ways(
    text: str, dialect: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for script in (text, f"{text};", f"-- note\n{text};\nSELECT 1;", f"SELECT 1;{text}; DROP TABLE z;"):
        assert read_sql(script, dialect) == slowly(script, dialect, monkeypatch)


@settings(max_examples=150, deadline=None)
@given(st.lists(PARTS, max_size=8), st.sampled_from(["postgres", "mysql", "sqlite", "tsql"]))
def test_any_mixture_reads_the_same_both_ways(parts: list[str], dialect: str) -> None:
    text = ";".join(parts) if len(parts) % 2 else "".join(parts)
    with pytest.MonkeyPatch.context() as patch:
        assert read_sql(text, dialect) == slowly(text, dialect, patch)
