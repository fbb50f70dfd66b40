from __future__ import annotations

import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opconsole import shim
from opconsole.shim import PIECE, RECORD, Log, Masker, Stream, find_program, pack_record, unpack_record

LETTERS = st.text("abAB", max_size=40).map(str.encode)
SECRETS = st.lists(st.text("abAB", min_size=1, max_size=6).map(str.encode), min_size=1, max_size=4)


def in_pieces(secrets: list[bytes], text: bytes, cuts: list[int]) -> bytes:
    masker = Masker(secrets)
    edges = sorted({0, len(text), *(cut % (len(text) + 1) for cut in cuts)})
    out = b"".join(masker.feed(text[a:b]) for a, b in pairwise(edges))
    return out + masker.feed(b"", final=True)


@settings(max_examples=300, deadline=None)
@given(SECRETS, LETTERS, st.lists(st.integers(0, 99), max_size=8))
def test_27_masking_does_not_depend_on_where_chunks_end(
    secrets: list[bytes], text: bytes, cuts: list[int]
) -> None:
    masked = in_pieces(secrets, text, cuts)
    assert masked == Masker(secrets).whole(text)
    assert not any(secret in masked for secret in secrets)


def test_27_a_secret_split_into_single_bytes_is_masked() -> None:
    text = b"key=hunter2-hunter2; hunt is over"
    assert in_pieces([b"hunter2"], text, list(range(99))) == b"key=***-***; hunt is over"


def test_overlapping_secrets_leave_no_rest() -> None:
    assert Masker([b"abcd", b"cdef"]).whole(b"xabcdefy") == b"x***y"


def test_half_a_secret_at_the_end_is_masked_and_less_is_not() -> None:
    assert Masker([b"correct-horse"]).whole(b"pw correct-h") == b"pw ***"
    assert Masker([b"correct-horse"]).whole(b"pw cor") == b"pw cor"


def test_an_exit_record_is_whole_or_nothing() -> None:
    record = pack_record({"ending": "exited", "reason": "é" * 500})
    assert len(record) == RECORD
    assert unpack_record(record) == {"ending": "exited", "reason": "é" * 500}
    assert unpack_record(b" " * RECORD) is None
    assert unpack_record(b"\0" * RECORD) is None
    assert unpack_record(record[:512] + b" " * (RECORD - 512)) is None
    assert unpack_record(record.replace(b"exited", b"failed")) is None


def test_09_a_line_without_end_is_written_in_bounded_pieces_of_whole_characters(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    stream, log = Stream(b"oO", reader, []), Log(str(tmp_path / "log"))
    text = ("x" + "é" * 20_000).encode()
    for at in range(0, len(text), 4096):
        os.write(writer, text[at : at + 4096])
        stream.read(log)
        assert len(stream.pending) <= PIECE
    os.write(writer, b"\nnext")
    os.close(writer)
    while not stream.over:
        stream.read(log)
    log.close()
    lines = (tmp_path / "log").read_bytes().splitlines()
    assert [line[25:26] for line in lines] == [b"O", b"O", b"o", b"o"]
    assert all(len(line) <= PIECE + 27 for line in lines)
    assert "".join(line[27:].decode() for line in lines[:3]) == text.decode()
    assert lines[3][27:] == b"next"


def test_the_log_notes_what_was_lost_as_soon_as_it_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = Log(str(tmp_path / "log"))
    whole_write = os.write
    room = 10

    def write_until_full(descriptor: int, data: memoryview) -> int:
        nonlocal room
        if room == 0:
            raise OSError(28, "No space left on device")
        count = min(room, len(data))
        room -= count
        return whole_write(descriptor, data[:count])

    monkeypatch.setattr(os, "write", write_until_full)
    log.write(b"first line that does not fit\n")
    log.write(b"second\n")
    monkeypatch.setattr(os, "write", whole_write)
    log.write(b"third\n")
    log.write(b"fourth\n")
    lines = (tmp_path / "log").read_text().splitlines()
    assert lines[0] == "first line"
    assert lines[1][25:] == "n 36 bytes of output are missing here: No space left on device"
    assert lines[2:] == ["third", "fourth"]
    log.close()


def test_a_program_is_never_found_in_the_current_folder_by_a_relative_path_entry(tmp_path: Path) -> None:
    (tmp_path / "tool").write_text("#!/bin/sh\n")
    assert find_program("./tool", str(tmp_path), "") is None  # not executable
    (tmp_path / "tool").chmod(0o755)
    assert find_program("./tool", str(tmp_path), "") == f"{tmp_path}/./tool"
    assert find_program("tool", str(tmp_path), ".::bin") is None
    assert find_program("tool", "/", f"/nowhere:{tmp_path}") == f"{tmp_path}/tool"


def test_the_shim_needs_nothing_but_the_standard_library_and_starts_nothing_by_half_an_order(
    tmp_path: Path,
) -> None:
    ended = subprocess.run(
        [sys.executable, "-I", "-S", shim.__file__], input=b'{"argv": ["touch"', cwd=tmp_path, check=False
    )
    assert ended.returncode == 1
    assert list(tmp_path.iterdir()) == []
