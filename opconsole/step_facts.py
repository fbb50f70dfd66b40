"""What a step's programs were given and what became of them: the worker keeps it, the screens read it.

A program's words are written with its secrets masked, and of its environment only the names.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from opconsole.masks import masked_forms
from opconsole.programs import Program, ProgramResult, TraceState, trace
from opconsole.shim import Masker

_ENDING = ".program.json"


@dataclass(frozen=True, slots=True)
class ProgramFacts:
    """One program of a step."""

    argv: tuple[str, ...]
    """Its words, secrets masked."""
    folder: str
    """Where it ran."""
    variables: tuple[str, ...]
    """The names of its environment's variables, never their values."""
    state: TraceState
    result: ProgramResult | None
    """There is one exactly when it has ended."""


def note_program(folder: Path, program: Program) -> None:
    """Keep what a program is given, before it starts in its *folder*. Blocks."""
    secrets = [form.encode("utf-8", "surrogateescape") for form in masked_forms(program.secrets)]
    words = [word.encode("utf-8", "surrogateescape") for word in program.argv]
    facts = {
        "argv": [Masker(secrets).whole(word).decode("utf-8", "backslashreplace") for word in words],
        "folder": str(program.cwd),
        "variables": sorted({*program.variables, *program.files}),
    }
    path = folder.with_name(folder.name + _ENDING)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(facts), "utf-8")


def programs_of(run_folder: Path, position: int, name: str) -> tuple[ProgramFacts, ...]:
    """Give the programs of a step in the order they were started; none where none is on record. Blocks."""
    ours = re.compile(rf"{position:02}-{re.escape(name)}-\d+(\.\d+)?{re.escape(_ENDING)}")
    found = [path for path in (run_folder / "steps").glob(f"*{_ENDING}") if ours.fullmatch(path.name)]
    facts = [_facts(path) for path in sorted(found, key=lambda path: path.stat().st_mtime_ns)]
    return tuple(one for one in facts if one is not None)


def _facts(path: Path) -> ProgramFacts | None:
    try:
        given = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return None  # just being written, or pruned
    if not isinstance(given, Mapping):
        return None
    now = trace(path.with_name(path.name.removesuffix(_ENDING)))
    return ProgramFacts(
        argv=_words(given.get("argv")),
        folder=str(given.get("folder", "")),
        variables=_words(given.get("variables")),
        state=now.state,
        result=now.result,
    )


def _words(given: object) -> tuple[str, ...]:
    return tuple(str(word) for word in given) if isinstance(given, list) else ()
