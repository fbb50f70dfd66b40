from __future__ import annotations

import asyncio
import gc
import os
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager, closing, suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opconsole import logs
from opconsole.logs import LogCursor, LogLine, append_note, follow, parse_line, tail

STAMP = "2026-11-23T14:05:00.123Z"


def write(path: Path, *texts: str) -> None:
    with path.open("a") as file:
        file.writelines(f"{STAMP} o {text}\n" for text in texts)


def texts(lines: list[LogLine]) -> list[str]:
    return [line.text for line in lines]


def test_a_line_is_read_with_its_time_stream_and_text() -> None:
    at = datetime(2026, 11, 23, 14, 5, 0, 123000, UTC)
    assert parse_line(f"{STAMP} o hello  world\n") == LogLine(at, "o", "hello  world")
    assert parse_line(f"{STAMP} E dots..".encode()) == LogLine(at, "e", "dots..", unfinished=True)
    assert parse_line(f"{STAMP} n ") == LogLine(at, "n", "")


@pytest.mark.parametrize(
    "text", ["", "torn", f"{STAMP} x a", f"{STAMP} N a", "2026-99-23T14:05:00.123Z o a", f"{STAMP}"]
)
def test_a_line_in_no_format_of_ours_stays_whole(text: str) -> None:
    assert parse_line(text) == LogLine(None, "?", text)


@given(st.binary(max_size=60))
def test_no_bytes_make_reading_a_line_fail(data: bytes) -> None:
    parse_line(STAMP.encode() + b" o " + data).display().encode()
    parse_line(data).display().encode()


def test_01_text_is_handed_out_raw_and_shown_safely() -> None:
    line = parse_line(f"{STAMP} o \x1b]52;c;AAAA\x07\x1b[31mred\x1b[0m [/bold]")
    assert "\x1b]52" in line.text
    assert line.display() == "red [/bold]"
    assert line.display(colours=True) == "\x1b[31mred\x1b[0m [/bold]"


async def test_a_reader_that_is_cancelled_leaves_no_descriptor_open(tmp_path: Path) -> None:
    write(tmp_path / "log", *(str(number) for number in range(1000)))
    cursor = LogCursor(tmp_path / "log")
    for turns in range(4):
        task = asyncio.create_task(cursor.read_new_async())
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    gc.collect()  # a file that nobody closed warns here, and warnings are errors


def test_a_note_is_appended_clean_and_line_by_line(tmp_path: Path) -> None:
    append_note(tmp_path / "log", "first \x1b[2J\nsecond\r" + f"x\n{STAMP} o forged")
    lines = tail(tmp_path / "log", 10)
    assert texts(lines) == ["first ", "second\\rx", f"{STAMP} o forged"]
    assert {line.stream for line in lines} == {"n"}


def test_a_note_on_a_full_disk_says_so() -> None:
    with pytest.raises(OSError, match="No space left"):
        append_note(Path("/dev/full"), "text")


def test_the_tail_is_read_backwards_over_blocks(tmp_path: Path) -> None:
    path = tmp_path / "log"
    write(path, *(f"{number} " + "x" * 50 for number in range(10_000)))
    with path.open("a") as file:
        file.write(f"{STAMP} o not over")
    for count in (0, 1, 3, 2_000, 20_000):
        numbers = [int(line.text.split()[0]) for line in tail(path, count)]
        assert numbers == list(range(10_000))[max(0, 10_000 - count) : 10_000]
    assert tail(tmp_path / "none", 5) == []


