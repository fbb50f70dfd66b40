"""A migration's source is shown from the run's private copy, and nothing else is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from opconsole.client import SHOWN_SOURCE, Client
from opconsole.journal import ops
from opconsole.journal.records import Run
from opconsole.journal.writer import write_once
from opconsole.sources import SourceKind, SourceStore, SourceVersion
from opconsole.trees import tree_digest
from opconsole.workspace import Workspace
from queues.states import RunState

SETTINGS = """
[projects.shop]
path = "shop"
[projects.shop.environments.development]
target = {type = "releases", path = "deployed/dev"}
"""


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    monkeypatch.setenv("OPCONSOLE_STATE_DIR", str(tmp_path / "state"))
    root = tmp_path / "root"
    (root / "shop" / "versions").mkdir(parents=True)
    root.chmod(0o755)
    (root / "opconsole.toml").write_text(SETTINGS)
    (root / "opconsole.toml").chmod(0o644)
    (root / "shop" / "versions" / "1.py").write_text("def upgrade(): ...\n")
    (root / "shop" / "versions" / "big.py").write_bytes(b"#" * (SHOWN_SOURCE + 10) + b"\xff")
    client = Client.open(Workspace.open(root))
    yield client
    client.close()


async def stored(client: Client) -> str:
    """Store the project's files and give a run that was made from them."""
    project = client.workspace.root / "shop"
    source = SourceVersion(tree_digest(project), "1.0", None, SourceKind.FOLDER)
    kept = await SourceStore(client.place.sources).export(project, source)
    run = Run(
        id="r-1",
        project="shop",
        task="T",
        kind="deployment",
        action="deploy",
        environment="development",
        version="1.0",
        attempt=1,
        state=RunState.WAITING,
        epoch=1,
        requested_by="alice",
        created_at=datetime(2026, 3, 1, tzinfo=UTC),
    )
    write_once(client.place, ops.insert_run(run), ops.update_run(run.id, 1, source_digest=kept.digest))
    write_once(client.place, ops.insert_run(replace(run, id="r-2", task="U")))
    return run.id


async def test_the_text_comes_from_the_private_copy_and_not_from_the_project(client: Client) -> None:
    run = await stored(client)
    (client.workspace.root / "shop" / "versions" / "1.py").write_text("changed since")
    assert await client.migration_source(run, "versions/1.py") == "def upgrade(): ...\n"


async def test_a_large_file_is_cut(client: Client) -> None:
    text = await client.migration_source(await stored(client), "versions/big.py")
    assert text == "#" * SHOWN_SOURCE


@pytest.mark.parametrize(
    "path", ["../../../opconsole.toml", "/etc/passwd", "versions", "versions/none.py", "", "a\0b"]
)
async def test_what_is_no_file_of_the_copy_is_not_shown(client: Client, path: str) -> None:
    assert await client.migration_source(await stored(client), path) is None


async def test_a_run_without_a_copy_or_no_run_shows_nothing(client: Client) -> None:
    await stored(client)
    assert await client.migration_source("r-2", "versions/1.py") is None
    assert await client.migration_source("r-9", "versions/1.py") is None
