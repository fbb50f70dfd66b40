"""The kinds of value that settings are made of: names, paths, argument lists, durations, variables."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    PlainValidator,
    StrictBool,
    StrictInt,
    StrictStr,
    StringConstraints,
)

from opconsole.settings.errors import Wrong, custom_error, raise_all
from opconsole.settings.secrets import FILE_PREFIX, SecretError, SecretFile, SecretRef, Value, parse_value

ONLY_REFERENCES = 'env:NAME, file:PATH, keyring:SERVICE/USER or command:["PROGRAM", …]'
REFERENCE = f"text, or {ONLY_REFERENCES}"
FOR_VARIABLES = f"{ONLY_REFERENCES}, or {FILE_PREFIX} and one of them"
WEEK = 7 * 24 * 3600

_PROJECT = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_-]{0,63}")
_ENVIRONMENT = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_HOST = re.compile(r"[A-Za-z0-9_:][A-Za-z0-9_.:-]{0,252}")
_CREDENTIALS = re.compile(r"://[^/@\s]*:[^/@\s]+@")
_SECRET_NAME = re.compile(
    r"PASSWORD|PASSWD|SECRET|TOKEN|CREDENTIAL|API_?KEY|PRIVATE_?KEY|ACCESS_?KEY", re.IGNORECASE
)


def project_name(name: str) -> str:
    """Hold a project's name to its grammar: it becomes part of file names and task keys."""
    if not _PROJECT.fullmatch(name):
        raise custom_error(
            "this cannot be a project's name",
            allowed="1 to 64 letters, digits, _ and -, beginning with a letter or digit",
        )
    return name


def environment_name(name: str) -> str:
    """Hold an environment's name to its grammar; exact, so that no two names look alike."""
    if not _ENVIRONMENT.fullmatch(name):
        raise custom_error(
            "this cannot be an environment's name",
            allowed="1 to 64 of a-z, 0-9, _ and -, beginning with a letter or digit",
        )
    return name


def holds_password(text: str) -> bool:
    """Say whether *text* is a URL with a password in it."""
    return _CREDENTIALS.search(text) is not None


def _variable_name(name: str) -> str:
    if not _VARIABLE.fullmatch(name):
        raise custom_error("this cannot be a variable's name", allowed="letters, digits and _")
    if name.upper().startswith("OPCONSOLE_"):
        raise custom_error("this name is opconsole's own", allowed="any name that does not begin so")
    return name


def _plain_line(text: str) -> str:
    if not text or not text.isprintable():
        raise custom_error("this must be one line of visible characters", allowed="visible characters")
    return text


def _place(text: str) -> str:
    _plain_line(text)
    if text.startswith("~"):
        raise custom_error("~ is not expanded here", allowed="a path relative to the workspace, or absolute")
    return text


def _inside(text: str) -> str:
    _plain_line(text)
    path = PurePosixPath(text)
    if path.is_absolute() or ".." in path.parts or text.startswith(("~", "-")) or "\\" in text:
        raise custom_error(
            "this path leads out of its folder", allowed="a relative path with / and without .."
        )
    return text


def _argument(text: str) -> str:
    if "\0" in text:
        raise custom_error("an argument cannot hold a NUL character", allowed="text without NUL")
    return text


def _argv(argv: tuple[str, ...]) -> tuple[str, ...]:
    if not argv[0].strip():
        raise custom_error("the first argument names the program", allowed='for example ["make", "test"]')
    return argv


def _a_list_of_arguments(value: object) -> object:
    if isinstance(value, str):
        raise custom_error(
            "a program is a list of arguments, never a line for a shell",
            allowed='for example ["python", "-m", "pytest"]',
        )
    return tuple(value) if isinstance(value, list) else value


def _one_or_several(value: object) -> object:
    """Take one argv for a list of one."""
    value = _a_list_of_arguments(value)
    if isinstance(value, tuple) and value and all(isinstance(item, str) for item in value):
        return (value,)
    return value


def _distinct(names: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(names)) != len(names):
        raise custom_error("a name stands here twice", allowed="each name once")
    return names


