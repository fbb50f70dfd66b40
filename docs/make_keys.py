"""Writes the tables of keys of manual and README from the registry of actions, which the console goes by.

Run it after a change of the registry: ``.venv/bin/python docs/make_keys.py``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from screens.actions import REGISTRY, Action, Scope, key_label
from screens.dialogs.help import TITLES

PAGE = Path(__file__).resolve().parent / "console.md"
README = PAGE.parents[1] / "README.md"
BEGIN = "<!-- keys: written by docs/make_keys.py from the registry of actions -->"
END = "<!-- end of keys -->"
OF_SCREENS = {
    Scope.OPERATIONS: "On the operations screen",
    Scope.APPROVALS: "On the approvals screen",
    Scope.ENVIRONMENTS: "On the environments screen",
    Scope.DEPENDENCIES: "On the dependencies screen",
    Scope.FOUND: "On the violations screen",
    Scope.HISTORY: "On the history screen",
    Scope.AUDIT: "On the audit screen",
    Scope.METRICS: "On the metrics screen",
}
"""What the help calls "this screen"."""


def with_keys(page: str) -> str:
    """Give the manual's page with the tables of now between its marks."""
    return _between(page, tables())


def with_short_keys(readme: str) -> str:
    """Give the README with the one table of now between its marks."""
    return _between(readme, short_table())


def _between(page: str, text: str) -> str:
    before, _, rest = page.partition(BEGIN)
    after = rest.partition(END)[2]
    return f"{before}{BEGIN}\n\n{text}\n{END}{after}"


def short_table() -> str:
    """Give one table with a row for every scope: its keys, and in a word what each does."""
    rows = ["| where | keys |", "|---|---|"]
    for scope, title in TITLES.items():
        found = [action for action in REGISTRY if action.scope is scope and action.keys]
        if found:
            keys = " · ".join(f"{_keys(action)} {action.title.removesuffix(' …')}" for action in found)
            rows.append(f"| {OF_SCREENS.get(scope, title)} | {keys} |")
    return "\n".join([*rows, ""])


def tables() -> str:
    """Give a table for every scope that has actions, in the order of the help."""
    return "\n".join(line for scope, title in TITLES.items() for line in _table(scope, title))


def _table(scope: Scope, title: str) -> Iterator[str]:
    rows = [action for action in REGISTRY if action.scope is scope]
    if not rows:
        return
    yield from (f"**{OF_SCREENS.get(scope, title)}**", "", "| key | name | does |", "|---|---|---|")
    for action in rows:
        yield f"| {_keys(action)} | `{action.name}` | {action.help} |"
    yield ""


def _keys(action: Action) -> str:
    labels = [key_label(key) for key in action.keys]
    return " ".join(f"`{label}`" for label in labels) or f"`:{action.name}`"


if __name__ == "__main__":
    PAGE.write_text(with_keys(PAGE.read_text("utf-8")), "utf-8")
    README.write_text(with_short_keys(README.read_text("utf-8")), "utf-8")