def test_the_tail_of_a_file_without_newlines_reads_little(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with path.open("wb") as file:
        file.truncate(10 * 2**30)  # sparse
    assert tail(path, 1) == []


def test_a_cursor_gives_each_line_once_and_waits_for_its_end(tmp_path: Path) -> None:
    path = tmp_path / "log"
    cursor = LogCursor(path)
    assert cursor.read_new() == []
    write(path, "a", "b")
    assert texts(cursor.read_new()) == ["a", "b"]
    with path.open("a") as file:
        file.write(f"{STAMP} o c")
        file.flush()
        assert cursor.read_new() == []
        file.write("c\n")
    assert texts(cursor.read_new()) == ["cc"]
    assert cursor.read_new() == []


def test_a_cursor_begins_again_when_the_file_was_cut_or_replaced(tmp_path: Path) -> None:
    path = tmp_path / "log"
    write(path, "a", "b")
    cursor = LogCursor(path, from_end=True)
    assert cursor.read_new() == []
    os.truncate(path, 0)
    write(path, "c")
    assert texts(cursor.read_new()) == ["c"]
    write(tmp_path / "new", "d", "e")
    (tmp_path / "new").rename(path)
    assert texts(cursor.read_new()) == ["d", "e"]


def test_a_cursor_from_the_end_still_gives_a_line_that_was_half_written(tmp_path: Path) -> None:
    path = tmp_path / "log"
    write(path, "old")
    with path.open("a") as file:
        file.write(f"{STAMP} o ha")
    cursor = LogCursor(path, from_end=True)
    with path.open("a") as file:
        file.write("lf\n")
    assert texts(cursor.read_new()) == ["half"]


def test_a_batch_is_bounded_and_says_that_there_is_more(tmp_path: Path) -> None:
    path = tmp_path / "log"
    write(path, *("x" * 100 for _ in range(20_000)))
    cursor = LogCursor(path)
    first = cursor.read_new()
    assert len(first) < 10_000
    assert cursor.behind
    count = len(first)
    while cursor.behind:
        count += len(cursor.read_new())
    assert count == 20_000


def test_09_a_file_without_newlines_is_given_in_bounded_pieces(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"x" * 3_000_000)
    cursor = LogCursor(path)
    pieces = cursor.read_new()
    while cursor.behind:
        pieces += cursor.read_new()
    assert [piece.stream for piece in pieces] == ["?"] * len(pieces)
    assert max(len(piece.text) for piece in pieces) <= 2**20


@asynccontextmanager
async def following(path: Path, *, from_end: bool = False) -> AsyncIterator[AsyncIterator[list[LogLine]]]:
    async with asyncio.timeout(15), aclosing(follow(path, from_end=from_end)) as batches:  # type: ignore[type-var]
        yield batches


@pytest.fixture(params=["inotify", "looking"])
def watch(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "looking":
        monkeypatch.setattr(logs, "_watch_folder", lambda _: None)


@pytest.mark.usefixtures("watch")
async def test_following_gives_lines_as_they_come(tmp_path: Path) -> None:
    path = tmp_path / "log"
    write(path, "old")
    async with following(path, from_end=True) as batches:
        waiting = asyncio.ensure_future(anext(batches))
        await asyncio.sleep(0)
        loop = asyncio.get_running_loop()
        loop.call_later(0.1, write, path, "new", "newer")
        assert texts(await waiting) == ["new", "newer"]
        write(path, "last")
        assert texts(await anext(batches)) == ["last"]


@pytest.mark.usefixtures("watch")
async def test_a_log_that_is_not_there_yet_can_be_followed(tmp_path: Path) -> None:
    path = tmp_path / "later" / "log"
    async with following(path) as batches:
        waiting = asyncio.ensure_future(anext(batches))
        await asyncio.sleep(0)
        path.parent.mkdir()
        write(path, "first")
        assert texts(await waiting) == ["first"]


@pytest.mark.parametrize("turns", range(12))
async def test_a_cancel_that_meets_a_change_is_not_lost(tmp_path: Path, turns: int) -> None:
    # A migration that waited for its follower to end hung for ever when the last line came just then.
    log = tmp_path / "log"
    write(log, "first")
    with closing(logs._Changes(log)) as changes:
        waiting = asyncio.ensure_future(changes.wait())
        for _ in range(3):
            await asyncio.sleep(0)
        write(log, "second")
        for _ in range(turns):
            await asyncio.sleep(0)

        if waiting.cancel():
            with pytest.raises(asyncio.CancelledError):
                await waiting


async def test_following_comes_in_few_batches_and_leaves_no_descriptor(tmp_path: Path) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    path = tmp_path / "log"
    loop = asyncio.get_running_loop()
    path.touch()

    async def chatter() -> None:
        for number in range(100):
            write(path, str(number))
            await asyncio.sleep(0.005)

    seen: list[str] = []
    batches_seen = 0
    started = loop.time()
    async with following(path) as batches:
        talking = asyncio.create_task(chatter())
        async for batch in batches:
            seen += texts(batch)
            batches_seen += 1
            if len(seen) == 100:
                break
        await talking
    assert seen == [str(number) for number in range(100)]
    assert batches_seen <= (loop.time() - started) * 20 + 2
    assert len(list(Path("/proc/self/fd").iterdir())) <= before
