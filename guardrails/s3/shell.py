"""Finds deletions in S3 in shell scripts: commands are told from comments, quoted text and here-documents."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from guardrails.operations import Comment, Operation, Place, Reading, Verb
from guardrails.s3.awscli import deletes, is_aws
from guardrails.sql.lexer import Lines


@dataclass(slots=True)
class Word:
    """A word of a command, with its quotes taken off."""

    start: int
    text: str = ""
    end: int = 0
    inner: list[str] = field(default_factory=list)
    """Commands that it substitutes: ``$(…)`` and backticks."""


@dataclass(frozen=True, slots=True)
class Script:
    """A script cut into simple commands and comments."""

    commands: list[list[Word]]
    comments: list[tuple[int, str]]


def read_shell(text: str) -> Reading:
    """Read a shell script. Any text can be read."""
    lines = Lines(text)
    script = cut(text)
    operations = []
    for words in script.commands:
        line, column = lines.place(words[0].start)
        place = Place(line, column, lines.place(max(words[-1].end - 1, 0))[0])
        shown = text[words[0].start : words[-1].end]
        operations += list(in_command(words, place, shown))
    comments = []
    for offset, comment in script.comments:
        line, column = lines.place(offset)
        comments.append(Comment(line, comment, alone=not text[offset - column + 1 : offset].strip()))
    return Reading(tuple(operations), tuple(comments), len(script.commands), len(script.commands))


def in_command_line(command: str, place: Place, depth: int = 0) -> Iterator[Operation]:
    """Give what a command line in a string deletes."""
    for words in cut(command).commands:
        yield from in_command(words, place, command, depth)


def in_command(words: list[Word], place: Place, shown: str, depth: int = 0) -> Iterator[Operation]:
    """Give what a simple command deletes, with the commands inside it."""
    if depth > 5:
        return
    for word in words:
        for inner in word.inner:
            yield from in_command_line(inner, place, depth + 1)
    texts = [word.text for word in words]
    start = next((i for i, text in enumerate(texts) if not _PREFIX.fullmatch(text)), len(texts))
    if start == len(texts) or texts[start].rsplit("/", 1)[-1] in _TALKS:
        return
    for index in range(start, len(texts)):
        if is_aws(texts[index]):
            thing = deletes(texts[index + 1 :])
            if thing is not None:
                yield Operation(Verb.DELETE, thing, place, shown)
            return
    if any(text.rsplit("/", 1)[-1] in _RUNS for text in texts[start:]):
        for text in texts[start:]:
            if " " in text.strip():
                yield from in_command_line(text, place, depth + 1)


_PREFIX = re.compile(r"(?:\w+=.*|then|do|else|if|elif|while|until|!|\{|time)", re.DOTALL)
_TALKS = frozenset({"echo", "printf", "#", ":", "grep", "rg", "sed", "log", "alias", "man", "help"})
_RUNS = frozenset(
    {"bash", "sh", "zsh", "dash", "ksh", "eval", "ssh", "su", "docker", "docker-compose", "kubectl", "watch"}
)
_HEREDOC = re.compile(r"<<-?\s*(?:'([^'\n]+)'|\"([^\"\n]+)\"|\\?([\w.-]+))")


def cut(text: str) -> Script:
    """Cut a script into simple commands. What never ends runs to the end of the text."""
    return _Cutter(text).run()


def _moved(word: Word, by: int) -> Word:
    return Word(word.start + by, word.text, word.end + by, word.inner)


class _Cutter:
    def __init__(self, text: str) -> None:
        self.text = text
        self.commands: list[list[Word]] = []
        self.comments: list[tuple[int, str]] = []
        self.words: list[Word] = []
        self.word: Word | None = None
        self.heredocs: list[tuple[str, bool]] = []
        """The words that end here-documents, and whether a shell reads them."""

    def run(self) -> Script:
        position = 0
        while position < len(self.text):
            position = self._step(position)
        self._end_command(len(self.text))
        return Script(self.commands, self.comments)

    def _step(self, at: int) -> int:  # noqa: PLR0911 (one line for each kind of character)
        char = self.text[at]
        if char == "\\":
            if self.text[at + 1 : at + 2] != "\n":
                self._add(at, self.text[at + 1 : at + 2])
            return at + 2
        if char == "#" and self.word is None:
            end = self._find("\n", at)
            self.comments.append((at, self.text[at:end]))
            return end
        if char in "'\"":
            return self._quoted(char, at)
        if char == "`" or self.text.startswith("$(", at):
            return self._substituted(at)
        heredoc = (
            _HEREDOC.match(self.text, at) if char == "<" and not self.text.startswith("<<<", at) else None
        )
        if heredoc:
            self._end_word(at)
            name = next(group for group in heredoc.groups() if group)
            self.heredocs.append((name, any(word.text.rsplit("/", 1)[-1] in _RUNS for word in self.words)))
            return heredoc.end()
        if char == "\n":
            self._end_command(at)
            return self._past_heredocs(at + 1)
        if char in ";|&()":
            self._end_command(at)
            return at + 1
        if char.isspace():
            self._end_word(at)
            return at + 1
        self._add(at, char)
        return at + 1

    def _quoted(self, quote: str, at: int) -> int:
        self._add(at, "")
        position = at + 1
        while position < len(self.text) and self.text[position] != quote:
            if quote == '"' and self.text[position] == "\\":
                self._add(at, self.text[position + 1 : position + 2])
                position += 2
            elif quote == '"' and (self.text[position] == "`" or self.text.startswith("$(", position)):
                position = self._substituted(position)
            else:
                self._add(at, self.text[position])
                position += 1
        return position + 1

    def _substituted(self, at: int) -> int:
        if self.text[at] == "`":
            end = self._find("`", at + 1)
            body = self.text[at + 1 : end]
        else:
            end = self._closing(at + 2)
            body = self.text[at + 2 : end]
        self._add(at, "")
        if self.word is not None:
            self.word.inner.append(body)
        return end + 1

    def _closing(self, at: int) -> int:
        depth = 1
        for position in range(at, len(self.text)):
            depth += (self.text[position] == "(") - (self.text[position] == ")")
            if depth == 0:
                return position
        return len(self.text)

    def _past_heredocs(self, at: int) -> int:
        for name, runs in self.heredocs:
            found = re.compile(rf"^\t*{re.escape(name)}$", re.MULTILINE).search(self.text, at)
            if runs:
                body = self.text[at : found.start() if found else len(self.text)]
                self.commands += [[_moved(word, at) for word in words] for words in cut(body).commands]
            at = found.end() if found else len(self.text)
        self.heredocs = []
        return at

    def _find(self, what: str, at: int) -> int:
        end = self.text.find(what, at)
        return len(self.text) if end < 0 else end

    def _add(self, at: int, text: str) -> None:
        if self.word is None:
            self.word = Word(at)
        self.word.text += text

    def _end_word(self, at: int) -> None:
        if self.word is not None:
            self.word.end = at
            self.words.append(self.word)
            self.word = None

    def _end_command(self, at: int) -> None:
        self._end_word(at)
        if self.words:
            self.commands.append(self.words)
        self.words = []
