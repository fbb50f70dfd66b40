"""Secrets that programs get in files: for one program and its time, sandboxed too, gone after any crash."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from opconsole import handing, sandbox
from opconsole.handing import handed, left_behind, tidy
from opconsole.journal.location import JournalPlace, locate

SECRET = "correct horse battery staple"
PATIENCE = 90.0


@pytest.fixture
def vaulted(project: Any) -> Any:
    """A project whose programs find a secret in a file; they take their time while `hold` is there."""
    (project.root / "vault").write_text(f"{SECRET}\n")
    (project.root / "vault").chmod(0o600)
    look = f'test "$(cat "$KEY_FILE")" = "{SECRET}" || exit 9\ncat "$KEY_FILE"; echo; ls "$KEY_FILE"\n'
    project.write("test.sh", look)
    project.write("build.sh", f"{look}mkdir dist && cp app.txt dist/\n")
    hold = (
        f'echo "$KEY_FILE" > {project.root}/where\nwhile test -e {project.root}/hold; do sleep 0.02; done\n'
    )
    (project.bin / "restart.sh").write_text(f"{hold}{look}")
    (project.bin / "health.sh").write_text(look)
    project.project_lines = 'variables = { KEY_FILE = "as-file:file:vault" }'
    project.settings()
    return project


@pytest.fixture
def place(vaulted: Any) -> Iterator[JournalPlace]:
    """Where the workspace's journal is; nothing may be left in memory when the test ends."""
    found = locate(vaulted.root, create=True)
    assert found is not None
    yield found
    assert left_behind(found) == []
    tidy(found)


def until(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, "the condition never held"
        time.sleep(0.02)


def shims(place: JournalPlace) -> list[int]:
    """Give the shims whose programs run now."""
    locks = [path.read_text().split() for path in place.runs.glob("*/steps/*/lock")]
    return [int(words[0]) for words in locks if words and Path(f"/proc/{words[0]}").exists()]


async def begun(project: Any, place: JournalPlace, dying: Any, deploy: Any) -> tuple[Path, Any]:
    """Let a worker of its own begin to restart the service; give the file that the program has."""
    (project.root / "hold").touch()
    project.queue(deploy("DEV", "development"))
    worker = dying()
    await asyncio.to_thread(until, (project.root / "where").exists)
    await asyncio.to_thread(until, lambda: (project.root / "where").read_text().endswith("\n"))
    file = Path((project.root / "where").read_text().strip())
    assert file.read_text() == SECRET
    assert file.parent.parent == handed(place, file.parent.parent.name)
    return file, worker


@pytest.mark.parametrize("sandboxed", ["false", '"required"'])
async def test_27_programs_find_a_secret_in_a_file_and_nothing_keeps_it(
    vaulted: Any, place: JournalPlace, deploy: Callable[..., dict[str, object]], sandboxed: str
) -> None:
    if sandboxed != "false" and sandbox.problem():
        pytest.skip(f"no sandbox on this machine: {sandbox.problem()}")
    vaulted.project_lines += f"\nsandbox = {sandboxed}"
    vaulted.settings()
    vaulted.queue(deploy("DEV", "development"))
    async with vaulted.hosted() as driver:
        await driver.go()
        log = driver.log("DEV")
        assert driver.state("DEV") == "succeeded", log
        assert log.count(" o ***\n") == 4, "tests, build, restart and health"
        paths = {line[27:] for line in log.splitlines() if line.endswith("/KEY_FILE")}
        assert len(paths) == 4, "each program has its own"
        assert not any(Path(path).exists() for path in paths)
        notes = [*place.runs.glob("*/steps/*.program.json")]
        assert notes
        assert all('"KEY_FILE"' in note.read_text() for note in notes)
    for path in (
        one for root in (place.root, vaulted.path, vaulted.root / "targets") for one in root.rglob("*")
    ):
        if path.is_file() and not path.is_symlink() and path.suffix != ".sh":
            content = path.read_bytes()
            assert SECRET.encode() not in content or b"$KEY_FILE" in content, path


async def test_27_a_worker_that_adopts_a_program_lets_it_keep_its_secret_until_it_ends(
    vaulted: Any, place: JournalPlace, deploy: Any, dying: Any
) -> None:
    file, worker = await begun(vaulted, place, dying, deploy)
    worker.kill()
    worker.wait()
    async with vaulted.hosted() as driver:
        assert file.read_text() == SECRET
        (vaulted.root / "hold").unlink()
        await driver.idle()
        assert driver.state("DEV") == "succeeded", driver.log("DEV")
    assert not file.exists()


async def test_27_files_that_worker_and_shim_left_when_both_were_killed_go_with_the_next_worker(
    vaulted: Any, place: JournalPlace, deploy: Any, dying: Any
) -> None:
    file, worker = await begun(vaulted, place, dying, deploy)
    worker.kill()
    worker.wait()
    for pid in shims(place):
        os.kill(pid, signal.SIGKILL)
    await asyncio.to_thread(until, lambda: not shims(place))
    assert file.exists(), "nobody is left who could remove it"
    (vaulted.root / "hold").unlink()
    async with vaulted.hosted() as driver:
        assert not file.exists()
        await driver.idle()


async def test_27_a_folder_in_memory_that_is_somebody_elses_gets_no_secret(
    vaulted: Any, place: JournalPlace, deploy: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(handing, "MEMORY", tmp_path)
    theirs = tmp_path / f"opconsole-{os.geteuid()}-{place.id}"
    theirs.mkdir()
    theirs.chmod(0o777)
    vaulted.queue(deploy("DEV", "development"))
    async with vaulted.hosted() as driver:
        await driver.go()
        assert driver.state("DEV") == "succeeded", driver.log("DEV")
        assert str(place.root) in driver.log("DEV")
    assert list(theirs.iterdir()) == []
