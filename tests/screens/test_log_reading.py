"""Reading a log as a person does: only hits, times, JSON in place, selecting, copying, saving, paging."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import pytest
from textual.app import App, ComposeResult
from textual.widgets import Input

from screens.widgets.log_line import Times
from screens.widgets.log_pane import LogPane, SearchLine

STAMP = "2026-03-02T14:{:02d}:{:02d}.120Z o "


class LogApp(App[None]):
    def compose(self) -> ComposeResult:
        yield LogPane()

    @property
    def pane(self) -> LogPane:
        return self.query_one(LogPane)

    def rows(self) -> list[str]:
        view = self.pane.view
        return [view.render_line(y).text.rstrip() for y in range(view.page_lines())]


def write(path: Path, texts: list[str], mode: str = "w", first: int = 0) -> None:
    stamps = (STAMP.format(*divmod(first + place, 60)) for place in range(len(texts)))
    with path.open(mode) as file:
        file.writelines(f"{stamp}{text}\n" for stamp, text in zip(stamps, texts, strict=True))


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "run-1" / "log"
    path.parent.mkdir()
    write(path, [f"line {n}" + (" needle" if n % 10 == 3 else "") for n in range(100)])
    return path


async def shown(pilot: Any, until: Any, log: Path, count: int = 100) -> Any:
    pane = pilot.app.pane
    pane.show_log(log)
    await until(pilot, lambda: pane.view.count == count and pane.view.complete)
    pane.view.focus()
    return pane


async def test_only_hits_are_shown_and_what_is_around_them_on_demand(log: Path, until: Any) -> None:
    async with LogApp().run_test(size=(80, 30)) as pilot:
        pane = await shown(pilot, until, log)
        pane.filter_hits()
        await pilot.press(*"needle", "enter")
        await until(pilot, lambda: pane.view.total() == 10)
        assert [row.split()[-2] for row in pilot.app.rows() if "needle" in row] == [
            str(n) for n in range(3, 100, 10)
        ]
        await pilot.press("+")
        await until(pilot, lambda: pane.view.total() == 30)
        assert "line 2" in pane.view.text_in_view()
        await pilot.press("-", "f")
        write(log, ["a new needle", "hay"], "a")
        await until(pilot, lambda: pane.view.total() == 11)
        await until(pilot, lambda: "a new needle" in pane.view.text_in_view())
        status = pane.query_one("#log-status")
        await until(pilot, lambda: "10 of 11  only hits" in str(status.content))
        assert pane.end_search()
        assert pane.view.total() == 102
        assert pane.end_search()
        assert pane.view.finder.wanted is None
        assert not pane.end_search()


async def test_following_only_hits_counts_new_hits_alone(log: Path, until: Any) -> None:
    async with LogApp().run_test(size=(80, 8)) as pilot:
        pane = await shown(pilot, until, log)
        pane.view.search("needle")
        await until(pilot, lambda: len(pane.view.hits) == 10 and pane.view.finder.share is None)
        pane.filter_hits()
        await pilot.press("g")
        assert not pane.view.following
        write(log, ["needle", "hay", "hay", "needle"], "a")
        await until(pilot, lambda: pane.view.unseen == 2)
        assert "line 3 needle" in pilot.app.rows()[0]


async def test_an_expression_is_chosen_with_ctrl_r_and_a_bad_one_is_explained(log: Path, until: Any) -> None:
    async with LogApp().run_test(size=(100, 20)) as pilot:
        pane = await shown(pilot, until, log)
        pane.begin_search()
        line = pane.query_one(SearchLine)
        await pilot.press("ctrl+r")
        assert line.expression
        await pilot.press(*"line (", "enter")
        status = pane.query_one("#log-status")
        await until(pilot, lambda: "not a regular expression" in str(status.content))
        pane.begin_search()
        line.value = r"line [12]\d$"
        await pilot.press("enter")
        await until(pilot, lambda: len(pane.view.hits) == 18)
        pane.begin_search()
        await pilot.press("up", "up")
        assert line.value == "line ("


async def test_times_are_shown_as_they_were_then_since_the_beginning(log: Path, until: Any) -> None:
    async with LogApp().run_test(size=(80, 20)) as pilot:
        pane = await shown(pilot, until, log)
        await pilot.press("t")
        await until(pilot, lambda: "14:01:39.120  line 99" in pilot.app.rows()[-1])
        await pilot.press("t")
        await until(pilot, lambda: "+00:01:39.000  line 99" in pilot.app.rows()[-1])
        await pilot.press("t")
        assert pane.view.times is Times.OFF


async def test_json_is_laid_out_in_place_and_folded_again(tmp_path: Path, until: Any) -> None:
    log = tmp_path / "log"
    write(log, ["before", 'INFO {"user": "ana", "roles": ["ops", "dev"]}', '{"n": 1}', "after"])
    async with LogApp().run_test(size=(60, 14)) as pilot:
        pane = await shown(pilot, until, log, 4)
        await pilot.press("enter")
        await until(pilot, lambda: '    "user": "ana",' in pilot.app.rows())
        rows = [row.strip() for row in pilot.app.rows() if row]
        record = ["INFO", "{", '"user": "ana",', '"roles": [', '"ops",', '"dev"', "]", "}"]
        assert rows == ["before", *record, '{"n": 1}', "after"]
        await pilot.press("enter")
        await until(pilot, lambda: len([row for row in pilot.app.rows() if row]) == 4)
        await pilot.press("J")
        await until(pilot, lambda: len([row for row in pilot.app.rows() if row]) == 13)
        assert pane.view.text_in_view().startswith("before\nINFO {")


async def test_a_record_that_is_taller_than_the_view_can_be_read_row_by_row(
    tmp_path: Path, until: Any
) -> None:
    log = tmp_path / "log"
    record = "{" + ", ".join(f'"k{n}": {n}' for n in range(50)) + "}"
    write(log, ["first", record, "last"])
    async with LogApp().run_test(size=(60, 11)) as pilot:
        await shown(pilot, until, log, 3)
        await pilot.press("J")
        await until(pilot, lambda: pilot.app.rows()[-1].strip() == "last")
        seen = set(pilot.app.rows())
        for _ in range(60):
            await pilot.press("k")
            seen |= set(pilot.app.rows())
        assert {f"k{n}" for n in range(50)} <= {row.split('"')[1] for row in seen if '"' in row}
        assert pilot.app.rows()[0].strip() == "first"
        for _ in range(60):
            await pilot.press("j")
        assert pilot.app.rows()[-1].strip() == "last"
        assert pilot.app.pane.view.following


async def test_lines_are_selected_with_keys_copied_and_saved(log: Path, until: Any, tmp_path: Path) -> None:
    async with LogApp().run_test(size=(80, 20)) as pilot:
        pane = await shown(pilot, until, log)
        await pilot.press("V", "k", "k")
        assert pane.view.chosen == range(97, 100)
        assert await pane.copied() == ("line 97\nline 98\nline 99", "3 selected lines")
        assert pane.view.chosen is None
        await pilot.press("g", "V", "G")
        assert pane.view.chosen == range(100)
        target = tmp_path / "out.txt"
        await pilot.press("S")
        assert pane.query_one("#log-save", Input).value.endswith("run-1.log")
        pane.query_one("#log-save", Input).value = str(target)
        await pilot.press("enter")
        await until(pilot, lambda: target.exists() and pane.view.chosen is None)
        assert len(target.read_text().splitlines()) == 100
        await pilot.press("S")
        pane.query_one("#log-save", Input).value = str(target)
        await pilot.press("enter")
        await until(pilot, lambda: any("already" in one.message for one in pilot.app._notifications))


async def test_lines_are_selected_with_the_mouse(log: Path, until: Any) -> None:
    async with LogApp().run_test(size=(80, 20)) as pilot:
        pane = await shown(pilot, until, log)
        await pilot.mouse_down(pane.view, offset=(5, 3))
        await pilot.hover(pane.view, offset=(9, 6))
        await pilot.mouse_up(pane.view, offset=(9, 6))
        first = int(pilot.app.rows()[3].split()[-1].replace("needle", "0") or 0)
        assert len(pane.view.chosen) == 4
        assert not pane.view.following
        assert (await pane.copied())[0].startswith(f"line {pane.view.place - 3}")
        assert first
        await pilot.click(pane.view, offset=(5, 2))
        assert pane.view.chosen is None


async def test_the_pager_gets_a_clean_copy_at_the_line_and_the_log_is_not_touched(
    log: Path, until: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(log, ["\x1b]0;evil\x07end"], "a")
    before = log.read_bytes()
    pager, seen = tmp_path / "less", tmp_path / "seen"
    pager.write_text(f'#!/bin/sh\necho "$@" > {seen}\ncat "$2" >> {seen}\n')
    pager.chmod(pager.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PAGER", str(pager))
    async with LogApp().run_test(size=(80, 20)) as pilot:
        pane = await shown(pilot, until, log, 101)
        monkeypatch.setattr(pilot.app, "suspend", _no_terminal)
        pane.view.go(41)
        await pilot.press("p")
        await until(pilot, lambda: seen.exists() and "end" in seen.read_text())
    first, *lines = seen.read_text().splitlines()
    assert first.split()[0] == "+42"
    assert not os.path.exists(first.split()[1]), "the copy is gone again"  # noqa: PTH110
    assert lines[-1].endswith(" o end")
    assert log.read_bytes() == before


class _no_terminal:  # noqa: N801 - stands for a function that gives a context
    """The driver of tests has no terminal to leave."""

    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...


async def test_the_reader_stays_where_he_is_while_the_beginning_is_counted(
    tmp_path: Path, until: Any
) -> None:
    path = tmp_path / "log"
    with path.open("w") as file:
        file.writelines(f"{STAMP.format(0, 0)}line {n}\n" for n in range(200_000))
    async with LogApp().run_test(size=(80, 20)) as pilot:
        pane = pilot.app.pane
        view = pane.view
        pane.show_log(path)
        await until(pilot, lambda: view.count)
        view.focus()
        await pilot.press("k", "k", "k")
        await until(pilot, lambda: view.complete)
        assert view.count == 200_000
        assert pilot.app.rows()[-1].endswith("line 199996")
