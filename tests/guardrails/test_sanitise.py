from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from guardrails.sanitise import Sanitiser, sanitise

HOSTILE = st.lists(
    st.one_of(
        st.sampled_from(
            [
                "\x1b", "\x1b[", "\x1b]", "\x1bP", "\x9b", "\x9d", "\x90", "\x9c", "\x1b\\", "\x07", "[", "]",
                "m", "31", ";", "8", "38", "5", "2", ":", "0", "\r", "\n", "\r\n", "\b", "\t", "\x00", "\x7f",
                " ", "!", "\ufe0f", "✔", "\u202e", "\u200d", "\udc9b", "\U000e0041", "FAILED", "\\", "52;c;",
                "\x18", "é",
            ]
        ),
        st.text(max_size=3),
    ),
    max_size=30,
).map("".join)  # fmt: skip
SGR = re.compile(r"\x1b\[[0-9;:]*m")
FORBIDDEN = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u200b-\u200f\U000e0000-\U000e0fff]"
)


def cleaned_in_pieces(text: str, cuts: list[int], *, colours: bool, single_line: bool) -> str:
    sanitiser = Sanitiser(colours=colours, single_line=single_line)
    edges = sorted({0, len(text), *(cut % (len(text) + 1) for cut in cuts)})
    pieces = [sanitiser.feed(text[a:b]) for a, b in pairwise(edges)]
    return "".join(pieces) + sanitiser.close()


@settings(max_examples=300, deadline=None)
@given(HOSTILE, st.booleans(), st.booleans())
@example("\x1b]0;x\x1b]1;y\x07", True, False)
@example("\r\x1b[31m\n", True, False)
def test_nothing_that_steers_a_terminal_is_left(text: str, colours: bool, single_line: bool) -> None:
    clean = sanitise(text, colours=colours, single_line=single_line)
    visible = SGR.sub("", clean) if colours else clean
    assert FORBIDDEN.search(visible) is None
    clean.encode("utf-8")
    if single_line:
        assert "\n" not in clean
        assert "\t" not in clean


@settings(max_examples=300, deadline=None)
@given(HOSTILE, st.booleans(), st.booleans())
@example("✔\x1b[1m\ufe0f", True, False)
@example("✔\r\ufe0f", False, False)
@example("\x1b[38;38;5;8;8;1m", True, False)
def test_cleaning_twice_changes_nothing_more(text: str, colours: bool, single_line: bool) -> None:
    once = sanitise(text, colours=colours, single_line=single_line)
    assert sanitise(once, colours=colours, single_line=single_line) == once


@settings(max_examples=300, deadline=None)
@given(HOSTILE, st.lists(st.integers(0, 200), max_size=8), st.booleans(), st.booleans())
def test_it_does_not_matter_where_the_text_was_cut(
    text: str, cuts: list[int], colours: bool, single_line: bool
) -> None:
    whole = sanitise(text, colours=colours, single_line=single_line)
    assert cleaned_in_pieces(text, cuts, colours=colours, single_line=single_line) == whole


@settings(max_examples=200, deadline=None)
@given(HOSTILE, st.integers(0, 60), st.booleans())
def test_a_limit_bounds_the_result_and_cuts_no_colour_in_two(text: str, limit: int, colours: bool) -> None:
    clean = sanitise(text, colours=colours, limit=limit)
    assert len(clean) <= limit
    assert FORBIDDEN.search(SGR.sub("", clean)) is None
    assert sanitise(clean, colours=colours, limit=limit) == clean


def test_a_cut_text_says_how_much_is_missing() -> None:
    assert sanitise("a" * 100, limit=30) == "a" * 19 + "… (81 more)"
    assert sanitise("a" * 30, limit=30) == "a" * 30


@pytest.mark.parametrize("end", ["\x07", "\x1b\\", "\x9c"])
@pytest.mark.parametrize("begin", ["\x1b]", "\x9d"])
def test_01_an_osc_52_clipboard_write_in_a_build_log_is_removed(begin: str, end: str) -> None:
    assert sanitise(f"before{begin}52;c;cm0gLXJmIH4={end}after", colours=True) == "beforeafter"


