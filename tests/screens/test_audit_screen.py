"""The audit screen: the chain's entries, each in full, and loudly what is wrong with the chain."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from typing import Any

import pytest
from textual.widgets import Input, Static

from opconsole.audit import ChainFault, Fault
from opconsole.audit_check import Found
from screens.dialogs.save import SaveDialog


@pytest.fixture
def chained(console: Any, samples: Any) -> Any:
    """Give a console with an audit chain."""
    samples.chain(console.record)
    return console


async def opened(pilot: Any, until: Any) -> Any:
    await until(pilot, lambda: pilot.app.operations.query("#queue-table"))
    await pilot.press("6")
    await until(pilot, lambda: pilot.app.here.PLACE == "audit" and pilot.app.here.query("#verdict"))
    return pilot.app.here


def verdict(screen: Any) -> str:
    return str(screen.query_one("#verdict", Static).content)


async def test_the_chain_is_verified_when_it_is_opened_and_again_when_asked(
    chained: Any, make_app: Any, until: Any
) -> None:
    async with make_app(chained).run_test(size=(130, 40)) as pilot:
        screen = await opened(pilot, until)
        await until(pilot, lambda: "✓ sound: 60 entries, compared with 1 signed" in verdict(screen))
        assert "last checkpoint: entry 56" in verdict(screen)
        await pilot.press("r")
        await until(pilot, lambda: chained.record.checks == 2)


async def test_a_broken_chain_is_told_with_its_place_and_what_to_do(
    chained: Any, make_app: Any, until: Any
) -> None:
    fault = ChainFault(Fault.EDITED, 41, "sha256:bad", "sha256:good")
    chained.record.check = replace(chained.record.check, fault=fault)
    async with make_app(chained).run_test(size=(80, 24)) as pilot:
        screen = await opened(pilot, until)
        await until(pilot, lambda: "BROKEN at entry 41: it is edited" in verdict(screen))
        assert "compare it with a backup" in " ".join(verdict(screen).split())
        assert "sound" not in verdict(screen)
        await until(pilot, lambda: screen._list.table.selected_key == "41")


async def test_a_forged_checkpoint_and_a_chain_that_cannot_be_judged_are_no_sound_chain(
    chained: Any, make_app: Any, until: Any
) -> None:
    chained.record.check = replace(
        chained.record.check, found=Found((), ("the checkpoint of entry 9 …",), ())
    )
    async with make_app(chained).run_test(size=(130, 40)) as pilot:
        screen = await opened(pilot, until)
        await until(pilot, lambda: "FORGED: the checkpoint of entry 9" in verdict(screen))
        assert "sound" not in verdict(screen)

        async def fails(_: Any) -> None:
            raise OSError("the signers cannot be read")

        chained.record.check_chain = fails
        await pilot.press("r")
        await until(pilot, lambda: "It is not known whether the chain is sound" in verdict(screen))


async def test_an_entry_is_found_by_a_filter_and_shown_in_full(
    chained: Any, make_app: Any, until: Any
) -> None:
    async with make_app(chained).run_test(size=(80, 24)) as pilot:
        screen = await opened(pilot, until)
        await until(pilot, lambda: len(screen._list.table.shown) == 60)
        await pilot.press("ampersand", *"approved", "space", *"r-0002", "enter")
        await until(pilot, lambda: screen._list.table.has_focus and len(screen._list.table.shown) < 60)
        row = screen._list.table.selected
        assert (row.subject, row.action) == ("r-0002", "approved")
        await pilot.press("enter")
        entry = screen.query_one("Entry")
        await until(pilot, lambda: entry.has_focus and entry.entry is row)
        assert row.hash in "".join(str(entry.draw(76)).split())
        assert '"step": "step' in str(entry.draw(76))
        await pilot.press("escape")
        assert screen._list.table.has_focus


@pytest.mark.parametrize("name", ["chain.jsonl", "chain.csv"])
async def test_the_whole_chain_is_exported(
    chained: Any, make_app: Any, until: Any, tmp_path: Any, name: str
) -> None:
    async with make_app(chained).run_test(size=(130, 40)) as pilot:
        await opened(pilot, until)
        await pilot.press("S")
        await until(pilot, lambda: isinstance(pilot.app.screen, SaveDialog))
        pilot.app.screen.query_one("#file", Input).value = str(tmp_path / name)
        pilot.app.screen.pressed("do")
        file = tmp_path / name
        await until(pilot, lambda: file.exists() and file.stat().st_size > 9_000)
        with file.open() as opened_file:
            read = csv.DictReader(opened_file) if name.endswith("csv") else map(json.loads, opened_file)
            assert [int(row["seq"]) for row in read] == list(range(1, 61))


async def test_without_an_entry_it_says_what_comes_here(console: Any, make_app: Any, until: Any) -> None:
    async with make_app(console).run_test(size=(80, 24)) as pilot:
        screen = await opened(pilot, until)
        await until(
            pilot, lambda: "Nothing is on record yet" in str(screen._list.query_one(".empty").content)
        )


async def test_an_entry_that_was_gone_to_is_selected_once_and_not_at_every_load(
    chained: Any, make_app: Any, until: Any
) -> None:
    async with make_app(chained).run_test(size=(130, 40)) as pilot:
        screen = await opened(pilot, until)
        table = screen._list.table
        await until(pilot, lambda: table.shown)
        screen._list.show_rows(())  # as long as nothing is read
        screen._rows = None
        screen.go_to("41")
        await screen._load()
        assert (table.selected_key, screen._detail.entry.seq) == ("41", 41)
        table.select("3")
        await screen._load()
        assert table.selected_key == "3"
