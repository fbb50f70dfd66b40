"""What fuzz_guardrails feeds: the splitter and each reader, with what must hold of whatever comes out.

The readers are loaded inside functions: atheris sees only into what is imported after it has begun.
"""
# ruff: noqa: PLC0415

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from benchmarks.fuzz_input_targets import INPUT_SEEDS, INPUT_TARGETS

if TYPE_CHECKING:
    from guardrails.operations import Comment, Operation

LONGEST = 4096
"""Characters of a text."""
DIALECTS = ("postgres", "mysql", "tsql", "sqlite", "oracle", "snowflake")


class PlaceError(AssertionError):
    """A reader told of a place that its text does not have."""


def seeds(name: str) -> list[str]:
    """Give the examples of all rules in a target's languages, or those that an input target has."""
    if name in INPUT_SEEDS:
        return [text[:LONGEST] for text in INPUT_SEEDS[name]]
    from guardrails.rules import all_rules

    languages = LANGUAGES[name]
    found = [
        example.code
        for rule in all_rules()
        for example in (*rule.bad, *rule.good)
        if example.language.value in languages and len(example.code) <= LONGEST
    ]
    return sorted({*found, *MORE.get(name, ())}) or ["x"]


def _split(text: str) -> None:
    from guardrails.sql.split import split

    for dialect in DIALECTS:
        for plain in (False, True):
            pieces = split(text, dialect, plain=plain)
            ends = [0, *(piece.end for piece in pieces)]
            starts = [*(piece.start for piece in pieces), len(text)]
            if starts != ends:
                raise PlaceError(f"the pieces do not cover the text ({dialect}, plain={plain})")


def _sql(text: str) -> None:
    from guardrails.sql.read import read_sql

    reading = read_sql(text, DIALECTS[len(text) % len(DIALECTS)])
    _judged(reading.operations, reading.comments, text)


def _migration(text: str) -> None:
    from guardrails.judge import forward
    from guardrails.migrations.read import is_migration, read_migration

    tree = _python_tree(text)
    if tree is not None:
        is_migration(tree)
        migration = read_migration(tree, "a.py")
        _judged([*migration.operations, *forward(migration)], migration.comments, text)


def _python(text: str) -> None:
    from guardrails.s3.python import read_s3

    tree = _python_tree(text)
    if tree is not None:
        _judged(read_s3(tree), (), text)


def _python_tree(text: str) -> ast.Module | None:
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _javascript(text: str) -> None:
    from guardrails.s3.javascript import read_javascript
    from guardrails.s3.trees import Grammar, TreeError

    for grammars in ((Grammar.JAVASCRIPT,), (Grammar.TYPESCRIPT, Grammar.TSX), (Grammar.TSX,)):
        try:
            reading = read_javascript(text, grammars)
        except TreeError:  # its answer after some seconds: the scan reports such a source as unparsable
            continue
        _judged(reading.operations, reading.comments, text)


def _shell(text: str) -> None:
    from guardrails.s3.shell import read_shell

    reading = read_shell(text)
    _judged(reading.operations, reading.comments, text)


def _terraform(text: str) -> None:
    from guardrails.cloud.terraform import read_terraform

    reading = read_terraform(text)
    _judged(reading.operations, reading.comments, text)


def _yaml(text: str) -> None:
    from guardrails.cloud.cloudformation import looks_like_cloudformation, read_cloudformation
    from guardrails.cloud.yamltree import YamlError
    from guardrails.s3.embedded import read_pipeline

    looks_like_cloudformation(text)
    for reader in (read_cloudformation, read_pipeline):
        try:
            reading = reader(text)
        except YamlError:
            continue
        _judged(reading.operations, reading.comments, text)


def _builds(text: str) -> None:
    from guardrails.s3.embedded import read_dockerfile, read_makefile

    for reader in (read_dockerfile, read_makefile):
        reading = reader(text)
        _judged(reading.operations, reading.comments, text)


def _whole(text: str) -> None:
    from guardrails.environments import GateKind
    from guardrails.files import Written
    from guardrails.scan import Scan, scan_text

    for written in Written:
        scan_text(text, written, "package.json", Scan(GateKind.PRODUCTION), as_migration=len(text) % 2 == 0)


def _judged(operations: Iterable[Operation], comments: Sequence[Comment], text: str) -> None:
    from guardrails.environments import GateKind
    from guardrails.judge import judge

    last = len(text.split("\n")) + text.count("\r") + text.count("\f")
    for finding in judge(
        [replace(operation) for operation in operations], comments, "a", GateKind.PRODUCTION
    ):
        if not 1 <= finding.line <= last or finding.column < 1:
            raise PlaceError(f"{finding.rule} stands at a place that is not there")


GUARDRAILS: dict[str, Callable[[str], None]] = {
    "split": _split,
    "sql": _sql,
    "migration": _migration,
    "s3-python": _python,
    "s3-javascript": _javascript,
    "s3-shell": _shell,
    "terraform": _terraform,
    "yaml": _yaml,
    "builds": _builds,
    "whole": _whole,
}
TARGETS = {**GUARDRAILS, **INPUT_TARGETS}
SETS = {"guardrails": sorted(GUARDRAILS), "input": sorted(INPUT_TARGETS)}
LANGUAGES: dict[str, tuple[str, ...]] = {
    "split": ("sql",),
    "sql": ("sql",),
    "migration": ("migration",),
    "s3-python": ("python",),
    "s3-javascript": ("javascript",),
    "s3-shell": ("shell",),
    "terraform": ("terraform",),
    "yaml": ("cloudformation",),
    "builds": ("shell",),
    "whole": ("sql", "python", "migration", "javascript", "shell", "terraform", "cloudformation"),
}
MORE: dict[str, tuple[str, ...]] = {
    "builds": ("FROM a\nRUN aws s3 rb s3://a --force", "B = s3://a\ngone:\n\taws s3 rb $(B) --force"),
    "yaml": ("jobs:\n  a:\n    steps:\n      - run: |\n          aws s3 rb s3://a --force\n",),
    "split": ("DELIMITER //\nDROP TABLE a//\n", "COPY a FROM stdin;\n1\n\\.\n", "/*!40000 DROP TABLE a */;"),
    "sql": ("DO $a$ BEGIN EXECUTE 'DROP TABLE ' || $$a$$; END $a$;", "\\i file.sql\n", "BEGIN; END; GO\n"),
}
