"""Scans one file: its reader chosen by what it is written in, its operations judged by the rules.

A reader is loaded with the first file that wants it, so that a hook that checks one file starts fast.
"""
# ruff: noqa: PLC0415

from __future__ import annotations

import ast
import io
import tokenize
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from guardrails.environments import GateKind
from guardrails.files import Found, UnreadableError, Written, read_text, written_in
from guardrails.findings import Coverage, Direction, FileReport
from guardrails.migrations.model import Followed, MigrationFile
from guardrails.operations import Comment, Operation, Reading

if TYPE_CHECKING:
    from guardrails.migrations.project import Sources

_MOST_FAULTS = 5
"""Stretches of one file that are reported as unparsable."""


@dataclass(frozen=True, slots=True)
class Scan:
    """For which gate, dialect and project setting files are scanned."""

    gate: GateKind
    dialect: str = "postgres"
    downgrade_required: bool = True
    root: Path | None = None
    """The root of the project, which migrations may import helpers from; None: it is looked for."""
    today: date | None = None
    """The day that decides which exemptions have expired; None: the day it is (UTC)."""


@dataclass(frozen=True, slots=True)
class Scanned:
    """What came out of one file."""

    report: FileReport
    migration: MigrationFile | None = None
    followed: Followed | None = None
    """Other files of the project that the answer depends on; None: there are none."""


class Shared:
    """What the scans of one run share: the modules that migrations import, each read once."""

    @cached_property
    def sources(self) -> Sources:
        """The modules of the project; loaded with the first migration."""
        from guardrails.migrations.project import Sources

        return Sources()


def scan_file(  # noqa: PLR0911 (one line a kind)
    file: Found, scan: Scan, *, as_migration: bool = False, shared: Shared | None = None
) -> Scanned | None:
    """Scan a file; None where it is written in nothing that has a reader and nobody named it.

    Hand in what the files of one run share, if it is one of several.
    """
    if file.fault:
        relevant = file.path.suffix == "" or written_in(file.path) not in {None, Written.DATA}
        return _faulty("unreadable", file.name, scan, file.fault) if relevant else None
    written = written_in(file.path)
    if written is None:
        return (
            _faulty("unreadable", file.name, scan, "no reader for this kind of file") if file.named else None
        )
    try:
        text = read_text(file.path)
    except UnreadableError as error:
        if written is Written.DATA and not file.named:
            return None  # data in a coding of its own is no template
        return _faulty("unreadable", file.name, scan, str(error))
    if written is Written.DATA and not file.named and not _is_read(text, file.name):
        return None
    if written is Written.PYTHON:
        within = _Within(file.path, shared or Shared())
        return _python(text, file.name, scan, as_migration=as_migration, within=within)
    return scan_text(text, written, file.name, scan)


def scan_text(text: str, written: Written, name: str, scan: Scan, *, as_migration: bool = False) -> Scanned:
    """Scan the text of a file by itself. *as_migration* takes any Python for a migration."""
    if written is Written.PYTHON:
        return _python(text, name, scan, as_migration=as_migration)
    try:
        reading = _reading(text, written, name, scan)
    except (ValueError, RecursionError, MemoryError) as error:
        line = getattr(error, "line", 0)
        note = str(error) or type(error).__name__
        return _faulty("unparsable", name, scan, f"line {line}: {note}" if line else note, line or 1)
    report = _report(reading.operations, reading, name, scan)
    if not reading.faults:
        return Scanned(report)
    from guardrails.judge import plain_finding

    hidden = [
        plain_finding("unparsable", name, scan.gate, line=line, note=f"line {line}: {what}")
        for line, what in dict.fromkeys(reading.faults)
    ]
    found = sorted((*report.findings, *hidden[:_MOST_FAULTS]), key=lambda f: (f.line, f.column, f.rule))
    return Scanned(replace(report, findings=tuple(found)))


def _reading(text: str, written: Written, name: str, scan: Scan) -> Reading:  # noqa: PLR0911 (one line a kind)
    match written:
        case Written.SQL:
            from guardrails.sql.read import read_sql

            return read_sql(text, scan.dialect)
        case Written.JAVASCRIPT | Written.TYPESCRIPT | Written.TSX:
            return _javascript(text, written)
        case Written.SHELL:
            from guardrails.s3.shell import read_shell

            return read_shell(text)
        case Written.TERRAFORM:
            from guardrails.cloud.terraform import read_terraform

            return read_terraform(text)
        case Written.DOCKERFILE:
            from guardrails.s3.embedded import read_dockerfile

            return read_dockerfile(text)
        case Written.MAKEFILE:
            from guardrails.s3.embedded import read_makefile

            return read_makefile(text)
        case Written.DATA:
            return _data(text, name)
        case Written.PYTHON:
            raise AssertionError("Python is read by _python")


