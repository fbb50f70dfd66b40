"""Nobody opens the journal's files except through SQLite: closing such a descriptor drops SQLite's locks."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
OPENERS = re.compile(
    r"open|(read|write)_(bytes|text)|touch|copy2?|copyfile|copytree|move|fdopen|mmap|file_digest|rename|replace|"
    r"unlink|remove|link|hardlink_to"
)


def _offences(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        text = ast.unparse(node)
        if OPENERS.fullmatch(name) and (".database" in text or "journal.sqlite3" in text):
            yield f"line {node.lineno}: {text}"


@pytest.mark.parametrize("package", ["opconsole", "screens", "queues", "guardrails"])
def test_no_module_opens_copies_or_moves_the_journals_files(package: str) -> None:
    found = {
        f"{path.relative_to(ROOT)}: {offence}"
        for path in (ROOT / package).rglob("*.py")
        for offence in _offences(ast.parse(path.read_text("utf-8")))
    }
    assert found == set()


@pytest.mark.parametrize(
    "code",
    [
        "open(place.database)",
        "place.database.read_bytes()",
        "os.open(place.database, os.O_RDONLY)",
        "shutil.copy(self.place.database, there)",
        "(root / 'journal.sqlite3').open()",
        "with place.database.open('rb') as f: hashlib.file_digest(f, 'sha256')",
    ],
)
def test_the_search_finds_what_it_forbids(code: str) -> None:
    assert list(_offences(ast.parse(code)))


def test_sqlite_is_entered_through_one_door() -> None:
    doors = {
        path.name
        for path in (ROOT / "opconsole" / "journal").rglob("*.py")
        if "sqlite3.connect(" in path.read_text("utf-8")
    }
    assert doors == {"database.py"}


_SCENARIO = """
import sys, threading
opened = []
sys.addaudithook(lambda event, args: opened.append(args[0]) if event == "open" else None)
import asyncio, os
from datetime import UTC, datetime
from pathlib import Path
from opconsole.journal import ops
from opconsole.journal.backup import backup, integrity_faults
from opconsole.journal.hosting import HostLock, host_alive, holder
from opconsole.journal.location import locate
from opconsole.journal.reader import JournalReader
from opconsole.journal.upgrade import open_database
from opconsole.journal.wake import changes
from opconsole.journal.writer import JournalWriter, write_once

workspace = Path(sys.argv[1])
place = locate(workspace, create=True)
with HostLock.try_acquire(place):
    engine = open_database(place, host=True)
    writer = JournalWriter(place, on_fatal=print)
    writer.start()
    now = datetime.now(UTC)

    async def follow():
        async for _ in changes(place):
            await writer.commit(ops.event(now, "x", "p"), ops.audit(now, "a", "b", "c"))
            if JournalReader(engine).last_event() > 3:
                return

    asyncio.run(follow())
    write_once(place, ops.event(now, "x", "p"))
    backup(place, workspace / "copy")
    integrity_faults(place), host_alive(place), holder(place)
    locate(workspace, create=False)
    open_database(place, host=False).dispose()
    writer.close()
    engine.dispose()
names = [os.fspath(name) for name in opened if not isinstance(name, int)]
assert any("host.lock" in str(name) for name in names)
print([name for name in names if "journal.sqlite3" in str(name)])
"""


def test_a_whole_session_opens_the_journals_files_through_sqlite_alone(
    python: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    output, problems = python(_SCENARIO, str(tmp_path)).communicate()
    assert (output, problems) == ("[]\n", "")
