"""The cache and the processes: the same answers, and none that is not this file's own."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from guardrails import cache as cache_module
from guardrails import scanning
from guardrails.cache import Cache, decode, encode, key_of, tool_digest
from guardrails.check import check_paths
from guardrails.environments import GateKind
from guardrails.files import find_files
from guardrails.findings import Coverage, Direction, FileReport, Finding, Report, Severity, Verdict
from guardrails.scan import Scan
from guardrails.scanning import scan_files


@pytest.fixture
def store(tmp_path: Path) -> Cache:
    opened = Cache.open(tmp_path / "cache")
    assert opened is not None
    return opened


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    folder = tmp_path / "tree"
    folder.mkdir()
    (folder / "a.sql").write_text("TRUNCATE a;")
    (folder / "001.py").write_text(
        "'''Add.'''\nrevision = '1'\ndown_revision = None\n"
        "def upgrade():\n    op.drop_table('x')\ndef downgrade():\n    op.execute('SELECT 1')\n"
    )
    (folder / "002.py").write_text("revision = '2'\ndown_revision = 'zz'\ndef upgrade():\n    pass\n")
    return folder


def check(folder: Path, store: Cache | None = None, **options: Any) -> Report:
    return check_paths([folder], environment="production", gate=GateKind.PRODUCTION, cache=store, **options)


def entries(store: Cache) -> list[Path]:
    return sorted(path for path in store.folder.rglob("*") if path.is_file())


def forbid_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise AssertionError("it was read again")

    monkeypatch.setattr(scanning, "scan_file", fail)


def test_a_second_check_reads_nothing_and_says_the_same(
    tree: Path, store: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh = check(tree)
    assert check(tree, store) == fresh
    assert len(entries(store)) == 3
    forbid_reading(monkeypatch)
    assert check(tree, store) == fresh


def test_content_options_and_name_each_make_another_answer(tree: Path, store: Cache) -> None:
    assert check(tree, store).verdict is Verdict.BLOCK
    (tree / "a.sql").write_text("SELECT 1")
    assert [f.rule for f in check(tree, store).findings if f.path.endswith(".sql")] == []
    staging = check_paths([tree], environment="staging", gate=GateKind.STAGING, cache=store)
    assert staging.verdict is Verdict.WARN
    (tree / "001.py").rename(tree / "003.py")
    assert {Path(f.path).name for f in check(tree, store).findings} == {"002.py", "003.py"}


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: data[:-5],
        lambda data: data.replace(b"truncate", b"trancate"),
        lambda data: data.replace(b'"block"', b'"exempt"'),
        lambda data: b"\xff" * 50,
        lambda data: b"\n" + data,
        lambda data: cache_module.hashlib.sha256(b"{}").hexdigest().encode() + b"\n{}",
        lambda data: cache_module.hashlib.sha256(b"[" * 90000).hexdigest().encode() + b"\n" + b"[" * 90000,
    ],
)
def test_a_damaged_entry_is_a_miss_and_is_mended(tree: Path, store: Cache, damage: Any) -> None:
    fresh = check(tree, store)
    before = {file: file.read_bytes() for file in entries(store)}
    for file, data in before.items():
        file.write_bytes(damage(data))
    assert check(tree, store) == fresh
    assert {file: file.read_bytes() for file in entries(store)} == before


def test_an_entry_moved_to_another_key_is_a_miss(tree: Path, store: Cache) -> None:
    fresh = check(tree, store)
    first, second, *_ = entries(store)
    data = first.read_bytes(), second.read_bytes()
    first.write_bytes(data[1])
    second.write_bytes(data[0])
    assert check(tree, store) == fresh


def test_a_folder_that_others_may_write_into_is_not_used(tmp_path: Path) -> None:
    folder = tmp_path / "open"
    folder.mkdir()
    folder.chmod(0o777)
    assert Cache.open(folder) is None


def test_a_folder_that_cannot_be_made_means_no_cache(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert Cache.open(tmp_path / "file" / "cache") is None


def test_another_version_of_the_rules_has_another_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert tool_digest() == tool_digest()
    before = Cache.open(tmp_path / "cache")
    (tmp_path / "sqlglot-99.dist-info").mkdir()
    monkeypatch.syspath_prepend(str(tmp_path))
    tool_digest.cache_clear()
    try:
        after = Cache.open(tmp_path / "cache")
    finally:
        tool_digest.cache_clear()
    assert before is not None
    assert after is not None
    assert before.folder != after.folder


def test_old_entries_are_thrown_away_once_a_day(tree: Path, tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    store = Cache.open(folder)
    assert store is not None
    check(tree, store)
    old, *kept = entries(store)
    os.utime(old, (0, 0))
    Cache.open(folder)
    assert old.exists()
    os.utime(folder / "tidied", (0, 0))
    Cache.open(folder)
    assert entries(store) == kept


def test_unreadable_files_are_not_kept(tree: Path, store: Cache) -> None:
    (tree / "out.sql").symlink_to("/etc/passwd")
    assert "unreadable" in {f.rule for f in check(tree, store).findings}
    assert len(entries(store)) == 3


def test_what_is_kept_comes_back_as_it_was() -> None:
    finding = Finding(
        "r", Severity.LOW, Verdict.WARN, "p\ud800", 1, 2, "m", "f", "s", Direction.DOWNGRADE, reason=None
    )
    report = FileReport("p", (finding, replace(finding, direction=None, reason="x")), Coverage(2, 1))
    assert decode(encode(report), FileReport) == report
    for wrong in ({}, [], None, 3, {**encode(report), "more": 1}, {**encode(report), "path": 3}):  # type: ignore[dict-item]
        with pytest.raises((TypeError, ValueError)):
            decode(wrong, FileReport)
    assert key_of(b"a", "b") != key_of(b"a", "c")
    assert key_of(b"a", "b", "c") != key_of(b"a", "bc")


def test_an_answer_notes_every_other_file_that_it_depends_on(tmp_path: Path) -> None:
    """Else it would be believed although one of them was changed."""
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "helpers.py").write_text("from more import gone\n")
    (tmp_path / "more.py").write_text("def gone(op):\n    op.drop_table('a')\n")
    (tmp_path / "unneeded.py").write_text("def unneeded():\n    pass\n")
    folder = tmp_path / "versions"
    folder.mkdir()
    (folder / "common.py").write_text("from alembic import op\ndef gone():\n    op.drop_table('a')\n")
    (folder / "001.py").write_text(
        "from alembic import op\nfrom helpers import gone\nfrom .common import gone as other\n"
        "from unneeded import unneeded\nrevision = '1'\ndown_revision = None\n"
        "def upgrade():\n    gone(op)\n    other()\n"
    )
    code = (
        "import sys, pathlib; from guardrails.scan import Scan, scan_file\n"
        "from guardrails.files import find_files\n"
        "from guardrails.environments import GateKind\n"
        "def scan(): return [scan_file(f, Scan(GateKind.PRODUCTION)) for f in"
        " find_files([pathlib.Path('versions/001.py')])]\n"
        "scan(); opened = set()\n"
        "sys.addaudithook(lambda e, a: opened.add(str(a[0])) if e in ('open', 'os.scandir') else None)\n"
        "(scanned,) = scan(); print(*sorted(opened))\n"
        "print(*(probe.place for probe in scanned.followed.probes if len(probe.state) == 64))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    opened, noted = done.stdout.splitlines()
    others = [tmp_path / "helpers.py", tmp_path / "more.py", folder / "common.py"]
    assert {Path(place).resolve() for place in opened.split() if place != "versions/001.py"} == {
        place.resolve() for place in others
    }
    assert {(folder / place).resolve() for place in noted.split()} == {place.resolve() for place in others}


def test_many_files_go_over_processes_and_give_the_same_report(tmp_path: Path) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(420):
        (folder / f"{number:04}.sql").write_text(f"TRUNCATE t{number};" if number % 7 == 0 else "SELECT 1;")
    code = (
        "import sys, pathlib; from guardrails import scanning; from guardrails.check import check_paths\n"
        "scanning.MANY_FILES = 400\n"
        "from guardrails.environments import GateKind\n"
        "report = check_paths([pathlib.Path(sys.argv[1])], environment='production',"
        " gate=GateKind.PRODUCTION, jobs=2)\n"
        "print(len(report.files), len(report.findings), 'concurrent.futures' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder)],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert done.stdout.split() == ["420", "60", "True"]


class _Deadly:
    """Ends the process that it is sent to."""

    def __reduce__(self) -> tuple[Any, tuple[int]]:
        return os._exit, (1,)


def test_a_process_that_dies_costs_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / f"{name}.sql").write_text("TRUNCATE a;")
    files = find_files([tmp_path])
    deadly = next(file for file in files if file.path.name == "b.sql")
    real = scanning._run

    def run(chunks: Any, scan: Scan, jobs: int) -> Any:
        # What a crashed interpreter looks like from here: the chunks of the pool come back unread.
        dead = [chunk for chunk in chunks if deadly in chunk]
        return real([chunk for chunk in chunks if chunk not in dead], scan, 1)[0], dead

    monkeypatch.setattr(scanning, "_run", run)
    monkeypatch.setattr(scanning, "MANY_FILES", 2)
    found = {
        file.path.name: [f.rule for f in scanned.report.findings]
        for file, scanned in scan_files(files, Scan(GateKind.PRODUCTION), jobs=2)
    }
    assert found == {"a.sql": ["truncate"], "b.sql": ["unreadable"], "c.sql": ["truncate"]}


def test_a_pool_really_tells_of_a_process_that_died() -> None:
    deadly: Any = [_Deadly()]
    assert scanning._run([deadly], Scan(GateKind.PRODUCTION), 1) == ({}, [deadly])


@pytest.mark.parametrize("trouble", [OSError(38, "no semaphores"), ImportError("no sem_open"), None])
def test_where_no_process_can_be_started_all_is_read_in_this_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trouble: Exception | None
) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.sql").write_text("TRUNCATE a;")

    def run(chunks: Any, *_: Any) -> Any:
        if trouble is not None:
            raise trouble
        return {}, chunks  # they start and die at once

    monkeypatch.setattr(scanning, "_run", run)
    monkeypatch.setattr(scanning, "MANY_FILES", 2)
    scanned = scan_files(find_files([tmp_path]), Scan(GateKind.PRODUCTION), jobs=2)
    assert [[f.rule for f in one.report.findings] for _, one in scanned] == [["truncate"], ["truncate"]]
