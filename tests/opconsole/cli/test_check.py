"""check on the command line: its options, formats and modes, and what ends with which status."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from opconsole.cli.check import check_command
from opconsole.cli.main import run_command

ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home" / "cache"))
    return tmp_path / "home"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    folder = tmp_path / "tree"
    folder.mkdir()
    (folder / "a.sql").write_text("TRUNCATE a;\n")
    return folder


def check(*words: str | Path) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    status = check_command([str(word) for word in words], stdout=out, stderr=err, environ=os.environ)
    return status, out.getvalue(), err.getvalue()


def program(*words: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "opconsole", *map(str, words)],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


@pytest.mark.parametrize(
    ("form", "begins"),
    [
        ("text", "🚫 DEPLOYMENT SAFETY"),
        ("json", '{\n  "verdict": "block"'),
        ("sarif", '{\n  "$schema"'),
        ("github", "::error file="),
    ],
)
def test_every_format_is_printed_and_blocks_alike(tree: Path, form: str, begins: str) -> None:
    status, out, err = check(tree, "--format", form)
    assert (status, err) == (4, "")
    assert out.startswith(begins)


def test_the_options_may_stand_before_or_behind_the_command(tree: Path) -> None:
    for line in (
        ["check", str(tree), "--json", "-e", "dev"],
        ["--json", "check", "-e", "dev", str(tree)],
        ["-C", str(tree), "check", "--environment=dev", str(tree), "--format=json"],
    ):
        out = io.StringIO()
        status = run_command(line, stdout=out, stderr=io.StringIO(), environ=os.environ)
        assert (status, json.loads(out.getvalue())["environment"]) == (0, "development")
        done = program(*line, cwd=tree)
        assert (done.returncode, done.stderr) == (0, "")
        assert json.loads(done.stdout) == json.loads(out.getvalue())


def test_a_name_that_looks_like_an_option_stands_behind_two_dashes(tree: Path) -> None:
    (tree / "--json").write_text("#!/bin/sh\naws s3 rb s3://x --force\n")
    done = program("check", "--", "--json", cwd=tree)
    assert done.returncode == 4
    assert "🚫" in done.stdout


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "no path is given; opconsole check --help shows how"),
        (["--bogus"], "unrecognized arguments: --bogus"),
        (["--env", "dev"], "unrecognized arguments: --env"),
        (["--format", "xml", "."], "unknown format 'xml'; allowed: text, json, sarif, github"),
        (["--downgrade", "no", "."], "unknown word 'no' for --downgrade; allowed: required, not-required"),
        (["--jobs", "0", "."], "'0' is no number of processes"),
        (["--baseline", "/none.json", "."], "the baseline '/none.json' cannot be read"),
        (["--explain", "drop-tabel"], "did you mean drop-table"),
        (["--since-revision", "zz", "."], "revision 'zz' is not in the migrations folder"),
        (["--changed-since", "x", "--write-baseline", "b", "."], "leave --changed-since out"),
        (["no\x1b[2J.sql"], "no such file or folder: no"),
    ],
)
def test_what_is_wrong_ends_with_2_and_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], says: str
) -> None:
    (tmp_path / "a.py").write_text("revision = '1'\ndown_revision = None\ndef upgrade():\n    pass\n")
    monkeypatch.chdir(tmp_path)
    status, out, err = check(*words)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("opconsole check: ")
    assert says in err
    assert "\x1b" not in err


def test_a_missing_git_ends_with_2(tree: Path) -> None:
    out, err = io.StringIO(), io.StringIO()
    words = [str(tree), "--changed-since", "HEAD"]
    assert check_command(words, stdout=out, stderr=err, environ={"PATH": ""}) == 2
    assert "git is not installed" in err.getvalue()


def test_a_baseline_is_written_and_then_holds(tree: Path) -> None:
    file = tree / "baseline.json"
    status, out, err = check(tree, "--write-baseline", file)
    assert (status, out) == (0, "")
    assert "wrote 1 findings" in err
    assert check(tree, "--baseline", file)[0] == 0
    (tree / "a.sql").write_text("SELECT 1;\n")
    status, out, err = check(tree, "--baseline", file, "--json")
    assert (status, json.loads(out)["verdict"]) == (0, "pass")
    assert "stale baseline entry" in err
    assert "note: stale baseline entry" in check(tree, "--baseline", file)[1]


def test_what_is_excluded_is_not_read(tree: Path) -> None:
    (tree / "old").mkdir()
    (tree / "old" / "b.sql").write_text("DROP TABLE b;")
    assert check(tree, "--exclude", "old", "--exclude", "a.*")[0] == 0


def test_downgrades_need_not_be_there_where_the_project_says_so(tree: Path) -> None:
    (tree / "a.sql").unlink()
    (tree / "1.py").write_text("'''Add.'''\nrevision = '1'\ndown_revision = None\ndef upgrade():\n    pass\n")
    assert check(tree)[0] == 4
    status, out, _ = check(tree, "--downgrade", "not-required")
    assert status == 0
    assert "note: a missing or empty downgrade() does not block here, by a setting" in out


def test_the_cache_is_used_unless_told_otherwise(tree: Path, own_cache: Path) -> None:
    first = check(tree, "--no-cache")
    assert not own_cache.exists()
    assert check(tree) == first
    assert len([path for path in own_cache.rglob("*") if path.is_file() and len(path.name) == 64]) == 1
    assert check(tree) == first


def test_pages_need_no_path() -> None:
    assert check("--explain", "drop-table")[1].startswith("# drop-table\n")
    assert "drop-table" in check("--list-rules")[1]
    assert json.loads(check("--list-rules", "--json")[1])[0]["rule"]
    assert check("--help")[1].startswith("usage: opconsole check PATH...")


def test_a_reader_that_goes_away_ends_it_quietly(tree: Path) -> None:
    for number in range(3000):
        (tree / f"{number}.sql").write_text("TRUNCATE a;")
    command = f"'{sys.executable}' -m opconsole check --no-cache --format github . | head -n 1"
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=tree,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.stdout.startswith("::error")
    assert done.stderr == ""


def test_one_small_file_is_checked_without_what_it_does_not_need(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("revision = '1'\ndown_revision = None\ndef upgrade():\n    pass\n")
    code = (
        "import sys; from opconsole.cli.check import main\n"
        "main(['a.py', '--no-cache'])\n"
        "heavy = {'typer', 'pydantic', 'rich', 'sqlglot', 'postgast', 'yaml', 'subprocess', 'socket',"
        " 'multiprocessing', 'concurrent.futures', 'asyncio', 'tree_sitter', 'textual'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.stderr == "[]\n"


@pytest.mark.parametrize("dialect", ["postgres", "postgresql", "tsql", "mssql", "mariadb"])
def test_a_dialect_may_be_named_as_the_settings_do(tree: Path, dialect: str) -> None:
    status, out, _ = check(tree, "--dialect", dialect, "--no-cache")
    assert status == 4
    assert "TRUNCATE a" in out
