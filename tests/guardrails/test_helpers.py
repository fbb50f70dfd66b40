"""Helpers that a migration imports from its own project are read like its own; nothing else is."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import date
from pathlib import Path

import pytest

from guardrails.cache import Cache
from guardrails.check import check_migrations, check_paths
from guardrails.environments import GateKind
from guardrails.findings import Finding, Verdict
from guardrails.migrations import project

HEAD = (
    '"""Change."""\nfrom alembic import op\nimport sqlalchemy as sa\nrevision = "1"\ndown_revision = None\n'
)
BACK = "def downgrade():\n    op.execute('SELECT 1')\n"
MIGRATION = "app/migrations/versions/001.py"


def written(folder: Path, body: str, files: Mapping[str, str], imports: str = "") -> Path:
    """Write a project; give the path of its one migration."""
    lines = "".join(f"    {line}\n" for line in body.split("\n"))
    migration = folder / MIGRATION
    for name, text in {
        "pyproject.toml": "",
        MIGRATION: f"{HEAD}{imports}\ndef upgrade():\n{lines}{BACK}",
        **files,
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return migration


def findings(migration: Path, root: Path | None = None, cache: Cache | None = None) -> tuple[Finding, ...]:
    return check_paths(
        [migration], environment="production", gate=GateKind.PRODUCTION, root=root, cache=cache
    ).findings


def rules(folder: Path, body: str, files: Mapping[str, str], imports: str = "") -> list[str]:
    return [finding.rule for finding in findings(written(folder, body, files, imports))]


UTILS = "app/migrations/utils.py"
GONE = "from alembic import op\ndef gone():\n    op.drop_table('a')\n"


@pytest.mark.parametrize(
    ("imports", "body", "name"),
    [
        ("from app.migrations.utils import gone", "gone()", UTILS),
        ("from app.migrations.utils import gone as away", "away()", UTILS),
        ("from migrations.utils import gone", "gone()", "migrations/utils.py"),
        ("from ..utils import gone", "gone()", UTILS),
        ("from .common import gone", "gone()", "app/migrations/versions/common.py"),
        ("from .. import utils", "utils.gone()", UTILS),
        ("import app.migrations.utils", "app.migrations.utils.gone()", UTILS),
        ("import app.migrations.utils as u", "u.gone()", UTILS),
        ("from app.migrations.utils import *", "gone()", UTILS),
        ("", "from app.migrations.utils import gone\ngone()", UTILS),
        ("from app.migrations.utils import gone", "x = [gone() for _ in range(3)]", UTILS),
        ("from lib.utils import gone", "gone()", "src/lib/utils.py"),
        ("from lib import gone", "gone()", "lib/__init__.py"),
    ],
)
def test_a_helper_of_the_project_is_found_however_it_is_imported(
    tmp_path: Path, imports: str, body: str, name: str
) -> None:
    assert rules(tmp_path, body, {name: GONE}, imports) == ["drop-table"]


@pytest.mark.parametrize(
    ("helper", "body", "expected"),
    [
        ("def gone(op):\n    op.drop_table('a')\n", "gone(op)", ["drop-table"]),
        ("def gone(conn):\n    conn.execute('TRUNCATE a')\n", "gone(op.get_bind())", ["truncate"]),
        ("def gone(x, t):\n    x.execute(f'TRUNCATE {t}')\n", "gone(op.get_bind(), 'a')", ["truncate"]),
        ("def gone(x, sql):\n    x.execute(sql)\n", "gone(op, 'SELECT 1')", []),
        ("def gone(x, sql):\n    x.execute(sql)\n", "gone(op, open('x').read())", ["unanalysable"]),
        # A name of the migration is not the helper's of the same name, and the other way round.
        ("SQL = 'SELECT 1'\ndef gone(x, q):\n    x.execute(q)\n", "gone(op, SQL)", ["unanalysable"]),
        ("def gone(x):\n    x.execute(SQL)\n", "SQL = 'SELECT 1'\ngone(op)", ["unanalysable"]),
        ("T = ['a', 'b']\ndef gone(x):\n    for t in T: x.drop_table(t)\n", "gone(op)", ["drop-table"]),
        ("def inner(x):\n    x.drop_table('a')\ndef gone(x):\n    inner(x)\n", "gone(op)", ["drop-table"]),
        ("def gone(x):\n    gone(x)\n", "gone(op)", []),
        ("def gone(x, f):\n    f(x)\n", "gone(op, given)", ["unanalysable"]),
        ("def gone(f):\n    f()\n", "def mine():\n    op.drop_table('a')\ngone(mine)", ["drop-table"]),
        (
            "def gone(b):\n    b.drop_column('c')\n",
            "with op.batch_alter_table('a') as b:\n    gone(b)",
            ["drop-column"],
        ),
        ("import time\ndef gone():\n    return time.time()\n", "x = gone()", []),
        ("from loguru import logger\ndef gone():\n    logger.info('x')\n    return 1\n", "x = gone()", []),
        ("from other import more\ndef gone(x):\n    more(x)\n", "gone(op)", ["unanalysable"]),
        ("gone = make()\n", "gone(op)", ["unanalysable"]),
        ("def gone(x:\n", "gone(op)", ["unanalysable"]),
        ("class gone:\n    pass\n", "gone(op)", ["unanalysable"]),
    ],
)
def test_what_a_helper_does_is_judged_by_what_it_is_given(
    tmp_path: Path, helper: str, body: str, expected: list[str]
) -> None:
    imports = "from app.migrations.utils import gone"
    assert rules(tmp_path, body, {UTILS: helper}, imports) == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("op.execute(SQL)", ["truncate"]),
        ("op.execute(u.SQL)", ["truncate"]),
        ("op.execute(query('a'))", ["drop-table"]),
        ("op.execute(u.query('a'))", ["drop-table"]),
        ("for t in TABLES:\n    op.drop_table(t)", ["drop-table"]),
        ("for t in u.TABLES:\n    op.execute(f'TRUNCATE {t}')", ["truncate"]),
        ("op.execute(UNKNOWN)", ["unanalysable"]),
    ],
)
def test_constants_and_texts_that_are_imported_are_known(
    tmp_path: Path, body: str, expected: list[str]
) -> None:
    helper = (
        "SQL = 'TRUNCATE a'\nTABLES = ('a',)\nUNKNOWN = open('x').read()\n"
        "def query(t):\n    return f'DROP TABLE {t}'\n"
    )
    imports = "from .. import utils as u\nfrom ..utils import SQL, TABLES, UNKNOWN, query"
    assert rules(tmp_path, body, {UTILS: helper}, imports) == expected


def test_a_finding_stands_at_the_call_and_names_the_helper_and_its_line(tmp_path: Path) -> None:
    migration = written(tmp_path, "gone()", {UTILS: GONE}, "from ..utils import gone")
    (finding,) = findings(migration, tmp_path)
    assert (finding.path, finding.line, finding.verdict) == (MIGRATION, 8, Verdict.BLOCK)
    assert finding.message.endswith("in gone() of app/migrations/utils.py, line 3")
    assert finding.statement == "op.drop_table('a')"
    assert [f.line for f in check_migrations(
        migration.parent, environment="production", gate=GateKind.PRODUCTION, root=tmp_path
    ).report.findings] == [8]  # fmt: skip


def test_an_exemption_at_the_call_covers_the_helper_and_one_inside_it_does_not(tmp_path: Path) -> None:
    mark = "safety-exception: drop-table: moved away"
    at_call = written(tmp_path / "a", f"gone()  # {mark}", {UTILS: GONE}, "from ..utils import gone")
    assert [f.verdict for f in findings(at_call)] == [Verdict.EXEMPT]
    inside = f"from alembic import op\ndef gone():\n    op.execute('DROP TABLE a -- {mark}')\n"
    within = written(tmp_path / "b", "gone()", {UTILS: inside}, "from ..utils import gone")
    assert [f.verdict for f in findings(within)] == [Verdict.BLOCK]


def test_a_direction_that_is_imported_whole_is_walked(tmp_path: Path) -> None:
    text = '"""Change."""\nfrom ..base import upgrade, downgrade\nrevision = "1"\ndown_revision = None\n'
    base = (
        "from alembic import op\ndef upgrade():\n    op.drop_table('a')\ndef downgrade():\n    raise Never\n"
    )
    migration = written(tmp_path, "", {MIGRATION: text, "app/migrations/base.py": base})
    assert sorted(f.rule for f in findings(migration)) == ["drop-table", "irreversible-downgrade"]


def test_helpers_are_found_in_a_package_that_no_project_file_marks(tmp_path: Path) -> None:
    files = dict.fromkeys(("app/__init__.py", "app/storage/__init__.py", "app/storage/db/alembic.ini"), "")
    migration = written(tmp_path, "", {**files, "app/storage/utils.py": GONE})
    (tmp_path / "pyproject.toml").unlink()
    place = tmp_path / "app/storage/db/versions/001.py"
    place.parent.mkdir()
    text = migration.read_text(encoding="utf-8").replace("def upgrade():", "def upgrade():\n    gone()")
    place.write_text(text.replace("import sqlalchemy as sa", "from app.storage.utils import gone"), "utf-8")
    assert [f.rule for f in findings(place)] == ["drop-table"]


def test_of_two_modules_of_one_name_neither_is_believed(tmp_path: Path) -> None:
    harmless = "def gone():\n    pass\n"
    files = {"tools.py": GONE, "src/tools.py": harmless}
    assert rules(tmp_path, "gone()", files, "from tools import gone") == ["unanalysable"]


def test_nothing_outside_of_the_root_is_read(tmp_path: Path) -> None:
    outside = tmp_path / "outside.py"
    outside.write_text(GONE, encoding="utf-8")
    inside = tmp_path / "inside"
    migration = written(inside, "gone()", {}, "from ..linked import gone")
    (inside / "app/migrations/linked.py").symlink_to(outside)
    assert [f.rule for f in findings(migration)] == ["unanalysable"]
    migration = written(inside, "gone()", {}, "from .....outside import gone")
    assert [f.rule for f in findings(migration, inside)] == ["unanalysable"]
    migration = written(inside, "gone()", {UTILS: GONE}, "from ..utils import gone")
    assert [f.rule for f in findings(migration, migration.parent)] == ["unanalysable"]


def test_a_pipe_a_folder_and_a_module_too_large_are_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(project, "LARGEST_MODULE", 100)
    files = {"app/migrations/large.py": GONE + "#" * 100, "app/migrations/folder.py/x.txt": ""}
    for name in ("large", "folder", "pipe", "absent"):
        migration = written(tmp_path, "gone()", files, f"from ..{name} import gone")
        if name == "pipe":
            os.mkfifo(tmp_path / "app/migrations/pipe.py")
        assert [f.rule for f in findings(migration)] == ["unanalysable"], name


def test_circles_end_and_long_ways_are_not_followed(tmp_path: Path) -> None:
    circle = {
        "a.py": "from b import x, gone\ndef go(op):\n    gone(op)\n",
        "b.py": "from a import x, go\ndef gone(op):\n    go(op)\n    op.drop_table('a')\n",
    }
    assert rules(tmp_path, "go(op)\nop.execute(x)", circle, "from a import go, x") == [
        "drop-table",
        "unanalysable",
    ]
    chain = {f"m{n}.py": f"from m{n + 1} import go as on\ndef go(op):\n    on(op)\n" for n in range(9)}
    chain["m9.py"] = "def go(op):\n    op.drop_table('a')\n"
    assert rules(tmp_path, "go(op)", chain, "from m0 import go") == ["unanalysable"]
    assert rules(tmp_path, "go(op)", chain, "from m7 import go") == ["drop-table"]


def test_helpers_that_call_each_other_over_and_over_come_to_an_end(tmp_path: Path) -> None:
    many = "".join(f"def f{n}(op):\n" + f"    f{n + 1}(op)\n" * 40 for n in range(6))
    assert "unanalysable" in rules(
        tmp_path,
        "f0(op)",
        {UTILS: f"{many}def f6(op):\n    op.execute('SELECT 1')\n"},
        "from ..utils import f0",
    )


def test_a_helper_that_was_changed_is_read_again_and_an_unchanged_one_is_not(tmp_path: Path) -> None:
    cache = Cache.open(tmp_path / "cache")
    assert cache is not None
    migration = written(tmp_path / "a", "gone()", {}, "from app.migrations.utils import gone")
    helper = tmp_path / "a" / UTILS
    expected = ["unanalysable"]
    for text, found in ((GONE, "drop-table"), ("def gone():\n    pass\n", ""), (GONE, "drop-table")):
        assert [f.rule for f in findings(migration, cache=cache)] == expected
        assert [f.rule for f in findings(migration, cache=cache)] == expected
        helper.write_text(text, encoding="utf-8")
        expected = [found] if found else []
    assert [f.rule for f in findings(migration, cache=cache)] == expected
    (tmp_path / "a/src/app/migrations").mkdir(parents=True)
    (tmp_path / "a/src/app/migrations/utils.py").write_text("def gone():\n    pass\n", encoding="utf-8")
    assert [f.rule for f in findings(migration, cache=cache)] == ["unanalysable"]
    # The same project elsewhere has the same answer; a root that leaves the helper out has another.
    elsewhere = written(tmp_path / "b", "gone()", {UTILS: GONE}, "from app.migrations.utils import gone")
    assert [f.rule for f in findings(elsewhere, tmp_path / "b", cache)] == ["drop-table"]
    assert [f.rule for f in findings(elsewhere, elsewhere.parent, cache)] == ["unanalysable"]


def test_the_day_of_a_scan_decides_which_exemptions_have_expired(tmp_path: Path) -> None:
    from guardrails.files import Found  # noqa: PLC0415
    from guardrails.scan import Scan, scan_file  # noqa: PLC0415

    body = "op.drop_table('a')  # safety-exception: drop-table: moved (until 2030-01-31)"
    migration = written(tmp_path, body, {})
    for day, verdict in ((date(2030, 1, 31), Verdict.EXEMPT), (date(2030, 2, 1), Verdict.BLOCK)):
        scanned = scan_file(Found(migration, "x.py", named=True), Scan(GateKind.PRODUCTION, today=day))
        assert scanned is not None
        assert {f.verdict for f in scanned.report.findings if f.rule == "drop-table"} == {verdict}
