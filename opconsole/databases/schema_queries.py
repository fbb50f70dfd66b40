"""Reads the questions whose answers are a schema from the file of SQL beside this one."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path


@cache
def schema_queries(name: str) -> tuple[tuple[str, str], ...]:
    """Give the questions of ``NAME.sql`` in their order, each by the name in its line ``-- :…``."""
    text = Path(__file__).with_name(f"{name}.sql").read_text("utf-8")
    _, *parts = re.split(r"^-- :(\w+)\n", text, flags=re.MULTILINE)
    return tuple(zip(parts[::2], (query.strip().rstrip(";") for query in parts[1::2]), strict=True))
