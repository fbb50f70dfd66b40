"""cfn-lint on a template: its command line, and what it printed as values.

It runs as a program of its own: it loads the schemas of all of AWS, which a worker need not keep.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from importlib.util import find_spec

LINT_LIMIT = 120.0
"""Seconds that cfn-lint may take."""


class LintError(ValueError):
    """cfn-lint is missing, or said something that cannot be read."""


@dataclass(frozen=True, slots=True)
class LintHit:
    """One hit of one of cfn-lint's rules. Lines and columns count from 1."""

    rule: str
    error: bool
    message: str
    line: int
    column: int


def lint_argv(template: str, region: str) -> tuple[str, ...]:
    """Give the command line that lints the file *template*. Raises LintError where cfn-lint is missing."""
    if find_spec("cfnlint") is None:
        raise LintError(
            "cfn-lint is not installed; install opconsole with its extra: pip install 'opconsole[aws]'"
        )
    # Not the script beside the interpreter: a wheel's environment may have none on its PATH.
    start = "from cfnlint.runner import main; main()"
    return (sys.executable, "-P", "-c", start, "--format", "json", "--regions", region, "--", template)


def read_hits(output: str) -> list[LintHit]:
    """Read what cfn-lint printed. Raises LintError."""
    try:
        return [
            LintHit(
                rule=str(one["Rule"]["Id"]),
                error=one["Level"] == "Error",
                message=str(one["Message"]),
                line=int(one["Location"]["Start"]["LineNumber"]),
                column=int(one["Location"]["Start"]["ColumnNumber"]),
            )
            for one in json.loads(output or "[]")
        ]
    except (ValueError, KeyError, TypeError) as error:
        raise LintError(f"cfn-lint printed what cannot be read: {error}") from error
