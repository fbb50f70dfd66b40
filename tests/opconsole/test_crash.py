"""A console that fails leaves a few words and a private file, and tells no variable's value."""

from __future__ import annotations

import os
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from opconsole.crash import KEPT, record_crash

NOW = datetime(2026, 3, 2, 14, 5, 30, tzinfo=UTC)


def fail(text: str) -> None:
    hidden = "-".join(("hunter2", "of", "a", "variable"))
    raise RuntimeError(text[: len(hidden) * 100])


def failed(text: str = "a fault\x1b[2J") -> RuntimeError:
    with pytest.raises(RuntimeError) as caught:
        fail(text)
    return caught.value


def test_where_it_happened_goes_into_a_file_of_its_owner_without_any_value(tmp_path: Path) -> None:
    old_mask = os.umask(0)
    try:
        words = record_crash(failed(), tmp_path, NOW)
    finally:
        os.umask(old_mask)
    [path] = tmp_path.glob("crash-*.log")
    text = path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "in fail" in text
    assert "hunter2-of-a-variable" not in text
    assert str(path) in words
    assert "RuntimeError: a fault" in words
    assert "\x1b" not in text + words


def test_only_the_last_crashes_are_kept(tmp_path: Path) -> None:
    for number in range(KEPT + 3):
        record_crash(failed(), tmp_path, NOW + timedelta(seconds=number))
    names = sorted(path.name for path in tmp_path.iterdir())
    assert len(names) == KEPT
    assert names[-1].startswith("crash-20260302T140542")


def test_a_folder_that_is_not_there_is_told_and_the_fault_with_it(tmp_path: Path) -> None:
    words = record_crash(failed("a fault"), tmp_path / "gone", NOW)
    assert "RuntimeError: a fault" in words
    assert "could not be written" in words
    assert record_crash(failed("a fault"), None, NOW).endswith("RuntimeError: a fault")
