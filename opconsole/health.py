"""Asks whether a service is healthy: over HTTP, by a TCP connection, or by a command.

A check asks once (`probe_once`); `wait_healthy` asks until it has passed often enough in a row or
time is up.
What a service answers is hostile: it is bounded in size and time; no redirect is followed, no proxy asked.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, urlsplit

from guardrails.sanitise import sanitise
from opconsole.programs import ProgramResult

CommandRunner = Callable[[tuple[str, ...], float], Awaitable[ProgramResult]]
"""Runs a command within so many seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Check:
    interval: float = 1.0
    """Seconds from the start of one attempt to the start of the next."""
    timeout: float = 5.0
    """Seconds that one attempt may take."""
    passes: int = 1
    """How often in a row it must pass."""
    within: float = 60.0
    """Seconds in all."""

    def __post_init__(self) -> None:
        if not (self.interval >= 0 and self.timeout > 0 and self.within > 0 and self.passes >= 1):
            raise ValueError(
                "a check needs an interval of 0 or more, a timeout and `within` above 0, 1 pass or more"
            )


@dataclass(frozen=True, slots=True)
class HttpCheck(_Check):
    """Asks for a page. Raises ValueError for an address or header that could not be asked with safely."""

    url: str
    status: int = 200
    body: str | None = None
    """Text that the body must contain."""
    version_key: str | None = None
    """Where the body, as JSON, holds the version ("version", "build.version"); None: anywhere in the body."""
    expect_version: bool = False
    """Whether the version that was released must be found."""
    headers: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super(HttpCheck, self).__post_init__()
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{self.url!r} is no http or https address")
        if _UNSAFE.search(self.url) or parts.username is not None:
            raise ValueError(f"{sanitise(self.url)!r} holds a space, a control character or a user name")
        _ = parts.port, _ascii_host(parts.hostname)  # both raise ValueError where they are none
        for name, value in self.headers.items():
            if not _TOKEN.fullmatch(name) or _CONTROL.search(value):
                raise ValueError(f"the header {name!r} holds a character that would end it")


@dataclass(frozen=True, slots=True)
class TcpCheck(_Check):
    """Passes when a connection is accepted."""

    host: str
    port: int

    def __post_init__(self) -> None:
        super(TcpCheck, self).__post_init__()
        if not self.host or _UNSAFE.search(self.host) or not 0 < self.port < 65536:
            raise ValueError(f"{sanitise(self.host)!r}, port {self.port}: no host or no port from 1 to 65535")
        _ascii_host(self.host)


@dataclass(frozen=True, slots=True)
class CommandCheck(_Check):
    """Passes when the command exits with status 0."""

    argv: tuple[str, ...]


HealthCheck = HttpCheck | TcpCheck | CommandCheck


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """What one attempt found; `reason` is a sentence naming who was asked, what was found and expected."""

    passed: bool
    reason: str


@dataclass(frozen=True, slots=True)
class HealthResult:
    """What all attempts found."""

    healthy: bool
    attempts: int
    reason: str
    last: ProbeResult | None


async def wait_healthy(
    check: HealthCheck,
    *,
    version: str,
    run_command: CommandRunner,
    clock: Callable[[], float],
    sleep: Callable[[float], Awaitable[object]],
    note: Callable[[str], None],
) -> HealthResult:
    """Ask until the check has passed `passes` times in a row, or `within` seconds are over.

    `clock` gives seconds that only grow. `note` hears of every answer that differs from the one before.
    """
    end = clock() + check.within
    attempts = in_a_row = 0
    last: ProbeResult | None = None
    while (left := end - clock()) > 0:
        started = clock()
        probe = await probe_once(
            check, version=version, run_command=run_command, seconds=min(check.timeout, left)
        )
        attempts += 1
        in_a_row = in_a_row + 1 if probe.passed else 0
        if not probe.passed and last is not None and clock() >= end:
            break  # time ran out on this one: what was found before says more than "no answer"
        if probe != last:
            note(probe.reason)
        last = probe
        if in_a_row >= check.passes:
            return HealthResult(True, attempts, probe.reason, probe)
        await sleep(max(0.0, min(started + check.interval, end) - clock()))
    return HealthResult(False, attempts, _why_not(check, last, in_a_row, attempts), last)


