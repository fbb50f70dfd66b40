"""The command ``check``: the guardrails alone, for any files and folders; it needs no workspace."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TextIO

from guardrails.check import check_paths
from guardrails.environments import STANDARD, UnknownEnvironmentError, resolve_environment
from guardrails.findings import Verdict
from guardrails.reports import check_report, one_line

DONE = 0
USAGE = 2
BLOCKED = 4
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


def run_check(  # noqa: PLR0917 (the command line's own words)
    paths: list[Path],
    environment: str,
    dialect: str,
    format: str,  # noqa: A002 (it is the option's name)
    stdout: TextIO,
    stderr: TextIO,
) -> int:
    """Check *paths* for an environment and print the report as text or json; give the exit status.

    0 nothing blocks, 4 something does, 2 a path, environment, dialect or format that does not exist.
    """
    problem = _problem(paths, dialect, format)
    try:
        resolved = resolve_environment(environment)
    except UnknownEnvironmentError as error:
        problem = problem or str(error)
    if problem:
        print(f"opconsole check: {problem}", file=stderr)
        return USAGE
    report = check_paths(paths, environment=resolved, gate=STANDARD[resolved], dialect=dialect)
    if format == "json":
        print(json.dumps(report.to_json(), indent=2, ensure_ascii=True), file=stdout)
    else:
        print(check_report(report), file=stdout)
    return BLOCKED if report.verdict is Verdict.BLOCK else DONE


def _problem(paths: list[Path], dialect: str, form: str) -> str:
    if not paths:
        return "no path is given"
    for path in paths:
        if not path.exists() and not path.is_symlink():
            return f"no such file or folder: {one_line(str(path))}"
    if dialect not in DIALECTS:
        return f"unknown dialect {dialect!a}; allowed: {', '.join(DIALECTS)}"
    return "" if form in {"text", "json"} else f"unknown format {form!a}; allowed: text, json"