def _javascript(text: str, written: Written) -> Reading:
    from guardrails.s3.javascript import read_javascript
    from guardrails.s3.trees import Grammar

    if written is Written.TYPESCRIPT:
        return read_javascript(text, (Grammar.TYPESCRIPT, Grammar.TSX))
    return read_javascript(text, (Grammar.TSX,)) if written is Written.TSX else read_javascript(text)


def _data(text: str, name: str) -> Reading:
    from guardrails.cloud.cloudformation import looks_like_cloudformation, read_cloudformation
    from guardrails.s3.embedded import holds_pipeline, read_pipeline

    if looks_like_cloudformation(text):
        return read_cloudformation(text)
    return read_pipeline(text) if holds_pipeline(text, name) else Reading(statements=1, analysed=1)


def _is_read(text: str, name: str) -> bool:
    from guardrails.cloud.cloudformation import looks_like_cloudformation
    from guardrails.s3.embedded import holds_pipeline

    return looks_like_cloudformation(text) or holds_pipeline(text, name)


@dataclass(frozen=True, slots=True)
class _Within:
    """Where a migration stands, so that its imports can be followed."""

    path: Path
    shared: Shared


def _python(
    text: str, name: str, scan: Scan, *, as_migration: bool, within: _Within | None = None
) -> Scanned:
    from guardrails.s3.python import read_s3

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the scanned code's own syntax, which is not ours to mend
            tree = ast.parse(text)
        operations: list[Operation] = list(read_s3(tree, text))
        comments = _comments(text)
        if not as_migration and not _is_migration(text, tree):
            reading = Reading(comments=comments, statements=1, analysed=1)
            return Scanned(_report(operations, reading, name, scan))
        from guardrails.migrations.read import read_migration

        imports = within.shared.sources.imports(within.path, scan.root) if within is not None else None
        migration = read_migration(tree, name, scan.dialect, imports)
    except SyntaxError as error:
        return _faulty("unparsable", name, scan, f"line {error.lineno}: {error.msg}", error.lineno or 1)
    except (ValueError, RecursionError, MemoryError) as error:
        return _faulty("unparsable", name, scan, str(error) or type(error).__name__)
    from guardrails.judge import forward, judge

    backwards = _lines_of_downgrade(tree)
    operations = [
        operation.going(Direction.DOWNGRADE) if operation.place.line in backwards else operation
        for operation in operations
    ]
    findings = judge(
        [*forward(migration), *operations],
        (*comments, *migration.comments),
        name,
        scan.gate,
        migration,
        downgrade_required=scan.downgrade_required,
        today=scan.today,
    )
    coverage = Coverage(migration.statements, migration.analysed)
    followed = imports.followed() if imports is not None else None
    return Scanned(FileReport(name, tuple(findings), coverage), migration, followed)


def _is_migration(text: str, tree: ast.Module) -> bool:
    if text.isascii() and not any(word in text for word in ("revision", "upgrade", "downgrade")):
        return False  # no migration is without one of these names, however its letters are written
    from guardrails.migrations.read import is_migration

    return is_migration(tree)


def _report(operations: Sequence[Operation], reading: Reading, name: str, scan: Scan) -> FileReport:
    coverage = Coverage(reading.statements, reading.analysed)
    if not operations and not reading.comments:  # most files: the rules are not even loaded for them
        return FileReport(name, (), coverage)
    from guardrails.judge import judge

    found = judge(operations, reading.comments, name, scan.gate, today=scan.today)
    return FileReport(name, tuple(found), coverage)


def _faulty(rule: str, name: str, scan: Scan, note: str, line: int = 1) -> Scanned:
    from guardrails.judge import plain_finding

    return Scanned(
        FileReport(name, (plain_finding(rule, name, scan.gate, line=line, note=note),), Coverage(1, 0))
    )


def _comments(text: str) -> tuple[Comment, ...]:
    if "safety-exception" not in text:
        return ()
    found = []
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == tokenize.COMMENT:
                alone = not token.line[: token.start[1]].strip()
                found.append(Comment(token.start[0], token.string, alone))
    except (tokenize.TokenError, IndentationError):
        pass  # it parsed, so what the tokenizer saw until here is what there is
    return tuple(found)


def _lines_of_downgrade(tree: ast.Module) -> range:
    for statement in tree.body:
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef) and statement.name == "downgrade":
            return range(statement.lineno, (statement.end_lineno or statement.lineno) + 1)
    return range(0)
