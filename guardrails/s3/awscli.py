"""Understands the command lines of programs that delete in S3: aws, awslocal, s3cmd, s4cmd, s5cmd and mc."""

from __future__ import annotations

from collections.abc import Sequence

from guardrails.cloud.lifecycle import expires_everything
from guardrails.operations import Thing

PYTHON_CALLS = {
    "delete_bucket": Thing.BUCKET,
    "delete_objects": Thing.OBJECTS,
    "delete_object": Thing.OBJECT,
}
"""boto3's methods, and what they delete."""

API_CALLS = {
    "DeleteBucket": Thing.BUCKET,
    "DeleteObjects": Thing.OBJECTS,
    "DeleteObject": Thing.OBJECT,
}
"""The API's own names for the same."""

PROGRAM_WORDS = (
    "aws",
    "AWS",
    "s3cmd",
    "s4cmd",
    "s5cmd",
    "mc rb",
    "mc rm",
    "mc mirror",
    "'mc'",
    '"mc"',
    "`mc",
)
"""One of these stands in every text that runs such a program: a first, quick look."""

_AWS = frozenset({"aws", "awslocal", "aws.exe", "aws-cli", "awsv2"})
_OTHERS = frozenset({"s3cmd", "s4cmd", "s5cmd", "mc"})
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
        "--cli-binary-format",
        "--host",
        "--host-bucket",
        "--config",
        "--numworkers",
        "-c",
    }
)
_RECURSIVE = frozenset({"--recursive", "-r", "-rf", "-fr", "--force"})


def mentions(text: str, words: Sequence[str]) -> bool:
    """Say whether a text holds one of the words; much quicker than a pattern."""
    return any(word in text for word in words)


def is_program(word: str) -> bool:
    """Say whether a word of a command names such a program, or a variable that stands for one."""
    name = word.rsplit("/", 1)[-1].lower()
    if name.startswith("$"):
        return "aws" in name
    return name.split(":", 1)[0] in _AWS or name in _OTHERS


def deletes(words: Sequence[str]) -> Thing | None:  # noqa: PLR0911 (one line a kind)
    """Say what a command line deletes, whose first word is such a program; None: nothing."""
    name = words[0].rsplit("/", 1)[-1].lower()
    plain = _positional(words[1:])
    options = {word.split("=", 1)[0] for word in words if word.startswith("-")}
    if not plain or options & {"--dryrun", "--dry-run", "--fake", "help", "--generate-cli-skeleton"}:
        return None
    if name in _OTHERS:
        return _other(name, plain, options)
    if len(plain) < 2 or "help" in plain[2:3]:
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


def expires(words: Sequence[str]) -> str:
    """Say when a command line lets a bucket's every object expire; empty: it does not."""
    if "put-bucket-lifecycle-configuration" not in words:
        return ""
    for word, value in zip(words, [*words[1:], ""], strict=True):
        if word.startswith("--lifecycle-configuration"):
            return expires_everything(word.partition("=")[2] or value)
    return ""


def _other(name: str, plain: Sequence[str], options: set[str]) -> Thing | None:
    command = plain[0]
    if command == "rb":
        return Thing.BUCKET
    if command in {"del", "rm"} and len(plain) > 1:
        many = name != "s3cmd" and "*" in "".join(plain[1:])
        return Thing.OBJECTS if many or options & _RECURSIVE else Thing.OBJECT
    mirrors = (command == "sync" and options & {"--delete-removed", "--delete"}) or (
        command == "mirror" and "--remove" in options
    )
    return Thing.OBJECTS if mirrors else None


def _positional(arguments: Sequence[str]) -> list[str]:
    plain = []
    skip = False
    for word in arguments:
        if skip:
            skip = False
        elif word in _TAKES_VALUE:
            skip = True
        elif not word.startswith("-") and word:
            plain.append(word)
    return plain
