"""The manual's table of keys is what the registry says, and names every action."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

from screens.actions import REGISTRY, Scope
from screens.dialogs.help import TITLES

DOCS = Path(__file__).parents[2] / "docs"


def test_the_table_of_keys_is_current() -> None:
    page = (DOCS / "console.md").read_text("utf-8")
    maker = _maker()
    assert maker.with_keys(page) == page, "run: .venv/bin/python docs/make_keys.py"
    assert all(f"`{action.name}`" in page for action in REGISTRY)


def test_every_scope_has_a_title_in_the_help() -> None:
    assert set(TITLES) == set(Scope)


def _maker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_keys", DOCS / "make_keys.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
