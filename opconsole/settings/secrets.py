"""References to secrets, and where they are resolved: settings say where a secret is, never what it is."""

from __future__ import annotations

import hmac
import json
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import NoReturn

from opconsole.settings.errors import printable
from opconsole.settings.files import read_checked
from opconsole.settings.secret_command import SecretCommandError, output_of

MAX_SECRET_BYTES = 64 * 1024
"""A secret's file may be this large; more is a mistake."""

TEXT_PREFIX = "text:"
"""What follows it is taken as it stands, even where it looks like a reference or a secret."""

FILE_PREFIX = "as-file:"
"""What follows it is a reference to a secret that a program gets in a file."""


class RefKind(StrEnum):
    """Where a secret is kept."""

    ENV = "env"  # a variable of the environment that opconsole was started with
    FILE = "file"  # a file that only its owner and group may read
    KEYRING = "keyring"  # the desktop's or server's keyring, as SERVICE/USER
    COMMAND = "command"  # what a program prints, as a JSON list of the program and its arguments


_KINDS = frozenset(kind.value for kind in RefKind)


class SecretError(Exception):
    """A reference that is malformed or cannot be resolved. Names reference and remedy, never a value."""

    def __init__(self, reference: str, message: str, fix: str) -> None:
        self.reference = reference
        self.message = message
        self.fix = fix
        super().__init__(f"{printable(reference)}: {message}; {fix}")


@dataclass(frozen=True, slots=True)
class SecretRef:
    """Where a secret is: ``env:NAME``, ``file:PATH``, ``keyring:SERVICE/USER`` or ``command:[…]``."""

    kind: RefKind
    name: str
    """The variable, the path (of the workspace, absolute, or below ``~/``), SERVICE/USER, or the argv."""

    @classmethod
    def parse(cls, text: str) -> SecretRef:
        """Read a reference; raise SecretError when it is none."""
        prefix, colon, name = text.partition(":")
        if not colon or prefix not in _KINDS:
            _no_reference()
        return cls(RefKind(prefix), name)

    def __post_init__(self) -> None:
        _check_name(self)

    @property
    def argv(self) -> tuple[str, ...]:
        """The program that prints the secret, and its arguments; empty for the other kinds."""
        return _argv(self.name) if self.kind is RefKind.COMMAND else ()

    def __str__(self) -> str:
        return f"{self.kind.value}:{self.name}"


class Secret:
    """A resolved secret. Printing, formatting, logging or pickling it never gives the value away."""

    __slots__ = ("_value", "ref")

    def __init__(self, value: str, ref: SecretRef) -> None:
        self._value = value
        self.ref = ref

    def reveal(self) -> str:
        """Give the value, to hand it to the program it is meant for."""
        return self._value

    def __repr__(self) -> str:
        return f"Secret({printable(str(self.ref))})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._value.encode(), other._value.encode())

    __hash__ = None  # type: ignore[assignment]

    def __reduce__(self) -> NoReturn:
        raise TypeError("a resolved secret is not written anywhere; pass its reference")


@dataclass(frozen=True, slots=True)
class SecretFile:
    """``as-file:REFERENCE``: the program finds the secret in a file, and the file's path in the variable."""

    ref: SecretRef

    def __str__(self) -> str:
        return f"{FILE_PREFIX}{self.ref}"


Value = str | SecretRef | SecretFile
"""A value of the settings: text as it stands, or a reference to a secret and how a program gets it."""


@dataclass(frozen=True, slots=True)
class Resolved:
    """Variables ready for a program, and the secrets among them, which its log has to mask."""

    variables: Mapping[str, str] = field(repr=False)
    secrets: tuple[Secret, ...]
    files: Mapping[str, str] = field(repr=False, default_factory=dict)
    """By the variable that is to name it: what stands in a file."""


def parse_value(text: str) -> Value:
    """Read a value: a reference, or text; ``text:…`` is always text. Raises SecretError."""
    if text.startswith(TEXT_PREFIX):
        return text.removeprefix(TEXT_PREFIX)
    if text.startswith(FILE_PREFIX):
        return SecretFile(SecretRef.parse(text.removeprefix(FILE_PREFIX)))
    prefix, colon, _ = text.partition(":")
    return SecretRef.parse(text) if colon and prefix in _KINDS else text


def resolve(ref: SecretRef, *, environ: Mapping[str, str], workspace: Path) -> Secret:
    """Fetch the secret that *ref* names. Reads files, runs programs: it blocks, call it off the event loop.

    *environ* is the environment that opconsole was started with; relative files lie below *workspace*.
    Raises SecretError, which says how to fix it.
    """
    if ref.kind is RefKind.ENV:
        return Secret(_from_environment(ref, environ), ref)
    if ref.kind is RefKind.FILE:
        return Secret(_from_file(ref, _file_of(ref, environ, workspace)), ref)
    if ref.kind is RefKind.COMMAND:
        return Secret(_from_command(ref, environ, workspace), ref)
    return Secret(_from_keyring(ref), ref)


