"""Examples of the rules in the languages of infrastructure, kept beside each rule as EXAMPLES."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FileExample:
    """A file that a rule hits or leaves alone; its name says what it is written in."""

    code: str
    file: str


@dataclass(frozen=True, slots=True)
class Examples:
    """The bad ones are hit by the rule, the good ones are not; a test holds that."""

    bad: tuple[FileExample, ...]
    good: tuple[FileExample, ...]


def terraform(*codes: str) -> tuple[FileExample, ...]:
    """Give examples in Terraform."""
    return tuple(FileExample(code, "main.tf") for code in codes)


def cloudformation(*codes: str) -> tuple[FileExample, ...]:
    """Give examples in CloudFormation; those that begin with a brace are JSON."""
    return tuple(FileExample(c, "stack.json" if c.startswith("{") else "stack.yaml") for c in codes)


def typescript(*codes: str) -> tuple[FileExample, ...]:
    """Give examples in TypeScript."""
    return tuple(FileExample(code, "a.ts") for code in codes)