def test_02_a_title_set_and_its_report_query_are_removed() -> None:
    assert sanitise("a\x1b]0;rm -rf ~\x07b\x1b[21tc\x1b[6nd\x1b[>0qe", colours=True) == "abcde"


def test_03_c1_controls_without_esc_are_removed_or_shown() -> None:
    assert sanitise("a\x9b2Jb\x9d0;t\x9cc\x85d\x84e") == "abcde"
    assert sanitise("a\x9b31mred\x9b0m", colours=True) == "a\x1b[31mred\x1b[0m"
    assert sanitise("bytes kept by surrogateescape: \udc9b2J") == "bytes kept by surrogateescape: \\udc9b2J"


def test_04_an_escape_split_across_chunks_is_still_removed() -> None:
    sanitiser = Sanitiser()
    pieces = [sanitiser.feed(chunk) for chunk in ("ok\x1b", "]52;c;", "AAAA", "\x1b", "\\done")]
    assert "".join(pieces) + sanitiser.close() == "okdone"


def test_05_carriage_return_and_backspaces_cannot_overwrite_failed() -> None:
    assert sanitise("FAILED\rOK    ") == "FAILED\\rOK    "
    assert sanitise("FAILED\b\b\b\b\b\bOK") == "FAILED" + "\\b" * 6 + "OK"
    assert sanitise("FAILED\x1b[6DOK\x1b[2K") == "FAILEDOK"


def test_06_bidi_and_zero_width_characters_are_shown() -> None:
    assert sanitise("prod\u202egolp\u200b\u2066\ufeff") == "prod\\u202egolp\\u200b\\u2066\\ufeff"
    assert sanitise("dev\U000e0070") == "dev\\U000e0070"
    assert sanitise("prod\ufe0f") == "prod\\ufe0f"
    assert sanitise("✔\ufe0f done") == "✔\ufe0f done"
    assert sanitise("✔\r\ufe0f") == "✔\\r\\ufe0f"  # it follows the r that is shown, no symbol


@pytest.mark.parametrize("address", ["file:///etc/passwd", "https://example.invalid/"])
def test_07_an_osc_8_link_leaves_only_its_text(address: str) -> None:
    assert sanitise(f"\x1b]8;;{address}\x1b\\text\x1b]8;;\x1b\\", colours=True) == "text"


def test_08_markup_is_ordinary_text() -> None:
    assert sanitise("[/bold][@click=app.quit]x[/]") == "[/bold][@click=app.quit]x[/]"


def test_13_newlines_and_nul_in_a_name_are_shown() -> None:
    assert sanitise("a\nb\tc\x00d\r\n", single_line=True) == "a\\nb\\tc\\x00d\\n"


def test_what_a_terminal_would_swallow_waiting_for_an_end_is_shown() -> None:
    assert sanitise("ok\x1b]0;FAILED\nFAILED") == "ok\\x1b]0;FAILED\nFAILED"
    assert sanitise("ok\x1bPFAILED") == "ok\\x1bPFAILED"
    assert "FAILED" in sanitise("\x1b]" + "x" * 5000 + "FAILED\x07")


def test_line_ends_of_other_systems_are_newlines() -> None:
    assert sanitise("a\r\nb\r\r\nc\r") == "a\nb\nc"


def test_colours_stay_only_when_asked_for_and_never_conceal() -> None:
    assert sanitise("\x1b[1;31mred\x1b[0m") == "red"
    assert sanitise("\x1b[1;31mred\x1b[0m", colours=True) == "\x1b[1;31mred\x1b[0m"
    assert sanitise("\x1b[8mhidden\x1b[m", colours=True) == "hidden\x1b[m"
    assert sanitise("\x1b[1;08;38;5;8mx", colours=True) == "\x1b[1;38;5;8mx"
    assert sanitise("\x1b[>4;2mx\x1b[?25lx", colours=True) == "xx"


def test_an_unfinished_sequence_holds_little_memory() -> None:
    sanitiser = Sanitiser()
    given_out = sanitiser.feed("\x1b]") + "".join(sanitiser.feed("x" * 1000) for _ in range(10))
    assert given_out == "\\x1b]" + "x" * 10_000