def _listed(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


def _one_or_many(value: object) -> object:
    return (value,) if isinstance(value, str) else _listed(value)


def _web_address(text: str) -> str:
    _plain_line(text)
    try:
        parts = urlsplit(text)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good or " " in text:
        raise custom_error("this is no address of a web page", allowed="http://… or https://…")
    if "@" in parts.netloc:
        raise custom_error(
            "an address that is shown must not hold a password", allowed="http://… without user"
        )
    return text


def _remote(text: str) -> str:
    _plain_line(text)
    if text.startswith("-") or "::" in text:
        raise custom_error(
            "this is no place of a git repository", allowed="for example git@git.example:audit.git, or a path"
        )
    return text


def _host(text: str) -> str:
    if not _HOST.fullmatch(text):
        raise custom_error("this is no host name or address", allowed="for example 127.0.0.1 or db.internal")
    return text


def _plain_value(value: object) -> str | SecretRef:
    read = _value(value)
    if isinstance(read, SecretFile):
        raise custom_error("opconsole reads this itself, so it goes into no file", allowed=ONLY_REFERENCES)
    return read


def _value(value: object) -> Value:
    if isinstance(value, SecretRef | SecretFile):
        return value
    if not isinstance(value, str):
        raise custom_error("variables are text", allowed=REFERENCE)
    if "\0" in value:
        raise custom_error("a variable cannot hold a NUL character", allowed=REFERENCE)
    try:
        read = parse_value(value)
    except SecretError as error:
        raise custom_error(error.message, allowed=error.fix.removeprefix("write ")) from error
    if isinstance(read, str) and holds_password(value):
        raise custom_error("a password does not belong in the settings", allowed=ONLY_REFERENCES)
    return read


def _written(value: Value) -> str:
    """Write a value so that reading it gives the same again."""
    plain = isinstance(value, str) and _read_or_none(value) != value
    return f"text:{value}" if plain else str(value)


def _named_secrets_are_references(values: Mapping[str, object]) -> Mapping[str, object]:
    # What was marked as text: is told from plain text here, before the mark is read off.
    wrongs = []
    for name, value in values.items():
        plain = isinstance(value, str) and value and not value.startswith("text:")
        if plain and _SECRET_NAME.search(name) and isinstance(_read_or_none(value), str):
            message = f"{name} looks like a secret, which does not belong in the settings"
            wrongs.append(Wrong((name,), value, f"{FOR_VARIABLES}; text:… if it is none", message))
    raise_all(wrongs)
    return values


def _read_or_none(value: object) -> Value | None:
    try:
        return parse_value(str(value))
    except SecretError:
        return None


def _check_variables(values: object) -> object:
    return _named_secrets_are_references(values) if isinstance(values, dict) else values


ProjectName = Annotated[str, AfterValidator(project_name)]
EnvironmentName = Annotated[str, AfterValidator(environment_name)]
VariableName = Annotated[StrictStr, AfterValidator(_variable_name)]
Line = Annotated[StrictStr, AfterValidator(_plain_line)]
"""One line of visible characters: no control, invisible or direction-changing ones."""
Place = Annotated[StrictStr, AfterValidator(_place)]
"""A path relative to the workspace, or an absolute one."""
Inside = Annotated[StrictStr, AfterValidator(_inside)]
"""A relative path or glob that stays inside its folder."""
Argument = Annotated[StrictStr, AfterValidator(_argument)]
Argv = Annotated[
    tuple[Argument, ...], Field(min_length=1), AfterValidator(_argv), BeforeValidator(_a_list_of_arguments)
]
"""A program and its arguments, given to the system as they stand; no shell reads them."""
Commands = Annotated[tuple[Argv, ...], BeforeValidator(_one_or_several)]
"""Programs that run one after the other; one alone may be written without the outer list."""
Names = Annotated[tuple[Line, ...], AfterValidator(_distinct), BeforeValidator(_listed)]
Globs = Annotated[tuple[Inside, ...], BeforeValidator(_listed)]
WebAddress = Annotated[StrictStr, AfterValidator(_web_address)]
GitRemote = Annotated[StrictStr, AfterValidator(_remote)]
"""A git repository elsewhere, as a URL or a path; neither an option nor a program that git would start."""
Host = Annotated[StrictStr, AfterValidator(_host)]
Flag = StrictBool
Count = Annotated[StrictInt, Field(ge=0, le=1_000_000)]
Positive = Annotated[StrictInt, Field(ge=1, le=1_000_000)]
Seconds = Annotated[float, Field(strict=True, gt=0, le=WEEK, allow_inf_nan=False)]
"""A duration above zero, at most a week."""
Wait = Annotated[float, Field(strict=True, ge=0, le=WEEK, allow_inf_nan=False)]
"""A duration, zero for none."""
SettingsValue = Annotated[
    str | SecretRef, PlainValidator(_plain_value), PlainSerializer(_written, return_type=str)
]
"""Text, or a reference to a secret."""
VariableValue = Annotated[Value, PlainValidator(_value), PlainSerializer(_written, return_type=str)]
"""The same, and a secret that a program gets in a file."""
Variables = Annotated[Mapping[VariableName, VariableValue], BeforeValidator(_check_variables)]
ThemeName = Annotated[StrictStr, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,63}$")]
ActionName = Annotated[StrictStr, StringConstraints(pattern=r"^[a-z][a-z-]{0,63}$")]
KeyNames = Annotated[tuple[Line, ...], AfterValidator(_distinct), BeforeValidator(_one_or_many)]
"""One key, or several."""
JsonKey = Annotated[StrictStr, StringConstraints(min_length=1, max_length=200)]
