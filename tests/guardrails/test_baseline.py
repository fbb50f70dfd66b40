"""Baselines: old findings do not block, new ones do, whatever happens to the lines around them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from guardrails.baseline import BaselineError, apply_baseline, read_baseline, write_baseline
from guardrails.check import check_paths
from guardrails.environments import GateKind
from guardrails.findings import BASELINE, Report, Verdict


def check(*paths: Path) -> Report:
    return check_paths(paths, environment="production", gate=GateKind.PRODUCTION)


def held(file: Path, *paths: Path) -> Report:
    return apply_baseline(check(*paths), read_baseline(file), paths)


def verdicts(report: Report) -> list[tuple[str, int, str]]:
    return [(finding.rule, finding.line, finding.verdict.value) for finding in report.findings]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "sql").mkdir()
    (tmp_path / "sql" / "a.sql").write_text("TRUNCATE a;\nDROP TABLE b;\nUPDATE c SET d = 1;\n")
    return tmp_path


def test_what_the_baseline_holds_is_exempt_and_what_is_new_blocks(tree: Path) -> None:
    file = tree / "baseline.json"
    assert write_baseline(file, check(tree)) == (3, 0)
    report = held(file, tree)
    assert report.verdict is Verdict.WARN
    assert {(f.verdict, f.reason) for f in report.findings} == {(Verdict.EXEMPT, BASELINE)}
    with (tree / "sql" / "a.sql").open("a") as out:
        out.write("DROP TABLE z;\n")
    assert verdicts(held(file, tree))[-1] == ("drop-table", 4, "block")


def test_lines_and_white_space_may_change(tree: Path) -> None:
    write_baseline(tree / "baseline.json", check(tree))
    (tree / "sql" / "a.sql").write_text(
        "-- a note\n\n\nTRUNCATE\n  a;\n\nUPDATE c SET d = 1;\nDROP TABLE b;\n"
    )
    assert {verdict for _, _, verdict in verdicts(held(tree / "baseline.json", tree))} == {"exempt"}


def test_a_second_one_like_an_old_one_is_new(tree: Path) -> None:
    write_baseline(tree / "baseline.json", check(tree))
    (tree / "sql" / "a.sql").write_text("TRUNCATE a;\nDROP TABLE b;\nUPDATE c SET d = 1;\nTRUNCATE a;\n")
    assert verdicts(held(tree / "baseline.json", tree))[-1] == ("truncate", 4, "block")


def test_the_same_statement_in_another_file_is_new(tree: Path) -> None:
    write_baseline(tree / "baseline.json", check(tree))
    (tree / "sql" / "b.sql").write_text("TRUNCATE a;\n")
    assert verdicts(held(tree / "baseline.json", tree))[-1] == ("truncate", 1, "block")


def test_a_long_statement_is_known_by_all_of_it_not_by_what_a_report_shows(tree: Path) -> None:
    long = "DO $$ BEGIN {}PERFORM 1; DROP TABLE {}; END $$;\n"
    (tree / "sql" / "a.sql").write_text(long.format("PERFORM 'x'; " * 40, "old"))
    write_baseline(tree / "baseline.json", check(tree))
    assert held(tree / "baseline.json", tree).verdict is Verdict.WARN
    (tree / "sql" / "a.sql").write_text(long.format("PERFORM 'x'; " * 40, "new"))
    assert held(tree / "baseline.json", tree).verdict is Verdict.BLOCK


def test_what_moves_from_downgrade_to_upgrade_is_new(tmp_path: Path) -> None:
    text = '"""Add."""\nrevision = "1"\ndown_revision = None\ndef {}():\n    op.drop_table("x")\ndef {}():\n    op.execute("SELECT 1")\n'  # noqa: E501
    (tmp_path / "a.py").write_text(text.format("downgrade", "upgrade"))
    write_baseline(tmp_path / "baseline.json", check(tmp_path))
    (tmp_path / "a.py").write_text(text.format("upgrade", "downgrade"))
    assert held(tmp_path / "baseline.json", tmp_path).verdict is Verdict.BLOCK


def test_it_does_not_matter_from_where_it_is_checked(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tree / "baseline.json"
    write_baseline(file, check(tree))
    monkeypatch.chdir(tree / "sql")
    assert held(file, Path()).verdict is Verdict.WARN
    assert held(Path("../baseline.json"), Path("a.sql")).verdict is Verdict.WARN
    monkeypatch.chdir(tree)
    assert held(Path("baseline.json"), Path("sql")).verdict is Verdict.WARN
    assert json.loads(file.read_text())["findings"][0]["path"] == "sql/a.sql"


def test_entries_that_nothing_answers_to_are_stale_but_only_where_somebody_looked(tree: Path) -> None:
    (tree / "other").mkdir()
    (tree / "other" / "b.sql").write_text("TRUNCATE b;")
    (tree / "sql" / "gone.sql").write_text("TRUNCATE gone;")
    file = tree / "baseline.json"
    write_baseline(file, check(tree))
    (tree / "sql" / "gone.sql").unlink()
    (tree / "sql" / "a.sql").write_text("TRUNCATE a;\nUPDATE c SET d = 1;\n")
    (tree / "other" / "b.sql").write_text("SELECT 1;")
    notes = [note.split(": ", 1)[1] for note in held(file, tree / "sql").notes]
    assert notes == [
        "sql/a.sql has no drop-table like it any more (DROP TABLE b)",
        "sql/gone.sql has no truncate like it any more (TRUNCATE gone)",
    ]
    assert len(held(file, tree).notes) == 3


def test_what_nobody_could_look_into_is_never_held(tree: Path) -> None:
    (tree / "broken.py").write_text("def (:\n")
    (tree / "junk.sql").write_bytes(b"\x00\x01")
    file = tree / "baseline.json"
    assert write_baseline(file, check(tree)) == (3, 2)
    assert held(file, tree).verdict is Verdict.BLOCK


def test_a_marked_finding_stays_with_its_mark(tree: Path) -> None:
    (tree / "sql" / "a.sql").write_text("DROP TABLE b; -- safety-exception: drop-table - it is empty\n")
    file = tree / "baseline.json"
    assert write_baseline(file, check(tree)) == (0, 0)
    assert [finding.reason for finding in held(file, tree).findings] == ["it is empty"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("not json", "is no JSON"),
        ("[" * 100_000, "is no JSON"),
        ("[]", "is no baseline of version 1"),
        ('{"opconsole-baseline": 2, "findings": []}', "is no baseline of version 1"),
        ('{"opconsole-baseline": 1, "findings": {}}', "'findings' is no list"),
        ('{"opconsole-baseline": 1, "findings": [1]}', "entry 1 is damaged"),
        ('{"opconsole-baseline": 1, "findings": [{"rule": "truncate"}]}', "entry 1 is damaged"),
        (
            '{"opconsole-baseline": 1, "findings": [{"rule": "truncate", "path": "a", "direction": "", '
            '"statement": "TRUNCATE b", "nth": 1, "fingerprint": "0"}]}',
            "entry 1 was edited by hand",
        ),
    ],
)
def test_a_damaged_baseline_is_refused_whole(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "baseline.json"
    file.write_text(text)
    with pytest.raises(BaselineError, match=says):
        read_baseline(file)


def test_a_missing_baseline_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(BaselineError, match="No such file or directory; make one with --write-baseline"):
        read_baseline(tmp_path / "none.json")


def test_only_a_baseline_is_overwritten_and_nothing_is_left_beside_it(tree: Path) -> None:
    with pytest.raises(BaselineError, match="is no JSON"):
        write_baseline(tree / "sql" / "a.sql", check(tree))
    assert "TRUNCATE" in (tree / "sql" / "a.sql").read_text()
    write_baseline(tree / "baseline.json", check(tree))
    write_baseline(tree / "baseline.json", check(tree))
    assert sorted(path.name for path in tree.iterdir()) == ["baseline.json", "sql"]
    with pytest.raises(BaselineError, match="cannot be written"):
        write_baseline(tree / "none" / "baseline.json", check(tree))
