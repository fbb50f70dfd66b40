"""Finds the files that the guardrails read, tells what each is written in, and reads it as text."""

from __future__ import annotations

import io
import os
import stat
import tokenize
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatch
from pathlib import Path

LARGEST = 32 * 1024 * 1024
"""Bytes beyond which a file is not read."""

SKIPPED = (
    ".git",
    ".hg",
    ".svn",
    "node_modules",
    ".venv",
    "venv",
    "__pycache__",
    ".tox",
    ".nox",
    ".mypy_cache",
)
"""Folders that hold no code of the project."""

TESTS = ("tests", "test", "__tests__", "test_*.py", "*_test.py", "conftest.py", "*.test.*", "*.spec.*")
"""Folders and files of tests, which the default policy does not scan."""


class Written(StrEnum):
    """What a file is written in."""

    SQL = "sql"
    PYTHON = "python"
    JAVASCRIPT = "javascript"
    TYPESCRIPT = "typescript"
    TSX = "tsx"
    SHELL = "shell"
    TERRAFORM = "terraform"
    DOCKERFILE = "dockerfile"
    MAKEFILE = "makefile"
    DATA = "data"
    """YAML or JSON, of which only CloudFormation templates and pipelines are read."""


_BY_SUFFIX = {
    ".sql": Written.SQL,
    ".ddl": Written.SQL,
    ".psql": Written.SQL,
    ".py": Written.PYTHON,
    ".pyw": Written.PYTHON,
    **dict.fromkeys((".js", ".jsx", ".mjs", ".cjs"), Written.JAVASCRIPT),
    **dict.fromkeys((".ts", ".mts", ".cts"), Written.TYPESCRIPT),
    ".tsx": Written.TSX,
    **dict.fromkeys((".sh", ".bash", ".zsh", ".ksh"), Written.SHELL),
    **dict.fromkeys((".tf", ".tofu"), Written.TERRAFORM),
    **dict.fromkeys((".yaml", ".yml", ".json", ".template"), Written.DATA),
    ".dockerfile": Written.DOCKERFILE,
    ".mk": Written.MAKEFILE,
}
_BY_NAME = {
    **dict.fromkeys(("dockerfile", "containerfile"), Written.DOCKERFILE),
    **dict.fromkeys(("makefile", "gnumakefile"), Written.MAKEFILE),
}


class UnreadableError(Exception):
    """A file that cannot be read as text; the message says why."""


@dataclass(frozen=True, slots=True)
class Found:
    """A file to look at."""

    path: Path
    name: str
    """How reports call it: relative to the root where it lies in it, always printable text."""
    named: bool
    """Somebody named this very file, rather than a folder above it."""
    fault: str = ""
    """Why it cannot be looked at; empty: it can."""


def find_files(
    paths: Sequence[Path], root: Path | None = None, exclude: Sequence[str] = (), tests: Sequence[str] = TESTS
) -> list[Found]:
    """Give the files under *paths*, each once, by name. A file that is named itself is always among them."""
    found: dict[Path, Found] = {}
    for path in paths:
        base = path if path.is_dir() else path.parent
        for file in _walk(path, (*SKIPPED, *exclude), tests):
            limit = root or (base if path.is_dir() else None)
            fault = "it is a link that leads out of the project" if limit and _escapes(file, limit) else ""
            found.setdefault(file, Found(file, printable(file, root), named=file == path, fault=fault))
    return sorted(found.values(), key=lambda file: file.name)


def read_text(path: Path) -> str:
    """Read a file as text, as UTF-8 or as its own mark says; raises UnreadableError."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise UnreadableError("it is no regular file")
        if status.st_size > LARGEST:
            raise UnreadableError(f"it is larger than {LARGEST // 1024 // 1024} MB")
        data = path.read_bytes()
        text = data.decode(_encoding(path, data))
    except OSError as error:
        raise UnreadableError(error.strerror or type(error).__name__) from error
    except (UnicodeError, LookupError, SyntaxError) as error:
        raise UnreadableError("it is no text that can be decoded") from error
    if "\0" in text:
        raise UnreadableError("it holds binary data")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def written_in(path: Path) -> Written | None:  # noqa: PLR0911 (one line a kind)
    """Tell what a file is written in, by its name or its first line; None: nothing that has a reader."""
    known = _BY_SUFFIX.get(path.suffix.lower()) or _BY_NAME.get(path.name.lower().split(".", 1)[0])
    if known is not None or path.suffix:
        return known
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return None
        with path.open("rb") as file:
            first = file.readline(200)
    except OSError:
        return None
    if not first.startswith(b"#!"):
        return None
    program = first[2:].replace(b"/", b" ").split()
    if any(word in program for word in (b"sh", b"bash", b"zsh", b"dash", b"ksh")):
        return Written.SHELL
    if any(word.startswith(b"python") for word in program):
        return Written.PYTHON
    return Written.JAVASCRIPT if b"node" in program else None


def printable(path: Path, root: Path | None = None) -> str:
    """Give a path as text that can be printed, relative to *root* where it lies in it."""
    shown = path
    if root is not None and path.is_relative_to(root):
        shown = path.relative_to(root)
    text = os.fsencode(shown).decode("utf-8", "backslashreplace")
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


def _walk(path: Path, skipped: Sequence[str], tests: Sequence[str]) -> Iterator[Path]:
    if not path.is_dir():
        yield path
        return
    for folder, folders, files in os.walk(path):
        here = Path(folder)
        linked = [name for name in folders if (here / name).is_symlink()]
        folders[:] = sorted(
            n for n in folders if n not in linked and not _matches(here / n, path, (*skipped, *tests))
        )
        for name in sorted([*files, *linked]):
            file = here / name
            patterns = skipped if here.name == "versions" else (*skipped, *tests)
            if not _matches(file, path, patterns):
                yield file


def _matches(path: Path, base: Path, patterns: Sequence[str]) -> bool:
    relative = path.relative_to(base).as_posix()
    return any(fnmatch(path.name, p) or fnmatch(relative, p.rstrip("/")) for p in patterns)


def _escapes(path: Path, root: Path) -> bool:
    try:
        return path.is_symlink() and not path.resolve().is_relative_to(root.resolve())
    except (OSError, RuntimeError):
        return True


def _encoding(path: Path, data: bytes) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    if path.suffix.lower() in {".py", ".pyw"}:
        return tokenize.detect_encoding(io.BytesIO(data).readline)[0]
    return "utf-8-sig"
