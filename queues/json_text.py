"""Finds values in JSON text and changes them there, so that every byte nobody asked to change stays.

Nothing here prints a document anew: an edit is a list of small replacements in the text as it was found,
which keeps white space, line ends, key order, escapes and the spelling of numbers without knowing them.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

BOM = "\ufeff"


class JsonTextError(ValueError):
    """The text is not JSON, or not of the shape that was asked for, at *offset* (characters from 0)."""

    def __init__(self, message: str, offset: int) -> None:
        self.message = message
        self.offset = offset
        super().__init__(f"{message} (at character {offset})")


class Number(str):
    """A number as it is spelled in the text: ``1.50`` and ``1e3`` stay what they are."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Item:
    """A value and its place in the text: ``text[start:end]``."""

    start: int
    end: int
    value: object


@dataclass(frozen=True, slots=True)
class Member(Item):
    """A member of an object; its key stands at ``text[key_start:key_end]``, quotes included."""

    key: str
    key_start: int
    key_end: int


@dataclass(frozen=True, slots=True)
class ObjectText:
    """An object in the text, its members in their order; duplicate keys are all there."""

    start: int
    end: int
    members: tuple[Member, ...]

    def last(self, key: str) -> Member | None:
        """Give the member of that key (the last one, which is the one JSON readers take), or None."""
        return next((member for member in reversed(self.members) if member.key == key), None)


@dataclass(frozen=True, slots=True)
class ArrayText:
    """An array in the text and its elements in their order."""

    start: int
    end: int
    elements: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """Put *new* where ``text[start:end]`` is; with start == end it is an insertion."""

    start: int
    end: int
    new: str


class Lines:
    """Line numbers (from 1) of places in one text, each found in logarithmic time."""

    def __init__(self, text: str) -> None:
        self._ends = [match.start() for match in re.finditer("\n", text)]

    def number(self, offset: int) -> int:
        """Give the line that holds the character at *offset*."""
        return bisect_left(self._ends, offset) + 1


def read_object(text: str, start: int = 0) -> ObjectText:
    """Find the members of the object that begins at *start* (white space and a BOM before it are skipped)."""
    start = _open(text, start, "{", "an object")
    members: list[Member] = []
    at = _skip(text, start + 1)
    if text[at : at + 1] == "}":
        return ObjectText(start, at + 1, ())
    while True:
        if text[at : at + 1] != '"':
            raise JsonTextError("a key in double quotes is expected", at)
        key, key_end = _value(text, at)
        colon = _skip(text, key_end)
        if text[colon : colon + 1] != ":":
            raise JsonTextError("a colon is expected", colon)
        begin = _skip(text, colon + 1)
        value, end = _value(text, begin)
        members.append(Member(begin, end, value, str(key), at, key_end))
        at = _skip(text, end)
        if text[at : at + 1] == "}":
            return ObjectText(start, at + 1, tuple(members))
        at = _after_comma(text, at)


def read_array(text: str, start: int = 0) -> ArrayText:
    """Find the elements of the array that begins at *start*."""
    start = _open(text, start, "[", "an array")
    elements: list[Item] = []
    at = _skip(text, start + 1)
    if text[at : at + 1] == "]":
        return ArrayText(start, at + 1, ())
    while True:
        value, end = _value(text, at)
        elements.append(Item(at, end, value))
        at = _skip(text, end)
        if text[at : at + 1] == "]":
            return ArrayText(start, at + 1, tuple(elements))
        at = _after_comma(text, at)


class Finder:
    """Finds places in one text; each list and object on the way is read once, however many lie in it."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._known: dict[int, dict[str | int, tuple[int, int]]] = {}

    def place(self, path: Sequence[str | int]) -> int:
        """Give the place of the value at *path* below the root: a key's own place, for a member.

        Of a duplicate key the last one is taken. A path that ends nowhere gives the place it got to.
        """
        at = place = _first(self._text, 0)
        for step in path:
            try:
                below = self._below(at)
            except JsonTextError:
                return place
            if step not in below:
                return place
            place, at = below[step]
        return place

    def _below(self, at: int) -> dict[str | int, tuple[int, int]]:
        """Give for each key or index of what begins there its own place and its value's."""
        if at not in self._known:
            below: dict[str | int, tuple[int, int]] = {}
            if self._text[at : at + 1] == "{":
                members = read_object(self._text, at).members
                below = {member.key: (member.key_start, member.start) for member in members}
            elif self._text[at : at + 1] == "[":
                elements = read_array(self._text, at).elements
                below = {index: (one.start, one.start) for index, one in enumerate(elements)}
            self._known[at] = below
        return self._known[at]


def set_members(text: str, target: ObjectText, values: Mapping[str, object]) -> list[Change]:
    """Say what to change so that *target* has these values.

    A value that already says the same is left alone, spelling and all. New keys follow the last member,
    written with the white space that its members have. *target* must have a member.
    """
    changes: list[Change] = []
    added: list[str] = []
    escaped = _escapes(text)
    for key, value in values.items():
        member = target.last(key)
        new = dump(value, escaped=escaped)
        if member is None:
            added.append(dump(key, escaped=escaped) + _after_key(text, target.members[-1]) + new)
        elif not same(member.value, value):
            changes.append(Change(member.start, member.end, new))
    if added:
        gap = _between(text, target.start, target.members, [member.key_start for member in target.members])
        if gap == "," and _after_key(text, target.members[-1]).endswith(" "):
            gap = ", "
        end = target.members[-1].end
        changes.append(Change(end, end, "".join(gap + member for member in added)))
    return changes


