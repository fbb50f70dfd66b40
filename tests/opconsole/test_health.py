from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest

from opconsole.health import (
    CommandCheck,
    HealthCheck,
    HealthResult,
    HttpCheck,
    ProbeResult,
    TcpCheck,
    probe_once,
    wait_healthy,
)
from opconsole.programs import Ending, ProgramResult

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[int]:
    tasks: set[asyncio.Task[None]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await handler(reader, writer)
        except (ConnectionError, asyncio.CancelledError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.transport.abort()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def answering(answer: bytes, requests: list[bytes] | None = None) -> Handler:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        if requests is not None:
            requests.append(request)
        writer.write(answer)
        await writer.drain()
        writer.close()

    return handler


def page(body: str, status: str = "200 OK") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()


async def no_command(argv: tuple[str, ...], seconds: float) -> ProgramResult:
    raise AssertionError(f"{argv} was run for {seconds} s")


async def ask(check: HealthCheck, version: str = "1.1.0") -> ProbeResult:
    return await probe_once(check, version=version, run_command=no_command)


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


async def test_a_page_with_the_expected_status_and_version_passes() -> None:
    requests: list[bytes] = []
    async with serving(answering(page('{"build": {"version": "1.1.0"}}'), requests)) as port:
        url = f"http://127.0.0.1:{port}/health?deep=1"
        check = HttpCheck(url, version_key="build.version", expect_version=True, headers={"X-Probe": "yes"})
        assert await ask(check) == ProbeResult(True, f"{url} answered 200 with version 1.1.0")
    assert requests[0].startswith(b"GET /health?deep=1 HTTP/1.1\r\n")
    assert f"Host: 127.0.0.1:{port}\r\n".encode() in requests[0]
    assert b"X-Probe: yes\r\n" in requests[0]


@pytest.mark.parametrize(
    ("answer", "options", "reason"),
    [
        (page("", "500 Oops"), {}, "answered 500, expected 200"),
        (page("starting"), {"body": "ok"}, 'answered "starting", expected a body containing "ok"'),
        (
            page('{"version": "1.0.0"}'),
            {"version_key": "version", "expect_version": True},
            "answered version 1.0.0, expected 1.1.0",
        ),
        (
            page("<html>"),
            {"version_key": "version", "expect_version": True},
            'answered "<html>", expected JSON with "version"',
        ),
        (page("v1.0"), {"expect_version": True}, 'answered "v1.0", expected version 1.1.0 in it'),
        (b"SSH-2.0-server\r\n\r\n", {}, 'answered "SSH-2.0-server", which is not HTTP'),
        (b"", {}, "answered something that is not HTTP, or broke off"),
        (b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n\r\n", {}, "answered 302, expected 200"),
        (page("\x1b]52;c;AA\x07bad"), {"body": "ok"}, 'answered "bad", expected a body containing "ok"'),
    ],
)
async def test_what_was_found_and_expected_is_named(
    answer: bytes, options: dict[str, object], reason: str
) -> None:
    async with serving(answering(answer)) as port:
        url = f"http://127.0.0.1:{port}/health"
        check = HttpCheck(url, **options)  # type: ignore[arg-type]
        assert await ask(check) == ProbeResult(False, f"{url} {reason}")


async def test_a_chunked_body_is_read() -> None:
    answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nver\r\n5;x=y\r\nsion!\r\n0\r\n\r\n"
    async with serving(answering(answer)) as port:
        assert (await ask(HttpCheck(f"http://127.0.0.1:{port}/", body="version!"))).passed


async def test_a_body_that_nobody_needs_is_not_waited_for() -> None:
    async def open_ended(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n")
        await asyncio.Event().wait()

    async with asyncio.timeout(10), serving(open_ended) as port:
        assert (await ask(HttpCheck(f"http://127.0.0.1:{port}/", timeout=60))).passed


async def test_a_host_header_of_the_settings_replaces_ours() -> None:
    requests: list[bytes] = []
    async with serving(answering(page("ok"), requests)) as port:
        await ask(HttpCheck(f"http://127.0.0.1:{port}", headers={"host": "shop.example"}))
    assert requests[0].lower().count(b"host:") == 1
    assert b"host: shop.example\r\n" in requests[0]


async def test_a_name_with_two_addresses_is_refused_in_plain_words() -> None:
    port = free_port()
    assert (await ask(TcpCheck("localhost", port))).reason == f"localhost:{port}: connection refused"


async def test_proxies_of_the_environment_are_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    async with serving(answering(page("ok"))) as port:
        assert (await ask(HttpCheck(f"http://127.0.0.1:{port}/"))).passed


async def test_nobody_listening_is_connection_refused() -> None:
    port = free_port()
    assert (await ask(HttpCheck(f"http://127.0.0.1:{port}/"))).reason == (
        f"http://127.0.0.1:{port}/: connection refused"
    )
    assert (await ask(TcpCheck("127.0.0.1", port))).reason == f"127.0.0.1:{port}: connection refused"


async def test_a_tcp_check_passes_when_somebody_accepts() -> None:
    async with serving(answering(b"")) as port:
        assert await ask(TcpCheck("127.0.0.1", port)) == ProbeResult(
            True, f"127.0.0.1:{port} accepted a connection"
        )


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


async def dripping(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        writer.write(b"X: y\r\n")
        await writer.drain()
        await asyncio.sleep(0.02)


@pytest.mark.parametrize("handler", [silent, dripping])
async def test_a_connection_that_never_answers_cannot_hang_it(handler: Handler) -> None:
    async with asyncio.timeout(10), serving(handler) as port:
        probe = await ask(HttpCheck(f"http://127.0.0.1:{port}/", timeout=0.2))
    assert probe == ProbeResult(False, f"http://127.0.0.1:{port}/: no answer within 0.2 s")


async def test_an_endless_body_is_read_only_so_far() -> None:
    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(b"x" * 65536)
            await writer.drain()

    async with asyncio.timeout(10), serving(endless) as port:
        probe = await ask(HttpCheck(f"http://127.0.0.1:{port}/", body="needle", timeout=8))
    assert "expected a body containing" in probe.reason
    assert len(probe.reason) < 400


async def test_cancelling_works_at_once() -> None:
    connected = asyncio.Event()

    async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connected.set()
        await asyncio.Event().wait()

    async with asyncio.timeout(10), serving(deaf) as port:
        asking = asyncio.create_task(ask(HttpCheck(f"http://127.0.0.1:{port}/", timeout=600)))
        await connected.wait()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking


@pytest.mark.parametrize(
    "url",
    [
        "ftp://host/",
        "http:///x",
        "http://host/a b",
        "http://host/\r\nX: y",
        "http://me:pw@host/",
        "http://h:99999/",
    ],
)
def test_13_an_address_that_cannot_be_asked_safely_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"address|holds|range"):
        HttpCheck(url)


def test_13_a_header_cannot_smuggle_another() -> None:
    for headers in ({"X": "y\r\nZ: 1"}, {"X: y\r\nZ": "1"}, {"": "1"}):
        with pytest.raises(ValueError, match="header"):
            HttpCheck("http://host/", headers=headers)


class FakeTime:
    def __init__(self) -> None:
        self.now = 100.0
        self.slept: list[float] = []

    def clock(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += max(seconds, 0.001)


async def wait_for_commands(
    statuses: list[int], *, passes: int = 1, within: float = 10
) -> tuple[HealthResult, FakeTime, list[str]]:
    time, notes = FakeTime(), list[str]()
    left = iter(statuses)

    async def run_command(argv: tuple[str, ...], seconds: float) -> ProgramResult:
        status = next(left, statuses[-1])
        now = datetime.now(UTC)
        return ProgramResult(Ending.EXITED, status, None, now, now, f"exited with status {status}")

    check = CommandCheck(("probe", "--all"), interval=2, passes=passes, within=within)
    result = await wait_healthy(
        check, version="1", run_command=run_command, clock=time.clock, sleep=time.sleep, note=notes.append
    )
    return result, time, notes


async def test_it_waits_until_the_check_has_passed_so_often_in_a_row() -> None:
    result, time, notes = await wait_for_commands([1, 0, 1, 1, 0, 0], passes=2, within=60)
    assert (result.healthy, result.attempts) == (True, 6)
    assert time.slept == [2.0] * 5
    assert notes == [f"probe --all: exited with status {status}" for status in (1, 0, 1, 0)]


async def test_it_gives_up_when_the_time_is_over_and_names_the_last_answer() -> None:
    result, time, _ = await wait_for_commands([1])
    assert (result.healthy, result.attempts) == (False, 5)
    assert time.now == pytest.approx(110)
    assert result.reason == "not healthy within 10 s (5 attempts): probe --all: exited with status 1"


async def test_too_few_passes_in_a_row_are_said_to_be_so() -> None:
    result, _, _ = await wait_for_commands([1, 1, 1, 0], passes=3)
    assert result.reason == "probe --all passed 2 times in a row, expected 3, within 10 s (5 attempts)"


def test_a_check_with_impossible_times_is_refused() -> None:
    with pytest.raises(ValueError, match="1 pass or more"):
        TcpCheck("host", 1, passes=0)
    for host, port in (("", 1), ("host", 0), ("host", 70_000), ("a b", 1), ("é" * 70, 1)):
        with pytest.raises(ValueError, match=r"port|label"):
            TcpCheck(host, port)


async def test_json_of_a_hostile_depth_is_no_version() -> None:
    async with serving(answering(page("[" * 50_000))) as port:
        check = HttpCheck(f"http://127.0.0.1:{port}/", version_key="version", expect_version=True)
        probe = await ask(check)
    assert not probe.passed
    assert json.dumps(probe.reason)
