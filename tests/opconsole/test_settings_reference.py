"""The manual's page of settings is what the model writes, and names every variable that programs get."""

from __future__ import annotations

import re
from pathlib import Path

import opconsole
from opconsole.settings.reference import SECTIONS, reference

ROOT = Path(__file__).parents[2]


def test_the_page_is_current() -> None:
    page = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    assert page == reference(), "run: python -m opconsole.settings.reference > docs/settings.md"


def test_every_key_of_every_table_has_its_row() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.+?) \|", reference(), re.MULTILINE)
    told = {name for name, meaning in rows if meaning}
    assert {key for section in SECTIONS for key in section.model_fields} <= told


def test_the_variables_of_programs_are_those_that_the_code_sets() -> None:
    package = Path(opconsole.__file__).parent
    sources = [package / "surroundings.py", *(package / "targets").glob("*.py")]
    given = {
        name for file in sources for name in re.findall(r'"(OPCONSOLE_[A-Z_]+)"', file.read_text("utf-8"))
    }
    page = reference().partition("## What programs are told")[2].partition("\n## ")[0]
    assert set(re.findall(r"^\| `(OPCONSOLE_\w+)`", page, re.MULTILINE)) == given


def test_the_manual_has_the_page() -> None:
    assert "settings.md" in (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
