"""A real headless Chromium by its DevTools protocol: enough to open a page, press keys and see text."""

from __future__ import annotations

import asyncio
import base64
import itertools
import re
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pyte

DEADLINE = 90.0
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--remote-debugging-port=0",
    "--window-size=1400,900",
)


def find_chromium() -> str | None:
    """Give the program, where it is installed."""
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


class Page:
    """One page, and what the console's socket has drawn in it."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._drawn = asyncio.Condition()
        self.screen = pyte.Screen(500, 200)
        self._stream = pyte.ByteStream(self.screen)
        self.loaded: list[str] = []
        self.errors: list[str] = []

    async def call(self, method: str, **parameters: object) -> dict[str, Any]:
        number = next(self._numbers)
        awaited = self._answers[number] = asyncio.get_running_loop().create_future()
        await self._socket.send_json({"id": number, "method": method, "params": parameters})
        async with asyncio.timeout(DEADLINE):
            answer = await awaited
        assert "error" not in answer, answer
        result: dict[str, Any] = answer["result"]
        return result

    async def hear(self) -> None:
        """Take in what the browser tells, until it is closed."""
        async for message in self._socket:
            told = message.json()
            if "id" in told:
                self._answers.pop(told["id"]).set_result(told)
                continue
            what, more = told.get("method"), told.get("params", {})
            if what == "Network.webSocketFrameReceived" and more["response"]["opcode"] == 2:
                # pyte stumbles over private sequences of xterm's that draw nothing.
                data = re.sub(
                    rb"\x1b\[[<>=?][0-9;$]*[a-zA-Z]", b"", base64.b64decode(more["response"]["payloadData"])
                )
                self._stream.feed(data)
                async with self._drawn:
                    self._drawn.notify_all()
            elif what == "Network.responseReceived":
                self.loaded.append(more["response"]["url"])
            elif what == "Runtime.exceptionThrown":
                self.errors.append(str(more["exceptionDetails"]))

    async def focus(self) -> None:
        """Do what a click into the page does: from now on keys go to the console."""
        await self.call("Runtime.evaluate", expression="document.querySelector('textarea').focus()")

    async def press(self, key: str, *, control: bool = False) -> None:
        """Press a key as a person does."""
        event: dict[str, object] = {"key": key, "code": f"Key{key.upper()}", "modifiers": 2 if control else 0}
        event["windowsVirtualKeyCode"] = ord(key.upper())
        text = {} if control else {"text": key}
        await self.call("Input.dispatchKeyEvent", type="keyDown", **event, **text)
        await self.call("Input.dispatchKeyEvent", type="keyUp", **event)

    async def until(self, seen: Callable[[str], bool]) -> str:
        """Wait until the console's screen is as wanted."""

        async def wait() -> str:
            async with self._drawn:
                while not seen(text := "\n".join(line.rstrip() for line in self.screen.display)):
                    await self._drawn.wait()
                return text

        try:
            async with asyncio.timeout(DEADLINE):
                return await wait()
        except TimeoutError:
            shown = "\n".join(line.rstrip() for line in self.screen.display if line.strip())
            raise AssertionError(f"never shown; on the screen is:\n{shown}\n{self.errors}") from None


@asynccontextmanager
async def browse(chromium: str, profile: Path, url: str) -> AsyncIterator[Page]:
    """Open *url* in a browser of its own."""
    process = await asyncio.create_subprocess_exec(
        chromium,
        *FLAGS,
        f"--user-data-dir={profile}",
        "about:blank",
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    reading: list[asyncio.Task[Any]] = []
    try:
        async with asyncio.timeout(DEADLINE):
            address = await _address(process.stderr)
        reading.append(asyncio.create_task(process.stderr.read()))
        async with aiohttp.ClientSession() as session:
            base = address.replace("ws://", "http://").partition("/devtools")[0]
            async with session.get(f"{base}/json/list") as answer:
                pages = [one for one in await answer.json() if one["type"] == "page"]
            async with session.ws_connect(pages[0]["webSocketDebuggerUrl"], max_msg_size=0) as socket:
                page = Page(socket)
                reading.append(asyncio.create_task(page.hear()))
                for domain in ("Network", "Page", "Runtime"):
                    await page.call(f"{domain}.enable")
                await page.call("Page.navigate", url=url)
                yield page
    finally:
        process.terminate()
        await process.wait()
        for task in reading:
            task.cancel()
        await asyncio.gather(*reading, return_exceptions=True)


async def _address(errors: asyncio.StreamReader) -> str:
    while line := (await errors.readline()).decode("utf-8", "replace"):
        if "DevTools listening on " in line:
            return line.rpartition(" on ")[2].strip()
    raise AssertionError("chromium ended at once")