def resolve_all(values: Mapping[str, Value], *, environ: Mapping[str, str], workspace: Path) -> Resolved:
    """Resolve the references among *values*; raise SecretError for the first that cannot be."""
    secrets: list[Secret] = []
    variables: dict[str, str] = {}
    files: dict[str, str] = {}
    for name, value in values.items():
        if isinstance(value, str):
            variables[name] = value
            continue
        ref = value.ref if isinstance(value, SecretFile) else value
        secret = resolve(ref, environ=environ, workspace=workspace)
        secrets.append(secret)
        if isinstance(value, SecretFile):
            files[name] = _content(secret.reveal())
        else:
            variables[name] = secret.reveal()
    return Resolved(variables, tuple(secrets), files)


def _content(secret: str) -> str:
    """Give what stands in a secret's file: keys want their last line ended, passwords do not."""
    return f"{secret}\n" if "\n" in secret and not secret.endswith("\n") else secret


ALLOWED = 'write env:NAME, file:PATH, keyring:SERVICE/USER or command:["PROGRAM", "ARGUMENT", …]'


def _no_reference() -> NoReturn:
    # The text may be the secret itself, pasted by mistake: it is not repeated.
    raise SecretError("(not shown)", "this is no reference to a secret", ALLOWED)


def _check_name(ref: SecretRef) -> None:
    name = ref.name
    if not name or not name.isprintable():
        raise SecretError(str(ref), "the reference names nothing that can be looked up", ALLOWED)
    if ref.kind is RefKind.ENV and not (name.isascii() and name.isidentifier()):
        raise SecretError(str(ref), "this is no name of a variable", "write env:NAME, letters, digits and _")
    if ref.kind is RefKind.KEYRING and not all(name.rpartition("/")[::2]):
        raise SecretError(str(ref), "the keyring needs a service and a user", "write keyring:SERVICE/USER")
    if ref.kind is RefKind.COMMAND and not _argv(name):
        # Not repeated: who writes a line for a shell may have written the secret into it.
        raise SecretError(
            "command:…",
            "the program is to be a list of its arguments, as JSON; no shell reads it",
            'write command:["PROGRAM", "ARGUMENT", …]',
        )


def _argv(text: str) -> tuple[str, ...]:
    try:
        words = json.loads(text)
    except (ValueError, RecursionError):
        return ()
    proper = isinstance(words, list) and all(isinstance(word, str) and "\0" not in word for word in words)
    return tuple(words) if proper and words and words[0].strip() else ()


def _from_environment(ref: SecretRef, environ: Mapping[str, str]) -> str:
    value = environ.get(ref.name, "")
    if not value:
        state = "empty" if ref.name in environ else "not set"
        raise SecretError(
            str(ref), f"the variable is {state}", f"set {ref.name} where opconsole and its worker start"
        )
    return value


def _file_of(ref: SecretRef, environ: Mapping[str, str], workspace: Path) -> Path:
    if ref.name.startswith("~/") and environ.get("HOME"):
        return Path(environ["HOME"], ref.name.removeprefix("~/"))
    return workspace / ref.name


def _from_file(ref: SecretRef, path: Path) -> str:
    def check(facts: os.stat_result) -> None:
        if not stat.S_ISREG(facts.st_mode):
            raise SecretError(str(ref), "is not a file", "name a regular file")
        if facts.st_mode & (stat.S_IROTH | stat.S_IWOTH):
            raise SecretError(
                str(ref),
                f"may be read or written by everybody (mode {stat.S_IMODE(facts.st_mode):03o})",
                f"chmod 600 {printable(str(path))}",
            )

    try:
        content = read_checked(path, check, limit=MAX_SECRET_BYTES)
    except OSError as error:
        raise SecretError(
            str(ref), f"cannot be read ({error.strerror})", f"create {printable(str(path))} with mode 600"
        ) from error
    return _as_text(ref, content)


def _as_text(ref: SecretRef, content: bytes) -> str:
    if len(content) > MAX_SECRET_BYTES:
        raise SecretError(str(ref), f"holds more than {MAX_SECRET_BYTES} bytes", "name the secret's own file")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        # "from None": the error's own text would repeat bytes of the secret.
        raise SecretError(str(ref), "is not UTF-8 text", "write the secret as text") from None
    text = text.removesuffix("\n").removesuffix("\r")
    if not text:
        raise SecretError(str(ref), "is empty", "write the secret into it")
    if "\0" in text:
        raise SecretError(str(ref), "holds a NUL character", "write the secret as text")
    return text


def _from_command(ref: SecretRef, environ: Mapping[str, str], workspace: Path) -> str:
    try:
        output = output_of(ref.argv, environ=environ, workspace=workspace, most=MAX_SECRET_BYTES)
    except SecretCommandError as error:
        raise SecretError(
            str(ref), str(error), "run it by hand in the workspace, as whoever runs the worker"
        ) from None
    return _as_text(ref, output)


def _from_keyring(ref: SecretRef) -> str:
    # Imported here: it loads the desktop's libraries, and most workspaces never ask for it.
    import keyring  # noqa: PLC0415
    import keyring.errors  # noqa: PLC0415

    service, _, user = ref.name.rpartition("/")
    try:
        value = keyring.get_password(service, user)
    except keyring.errors.KeyringError as error:
        raise SecretError(
            str(ref),
            f"the keyring does not answer ({printable(str(error))})",
            "set up a keyring, or use file:",
        ) from error
    if not value:
        raise SecretError(
            str(ref), "the keyring has no such entry", f"store it: keyring set {service!r} {user!r}"
        )
    return value
