"""The decisions in the manual: each has a number of its own, in its title too, and stands in the menu."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = sorted((ROOT / "docs" / "decisions").glob("*.md"))


def test_every_decision_has_a_number_of_its_own_and_none_is_left_out() -> None:
    assert [int(page.name[:3]) for page in PAGES] == list(range(1, len(PAGES) + 1))


def test_the_title_of_a_decision_begins_with_its_number() -> None:
    titles = {page.name: page.read_text("utf-8").splitlines()[0] for page in PAGES}
    assert {name for name, title in titles.items() if not title.startswith(f"# {int(name[:3])}. ")} == set()


def test_the_menu_of_the_manual_lists_every_decision_in_order() -> None:
    listed = re.findall(r"decisions/(.+\.md)", (ROOT / "mkdocs.yml").read_text("utf-8"))
    assert listed == [page.name for page in PAGES]