async def probe_once(
    check: HealthCheck, *, version: str, run_command: CommandRunner, seconds: float | None = None
) -> ProbeResult:
    """Ask once, within so many seconds (the check's own timeout where they are not given)."""
    seconds = check.timeout if seconds is None else seconds
    try:
        async with asyncio.timeout(seconds):
            return await _probe(check, version, run_command, seconds)
    except TimeoutError:
        problem = f": no answer within {seconds:g} s"
    except ssl.SSLError as error:
        problem = f": TLS failed: {_shown(error.reason or str(error))}"
    except OSError as error:
        problem = f": {_said(error)}"
    except _BadAnswerError as error:
        problem = f" {error}"
    return ProbeResult(False, f"{_who(check)}{problem}")


class _BadAnswerError(Exception):
    """The answer is not HTTP, or too large."""


def _why_not(check: HealthCheck, last: ProbeResult | None, in_a_row: int, attempts: int) -> str:
    spent = f"within {check.within:g} s ({attempts} attempts)"
    if last is None or last.passed:
        return f"{_who(check)} passed {in_a_row} times in a row, expected {check.passes}, {spent}"
    return f"not healthy {spent}: {last.reason}"


def _who(check: HealthCheck) -> str:
    match check:
        case HttpCheck():
            return _shown(check.url)
        case TcpCheck():
            return _shown(f"{check.host}:{check.port}")
        case CommandCheck():
            return _shown(" ".join(check.argv))


async def _probe(check: HealthCheck, version: str, run_command: CommandRunner, seconds: float) -> ProbeResult:
    who = _who(check)
    match check:
        case HttpCheck():
            status, body = await _get(check)
            problem = _find_fault(check, status, body, version)
            return ProbeResult(
                problem is None, f"{who} answered {problem or _praise(check, status, version)}"
            )
        case TcpCheck():
            _, writer = await asyncio.open_connection(check.host, check.port)
            await _hang_up(writer)
            return ProbeResult(True, f"{who} accepted a connection")
        case CommandCheck():
            result = await run_command(check.argv, seconds)
            return ProbeResult(result.ok, f"{who}: {_shown(result.reason)}")


def _find_fault(check: HttpCheck, status: int, body: str, version: str) -> str | None:
    """Give what was answered and what was expected; None when they agree."""
    if status != check.status:
        return f"{status}, expected {check.status}"
    if check.body is not None and check.body not in body:
        return f"{_quoted(body)}, expected a body containing {_quoted(check.body)}"
    if not check.expect_version:
        return None
    if check.version_key is None:
        return None if version in body else f"{_quoted(body)}, expected version {_shown(version)} in it"
    found = _look_up(body, check.version_key)
    if found is None:
        return f"{_quoted(body)}, expected JSON with {_quoted(check.version_key)}"
    return None if found == version else f"version {_shown(found)}, expected {_shown(version)}"


def _praise(check: HttpCheck, status: int, version: str) -> str:
    return f"{status} with version {_shown(version)}" if check.expect_version else f"{status}"


def _look_up(body: str, key: str) -> str | None:
    try:
        value: object = json.loads(body)
    except (ValueError, RecursionError):
        return None
    for word in key.split("."):
        if not isinstance(value, dict) or word not in value:
            return None
        value = value[word]
    return str(value) if isinstance(value, str | int | float) else None


