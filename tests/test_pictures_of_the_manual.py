"""The pictures of README and manual are of the demo, one of every screen, and show nothing of a machine."""

from __future__ import annotations

import html
import importlib.util
import re
import sys
import tempfile
from pathlib import Path
from types import ModuleType

import pytest

from opconsole.demo.make import make_demo
from screens.actions import PLACES
from screens.actions.places import Place

ROOT = Path(__file__).parents[1]
PICTURES = ROOT / "docs" / "pictures"
DRAWN = {"architecture"}
"""What is no picture of a screen."""


@pytest.fixture(scope="module")
def maker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_pictures", ROOT / "docs" / "make_pictures.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # its dataclasses look there for their annotations
    spec.loader.exec_module(module)
    return module


def shown(picture: str) -> str:
    """Give the words of a picture, with one blank between two."""
    texts = re.findall(r"<text[^>]*>([^<]*)</text>", picture)
    return " ".join(html.unescape(" ".join(texts)).split())


def pictures() -> dict[str, str]:
    return {path.stem: path.read_text("utf-8") for path in PICTURES.glob("*.svg") if path.stem not in DRAWN}


def test_the_script_makes_every_picture_and_no_other(maker: ModuleType) -> None:
    made = [name for chapter in maker.CHAPTERS for name in chapter.pictures]
    assert sorted(made) == sorted(pictures()), "run: .venv/bin/python docs/make_pictures.py"
    assert {place.name for place in PLACES} <= set(made)


def test_every_picture_is_used() -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    text = "".join(page.read_text("utf-8") for page in pages)
    assert [name for name in pictures() if f"pictures/{name}.svg" not in text] == []


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.name)
def test_a_screens_picture_shows_that_screen_in_the_demo(place: Place) -> None:
    words = shown(pictures()[place.name])
    assert f"{place.key} {place.title} demo ▶" in words
    assert "● worker ana" in words


def test_the_pictures_show_what_the_demo_is_there_to_show() -> None:
    found = {name: shown(picture) for name, picture in pictures().items()}
    assert "▶ running" in found["operations"]
    assert "DEPLOY-PROD-002" in found["approvals"]
    assert "Deploy to PRODUCTION" in found["approval"]
    assert "BROKEN-PROD-001 in PRODUCTION" in found["decide"]
    assert "≠ drifted" in found["environments"]
    assert "drop-table" in found["violations"]
    assert "critical path" in found["dependencies"]
    assert "✓ sound" in found["audit"]
    for state in ("✓ succeeded", "◆ waiting", "■ blocked", "↶ rolled back", "! halted"):
        assert state in found["history"]


def test_no_picture_shows_anything_of_the_machine_that_it_was_made_on(maker: ModuleType) -> None:
    for name, picture in pictures().items():
        assert maker.of_this_machine(picture) == [], name
        whole = shown(picture).replace(" ", "")
        assert not re.search(r"/root\b|/home/|/tmp/|/Users/|@[0-9a-f]{32}", whole), name


def test_what_a_picture_shows_of_the_machine_is_found(maker: ModuleType) -> None:
    broken = f"{tempfile.gettempdir()}</text>\n<text x='1'>&#160;&#160;/demo"
    assert maker.of_this_machine(f"<text x='1'>in&#160;{broken}</text>") == [tempfile.gettempdir()]
    assert maker.of_this_machine("<text>in&#160;/srv/demo</text>") == []


async def test_the_script_takes_a_picture_of_the_console_on_a_demo(
    maker: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPCONSOLE_STATE_DIR", str(tmp_path / "state"))
    demo = maker.Demo(make_demo(tmp_path / "demo", git=None).directory)
    async with demo.stage() as stage:
        await stage.until(lambda: stage.app.operations.table.selected)
        await maker._add(stage)
        words = shown(stage.picture())
    assert "Add a task" in words
    assert "DEPLOY-DEV-001" in words
