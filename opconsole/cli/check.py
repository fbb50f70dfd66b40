"""The command ``check``: the guardrails alone, for any files and folders; it needs no workspace.

It runs before every commit, so it reads its own options and loads nothing that it does not use.
"""
# ruff: noqa: PLC0415 - what only some options need is loaded with them

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TextIO

from guardrails.environments import STANDARD, UnknownEnvironmentError, resolve_environment
from guardrails.findings import CheckError, Verdict
from guardrails.sanitise import sanitise

if TYPE_CHECKING:
    from guardrails.cache import Cache
    from guardrails.findings import Report

DONE = 0
FAILED = 1
USAGE = 2
BLOCKED = 4
STOPPED = 130
CUT_OFF = 141
FORMATS = ("text", "json", "sarif", "github")
DOWNGRADES = ("required", "not-required")
DIALECTS = [
    "postgres",
    "mysql",
    "mariadb",
    "sqlite",
    "tsql",
    "oracle",
    "bigquery",
    "snowflake",
    "redshift",
    "duckdb",
    "clickhouse",
    "databricks",
    "spark",
    "trino",
    "presto",
    "hive",
    "singlestore",
    "doris",
    "starrocks",
    "materialize",
    "risingwave",
]
DIALECT_NAMES = {"postgresql": "postgres", "mssql": "tsql"}
"""What the settings call a dialect, where that is another word."""


@dataclass(frozen=True, slots=True)
class Modes:
    """What is looked at, and what of it decides."""

    exclude: tuple[str, ...] = ()
    downgrade: str = "required"
    since_revision: tuple[str, ...] = ()
    changed_since: str | None = None
    baseline: Path | None = None
    write_baseline: Path | None = None
    cache: bool = False
    jobs: int = 1


def main(arguments: Sequence[str]) -> int:
    """Run ``check`` as a program of its own; *arguments* stand behind the command's name."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        status = check_command(arguments, stdout=sys.stdout, stderr=sys.stderr, environ=os.environ)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return STOPPED
    except BrokenPipeError:
        from opconsole.cli.output import silence

        silence(sys.stdout)
        return CUT_OFF
    except Exception as error:  # whatever it is, people get a line and not a traceback
        if os.environ.get("OPCONSOLE_DEBUG") == "1":
            raise
        _refuse(f"something went wrong that it did not expect: {type(error).__name__}: {error}", sys.stderr)
        _refuse("set OPCONSOLE_DEBUG=1 and run it again to see where", sys.stderr)
        return FAILED
    return status


def check_command(
    arguments: Sequence[str],
    *,
    stdout: TextIO,
    stderr: TextIO,
    environ: Mapping[str, str],
    as_json: bool = False,
) -> int:
    """Read the command's arguments and run it; give the exit status. *as_json*: ``--json`` was given."""
    parser = _parser()
    try:
        given = parser.parse_args(list(arguments))
    except _UsageError as error:
        return _refuse(str(error), stderr)
    if given.version:
        from opconsole import __version__

        print(f"opconsole {__version__}", file=stdout)
        return DONE
    if given.help:
        print(parser.format_help(), end="", file=stdout)
        return DONE
    form = given.format or ("json" if as_json or given.json else "text")
    if given.explain is not None or given.list_rules:
        return _about_rules(given.explain, form, stdout, stderr)
    modes = Modes(
        exclude=tuple(given.exclude),
        downgrade=given.downgrade,
        since_revision=tuple(given.since_revision),
        changed_since=given.changed_since,
        baseline=given.baseline,
        write_baseline=given.write_baseline,
        cache=given.cache,
        jobs=given.jobs,
    )
    return run_check(given.paths, given.environment, given.dialect, form, stdout, stderr, modes, environ)


def run_check(  # noqa: PLR0917 (the command line's own words)
    paths: list[Path],
    environment: str,
    dialect: str,
    format: str,  # noqa: A002 (it is the option's name)
    stdout: TextIO,
    stderr: TextIO,
    modes: Modes | None = None,
    environ: Mapping[str, str] | None = None,
) -> int:
    """Check *paths* for an environment and print the report; give the exit status.

    0 nothing blocks, 4 something does, 2 a path, a word, a revision or a baseline that is wrong.
    """
    modes = modes or Modes()
    dialect = DIALECT_NAMES.get(dialect, dialect)
    try:
        resolved = resolve_environment(environment)
    except UnknownEnvironmentError as error:
        return _refuse(_problem(paths, dialect, format, modes) or str(error), stderr)
    problem = _problem(paths, dialect, format, modes)
    if problem:
        return _refuse(problem, stderr)
    try:
        report = _report(paths, resolved, dialect, modes, environ if environ is not None else os.environ)
        if modes.write_baseline is not None:
            return _write(modes.write_baseline, report, stderr)
    except CheckError as error:
        return _refuse(str(error), stderr)
    print(_shown(report, format), file=stdout)
    if format == "json":  # whose form has no place for them
        for note in report.notes:
            print(f"opconsole check: {_plain(note)}", file=stderr)
    return BLOCKED if report.verdict is Verdict.BLOCK else DONE


