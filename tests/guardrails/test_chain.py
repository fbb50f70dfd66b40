"""The chain of revisions: its order, its faults, and the ways up and down."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from guardrails.check import check_migrations
from guardrails.environments import GateKind
from guardrails.findings import Verdict
from guardrails.migrations.chain import Chain, ChainError, chain_of, reversible
from guardrails.migrations.read import read_migration


def source(
    revision: str, parents: str, body: str = "op.execute('SELECT 1')", back: str = "op.execute('SELECT 1')"
) -> str:
    return (
        f'"""Revision {revision}."""\nfrom alembic import op\nrevision: str = {revision!r}\ndown_revision = {parents}\n\n'  # noqa: E501
        f"def upgrade():\n    {body}\n\ndef downgrade():\n    {back}\n"
    )


def chain(**parents: str) -> Chain:
    return chain_of(read_migration(ast.parse(source(name, of)), f"{name}.py") for name, of in parents.items())


def names(files: object) -> list[str | None]:
    return [file.revision for file in files]  # type: ignore[attr-defined]


def test_the_way_up_runs_parents_first() -> None:
    assert names(chain(c="'b'", a="None", b="'a'").path(None)) == ["a", "b", "c"]


def test_only_what_is_not_applied_is_on_the_way() -> None:
    assert names(chain(a="None", b="'a'", c="'b'").path("a")) == ["b", "c"]
    assert names(chain(a="None", b="'a'", c="'b'").path("a", "b")) == ["b"]
    assert names(chain(a="None").path("a")) == []


def test_branches_and_their_merge_are_walked_once() -> None:
    merged = chain(a="None", b="'a'", c="'a'", d="('b', 'c')")
    assert names(merged.path(None)) == ["a", "b", "c", "d"]
    assert names(merged.path("b")) == ["c", "d"]
    assert names(merged.between("a", "d")) == ["d", "c", "b"]
    assert (merged.heads, merged.roots) == (("d",), ("a",))


def test_the_way_down_is_reversible_only_where_every_step_is() -> None:
    files = [
        read_migration(ast.parse(source("a", "None")), "a.py"),
        read_migration(ast.parse(source("b", "'a'", back="raise ValueError")), "b.py"),
        read_migration(ast.parse(source("c", "'b'")), "c.py"),
    ]
    ways = chain_of(files)
    assert reversible(ways.between("b", "c"))
    assert not reversible(ways.between("a", "c"))


def test_a_downgrade_does_not_lead_to_another_branch() -> None:
    with pytest.raises(ChainError, match="does not come before"):
        chain(a="None", b="'a'", c="'a'").between("b", "c")


def test_a_revision_may_be_named_by_its_beginning() -> None:
    assert chain(ae1027="None", ae1028="'ae1027'").resolve("ae1027") == "ae1027"
    with pytest.raises(ChainError, match="ambiguous"):
        chain(ae1027="None", ae1028="'ae1027'").resolve("ae10")
    with pytest.raises(ChainError, match="not in the migrations folder"):
        chain(a="None").path("gone")


def test_a_cycle_is_named_by_its_path() -> None:
    circle = chain(a="'c'", b="'a'", c="'b'")
    assert [fault.rule for fault in circle.faults()] == ["revision-cycle"]
    assert "a → c → b → a" in circle.faults()[0].message
    with pytest.raises(ChainError, match="circle"):
        circle.path(None, "heads")


def test_faults_are_named_each_with_its_file() -> None:
    faulty = chain(a="None", b="'a'", c="'a'", d="'gone'")
    assert [(f.rule, f.path) for f in faulty.faults()] == [
        ("missing-parent", "d.py"),
        ("several-heads", "b.py"),
        ("several-heads", "c.py"),
        ("several-heads", "d.py"),
    ]
    with pytest.raises(ChainError, match="3 heads"):
        faulty.path(None)


def test_duplicates_are_reported_on_the_second_file(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(source("a", "None"))
    (tmp_path / "b.py").write_text(source("a", "None"))
    result = check_migrations(tmp_path, environment="production", gate=GateKind.PRODUCTION, root=tmp_path)
    assert [(f.path, f.rule) for f in result.report.findings] == [("b.py", "duplicate-revision")]


def test_what_is_applied_is_reported_and_does_not_block(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(source("a", "None", "op.drop_table('x')"))
    (tmp_path / "b.py").write_text(source("b", "'a'"))
    where = {"environment": "production", "gate": GateKind.PRODUCTION, "root": tmp_path}
    fresh = check_migrations(tmp_path, **where)  # type: ignore[arg-type]
    assert fresh.report.verdict is Verdict.BLOCK
    applied = check_migrations(tmp_path, **where, since_revision="a")  # type: ignore[arg-type]
    assert applied.report.verdict is Verdict.WARN
    assert names(applied.unapplied) == ["b"]


def test_a_database_at_an_unknown_revision_blocks_production(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(source("a", "None"))
    result = check_migrations(
        tmp_path, environment="production", gate=GateKind.PRODUCTION, root=tmp_path, since_revision="zzz"
    )
    assert [f.rule for f in result.report.findings] == ["unanalysable"]
    assert result.report.verdict is Verdict.BLOCK
