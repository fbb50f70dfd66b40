"""Writes the manual's page of all settings from the model's own words and the annotated example.

What stands before the tables is ``reference.md``. After a change of any of them:
``python -m opconsole.settings.reference > docs/settings.md``.
"""

from __future__ import annotations

import ast
import inspect
import json
import re
import sys
from collections.abc import Iterator
from enum import Enum
from itertools import pairwise
from pathlib import Path

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from opconsole.settings import approvals, aws, model, notifications, targets
from opconsole.settings.schema import describe, types_at
from opconsole.settings.targets import Section

SECTIONS: tuple[type[Section], ...] = (
    model.WorkspaceSection,
    model.Policy,
    approvals.Approvals,
    approvals.Freeze,
    approvals.ApprovalRules,
    model.Audit,
    model.ConsoleSection,
    notifications.Notifications,
    notifications.Channel,
    model.Journal,
    model.Project,
    model.Migrations,
    model.Scan,
    model.Environment,
    targets.ReleasesTarget,
    targets.CommandTarget,
    model.Database,
    targets.HttpCheck,
    targets.TcpCheck,
    targets.CommandCheck,
    model.Limits,
    aws.AwsSection,
)
"""The tables of the settings, in the order of the page."""


def reference() -> str:
    """Give the page as Markdown."""
    words = _words()
    head, example = (
        Path(__file__).with_name(name).read_text(encoding="utf-8")
        for name in ("reference.md", "example.toml")
    )
    parts = [head, *(_section(section, words) for section in SECTIONS), _EXAMPLE_HEAD]
    return "\n".join(parts) + f"\n```toml\n{example}```\n"


def _section(section: type[Section], words: dict[tuple[str, str], str]) -> str:
    told = inspect.cleandoc(section.__doc__ or "").replace("``", "`")
    name, meaning = re.fullmatch(r"(`[^`]+`): (.*)", told, re.DOTALL).groups()  # type: ignore[union-attr]
    title = _PLACES.get(section, "")
    lines = [f"## {name}{title}", "", meaning[0].upper() + meaning[1:], ""]
    lines += ["| key | meaning | value | default |", "|---|---|---|---|"]
    lines += [_row(section, key, field, words) for key, field in section.model_fields.items()]
    return "\n".join([*lines, ""])


def _row(section: type[Section], key: str, field: FieldInfo, words: dict[tuple[str, str], str]) -> str:
    said = (words.get((owner.__name__, key)) for owner in section.__mro__)
    told = next((one for one in said if one), "Which type it is.")
    value = describe(types_at(section, (key,)))
    # Where the meaning tells the default, the model's own is only how it is written there.
    default = "see its meaning" if _SAYS_DEFAULT.search(told) else _default(field, key)
    cells = (f"`{key}`", told, value, default)
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _default(field: FieldInfo, key: str) -> str:
    if field.is_required() or key == "type":
        return "must be given"
    value = field.get_default(call_default_factory=True, validated_data={})
    if value is None or value == {} or isinstance(value, BaseModel):
        return "none"
    if isinstance(value, Enum):
        value = value.value
    return f"`{json.dumps(list(value) if isinstance(value, tuple) else value)}`"


def _words() -> dict[tuple[str, str], str]:
    """Give what stands below each field in the model's source, by class and field."""
    return {
        (one.name, field.target.id): " ".join(inspect.cleandoc(after.value.value).replace("``", "`").split())
        for module in (model, approvals, targets, aws)
        for one in ast.parse(inspect.getsource(module)).body
        if isinstance(one, ast.ClassDef)
        for field, after in _pairs(one.body)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(after, ast.Expr)
        and isinstance(after.value, ast.Constant)
        and isinstance(after.value.value, str)
    }


def _pairs(body: list[ast.stmt]) -> Iterator[tuple[ast.stmt, ast.stmt]]:
    return pairwise(body)


_SAYS_DEFAULT = re.compile(r"\b(Default|Absent):")
_PLACES: dict[type[Section], str] = {
    targets.ReleasesTarget: " in `[….target]`",
    targets.CommandTarget: " in `[….target]`",
    targets.HttpCheck: " in `[[….health]]`",
    targets.TcpCheck: " in `[[….health]]`",
    targets.CommandCheck: " in `[[….health]]`",
}
_EXAMPLE_HEAD = """\
## All of it, as an example

A key behind `# ` shows its default.
"""


if __name__ == "__main__":
    sys.stdout.write(reference())
