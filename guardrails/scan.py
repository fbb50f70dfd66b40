"""Scans one file: its reader chosen by what it is written in, its operations judged by the rules."""

from __future__ import annotations

import ast
import io
import tokenize
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from guardrails.cloud.cloudformation import looks_like_cloudformation, read_cloudformation
from guardrails.cloud.terraform import read_terraform
from guardrails.cloud.yamltree import YamlError
from guardrails.environments import GateKind
from guardrails.files import Found, UnreadableError, Written, read_text, written_in
from guardrails.findings import Coverage, Direction, FileReport
from guardrails.judge import forward, judge, plain_finding
from guardrails.migrations.model import MigrationFile
from guardrails.migrations.read import is_migration, read_migration
from guardrails.operations import Comment, Operation, Reading
from guardrails.s3.embedded import holds_pipeline, read_dockerfile, read_makefile, read_pipeline
from guardrails.s3.javascript import read_javascript
from guardrails.s3.python import read_s3
from guardrails.s3.shell import read_shell
from guardrails.s3.trees import Grammar, TreeError
from guardrails.sql.read import read_sql

_MOST_FAULTS = 5
"""Stretches of one file that are reported as unparsable."""


@dataclass(frozen=True, slots=True)
class Scan:
    """For which gate, dialect and project setting files are scanned."""

    gate: GateKind
    dialect: str = "postgres"
    downgrade_required: bool = True


@dataclass(frozen=True, slots=True)
class Scanned:
    """What came out of one file."""

    report: FileReport
    migration: MigrationFile | None = None


def scan_file(file: Found, scan: Scan, *, as_migration: bool = False) -> Scanned | None:
    """Scan a file; None where it is written in nothing that has a reader and nobody named it."""
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
    return scan_text(text, written, file.name, scan, as_migration=as_migration)


def scan_text(text: str, written: Written, name: str, scan: Scan, *, as_migration: bool = False) -> Scanned:
    """Scan the text of a file. *as_migration* takes any Python for a migration."""
    if written is Written.PYTHON:
        return _python(text, name, scan, as_migration=as_migration)
    try:
        reading = _reading(text, written, name, scan)
    except YamlError as error:
        return _faulty("unparsable", name, scan, f"line {error.line}: {error}", error.line)
    except (TreeError, RecursionError, MemoryError) as error:
        return _faulty("unparsable", name, scan, str(error) or type(error).__name__)
    report = _report(reading.operations, reading, name, scan)
    if not reading.faults:
        return Scanned(report)
    hidden = [
        plain_finding("unparsable", name, scan.gate, line=line, note=f"line {line}: {what}")
        for line, what in dict.fromkeys(reading.faults)
    ]
    found = sorted((*report.findings, *hidden[:_MOST_FAULTS]), key=lambda f: (f.line, f.column, f.rule))
    return Scanned(replace(report, findings=tuple(found)))


def _reading(text: str, written: Written, name: str, scan: Scan) -> Reading:
    if written is Written.SQL:
        return read_sql(text, scan.dialect)
    if written is Written.DATA:
        if looks_like_cloudformation(text):
            return read_cloudformation(text)
        return read_pipeline(text) if holds_pipeline(text, name) else Reading(statements=1, analysed=1)
    return _READERS[written](text)


def _is_read(text: str, name: str) -> bool:
    return looks_like_cloudformation(text) or holds_pipeline(text, name)


_READERS: dict[Written, Callable[[str], Reading]] = {
    Written.JAVASCRIPT: read_javascript,
    Written.TYPESCRIPT: lambda text: read_javascript(text, (Grammar.TYPESCRIPT, Grammar.TSX)),
    Written.TSX: lambda text: read_javascript(text, (Grammar.TSX,)),
    Written.SHELL: read_shell,
    Written.TERRAFORM: read_terraform,
    Written.DOCKERFILE: read_dockerfile,
    Written.MAKEFILE: read_makefile,
}


def _python(text: str, name: str, scan: Scan, *, as_migration: bool) -> Scanned:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the scanned code's own syntax, which is not ours to mend
            tree = ast.parse(text)
        operations: list[Operation] = list(read_s3(tree, text))
        comments = _comments(text)
        if not as_migration and not is_migration(tree):
            reading = Reading(comments=comments, statements=1, analysed=1)
            return Scanned(_report(operations, reading, name, scan))
        migration = read_migration(tree, name, scan.dialect)
    except SyntaxError as error:
        return _faulty("unparsable", name, scan, f"line {error.lineno}: {error.msg}", error.lineno or 1)
    except (ValueError, RecursionError, MemoryError) as error:
        return _faulty("unparsable", name, scan, str(error) or type(error).__name__)
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
    )
    coverage = Coverage(migration.statements, migration.analysed)
    return Scanned(FileReport(name, tuple(findings), coverage), migration)


def _report(operations: Sequence[Operation], reading: Reading, name: str, scan: Scan) -> FileReport:
    findings = judge(operations, reading.comments, name, scan.gate)
    return FileReport(name, tuple(findings), Coverage(reading.statements, reading.analysed))


def _faulty(rule: str, name: str, scan: Scan, note: str, line: int = 1) -> Scanned:
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