def _report(
    paths: list[Path], environment: str, dialect: str, modes: Modes, environ: Mapping[str, str]
) -> Report:
    from guardrails.check import check_paths
    from guardrails.scanning import cores

    baseline = changed = None
    if modes.baseline is not None:
        from guardrails.baseline import apply_baseline, read_baseline

        baseline = read_baseline(modes.baseline)
    if modes.changed_since is not None:
        from guardrails.changed import changed_since

        changed = changed_since(modes.changed_since, paths, environ)
    revisions = modes.since_revision
    report = check_paths(
        paths,
        environment=environment,
        gate=STANDARD[environment],
        dialect=dialect,
        since_revision=revisions[0] if len(revisions) == 1 else revisions or None,
        exclude=modes.exclude,
        downgrade_required=modes.downgrade != "not-required",
        changed=changed,
        cache=_cache() if modes.cache else None,
        jobs=modes.jobs or cores(),
    )
    return report if baseline is None else apply_baseline(report, baseline, paths)


def _write(file: Path, report: Report, stderr: TextIO) -> int:
    from guardrails.baseline import write_baseline

    held, left = write_baseline(file, report)
    print(f"opconsole check: wrote {held} findings to {_plain(str(file))}", file=stderr)
    if left:
        print(
            f"opconsole check: {left} findings cannot be held by a baseline (files that nobody could read or "
            "parse, and faulty marks); correct or exclude them",
            file=stderr,
        )
    return DONE


def _shown(report: Report, form: str) -> str:
    import json

    if form == "json":
        return json.dumps(report.to_json(), indent=2, ensure_ascii=True)
    if form == "sarif":
        from guardrails.sarif import sarif_report
        from opconsole import __version__

        return json.dumps(sarif_report(report, version=__version__), indent=2, ensure_ascii=True)
    if form == "github":
        from guardrails.github import github_report

        return github_report(report)
    from guardrails.reports import check_report

    return check_report(report)


def _about_rules(name: str | None, form: str, stdout: TextIO, stderr: TextIO) -> int:
    import json

    from guardrails.explain import UnknownRuleError, rule_list, rule_objects, rule_page

    try:
        if name is not None:
            print(rule_page(name), file=stdout)
        elif form == "json":
            print(json.dumps(rule_objects(), indent=2, ensure_ascii=True), file=stdout)
        else:
            print(rule_list(), file=stdout)
    except UnknownRuleError as error:
        return _refuse(str(error), stderr)
    return DONE


def _cache() -> Cache | None:
    from platformdirs import user_cache_path

    from guardrails.cache import Cache

    return Cache.open(user_cache_path("opconsole", appauthor=False) / "check")


def _problem(paths: list[Path], dialect: str, form: str, modes: Modes) -> str:  # noqa: PLR0911 (a fault each)
    if not paths:
        return "no path is given; opconsole check --help shows how"
    for path in paths:
        if not path.exists() and not path.is_symlink():
            return f"no such file or folder: {_plain(str(path))}"
    if dialect not in DIALECTS:
        return f"unknown dialect {dialect!a}; allowed: {', '.join([*DIALECTS, *DIALECT_NAMES])}"
    if form not in FORMATS:
        return f"unknown format {form!a}; allowed: {', '.join(FORMATS)}"
    if modes.downgrade not in DOWNGRADES:
        return f"unknown word {modes.downgrade!a} for --downgrade; allowed: {', '.join(DOWNGRADES)}"
    if modes.write_baseline is not None and modes.changed_since is not None:
        return "--write-baseline needs all findings: leave --changed-since out"
    return ""


def _refuse(problem: str, stderr: TextIO) -> int:
    print(f"opconsole check: {_plain(problem)}", file=stderr)
    return USAGE


def _plain(text: str) -> str:
    return sanitise(text, single_line=True)


class _UsageError(Exception):
    """The arguments cannot be read."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise _UsageError(f"{message}; opconsole check --help shows how")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="opconsole check",
        usage="opconsole check PATH... [options]",
        description="Check files and folders by the guardrails alone; no workspace is needed.",
        epilog="Exit status: 0 nothing blocks, 4 something does, 2 wrong usage.",
        add_help=False,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("paths", metavar="PATH", nargs="*", type=Path, help="Files and folders to check.")
    add("-e", "--environment", metavar="E", default="production", help="Default: production.")
    add("--dialect", metavar="D", default="postgres", help="The SQL's dialect. Default: postgres.")
    add("--format", metavar="F", help=f"{', '.join(FORMATS)}. Default: text.")
    add("--exclude", metavar="GLOB", action="append", default=[], help="Leave files and folders out.")
    add(
        "--downgrade",
        metavar="WORD",
        default="required",
        help="not-required: a missing downgrade() does not block.",
    )
    add(
        "--since-revision",
        metavar="REV",
        action="append",
        default=[],
        help="The revision that the database stands at: only what it has not applied yet decides.",
    )
    add("--changed-since", metavar="REV", help="Check only what is changed in git since then.")
    add("--baseline", metavar="FILE", type=Path, help="Findings in this file do not block.")
    add("--write-baseline", metavar="FILE", type=Path, help="Write the present findings to it, and end.")
    add("--no-cache", dest="cache", action="store_false", help="Read every file anew.")
    add("--jobs", metavar="N", type=_count, default=0, help="Processes for large trees. Default: one a core.")
    add("--explain", metavar="RULE", help="Show a rule's page, and end.")
    add("--list-rules", action="store_true", help="Name all rules, and end.")
    add("--json", action="store_true", help="The same as --format json.")
    add("--version", action="store_true", help=argparse.SUPPRESS)
    add("-C", metavar="DIR", help=argparse.SUPPRESS)
    add("-h", "--help", action="store_true", help="Show this, and end.")
    return parser


def _count(text: str) -> int:
    if not text.isdecimal() or len(text) > 4 or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!a} is no number of processes")
    return int(text)
