"""A word of a sentence, with the grammar's name for what it is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Word:
    """One word, with the grammar's name for what it is."""

    type: str
    text: str
    """As it was written."""
    value: str
    """What it means: the name of a project, a version without its v, a kind of resource."""
    start: bool = False
    """It begins a sentence or a line."""


SEP = Word("_SEP", "\n", "")
"""The end of a sentence or line."""
