"""serve: the console in a browser, for whoever has its address, here, and read-only unless asked."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.opconsole.cli.browser import browse, find_chromium

DEADLINE = 90.0


@pytest.fixture
def served(desk: Any) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """Start the server; give its process and what it says of itself."""
    process = subprocess.Popen(
        [sys.executable, "-m", "opconsole", "-C", str(desk.root), "--json", "serve"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        text = ""
        while not text.endswith("}\n"):
            line = process.stdout.readline()
            assert line, f"it ended: {text}"
            text += line
        yield process, json.loads(text)
    finally:
        with process:  # closes what it was heard by
            process.kill()


def test_only_loopback_is_served(desk: Any) -> None:
    for host in ("0.0.0.0", "::", "example.org", "192.168.1.1"):
        answer = desk.give("serve", "--host", host)
        assert answer.status == 2
        assert "loopback alone" in answer.err
        assert "ssh -L" in answer.err


def test_a_missing_extra_is_told_with_what_installs_it(desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "textual_serve", None)  # what is found where it is not installed
    answer = desk.give("serve")
    assert answer.status == 2
    assert "pip install 'opconsole[web]'" in answer.err


def test_a_port_that_is_taken_is_told(desk: Any) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        answer = desk.give("serve", "--port", str(taken.getsockname()[1]))
    assert answer.status == 2
    assert "--port 0 takes a free one" in answer.err


def test_a_workspace_that_is_only_shown_is_not_served_for_changes(desk: Any) -> None:
    desk.settings((desk.root / "opconsole.toml").read_text() + "[console]\nread_only = true\n")
    assert desk.give("serve", "--write").status == 2


def test_a_pages_console_is_not_for_people(desk: Any) -> None:
    assert desk.give("serve-page").status == 2


def test_only_our_own_page_with_the_token_gets_in(
    served: tuple[subprocess.Popen[str], dict[str, Any]],
) -> None:
    _, said = served
    url, origin = said["url"], f"http://127.0.0.1:{said['port']}"
    assert said["read_only"] is True

    async def ask() -> None:
        async with aiohttp.ClientSession() as session:

            async def status(address: str, **headers: str) -> int:
                async with session.get(address, headers=headers) as answer:
                    return answer.status

            async def socket_status(**headers: str) -> int:
                try:
                    async with session.ws_connect(f"{url}ws", headers=headers) as opened:
                        await opened.close()
                except aiohttp.WSServerHandshakeError as error:
                    return error.status
                return 101

            assert await status(url) == 200
            assert await status(f"{origin}/") == 404
            assert await status(f"{origin}/wrong-token/") == 404
            assert await status(f"{origin}/ws") == 404
            assert await status(f"{origin}/download/unknown") == 404
            # A name of the attacker's that was bound to 127.0.0.1 after its page had been loaded.
            assert await status(url, Host=f"attacker.example:{said['port']}") == 403
            assert await status(url, Host="127.0.0.1") == 403
            # A page of another origin, even one that knows the token.
            assert await socket_status(Origin="http://attacker.example") == 403
            assert await socket_status(Origin="null") == 403
            assert await socket_status() == 403
            assert await socket_status(Origin=origin) == 101
            async with session.post(url) as answer:
                assert answer.status == 405
            async with session.get(url) as answer:
                policy = answer.headers["Content-Security-Policy"]
                assert "default-src 'none'" in policy
                assert "frame-ancestors 'none'" in policy
                assert answer.headers["Referrer-Policy"] == "no-referrer"

    asyncio.run(ask())


def test_ctrl_c_ends_the_server_and_the_consoles_of_its_pages(
    served: tuple[subprocess.Popen[str], dict[str, Any]],
) -> None:
    process, said = served

    async def open_and_end() -> None:
        async with aiohttp.ClientSession() as session:
            origin = f"http://127.0.0.1:{said['port']}"
            async with session.ws_connect(f"{said['url']}ws", headers={"Origin": origin}) as page:
                async with asyncio.timeout(DEADLINE):
                    drawn = await page.receive_bytes()
                assert drawn
                process.send_signal(signal.SIGINT)
                async for _ in page:
                    pass  # what it still draws; the end of the loop is the end of the socket

    asyncio.run(open_and_end())
    assert process.wait(DEADLINE) == 130
    assert _pages_left() == []


def test_in_a_real_browser_the_console_appears_keys_work_and_changes_are_refused(
    desk: Any, served: tuple[subprocess.Popen[str], dict[str, Any]], tmp_path: Path
) -> None:
    chromium = find_chromium()
    if chromium is None:
        pytest.skip("no Chromium is installed here (chromium or google-chrome on PATH)")
    _, said = served
    before = desk.give("--json", "history").out

    async def look() -> list[str]:
        async with browse(chromium, tmp_path / "profile", said["url"]) as page:
            await page.until(lambda text: all(word in text for word in ("DEPLOY-PROD", "Quit", "read-only")))
            await page.focus()
            await page.press("2")
            await page.until(lambda text: "2 Approvals" in text)
            await page.press("1")
            await page.until(lambda text: "1 Operations" in text)
            await page.press("o", control=True)
            await page.until(lambda text: "Attention" in text or "opened read-only" in text)
            await page.press("1")
            await page.until(lambda text: "1 Operations" in text and "read-only" in text)
            assert page.errors == []
            return page.loaded

    loaded = asyncio.run(look())
    foreign = [one for one in loaded if not one.startswith((f"http://127.0.0.1:{said['port']}/", "data:"))]
    assert foreign == []
    assert desk.give("--json", "history").out == before


def _pages_left() -> list[str]:
    """Give the consoles of pages of this test's workspaces that are still there after a while."""
    deadline = time.monotonic() + DEADLINE
    while (left := [one.name for one in Path("/proc").glob("[0-9]*") if _is_page_of_ours(one)]) and (
        time.monotonic() < deadline
    ):
        time.sleep(0.1)  # they tell nobody when they are gone
    return left


def _is_page_of_ours(process: Path) -> bool:
    try:
        page = b"serve-page" in (process / "cmdline").read_bytes().split(b"\0")
        state = f"OPCONSOLE_STATE_DIR={os.environ['OPCONSOLE_STATE_DIR']}".encode()
        return page and state in (process / "environ").read_bytes().split(b"\0")
    except OSError:
        return False  # gone meanwhile
