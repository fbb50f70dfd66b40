"""Which editor or pager opens a file at a line, and how: a program and its arguments, never a shell."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Mapping
from pathlib import Path

_PLUS_LINE = frozenset(
    (
        "vi",
        "vim",
        "nvim",
        "view",
        "nano",
        "pico",
        "emacs",
        "emacsclient",
        "micro",
        "kak",
        "joe",
        "jed",
        "mg",
        "ne",
    )
)
"""``program +LINE FILE``"""
_COLON_LINE = frozenset(("hx", "helix", "subl", "zed"))
"""``program FILE:LINE``"""
_GOTO = frozenset(("code", "code-insiders", "codium", "vscodium", "cursor"))
"""``program --goto FILE:LINE``"""


class NoEditorError(ValueError):
    """No editor can be started; the message says what to set."""


def editor_command(environ: Mapping[str, str], file: Path, line: int) -> list[str]:
    """Give the program and arguments that open a file at a line, by $VISUAL, else $EDITOR.

    An editor that is not known is given the file alone. Raises NoEditorError.
    """
    for name in ("VISUAL", "EDITOR"):
        if given := environ.get(name, "").strip():
            break
    else:
        raise NoEditorError(
            "no editor is set: set $VISUAL or $EDITOR, for example EDITOR=vim, then try again"
        )
    try:
        argv = shlex.split(given)
    except ValueError as error:
        raise NoEditorError(f"${name} cannot be read ({error}): {given}") from error
    program = Path(argv[0]).name
    if program in _PLUS_LINE and line > 0:
        return [*argv, f"+{line}", str(file)]
    if program in _COLON_LINE and line > 0:
        return [*argv, f"{file}:{line}"]
    if program in _GOTO and line > 0:
        return [*argv, "--goto", f"{file}:{line}"]
    return [*argv, str(file)]


def pager_command(environ: Mapping[str, str], file: Path, line: int) -> list[str]:
    """Give the program and arguments that page through a file from a line on, by $PAGER, else less or more.

    Raises NoEditorError.
    """
    given = environ.get("PAGER", "").strip()
    try:
        argv = shlex.split(given) if given else []
    except ValueError as error:
        raise NoEditorError(f"$PAGER cannot be read ({error}): {given}") from error
    if not argv:
        found = next(
            (name for name in ("less", "more") if shutil.which(name, path=environ.get("PATH"))), None
        )
        if found is None:
            raise NoEditorError("no pager is set: set $PAGER, for example PAGER=less, then try again")
        argv = [found]
    at = [f"+{line}"] if Path(argv[0]).name in ("less", "more") and line > 1 else []
    return [*argv, *at, str(file)]