async def _get(check: HttpCheck) -> tuple[int, str]:
    """Ask for the page once; give its status, and the beginning of its body where the check needs it."""
    parts = urlsplit(check.url)
    context = ssl.create_default_context() if parts.scheme == "https" else None
    reader, writer = await asyncio.open_connection(
        _ascii_host(parts.hostname or ""), parts.port or (443 if context else 80), ssl=context, limit=_LARGEST
    )
    try:
        writer.write(_request(check))
        await writer.drain()
        return await _read_answer(reader, with_body=check.body is not None or check.expect_version)
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError) as error:
        raise _BadAnswerError("answered something that is not HTTP, or broke off") from error
    finally:
        await _hang_up(writer)


def _request(check: HttpCheck) -> bytes:
    parts = urlsplit(check.url)
    target = quote(parts.path or "/", safe=_PATH) + (
        f"?{quote(parts.query, safe=_PATH)}" if parts.query else ""
    )
    host = _ascii_host(parts.hostname or "")
    host = f"[{host}]" if ":" in host else host
    given = {key.lower() for key in check.headers}
    ours = {
        "Host": f"{host}:{parts.port}" if parts.port else host,
        "Accept": "*/*",
        "User-Agent": "opconsole",
    }
    headers = {key: value for key, value in ours.items() if key.lower() not in given}
    headers |= {key: value for key, value in check.headers.items() if key.lower() != "connection"}
    lines = [f"{key}: {value}\r\n" for key, value in headers.items()]
    return f"GET {target} HTTP/1.1\r\n{''.join(lines)}Connection: close\r\n\r\n".encode()


async def _read_answer(reader: asyncio.StreamReader, *, with_body: bool) -> tuple[int, str]:
    while True:
        first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        match = _STATUS.match(first)
        if match is None:
            raise _BadAnswerError(f"answered {_quoted(first)}, which is not HTTP")
        status = int(match[1])
        if status >= 200:  # what comes before is only interim
            break
    if not with_body or status in (204, 304):
        return status, ""
    headers = {
        key.strip().lower(): value.strip() for key, _, value in (line.partition(":") for line in lines)
    }
    if "chunked" in headers.get("transfer-encoding", "").lower():
        body = await _read_chunks(reader)
    else:
        length = headers.get("content-length", "")
        body = await _read_at_most(reader, min(_LARGEST, int(length)) if length.isdigit() else _LARGEST)
    return status, body.decode("utf-8", "replace")


async def _read_at_most(reader: asyncio.StreamReader, count: int) -> bytes:
    body = b""
    while len(body) < count and (piece := await reader.read(count - len(body))):
        body += piece
    return body


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while len(body) < _LARGEST:
        size = int((await reader.readuntil(b"\r\n")).split(b";")[0], 16)
        if size <= 0:
            break
        body += await _read_at_most(reader, min(size, _LARGEST - len(body)))
        if len(body) < _LARGEST:
            await reader.readexactly(2)
    return body


async def _hang_up(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()  # at once: nothing that the other side does may keep us
    with contextlib.suppress(OSError):
        await writer.wait_closed()


def _ascii_host(host: str) -> str:
    return host if host.isascii() else host.encode("idna").decode()


def _said(error: OSError) -> str:
    """The system's words. Where a name has several addresses that all refuse alike, asyncio lists each."""
    numbers = {int(number) for number in re.findall(r"\[Errno (\d+)\]", str(error))}
    words = os.strerror(numbers.pop()) if len(numbers) == 1 else error.strerror or str(error)
    return _shown(words[:1].lower() + words[1:])


def _shown(text: str) -> str:
    return sanitise(text, single_line=True, limit=200)


def _quoted(text: str) -> str:
    return f'"{sanitise(text, single_line=True, limit=120)}"'


_LARGEST = 64 * 1024
_PATH = "/%:@!$&'()*+,;=~?-._"
_STATUS = re.compile(r"HTTP/1\.[01] ([1-5][0-9][0-9])(?: |$)")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_UNSAFE = re.compile(r"[\x00-\x20\x7f-\xa0]")
