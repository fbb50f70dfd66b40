"""Reads the shell inside other files: Dockerfiles, Makefiles, pipelines in YAML and a package's scripts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from guardrails.cloud.yamltree import documents, entries, is_scalar, items, marks, place
from guardrails.operations import Comment, Operation, Place, Reading
from guardrails.s3.shell import in_command_line, read_shell

if TYPE_CHECKING:
    from yaml.nodes import Node, ScalarNode

_PIPELINE = re.compile(
    r"(?:^|/)(?:\.github/(?:workflows|actions)/.*|action|\.gitlab-ci[\w.-]*|\.?gitlab/.*|\.circleci/.*"
    r"|azure-pipelines[\w.-]*|bitbucket-pipelines|buildspec[\w.-]*|\.drone|\.travis|Taskfile[\w.-]*"
    r"|docker-compose[\w.-]*|compose[\w.-]*)\.ya?ml$|(?:^|/)package\.json$"
)
_SHELL = re.compile(r"\b(?:aws|awslocal|s3cmd|s4cmd|s5cmd|mc)\b")
_KEYS = frozenset(
    {"run", "script", "before_script", "after_script", "command", "commands", "entrypoint", "cmds", "cmd"}
    | {"bash", "sh", "inlineScript", "after-script"}
)
_INSTRUCTION = re.compile(r"[ \t]*(?:ONBUILD\s+)?(?:RUN|CMD|ENTRYPOINT)\s+(?:--\S+\s+)*(.*)", re.IGNORECASE)
_HEREDOC = re.compile(r"<<-?(['\"]?)(\w+)\1")
_MAKE_VARIABLE = re.compile(r"^([\w.]+)[ \t]*[:?+]?=[ \t]*(.*)$")


def holds_pipeline(text: str, name: str) -> bool:
    """Say whether a YAML or JSON file of that name runs commands that are worth a look."""
    return bool(_PIPELINE.search(name) and _SHELL.search(text))


def read_pipeline(text: str) -> Reading:
    """Read a pipeline's commands; raises YamlError."""
    operations: list[Operation] = []
    for document in documents(text):
        for node in _scripts(document):
            operations += _placed(node)
    return Reading(tuple(operations), marks(text), 1, 1)


def read_dockerfile(text: str) -> Reading:
    """Read what a Dockerfile runs."""
    operations: list[Operation] = []
    comments: list[Comment] = []
    lines = iter(enumerate(text.split("\n"), 1))
    for number, line in lines:
        if line.lstrip().startswith("#"):
            comments.append(Comment(number, line.strip(), alone=True))
        found = _INSTRUCTION.match(line)
        if found is None:
            continue
        body, last = _continued(found[1], number, lines)
        heredoc = _HEREDOC.search(body)
        if heredoc is not None:
            body, last = _until(heredoc[2], lines, last)
        if body.lstrip().startswith("["):
            body = " ".join(re.findall(r'"((?:[^"\\]|\\.)*)"', body))
        operations += in_command_line(body, Place(number, 1, last))
    return Reading(tuple(operations), tuple(comments), 1, 1)


def read_makefile(text: str) -> Reading:
    """Read the recipes of a Makefile, with its own variables filled in."""
    operations: list[Operation] = []
    comments: list[Comment] = []
    held: dict[str, str] = {}
    lines = iter(enumerate(text.split("\n"), 1))
    for number, line in lines:
        if line.lstrip().startswith("#"):
            comments.append(Comment(number, line.strip(), alone=True))
        body, last = _continued(line, number, lines)
        assigned = _MAKE_VARIABLE.match(body)
        if assigned:
            held[assigned[1]] = assigned[2]
        elif body.startswith("\t"):
            operations += in_command_line(_filled(body.lstrip("\t @-+"), held), Place(number, 1, last))
    return Reading(tuple(operations), tuple(comments), 1, 1)


def _continued(line: str, number: int, lines: Iterable[tuple[int, str]]) -> tuple[str, int]:
    parts = [line]
    rest = iter(lines)
    while parts[-1].endswith("\\"):
        following = next(rest, None)
        if following is None:
            break
        number, text = following
        if not text.lstrip().startswith("#"):
            parts.append(text)
    return "\n".join(parts), number


def _until(end: str, lines: Iterable[tuple[int, str]], number: int) -> tuple[str, int]:
    body = []
    for following, line in lines:
        number = following
        if line.strip() == end:
            break
        body.append(line)
    return "\n".join(body), number


def _filled(recipe: str, held: dict[str, str]) -> str:
    def value(found: re.Match[str]) -> str:
        return held.get(found[1], f"${found[1]}")

    for _ in range(4):
        filled = re.sub(r"(?<!\$)\$[({]([\w.]+)[)}]", value, recipe)
        if filled == recipe or len(filled) > 100_000:
            break
        recipe = filled
    return recipe.replace("$$", "$")


def _scripts(document: Node) -> Iterator[ScalarNode]:
    """Give the scalars that are commands, each once however many aliases lead to it."""
    stack: list[tuple[Node, bool]] = [(document, False)]
    seen: set[tuple[int, bool]] = set()
    while stack:
        node, runs = stack.pop()
        if (id(node), runs) in seen:
            continue
        seen.add((id(node), runs))
        if is_scalar(node) and runs:
            yield node
        inner = [(value, key in _KEYS) for key, value in entries(node)]
        for key, value in entries(node):
            if key == "scripts":  # of a package: every value is a command
                inner += [(script, True) for _, script in entries(value)]
        stack += reversed([*inner, *((item, runs) for item in items(node))])


def _placed(node: ScalarNode) -> Iterator[Operation]:
    where = place(node)
    if node.style != "|":
        yield from in_command_line(str(node.value), where)
        return
    for operation in read_shell(str(node.value)).operations:  # a block keeps its lines: so do the findings
        inner = operation.place
        shifted = Place(
            where.line + inner.line, 1, where.line + inner.last_line, where.line + inner.first_line
        )
        yield operation.at(shifted)
