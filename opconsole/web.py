"""The console in a browser: textual-serve's server, on loopback alone, behind a token, one process a page.

Who may connect to loopback is every user and every web page of this machine. So the address holds a token, a
request must name exactly our host (against DNS that is bound to another address), and the socket only opens
for our own page (against other pages' sockets). Each page has a console of its own: a process, no shell.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import os
import secrets
import signal
import socket
from asyncio.subprocess import PIPE, Process
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from aiohttp import WSCloseCode, web
from textual_serve.app_service import AppService
from textual_serve.server import Server

PAGES = 8
"""Consoles that may be open at once: each is a process of its own."""

END_PATIENCE = 5.0
"""Seconds for a console to end by itself when its page is closed."""

LARGEST = 1000
"""Columns or lines that a page may ask for."""


@dataclass(frozen=True, slots=True)
class Door:
    """Where the console is served: a socket that listens, and the token that opens it."""

    listening: socket.socket
    host: str
    port: int
    token: str = field(repr=False)

    @classmethod
    def open(cls, host: str, port: int) -> Door:
        """Listen on a port of loopback; 0 is any free one. Raises OSError."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listening = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind((host, port))
        except OSError:
            listening.close()
            raise
        return cls(listening, host, listening.getsockname()[1], secrets.token_urlsafe(32))

    @property
    def authority(self) -> str:
        """What a request must name as its host."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def origin(self) -> str:
        """Where our own page comes from."""
        return f"http://{self.authority}"

    @property
    def url(self) -> str:
        """The address to open."""
        return f"{self.origin}/{self.token}/"


class PageServer(Server):
    """textual-serve's server, which starts *argv* for every page."""

    def __init__(self, door: Door, argv: Sequence[str], title: str) -> None:
        super().__init__("", host=door.host, port=door.port, title=title, public_url=door.origin)
        self._door = door
        self._argv = tuple(argv)
        self._open: set[web.WebSocketResponse] = set()

    async def application(self) -> web.Application:
        """Make it: everything lies below the token; but downloads, whose keys are secrets themselves."""
        outer = web.Application(middlewares=[self._guard])
        outer.add_subapp(f"/{self._door.token}", await self._make_app())
        outer.router.add_get("/download/{key}", self.handle_download)
        outer.on_response_prepare.append(self._close_in)
        outer.on_shutdown.append(self._end_pages)
        return outer

    async def on_startup(self, app: web.Application) -> None:
        """Say nothing: the command says where to look."""

    async def handle_websocket(self, request: web.Request) -> web.WebSocketResponse:
        """Start a console for a page, and end it with the page."""
        if len(self._open) >= PAGES:
            raise web.HTTPServiceUnavailable(text=f"{PAGES} pages are open already; close one")
        page = web.WebSocketResponse(heartbeat=15)
        await page.prepare(request)
        console = _Console(
            self._argv,
            write_bytes=page.send_bytes,
            write_str=page.send_str,
            close=page.close,
            download_manager=self.download_manager,
        )
        self._open.add(page)
        try:
            await console.start(_size(request, "width", 80), _size(request, "height", 24))
            await self._process_messages(page, console)
        finally:
            self._open.discard(page)
            await console.stop()
        return page

    @web.middleware
    async def _guard(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        if not _same(request.headers.get("Host", ""), self._door.authority):
            raise web.HTTPForbidden(text=f"this console answers at {self._door.origin} alone")
        origin = request.headers.get("Origin")
        asks_for_socket = "upgrade" in request.headers.get("Connection", "").lower()
        if (asks_for_socket or origin is not None) and not _same(origin or "", self._door.origin):
            raise web.HTTPForbidden(text="this console opens for its own page alone")
        if request.method not in ("GET", "HEAD"):
            raise web.HTTPMethodNotAllowed(request.method, ["GET", "HEAD"])
        return await handler(request)

    async def _close_in(self, request: web.Request, response: web.StreamResponse) -> None:
        """Let a page load from here alone, be framed nowhere, be kept nowhere and tell nobody its address."""
        response.headers["Content-Security-Policy"] = (
            "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
            f"img-src 'self' data:; font-src 'self' data:; connect-src 'self' ws://{self._door.authority}; "
            "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
        )
        response.headers["Referrer-Policy"] = "no-referrer"
        response.headers["Cache-Control"] = "no-store"
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Cross-Origin-Resource-Policy"] = "same-origin"

    async def _end_pages(self, app: web.Application) -> None:
        for page in list(self._open):
            await page.close(code=WSCloseCode.GOING_AWAY, message=b"opconsole serve has ended")


class _Console(AppService):
    """One page's console: a process that is started from a list of arguments, and that does end."""

    def __init__(self, argv: Sequence[str], **more: object) -> None:
        super().__init__("", **more)  # type: ignore[arg-type]  # what the base class takes, handed on
        self._argv = tuple(argv)

    async def _open_app_process(self, width: int = 80, height: int = 24) -> Process:
        """Start it. It has a session of its own: Ctrl-C in our terminal ends us, and we end it."""
        process = await asyncio.create_subprocess_exec(
            *self._argv,
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            env=self._build_environment(width=width, height=height),
            start_new_session=True,
        )
        self._process, self._stdin = process, process.stdin
        return process

    async def stop(self) -> None:
        """Ask it to end, and end it where it does not."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(END_PATIENCE):
                await super().stop()
        process = self._process
        if process is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(END_PATIENCE):
                    await process.wait()
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                await process.wait()


async def serve(door: Door, argv: Sequence[str], title: str, said: Callable[[], None]) -> int:
    """Serve until a signal ends it, and give its number; *said* is called when it answers."""
    loop = asyncio.get_running_loop()
    over: asyncio.Future[int] = loop.create_future()

    def end(number: int) -> None:
        if not over.done():
            over.set_result(number)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, end, number)
    # No log of requests: their addresses hold the token.
    runner = web.AppRunner(
        await PageServer(door, argv, title).application(), access_log=None, shutdown_timeout=2 * END_PATIENCE
    )
    await runner.setup()
    try:
        await web.SockSite(runner, door.listening).start()
        said()
        return await over
    finally:
        await runner.cleanup()


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.lower().encode("utf-8", "replace"), wanted.lower().encode())


def _size(request: web.Request, name: str, otherwise: int) -> int:
    text = request.query.get(name, "")
    return max(10, min(LARGEST, int(text))) if text.isascii() and text.isdigit() else otherwise
