"""Finds deletions in S3 in JavaScript and TypeScript, by a tokenizer for comments, strings and regexes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from guardrails.operations import Comment, Operation, Place, Reading, Thing, Verb
from guardrails.s3.awscli import deletes, is_aws
from guardrails.s3.shell import in_command_line
from guardrails.sql.lexer import Lines

_COMMANDS = {
    "DeleteBucketCommand": Thing.BUCKET,
    "DeleteObjectsCommand": Thing.OBJECTS,
    "DeleteObjectCommand": Thing.OBJECT,
}
_METHODS = {"deleteBucket": Thing.BUCKET, "deleteObjects": Thing.OBJECTS, "deleteObject": Thing.OBJECT}
_RUNNERS = frozenset(
    {"exec", "execSync", "execa", "execaCommand", "execaCommandSync", "spawn", "spawnSync", "execAsync", "$"}
)


class Token(NamedTuple):
    """A token of JavaScript; a string's text is its content."""

    kind: str
    start: int
    end: int
    text: str


def read_javascript(text: str) -> Reading:
    """Read a JavaScript or TypeScript source. Any text can be read."""
    lines = Lines(text)
    tokens = tokenize(text)
    comments = []
    for token in tokens:
        if token.kind == "comment":
            line, column = lines.place(token.start)
            alone = not text[token.start - column + 1 : token.start].strip()
            comments.append(Comment(line, token.text, alone))
    code = [token for token in tokens if token.kind != "comment"]
    operations = []
    aliases = _aliases(code)
    for index in range(len(code)):
        found = _found(code, index, aliases)
        operations += [_operation(text, lines, code[index], thing) for thing in found]
    return Reading(tuple(operations), tuple(comments), 1, 1)


def tokenize(text: str) -> list[Token]:
    """Cut a source into tokens, without white space."""
    tokens: list[Token] = []
    _tokenize(text, 0, len(text), tokens, 0)
    return tokens


_TOKEN = re.compile(
    r"(?P<space>\s+)|(?P<comment>//[^\n]*|/\*.*?(?:\*/|\Z))|(?P<word>[^\W\d][\w$]*|\$[\w$]*)"
    r"|(?P<string>'(?:[^'\\\n]|\\.)*'?|\"(?:[^\"\\\n]|\\.)*\"?)|(?P<number>\d[\w.]*)|(?P<tick>`)|(?P<symbol>.)",
    re.DOTALL,
)
_REGEX = re.compile(r"/(?![*/])(?:[^/\\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+/[a-z]*")
_BEFORE_REGEX = frozenset("(,=:[!&|?{};+-*%~^>")


def _tokenize(text: str, start: int, stop: int, tokens: list[Token], depth: int) -> None:
    position = start
    while position < stop:
        if text[position] == "/" and _may_be_regex(tokens):
            regex = _REGEX.match(text, position, stop)
            if regex:
                tokens.append(Token("regex", position, regex.end(), regex.group()))
                position = regex.end()
                continue
        found = _TOKEN.match(text, position, stop)
        if found is None:
            return
        kind, end = str(found.lastgroup), found.end()
        if kind == "tick":
            end = _template(text, position, stop, tokens, depth)
        elif kind == "string":
            tokens.append(Token(kind, position, end, found.group()[1:].rstrip(found.group()[0])))
        elif kind != "space":
            tokens.append(Token(kind, position, end, found.group()))
        position = end


def _may_be_regex(tokens: Sequence[Token]) -> bool:
    last = next((token for token in reversed(tokens[-4:]) if token.kind != "comment"), None)
    if last is None:
        return True
    return last.text in _BEFORE_REGEX if last.kind == "symbol" else last.text in {"return", "typeof", "case"}


def _template(text: str, start: int, stop: int, tokens: list[Token], depth: int) -> int:
    position = start + 1
    content = ""
    holes: list[tuple[int, int]] = []
    while position < stop and text[position] != "`":
        if text[position] == "\\":
            content += text[position + 1 : position + 2]
            position += 2
        elif text.startswith("${", position):
            end = _closing_brace(text, position + 2, stop)
            holes.append((position + 2, end))
            content += "X"
            position = end + 1
        else:
            content += text[position]
            position += 1
    tokens.append(Token("string", start, min(position + 1, stop), content))
    for hole_start, hole_end in holes if depth < 8 else []:
        _tokenize(text, hole_start, min(hole_end, stop), tokens, depth + 1)
    return position + 1


def _closing_brace(text: str, start: int, stop: int) -> int:
    depth = 1
    for position in range(start, stop):
        depth += (text[position] == "{") - (text[position] == "}")
        if depth == 0:
            return position
    return stop


def _aliases(code: Sequence[Token]) -> dict[str, Thing]:
    """Give the names under which the commands are imported, with ``as`` and ``:`` for renames."""
    aliases = dict(_COMMANDS)
    for name, link, alias in zip(code, code[1:], code[2:], strict=False):
        if name.text in _COMMANDS and link.text in {"as", ":"} and alias.kind == "word":
            aliases[alias.text] = _COMMANDS[name.text]
    return aliases


def _found(code: Sequence[Token], index: int, aliases: dict[str, Thing]) -> Iterator[Thing]:
    token = code[index]
    before = code[index - 1] if index else None
    after = code[index + 1] if index + 1 < len(code) else None
    if token.kind == "word" and token.text in aliases and _constructed(code, index):
        yield aliases[token.text]
    elif token.kind == "word" and token.text in _METHODS and before is not None and before.text == ".":
        if after is None or after.text != "=" or code[index + 2 : index + 3] == []:
            yield _METHODS[token.text]
    elif token.kind == "string":
        if token.text in _METHODS and before is not None and before.text == "[" and index > 1:
            previous = code[index - 2]
            if (
                after is not None
                and after.text == "]"
                and (previous.kind == "word" or previous.text in ")].")
            ):
                yield _METHODS[token.text]
        yield from _command(code, index)


def _constructed(code: Sequence[Token], index: int) -> bool:
    while index >= 2 and code[index - 1].text == "." and code[index - 2].kind == "word":
        index -= 2
    return index > 0 and code[index - 1].text == "new"


def _command(code: Sequence[Token], index: int) -> Iterator[Thing]:
    token = code[index]
    runs = index > 0 and code[index - 1].text in _RUNNERS
    if index > 1 and code[index - 1].text == "(" and code[index - 2].text in _RUNNERS:
        runs = True
    if runs:
        yield from (operation.thing for operation in in_command_line(token.text, Place(1)))
    if is_aws(token.text) and not token.text.startswith("$"):
        words = []
        for following in code[index + 1 :]:
            if following.kind == "string":
                words.append(following.text)
            elif following.text not in {",", "["}:
                break
        thing = deletes(words) if index else None
        if thing is not None:
            yield thing


def _operation(text: str, lines: Lines, token: Token, thing: Thing) -> Operation:
    line, column = lines.place(token.start)
    start = token.start - column + 1
    end = text.find("\n", token.start)
    shown = text[start : len(text) if end < 0 else end].strip()
    return Operation(Verb.DELETE, thing, Place(line, column), shown)
