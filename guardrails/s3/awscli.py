"""Understands an argument list of the AWS command line."""

from __future__ import annotations

from collections.abc import Sequence

from guardrails.operations import Thing

PYTHON_CALLS = {
    "delete_bucket": Thing.BUCKET,
    "delete_objects": Thing.OBJECTS,
    "delete_object": Thing.OBJECT,
}
"""boto3's methods, and what they delete."""

_TAKES_VALUE = frozenset(
    {
        "--endpoint-url",
        "--profile",
        "--region",
        "--output",
        "--query",
        "--color",
        "--ca-bundle",
        "--cli-read-timeout",
        "--cli-connect-timeout",
    }
)


def is_aws(word: str) -> bool:
    """Say whether a word of a command names the AWS command line, or a variable that stands for it."""
    name = word.rsplit("/", 1)[-1].lower()
    if name.startswith("$"):
        return "aws" in name
    return name in {"aws", "awslocal", "aws.exe"}


def deletes(arguments: Sequence[str]) -> Thing | None:
    """Say what ``aws ARGUMENTS…`` deletes; None: nothing."""
    plain = _positional(arguments)
    options = {word.split("=", 1)[0] for word in arguments if word.startswith("-")}
    if len(plain) < 2 or "--dryrun" in options or "--dry-run" in options:
        return None
    service, command = plain[0], plain[1]
    if service in {"s3api", "s3control", "s3outposts"}:
        return PYTHON_CALLS.get(command.replace("-", "_"))
    if service != "s3":
        return None
    if command == "rb":
        return Thing.BUCKET
    if command == "rm":
        return Thing.OBJECTS if "--recursive" in options else Thing.OBJECT
    return Thing.OBJECTS if command == "sync" and "--delete" in options else None


def _positional(arguments: Sequence[str]) -> list[str]:
    plain = []
    skip = False
    for word in arguments:
        if skip:
            skip = False
        elif word in _TAKES_VALUE:
            skip = True
        elif not word.startswith("-"):
            plain.append(word)
    return plain
