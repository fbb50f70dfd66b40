from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
import threading
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest

from opconsole.client import Client
from opconsole.journal.hosting import HostLock, host_alive
from opconsole.journal.location import locate
from opconsole.journal.records import RequestKind
from opconsole.journal.upgrade import open_database
from opconsole.journal.wake import changes
from opconsole.workspace import Workspace


def test_a_command_waits_for_a_worker_that_is_just_making_the_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPCONSOLE_STATE_DIR", str(tmp_path / "state"))
    root = tmp_path / "workspace"
    root.mkdir()
    (root / "opconsole.toml").write_text("")
    workspace = Workspace.open(root, environ={})
    place = locate(root, create=True)
    assert place is not None
    lock = HostLock.try_acquire(place)
    assert lock is not None
    with lock:
        beginning = threading.Timer(0.3, lambda: open_database(place, host=True).dispose())
        beginning.start()
        client = Client.open(workspace, operator="ana")
        beginning.join()
        assert client.reader.history() == []
        client.close()


async def test_a_console_that_was_opened_read_only_stays_so_and_asks_for_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPCONSOLE_STATE_DIR", str(tmp_path / "state"))
    (tmp_path / "opconsole.toml").write_text("")
    workspace = Workspace.open(tmp_path, environ={})
    client = Client.open(workspace, operator="ana", read_only=True)
    again = Client.open(workspace, operator="ana", read_only=True)  # now there is a journal to look at
    try:
        assert not host_alive(again.place), "who only looks on hosts nothing"
        answer = await client.ask(RequestKind.PAUSE, {"project": "shop"})
        assert (answer.granted, "read-only" in answer.text) == (False, True)
        with pytest.raises(PermissionError, match="opened read-only"):
            client.read_only = False
        assert client.read_only
    finally:
        client.close()
        again.close()
    switched = Client.open(workspace, operator="ana")
    try:
        switched.read_only = True
        assert not (await switched.ask(RequestKind.PAUSE, {"project": "shop"})).granted
        switched.read_only = False
        assert "no project 'shop'" in (await switched.ask(RequestKind.PAUSE, {"project": "shop"})).text
    finally:
        switched.close()


async def test_a_command_that_asked_while_another_held_the_workspace_for_a_moment_gives_its_own_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPCONSOLE_STATE_DIR", str(tmp_path / "state"))
    (tmp_path / "opconsole.toml").write_text("")
    client = Client.open(Workspace.open(tmp_path, environ={}), operator="ana")
    lock = HostLock.try_acquire(client.place)
    assert lock is not None
    asking = asyncio.ensure_future(client.ask(RequestKind.PAUSE, {"project": "shop"}))
    async for _ in changes(client.place):
        if client.reader.open_requests():  # it has seen somebody hosting, and waits for the answer
            break
    lock.release()
    async with asyncio.timeout(60):
        answer = await asking
    assert (answer.granted, "no project 'shop'" in answer.text) == (False, True)
    assert client.reader.open_requests() == []
    client.close()


async def test_a_looser_policy_is_given_to_the_console_and_decided_through_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPCONSOLE_STATE_DIR", str(tmp_path / "state"))
    settings, project = tmp_path / "opconsole.toml", '[projects.shop]\npath = "shop"\n'

    async def asked(text: str, kind: RequestKind, payload: dict[str, object]) -> tuple[bool, str]:
        settings.write_text(text + project)
        client = Client.open(Workspace.open(tmp_path, environ={}), operator="ana")
        try:
            answer = await client.ask(kind, payload)
            policy = await client.policy()
            assert (policy.row.id if policy else "") == (await client.snapshot()).policy_waits
            return answer.granted, policy.row.id + " " + policy.row.digest if policy else ""
        finally:
            client.close()

    strict, loose = "[policy]\nbuild_limit = 60.0\n", "[policy]\nbuild_limit = 90.0\n"
    pause = (RequestKind.PAUSE, {"project": "shop"})
    assert await asked(strict, *pause) == (True, "")
    granted, waits = await asked(loose, *pause)
    assert granted
    name, digest = waits.split()
    wrong = {"policy": name, "plan": "sha256:other", "reason": "it builds for long"}
    assert await asked(loose, RequestKind.APPROVE, wrong) == (False, waits)
    assert await asked(loose, RequestKind.APPROVE, {**wrong, "plan": digest}) == (True, "")


async def test_a_worker_that_is_killed_is_noticed_though_no_file_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPCONSOLE_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setattr("opconsole.client.LIFE_LOOK", 0.05)
    (tmp_path / "opconsole.toml").write_text("")
    client = Client.open(Workspace.open(tmp_path, environ={}), operator="ana")
    holding = (
        f"import fcntl, time; file = open({str(client.place.host_lock)!r}, 'r+'); "
        "fcntl.flock(file, fcntl.LOCK_EX); print('held', flush=True); time.sleep(600)"
    )
    worker = await asyncio.create_subprocess_exec(sys.executable, "-c", holding, stdout=PIPE)
    try:
        assert worker.stdout is not None
        await worker.stdout.readline()
        async with asyncio.timeout(60), contextlib.aclosing(client.changes()) as news:
            async for _ in news:
                if not (await client.snapshot()).worker_alive:
                    break
                worker.kill()
        assert await worker.wait() == -signal.SIGKILL
    finally:
        client.close()
