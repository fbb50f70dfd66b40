"""Finds the modules of a project that a migration imports, and reads them; nothing of them is imported.

Only below the project's root, never through a link that leaves it, and only so many, so large and so deep.
Every question that is put to the disk is noted with its answer, because what comes out of the migration
depends on it.
"""

from __future__ import annotations

import ast
import hashlib
import os
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from guardrails.files import UnreadableError, printable, read_text
from guardrails.migrations.model import Followed, Probe
from guardrails.migrations.module import Function, Module, is_known, read_module
from guardrails.migrations.strings import Foreign, closed

MOST_FILES = 200
"""Modules that are read for one migration."""
LARGEST_MODULE = 1_000_000
"""Bytes beyond which a module is not read."""
DEEPEST_IMPORT = 4
"""Imports from module to module that are followed; also how far a name is handed on by imports."""
_MOST_PROBES = 4_000
_MARKS = ("pyproject.toml", "setup.py", "setup.cfg", ".git")
_ABSENT, _FOLDER, _REFUSED = "", "folder", "refused"


@dataclass(frozen=True, slots=True)
class Target:
    """What an imported name stands for: a function, or a constant of a module."""

    module: Module
    path: Path
    where: str
    """How reports call the module: relative to the project's root."""
    function: Function | None = None
    value: ast.expr | None = None


class Sources:
    """The files of projects, each read and parsed once in a run."""

    def __init__(self) -> None:
        self._texts: dict[Path, tuple[str, str]] = {}
        self._trees: dict[Path, ast.Module | None] = {}
        self._places: dict[tuple[Path, Path | None], tuple[Path, tuple[Path, ...]]] = {}

    def imports(self, path: Path, root: Path | None) -> Imports:
        """Give the imports of a migration: *root* bounds them; None: the project's root is looked for."""
        folder = Path(os.path.realpath(path.parent))
        return Imports(self, folder / path.name, *self.bounds(folder, root))

    def bounds(self, folder: Path, root: Path | None) -> tuple[Path, tuple[Path, ...]]:
        """Give the root of the project that a folder lies in, and the folders that its imports start from."""
        known = self._places.get((folder, root))
        if known is None:
            known = self._places[folder, root] = _bounds(folder, root)
        return known

    def holds(self, path: Path, root: Path | None, followed: Followed) -> bool:
        """Say whether all that an answer for a file depends on is still as it was."""
        folder = Path(os.path.realpath(path.parent))
        top, starts = self.bounds(folder, root)
        return _around(folder, top, starts) == followed.around and all(
            self.state(Path(os.path.normpath(folder / probe.place)), top) == probe.state
            for probe in followed.probes
        )

    def state(self, place: Path, top: Path) -> str:
        """Say what is at a place: the digest of a module's text, a folder, nothing, or nothing to be read."""
        return self._look(place, top)[0]

    def tree(self, place: Path, top: Path) -> ast.Module | None:
        """Give the tree of a module; None: it is none that can be read."""
        if place not in self._trees:
            text = self._look(place, top)[1]
            self._trees[place] = _parsed(text) if text else None
        return self._trees[place]

    def _look(self, place: Path, top: Path) -> tuple[str, str]:
        if place not in self._texts:
            self._texts[place] = _looked_at(place, top)
        return self._texts[place]


