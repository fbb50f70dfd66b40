"""The tables of keys in manual and README are what the registry says, and the README shows every screen."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

from screens.actions import PLACES, REGISTRY, Scope
from screens.dialogs.help import TITLES

DOCS = Path(__file__).parents[2] / "docs"
README = DOCS.parent / "README.md"


def test_the_table_of_keys_is_current() -> None:
    page = (DOCS / "console.md").read_text("utf-8")
    maker = _maker()
    assert maker.with_keys(page) == page, "run: .venv/bin/python docs/make_keys.py"
    assert all(f"`{action.name}`" in page for action in REGISTRY)


def test_the_readmes_table_of_keys_is_current() -> None:
    page = README.read_text("utf-8")
    maker = _maker()
    assert maker.with_short_keys(page) == page, "run: .venv/bin/python docs/make_keys.py"
    table = maker.short_table()
    assert all(action.title.removesuffix(" …") in table for action in REGISTRY if action.keys)


def test_the_readme_shows_every_screen_that_is_registered() -> None:
    page = README.read_text("utf-8")
    missing = [place.name for place in PLACES if f"(docs/pictures/{place.name}.svg)" not in page]
    assert missing == [], "show it in README.md's tour"
    missing = [place.name for place in PLACES if not (DOCS / "pictures" / f"{place.name}.svg").is_file()]
    assert missing == [], "run: .venv/bin/python docs/make_pictures.py"


def test_every_scope_has_a_title_in_the_help() -> None:
    assert set(TITLES) == set(Scope)


def _maker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_keys", DOCS / "make_keys.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
