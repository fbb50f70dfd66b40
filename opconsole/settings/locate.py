"""Where a key stands in a TOML text: the line of every table, key and list item, for error messages.

The text has been parsed by tomllib already, so this scanner may trust its grammar and only counts along.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping

KeyPath = tuple[str | int, ...]
"""Keys of tables and, from 0, places in lists, from the outside in."""


def key_lines(text: str) -> Mapping[KeyPath, int]:
    """Give the line, counted from 1, of every table, key and list item of a valid TOML text."""
    scanner = _Scanner(text)
    scanner.document()
    return scanner.lines


def line_of(path: KeyPath, lines: Mapping[KeyPath, int]) -> int | None:
    """Give the line of *path*, or of the nearest table around it; None where the text has neither."""
    for length in range(len(path), 0, -1):
        if path[:length] in lines:
            return lines[path[:length]]
    return None


_SPACE = " \t\r\n"
_BARE_END = " \t\r\n.=]#,}"


class _Scanner:
    """Walks through the text once, character by character."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.line = 1
        self.lines: dict[KeyPath, int] = {}
        self.table: KeyPath = ()
        self.counts: dict[KeyPath, int] = {}

    def document(self) -> None:
        self.skip_blank()
        while self.at < len(self.text):
            if self.text[self.at] == "[":
                self.header()
            else:
                self.pair(self.table)
            self.skip_blank()

    def header(self) -> None:
        line = self.line
        double = self.text.startswith("[[", self.at)
        self.advance(2 if double else 1)
        keys = self.dotted_key()
        self.advance(2 if double else 1)
        self.table = self.place(keys, new_item=double)
        self.lines[self.table] = line

    def place(self, keys: list[str], *, new_item: bool) -> KeyPath:
        """Give a header's path, with the place of the current item behind each array of tables on the way."""
        path: KeyPath = ()
        for index, key in enumerate(keys):
            path = (*path, key)
            self.lines.setdefault(path, self.line)
            if new_item and index == len(keys) - 1:
                self.counts[path] = self.counts.get(path, 0) + 1
            if path in self.counts:
                path = (*path, self.counts[path] - 1)
        return path

    def pair(self, table: KeyPath) -> None:
        line = self.line
        path = table
        for key in self.dotted_key():
            path = (*path, key)
            self.lines.setdefault(path, line)
        self.advance(1)  # the equals sign
        self.skip_blank()
        self.value(path)

    def dotted_key(self) -> list[str]:
        keys = []
        while True:
            self.skip_blank()
            keys.append(self.key())
            self.skip_blank()
            if self.text[self.at] != ".":
                return keys
            self.advance(1)

    def key(self) -> str:
        start = self.at
        if self.text[start] in "\"'":
            self.string()
            return str(tomllib.loads(f"k = {self.text[start : self.at]}")["k"])
        while self.text[self.at] not in _BARE_END:
            self.advance(1)
        return self.text[start : self.at]

    def value(self, path: KeyPath) -> None:
        opening = self.text[self.at]
        if opening == "[":
            self.items(path)
        elif opening == "{":
            self.inline_table(path)
        elif opening in "\"'":
            self.string()
        else:
            while self.at < len(self.text) and self.text[self.at] not in ",]}#\n":
                self.advance(1)

    def items(self, path: KeyPath) -> None:
        self.advance(1)
        index = 0
        while self.more("]"):
            self.lines[*path, index] = self.line
            self.value((*path, index))
            index += 1
        self.advance(1)

    def inline_table(self, path: KeyPath) -> None:
        self.advance(1)
        while self.more("}"):
            self.pair(path)
        self.advance(1)

    def more(self, closing: str) -> bool:
        """Skip to the next item, or to *closing*."""
        self.skip_blank()
        if self.text[self.at] == ",":
            self.advance(1)
            self.skip_blank()
        return self.text[self.at] != closing

    def string(self) -> None:
        quote = self.text[self.at]
        fence = quote * 3 if self.text.startswith(quote * 3, self.at) else quote
        self.advance(len(fence))
        while not self.text.startswith(fence, self.at):
            self.advance(2 if quote == '"' and self.text[self.at] == "\\" else 1)
        self.advance(len(fence))
        # A multi-line string may end in one or two quotes of its own before the fence.
        while len(fence) == 3 and self.text.startswith(quote, self.at):
            self.advance(1)

    def skip_blank(self) -> None:
        while self.at < len(self.text):
            if self.text[self.at] == "#":
                end = self.text.find("\n", self.at)
                self.at = len(self.text) if end < 0 else end
            elif self.text[self.at] in _SPACE:
                self.advance(1)
            else:
                return

    def advance(self, count: int) -> None:
        self.line += self.text.count("\n", self.at, self.at + count)
        self.at += count