class Imports:
    """What one migration imports from its own project."""

    def __init__(self, sources: Sources, path: Path, top: Path, starts: Sequence[Path]) -> None:
        self._sources = sources
        self._path = path
        self._top = top
        self._starts = starts
        self._probes: dict[Path, str] = {}
        self._modules: dict[Path, Module] = {}
        self._found: dict[tuple[Path, str], Target | None] = {}

    def adopt(self, module: Module) -> None:
        """Let the migration's own module look up what it imports."""
        module.path = self._path
        module.names.beyond = _Beyond(self, module)

    def followed(self) -> Followed | None:
        """Give all that was looked at until now; None: nothing was."""
        if not self._probes:
            return None
        folder = self._path.parent
        probes = (Probe(os.path.relpath(at, folder), state) for at, state in sorted(self._probes.items()))
        return Followed(_around(folder, self._top, self._starts), tuple(probes))

    def find(self, module: Module, name: str, depth: int = 0) -> Target | None:
        """Give what a name, dotted or not, stands for in a module; None: nothing that can be told."""
        first, _, rest = name.partition(".")
        origins = [module.imported[first]] if first in module.imported else []
        if not origins and not rest:
            origins = [star.removesuffix("*") + name for star in module.stars]
        if module.path is None or not origins or depth > DEEPEST_IMPORT:
            return None
        for origin in origins:
            key = (module.path, f"{origin}.{rest}" if rest else origin)
            if key not in self._found:
                self._found[key] = None  # whoever asks again on the way goes round in a circle
                self._found[key] = None if is_known(origin) else self._origin(key[1], module.path, depth)
            if self._found[key] is not None:
                return self._found[key]
        return None

    def _origin(self, origin: str, asker: Path, depth: int) -> Target | None:
        names = origin.lstrip(".")
        level = len(origin) - len(names)
        parts = [part for part in names.split(".") if part]
        if level:
            starts: Sequence[Path] = [asker.parents[level - 1]] if level <= len(asker.parents) else []
        else:
            starts = self._starts
        found: list[tuple[Path, list[str]]] = []
        for start in starts:
            found += [each for each in self._located(start, parts) if each not in found]
        # Two modules of one name in different places: nobody can tell which one it will be.
        if len({place for place, _ in found if place.name != "__init__.py"}) > 1:
            return None
        for place, attributes in found:
            target = self._member(place, attributes, depth) if len(attributes) == 1 else None
            if target is not None:
                return target
        return None

    def _located(self, start: Path, parts: list[str]) -> Iterator[tuple[Path, list[str]]]:
        """Give the modules that a dotted name may lead to, each with what is left of the name."""
        here = start
        for index, part in enumerate(parts):
            if not part.isidentifier():
                return
            if self._is_file(here / "__init__.py"):
                yield here / "__init__.py", parts[index:]
            if self._is_file(here / f"{part}.py"):
                yield here / f"{part}.py", parts[index + 1 :]
                return
            here = here / part
            if self._state(here) != _FOLDER:
                return

    def _member(self, place: Path, attributes: list[str], depth: int) -> Target | None:
        module = self._module(place)
        if module is None:
            return None
        (name,) = attributes
        where = printable(place, self._top)
        if name in module.functions:
            return Target(module, place, where, function=module.functions[name])
        if name in module.assigned:
            value = module.assigned[name]
            if isinstance(value, ast.Name) and value.id in module.functions:
                return Target(module, place, where, function=module.functions[value.id])
            return Target(module, place, where, value=value)
        return self.find(module, name, depth + 1)

    def _module(self, place: Path) -> Module | None:
        if place not in self._modules:
            tree = self._sources.tree(place, self._top) if len(self._modules) < MOST_FILES else None
            if tree is None:
                return None
            module = self._modules[place] = read_module(tree)
            module.path = place
            module.names.beyond = _Beyond(self, module)
        return self._modules[place]

    def _is_file(self, place: Path) -> bool:
        return self._state(place) not in {_ABSENT, _FOLDER, _REFUSED}

    def _state(self, place: Path) -> str:
        if place not in self._probes:
            if len(self._probes) >= _MOST_PROBES:
                return _ABSENT
            self._probes[place] = self._sources.state(place, self._top)
        return self._probes[place]


class _Beyond:
    """Looks up for the names of a module what they are elsewhere."""

    def __init__(self, imports: Imports, module: Module) -> None:
        self._imports = imports
        self._module = module

    def find(self, name: str) -> Foreign | None:
        """Give what an imported name stands for; None: nobody knows."""
        target = self._imports.find(self._module, name)
        if target is None:
            return None
        values = [closed(target.value, target.module.names)] if target.value is not None else []
        return Foreign(target.module.names, values, target.function)


def _around(folder: Path, top: Path, starts: Sequence[Path]) -> tuple[str, ...]:
    return tuple(os.path.relpath(place, folder) for place in (top, *starts))


def _bounds(folder: Path, root: Path | None) -> tuple[Path, tuple[Path, ...]]:
    top = Path(os.path.realpath(root)) if root is not None else None
    if top is None or not folder.is_relative_to(top):
        top = _project(folder)
    starts = [folder, *(parent for parent in folder.parents if parent.is_relative_to(top))]
    packages = {place for place in starts if place != top and (place / "__init__.py").is_file()}
    sources = [place / "src" for place in starts if (place / "src").is_dir()]
    return top, tuple(place for place in (*starts, *sources) if place not in packages)


def _project(folder: Path) -> Path:
    """Give the nearest folder above that is marked as a project's, or else the parent of its packages."""
    above = (folder, *folder.parents)
    marked = next((place for place in above if _holds_any(place, _MARKS)), None)
    top = marked or next((place for place in above if (place / "alembic.ini").is_file()), folder)
    if top == folder and _holds_any(folder.parent, ("env.py", "script.py.mako")):
        top = folder.parent
    if marked is None and (top.parent / "__init__.py").is_file():
        top = top.parent
    while (top / "__init__.py").is_file() and top != top.parent:
        top = top.parent
    return top


def _holds_any(place: Path, names: Sequence[str]) -> bool:
    return any((place / name).exists() for name in names)


def _looked_at(place: Path, top: Path) -> tuple[str, str]:
    try:
        if not place.is_relative_to(top) or not Path(os.path.realpath(place)).is_relative_to(top):
            return _REFUSED, ""
        if place.is_dir():
            return _FOLDER, ""
        if not place.is_file():
            return _ABSENT, ""
        if place.stat().st_size > LARGEST_MODULE:
            return _REFUSED, ""
        text = read_text(place)
    except (OSError, ValueError, UnreadableError):
        return _REFUSED, ""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest(), text


def _parsed(text: str) -> ast.Module | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