def append_elements(
    text: str, root: ObjectText, target: ArrayText, entries: Iterable[Mapping[str, object]]
) -> list[Change]:
    """Say what to insert so that *entries* stand at the end of *target*, an array directly in *root*.

    They are laid out as the elements before them are; in an empty array, as the file around it is.
    """
    entries = list(entries)
    if not entries:
        return []
    newline, step, colon = _style(text, root)
    if target.elements:
        last = target.elements[-1]
        gap = _between(text, target.start, target.elements, [element.start for element in target.elements])
        flat = "\n" not in text[last.start : last.end]
        margin = gap.rpartition("\n")[2] if "\n" in gap else ""
        if flat and gap == "," and colon.endswith(" "):
            gap = ", "
        bodies = (
            _lay_out(entry, text, None if flat else (newline, margin, step), colon) for entry in entries
        )
        return [Change(last.end, last.end, "".join(gap + body for body in bodies))]
    if not step:
        bodies = (_lay_out(entry, text, None, colon) for entry in entries)
        return [Change(target.start, target.end, "[" + ("," + colon[1:]).join(bodies) + "]")]
    lead = newline + step * 2
    bodies = (_lay_out(entry, text, (newline, step * 2, step), colon) for entry in entries)
    return [Change(target.start, target.end, "[" + lead + ("," + lead).join(bodies) + newline + step + "]")]


def apply(text: str, changes: Iterable[Change]) -> str:
    """Give the text with all changes made; they must not overlap."""
    parts: list[str] = []
    at = 0
    for change in sorted(changes, key=lambda one: (one.start, one.end)):
        if change.start < at:
            raise ValueError(f"two changes overlap at character {change.start}")
        parts += (text[at : change.start], change.new)
        at = change.end
    parts.append(text[at:])
    return "".join(parts)


def dump(value: object, *, escaped: bool = True) -> str:
    """Write a value on one line, letters beyond ASCII as escapes if asked (half a surrogate pair always).

    Raises ValueError for NaN and infinities, which JSON does not have.
    """
    plain = json.dumps(value, ensure_ascii=escaped, allow_nan=False)
    if escaped or not any("\ud800" <= letter <= "\udfff" for letter in plain):
        return plain
    return json.dumps(value, ensure_ascii=True, allow_nan=False)


def same(found: object, wanted: object) -> bool:
    """Tell whether a value of the text says what is wanted: ``3`` is 3, ``"3"`` and ``true`` are not."""
    if isinstance(found, Number):
        return (
            isinstance(wanted, int | float) and not isinstance(wanted, bool) and json.loads(found) == wanted
        )
    if isinstance(wanted, int | float) and not isinstance(wanted, bool):
        return False
    return found.__class__ is wanted.__class__ and found == wanted


_SPACE = re.compile(r"[ \t\n\r]*")
_DECODER = json.JSONDecoder(parse_int=Number, parse_float=Number, parse_constant=Number)


def _skip(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at


def _first(text: str, start: int) -> int:
    return _skip(text, start + 1 if text[start : start + 1] == BOM else start)


def _open(text: str, start: int, bracket: str, name: str) -> int:
    at = _first(text, start)
    if text[at : at + 1] != bracket:
        raise JsonTextError(f"{name} is expected", at)
    return at


def _value(text: str, at: int) -> tuple[object, int]:
    try:
        return _DECODER.raw_decode(text, at)
    except json.JSONDecodeError as error:
        raise JsonTextError(error.msg, error.pos) from error
    except RecursionError as error:
        raise JsonTextError("nested too deeply", at) from error


def _escapes(text: str) -> bool:
    """Tell whether a file writes letters beyond ASCII as escapes: it does not, when it has one itself."""
    return text.isascii() or (text[0] == BOM and text[1:].isascii())


def _after_comma(text: str, at: int) -> int:
    if text[at : at + 1] != ",":
        raise JsonTextError("a comma or the closing bracket is expected", at)
    return _skip(text, at + 1)


def _after_key(text: str, member: Member) -> str:
    """Give the colon after a key with the white space around it."""
    return text[member.key_end : member.start]


def _between(text: str, start: int, items: Sequence[Item], begins: Sequence[int]) -> str:
    """Give the comma and white space that stand between the last two items, or would."""
    if len(items) > 1:
        return text[items[-2].end : begins[-1]]
    return "," + text[start + 1 : begins[0]]


def _style(text: str, root: ObjectText) -> tuple[str, str, str]:
    """Give line end, one step of indentation ("" for a file on one line) and colon of the whole file."""
    lead = text[root.start + 1 : root.members[0].key_start]
    if "\n" not in lead:
        return "\n", "", _after_key(text, root.members[0])
    newline = "\r\n" if "\r\n" in lead else "\n"
    return newline, lead.rpartition("\n")[2] or "  ", _after_key(text, root.members[0])


def _lay_out(entry: Mapping[str, object], text: str, lines: tuple[str, str, str] | None, colon: str) -> str:
    """Write an entry: on one line, or with one member a line (line end, margin and step are given)."""
    escaped = _escapes(text)
    members = [
        dump(key, escaped=escaped) + colon + dump(value, escaped=escaped) for key, value in entry.items()
    ]
    if lines is None:
        return "{" + (", " if colon.endswith(" ") else ",").join(members) + "}"
    newline, margin, step = lines
    lead = newline + margin + step
    return "{" + lead + ("," + lead).join(members) + newline + margin + "}"
