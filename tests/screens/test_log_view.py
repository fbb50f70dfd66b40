"""Logs: the tail first, following that never fights the reader, and a search over the whole file."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from textual.app import App, ComposeResult

from screens.widgets import log_feed, log_file
from screens.widgets.log_file import SEGMENT, LogFile
from screens.widgets.log_pane import LogPane

LINE = "2026-03-02T14:05:00.120Z o line {}\n"


class LogApp(App[None]):
    """A log pane alone."""

    def compose(self) -> ComposeResult:
        yield LogPane()

    @property
    def pane(self) -> LogPane:
        return self.query_one(LogPane)


def write(path: Path, first: int, last: int, mode: str = "w") -> None:
    with path.open(mode) as file:
        file.writelines(LINE.format(number) for number in range(first, last))


def test_the_tail_is_known_first_and_every_line_has_its_number_in_the_end(tmp_path: Path) -> None:
    path = tmp_path / "log"
    write(path, 0, 50_000)
    log = LogFile(path)
    log.open()
    assert not log.indexed
    assert log.line(log.count - 1).text == "line 49999"
    while not log.indexed:
        log.index_more(1)
    assert log.count == 50_000
    for number in (0, 1, 25_000, 49_999):
        assert log.line(number).text == f"line {number}"


def test_growth_is_taken_in_and_a_replaced_file_is_opened_anew(tmp_path: Path) -> None:
    path = tmp_path / "log"
    log = LogFile(path)
    log.open()
    assert (log.count, log.extend()) == (0, False)
    write(path, 0, 10)
    assert log.extend(), "it is another file than none"
    with path.open("a") as file:
        file.write("2026-03-02T14:05:00.120Z o not ov")
    log.extend()
    assert log.count == 10
    with path.open("a") as file:
        file.write("er\n")
    log.extend()
    assert log.line(10).text == "not over"
    write(path, 11, 20_000, "a")
    log.extend()
    assert log.count == 20_000
    assert log.line(19_999).text == "line 19999"
    other = tmp_path / "other"
    write(other, 5, 8)
    other.replace(path)
    assert log.extend()
    assert [log.line(number).text for number in range(log.count)] == ["line 5", "line 6", "line 7"]


def test_a_line_without_end_takes_no_more_memory_than_a_segment(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"x" * (8 * SEGMENT) + b"\nend\n")
    log = LogFile(path)
    log.open()
    while not log.indexed:
        log.index_more()
    assert log.line(log.count - 1).text == "end"
    assert all(len(log.line(number).text) <= SEGMENT for number in range(log.count))


def test_memory_is_bounded_by_a_few_segments(tmp_path: Path) -> None:
    path = tmp_path / "log"
    write(path, 0, 200_000)
    log = LogFile(path)
    log.open()
    while not log.indexed:
        log.index_more()
    for number in range(0, log.count, 1000):
        assert log.line(number).text == f"line {number}"
    assert len(log._texts) <= log_file.KEPT


async def test_following_stops_when_the_reader_scrolls_up_and_counts_what_is_new(
    tmp_path: Path, until: Any
) -> None:
    path = tmp_path / "log"
    write(path, 0, 100)
    async with LogApp().run_test(size=(80, 20)) as pilot:
        pane = pilot.app.pane
        pane.show_log(path)
        view = pane.view
        await until(pilot, lambda: view.count == 100)
        view.focus()
        assert view.following
        await until(pilot, lambda: "line 99" in view.text_in_view())
        write(path, 100, 150, "a")
        await until(pilot, lambda: "line 149" in view.text_in_view())
        await pilot.press("k", "k")
        assert not view.following
        before = view.text_in_view()
        write(path, 150, 180, "a")
        await until(pilot, lambda: view.unseen == 30)
        assert view.text_in_view() == before
        status = pane.query_one("#log-status")
        await until(pilot, lambda: "30 new lines ↓" in str(status.content))
        await pilot.press("G")
        assert view.following
        assert view.unseen == 0
        await until(pilot, lambda: "line 179" in view.text_in_view())


async def test_a_search_finds_in_the_whole_file_and_goes_round(tmp_path: Path, until: Any) -> None:
    path = tmp_path / "log"
    write(path, 0, 30_000)
    async with LogApp().run_test(size=(80, 20)) as pilot:
        pane = pilot.app.pane
        pane.show_log(path)
        view = pane.view
        await until(pilot, lambda: view.count)
        view.search("line 1234")
        await until(pilot, lambda: len(view.hits) == 11)
        assert list(view.hits) == [1234, *range(12_340, 12_350)]
        assert view.place == 12_349
        view.step(1)
        await until(pilot, lambda: view.place == 1234)
        assert "line 1234" in view.text_in_view()
        view.step(-1)
        await until(pilot, lambda: view.place == 12_349)
        status = pane.query_one("#log-status")
        await until(pilot, lambda: "11 of 11" in str(status.content))
        view.search("no such text")
        await until(pilot, lambda: "not found" in str(status.content))


async def test_errors_are_gone_to_in_both_directions(tmp_path: Path, until: Any) -> None:
    path = tmp_path / "log"
    write(path, 0, 1000)
    with path.open("a") as file:
        file.write("2026-03-02T14:05:00.120Z o build failed here\n")
    write(path, 0, 1000, "a")
    with path.open("a") as file:
        file.write("2026-03-02T14:05:00.120Z e on the error stream\n")
    async with LogApp().run_test(size=(80, 20)) as pilot:
        pane = pilot.app.pane
        pane.show_log(path)
        view = pane.view
        await until(pilot, lambda: view.count == 2002)
        view.focus()
        await pilot.press("e")
        await until(pilot, lambda: view.place == 2001)
        await pilot.press("E")
        await until(pilot, lambda: view.place == 1000)
        assert "build failed here" in view.text_in_view()


async def test_long_lines_wrap_and_the_end_stays_in_view(tmp_path: Path, until: Any) -> None:
    path = tmp_path / "log"
    path.write_text("".join(f"2026-03-02T14:05:00.120Z o {n} {'word ' * 60}END{n}\n" for n in range(40)))
    async with LogApp().run_test(size=(80, 20)) as pilot:
        pane = pilot.app.pane
        pane.show_log(path)
        view = pane.view
        await until(pilot, lambda: view.count == 40)
        view.focus()

        def rows() -> str:
            return "\n".join(view.render_line(y).text for y in range(view.size.height))

        assert "END39" not in rows()
        await pilot.press("w")
        await until(pilot, lambda: "END39" in rows())
        await pilot.press("k")
        assert not view.following
        await pilot.press("g")
        await until(pilot, lambda: "END0" in rows() and "END3" in rows())
        await pilot.press("t")
        assert "14:05:00.120" in rows()


async def test_colours_stay_and_everything_else_is_cut(tmp_path: Path, until: Any) -> None:
    path = tmp_path / "log"
    evil = "\x1b]52;c;ZXZpbA==\x07\x1b]0;title\x07\x1b[6n\x9b31m[/bold]\u202eright"
    path.write_text(f"2026-03-02T14:05:00.120Z o \x1b[31mred\x1b[0m{evil}\rover\n")
    async with LogApp().run_test(size=(100, 10)) as pilot:
        pane = pilot.app.pane
        pane.show_log(path)
        view = pane.view
        await until(pilot, lambda: view.count == 1)
        strip = view.render_line(0)
        assert "[/bold]\\u202eright\\rover" in strip.text
        assert not set(strip.text) & set("\x1b\x07\x9b\r\u202e")
        red = next(segment for segment in strip if segment.text == "red")
        assert red.style is not None
        assert red.style.color is not None
        assert red.style.color.number == 1


async def test_growth_at_the_end_is_painted_once(
    tmp_path: Path, until: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "log"
    write(path, 0, 500)
    app = LogApp()
    async with app.run_test(size=(80, 20)) as pilot:
        app.pane.show_log(path)
        view = app.pane.view
        await until(pilot, lambda: view.count == 500 and view.complete)
        await pilot.pause(0.2)
        painted: list[int] = []
        render = view.render_line
        monkeypatch.setattr(view, "render_line", lambda y: (painted.append(y), render(y))[1])
        write(path, 500, 700, "a")
        await until(pilot, lambda: view.count == 700 and painted)
        await pilot.pause(0.2)
        assert sorted(painted) == sorted(set(painted)), "no row twice"


async def test_what_is_written_quickly_is_shown_together(
    tmp_path: Path, until: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_feed, "PERIOD", 2.0)
    path = tmp_path / "log"
    write(path, 0, 500)
    app = LogApp()
    async with app.run_test(size=(80, 20)) as pilot:
        view = app.pane.view
        grown: list[int] = []
        show = view.log_grown
        monkeypatch.setattr(view, "log_grown", lambda log, new: (grown.append(new), show(log, new)))
        app.pane.show_log(path)
        await until(pilot, lambda: view.count == 500 and view.complete)
        write(path, 500, 501, "a")
        await until(pilot, lambda: grown)
        for number in range(501, 504):
            write(path, number, number + 1, "a")
            await asyncio.sleep(0.1)  # longer than the file's watch takes to tell of each
        await until(pilot, lambda: view.count == 504)
        assert grown == [1, 3]


async def test_a_scroll_bar_that_appears_below_takes_no_line_from_who_follows(
    tmp_path: Path, until: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "log"
    path.touch()
    async with LogApp().run_test(size=(60, 20)) as pilot:
        view = pilot.app.pane.view
        # As if the view were painted once more between taking in the wide line and laying out for the bar.
        monkeypatch.setattr(view, "call_after_refresh", lambda callback: callback())
        pilot.app.pane.show_log(path)
        await until(pilot, lambda: view.log_file)
        with path.open("a") as file:
            file.writelines(LINE.format("x" * 90 if number == 17 else number) for number in range(19))
        await until(pilot, lambda: view.show_horizontal_scrollbar)
        await pilot.pause()
        assert view.following
        assert view.scroll_y == view.max_scroll_y
        assert view.text_in_view().endswith("line 18")
