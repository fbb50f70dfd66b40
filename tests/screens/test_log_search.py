"""What a search finds in a log, segment by segment, and what a line of JSON looks like laid out."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from screens.widgets import log_search
from screens.widgets.log_export import ExportStopped, export
from screens.widgets.log_file import LogFile, Segment
from screens.widgets.log_json import find_json, lay_out
from screens.widgets.log_search import Hits, SearchError, Wanted, around, search_segment, searchable

STAMP = "2026-03-02T14:05:00.120Z o "


def opened(path: Path, lines: list[str]) -> LogFile:
    path.write_text("".join(f"{STAMP}{line}\n" for line in lines), "utf-8")
    log = LogFile(path)
    log.open()
    while not log.indexed:
        log.index_more()
    return log


def found(log: LogFile, wanted: Wanted) -> list[int]:
    return [
        number for first, segment in log.segments() for number in search_segment(log, first, segment, wanted)
    ]


def test_a_text_without_capitals_is_found_whatever_its_case(tmp_path: Path) -> None:
    log = opened(tmp_path / "log", ["Error one", "error two", "ERROR three", "fine"])
    assert found(log, Wanted("error")) == [0, 1, 2]
    assert found(log, Wanted("Error")) == [0]


def test_an_expression_works_line_by_line(tmp_path: Path) -> None:
    log = opened(tmp_path / "log", ["ab", "b", "", "a b", "c12 a", "xa"])
    assert found(log, Wanted("^a", expression=True)) == [0, 3]
    assert found(log, Wanted("a$", expression=True)) == [4, 5]
    assert found(log, Wanted(r"[^x]a|a\s+b", expression=True)) == [3, 4]
    assert found(log, Wanted("^$", expression=True)) == [2]
    assert found(log, Wanted(r"\d{2}", expression=True)) == [4]
    assert not Wanted(r"\D", expression=True).pattern.search("\N{DIGIT ONE}")


def test_stamps_and_colours_are_no_part_of_what_is_searched(tmp_path: Path) -> None:
    log = opened(tmp_path / "log", ["\x1b[31mre\x1b[1md\x1b[0m", "14:05 is told", "\u202ehidden"])
    assert found(log, Wanted("red")) == [0]
    assert found(log, Wanted("14:05")) == [1]
    assert found(log, Wanted("\\u202e")) == [2]


def test_a_bad_expression_says_what_to_do() -> None:
    with pytest.raises(SearchError, match=r"not a regular expression.*ctrl\+r"):
        _ = Wanted("(", expression=True).pattern
    assert Wanted("(").pattern.search("a (b")


def test_an_expression_that_takes_too_long_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_search, "PATIENCE", 0.2)
    log = opened(tmp_path / "log", ["a" * 5000 + "b" * 5000] * 5)
    began = time.monotonic()
    with pytest.raises(SearchError, match="takes too long"):
        found(log, Wanted(r"(a|aa)*(b|bb)*(a|b)*\d(?<!x{3})$", expression=True))
    assert time.monotonic() - began < 30


@given(
    st.lists(st.text(st.sampled_from("ab\x1b[m\u202e\té "), max_size=6), max_size=30),
    st.sampled_from(["a", "b", "ab", "é", "  "]),
)
def test_a_segment_gives_what_looking_at_each_line_gives(lines: list[str], text: str) -> None:
    data = "\n".join(STAMP + line for line in lines).encode()
    shown = searchable(data).split("\n") if lines else []
    wanted = Wanted(text)

    class Once(LogFile):
        def data(self, _segment: object) -> bytes:
            return data

    result = search_segment(Once(Path("log")), 5, Segment(0, len(data), len(lines)), wanted)
    assert result == [5 + at for at, line in enumerate(shown) if wanted.pattern.search(line)]


@given(st.sets(st.integers(0, 60)), st.integers(0, 4))
def test_what_is_around_hits_is_what_is_near_one(numbers: set[int], context: int) -> None:
    shown = around(Hits(sorted(numbers)), context, 61)
    assert list(shown) == [at for at in range(61) if any(abs(at - hit) <= context for hit in numbers)]


def test_json_is_laid_out_in_its_own_spelling() -> None:
    found_json = find_json('INFO {"a": 1.00, "a": [true, "x\\u001by,{"], "e": {}}  ')
    assert found_json is not None
    assert ["".join(text for text, _ in row) for row in lay_out(found_json)] == [
        "INFO",
        "{",
        '  "a": 1.00,',
        '  "a": [',
        "    true,",
        '    "x\\u001by,{"',
        "  ],",
        '  "e": {}',
        "}",
    ]


@pytest.mark.parametrize("text", ["", "plain", "a [b", "{not json}", "[]", "{}", "{" * 5000 + "}"])
def test_what_is_no_json_stays_as_it_is(text: str) -> None:
    assert find_json(text) is None


def test_a_log_is_written_without_what_steers_a_terminal(tmp_path: Path) -> None:
    log = opened(tmp_path / "log", ["\x1b]0;title\x07one", "two", "three"])
    target = tmp_path / "copy"
    assert export(log, None, target, lambda _written: True) == 3
    assert target.read_text("utf-8") == f"{STAMP}one\n{STAMP}two\n{STAMP}three\n"
    assert target.stat().st_mode & 0o777 == 0o600
    with pytest.raises(FileExistsError):
        export(log, None, target, lambda _written: True)
    assert export(log, [2, 0], tmp_path / "some", lambda _written: True) == 2
    assert (tmp_path / "some").read_text("utf-8") == f"{STAMP}three\n{STAMP}one\n"


def test_writing_that_was_ended_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("screens.widgets.log_export.STEP", 2)
    log = opened(tmp_path / "log", ["x"] * 10)
    with pytest.raises(ExportStopped):
        export(log, None, tmp_path / "copy", lambda written: written < 4)
    assert not (tmp_path / "copy").exists()
