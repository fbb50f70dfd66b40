"""Reads the JSON of a large file in half the time, where nothing about it is in doubt.

What JSON leaves open is never guessed: whatever has a duplicate key, an infinity, more depth or more
containers than allowed, or is not JSON at all, is left to `queues.queue_parser`, which says what and where.
"""

from __future__ import annotations

from codecs import BOM_UTF8
from itertools import chain
from typing import Any

MAX_CONTAINERS = 4_000_000
"""Lists and objects of a file; more of them would fill the memory from a file that is small enough."""


def read_plain(data: bytes, max_depth: int) -> dict[str, object] | None:
    """Give the object that the bytes of a file hold; None where they must be read with care."""
    from pydantic_core import from_json  # noqa: PLC0415 - dear to load, and only large files need it

    marks = data.translate(None, _NO_MARKS)  # one pass; those in texts are among them
    colons = marks.count(b":")
    if len(marks) - colons > MAX_CONTAINERS:
        return None
    try:
        root = from_json(data.removeprefix(BOM_UTF8), allow_inf_nan=False)
    except ValueError:
        return None
    if type(root) is not dict:
        return None
    # Of two members with one key only the last is in the tree, and both have a colon in the text.
    members = _members(root, max_depth)
    if members is None or (members != colons and members != _key_colons(data)):
        return None
    return root


def _members(root: dict[str, object], max_depth: int) -> int | None:
    """Count the members of all objects; None where something is not plain, or nested too deeply."""
    count = 0
    level: list[Any] = [root]
    for _ in range(max_depth):
        objects = [value for value in level if type(value) is dict]
        lists = [value for value in level if type(value) is list]
        if len(objects) + len(lists) < len(level):
            floats = (value for value in level if type(value) is float)
            if not _INFINITIES.isdisjoint(floats):  # 1e999, for which JSON has no number
                return None
        count += sum(map(len, objects))
        within = chain(chain.from_iterable(map(dict.values, objects)), chain.from_iterable(lists))
        level = [value for value in within if type(value) in _LOOKED_INTO]
        if not level:
            return count
    return None


def _key_colons(data: bytes) -> int:
    """Count the colons behind keys, and perhaps some more: those of texts that look like them."""
    return data.translate(None, b" \t\r\n").count(b'":')


_NO_MARKS = bytes(set(range(256)) - set(b"{[:"))
_LOOKED_INTO = frozenset({dict, list, float})
_INFINITIES = frozenset({float("inf"), float("-inf")})
