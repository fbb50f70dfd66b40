"""The chain of a folder's revisions: its heads, its faults, and the way from one revision to another."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from guardrails.migrations.model import MigrationFile


class ChainError(ValueError):
    """There is no way between two revisions; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Something wrong with a chain, under the name of the rule that it breaks."""

    rule: str
    path: str
    message: str


@dataclass(frozen=True, slots=True)
class Chain:
    """The migrations of one folder by revision; of two with one revision the first by path counts."""

    files: Mapping[str, MigrationFile]
    heads: tuple[str, ...]
    roots: tuple[str, ...]
    missing_parents: tuple[tuple[str, str], ...]
    """(revision, parent that no file has)."""
    duplicates: Mapping[str, tuple[str, ...]]
    """Paths of the files that share a revision."""
    cycles: tuple[tuple[str, ...], ...]
    """Each as the revisions around it, the first one named again at the end."""

    def resolve(self, revision: str) -> str:
        """Give the revision meant by its name, by a beginning of four letters or more, or by ``head``."""
        if revision == "head":
            if len(self.heads) != 1:
                raise ChainError(
                    f"there are {len(self.heads)} heads ({', '.join(self.heads)}); merge them or name one"
                )
            return self.heads[0]
        if revision in self.files:
            return revision
        near = [name for name in self.files if len(revision) >= 4 and name.startswith(revision)]
        if len(near) == 1:
            return near[0]
        raise ChainError(
            f"revision {revision!a} is {'ambiguous' if near else 'not in the migrations folder'}"
        )

    def path(self, since: str | Sequence[str] | None, to: str = "head") -> list[MigrationFile]:
        """Give what an upgrade from *since* (None: an empty database) to *to* runs, in its order.

        Raises ChainError where a revision is unknown, or the chain runs in a circle.
        """
        if self.cycles:
            raise ChainError(f"the revisions run in a circle: {' → '.join(self.cycles[0])}")
        done = self._ancestors([self.resolve(name) for name in _several(since)])
        wanted = self.heads if to == "heads" else (self.resolve(to),)
        ahead = self._ancestors(wanted) - done
        return [self.files[name] for name in self._ordered() if name in ahead]

    def between(self, lower: str | None, upper: str) -> list[MigrationFile]:
        """Give what a downgrade from *upper* to *lower* (None: an empty database) runs, the newest first."""
        if lower is not None and self.resolve(lower) not in self._ancestors([self.resolve(upper)]):
            raise ChainError(f"{lower} does not come before {upper}: a downgrade does not lead there")
        return self.path(lower, upper)[::-1]

    def faults(self) -> list[Fault]:
        """Give what is wrong with the chain."""
        found = [
            Fault("missing-parent", self.files[name].path, f"down_revision {parent!a} does not exist")
            for name, parent in self.missing_parents
        ]
        for name, paths in self.duplicates.items():
            found += [
                Fault("duplicate-revision", path, f"{paths[0]} has revision {name!a}, too")
                for path in paths[1:]
            ]
        for cycle in self.cycles:
            found.append(
                Fault(
                    "revision-cycle",
                    self.files[cycle[0]].path,
                    f"the revisions run in a circle: {' → '.join(cycle)}",
                )
            )
        if len(self.heads) > 1:
            message = f"several heads: {', '.join(self.heads)}"
            found += [Fault("several-heads", self.files[name].path, message) for name in self.heads]
        return found

    def _parents(self, name: str) -> list[str]:
        file = self.files[name]
        return [parent for parent in (*file.down_revisions, *file.depends_on) if parent in self.files]

    def _ancestors(self, names: Iterable[str]) -> set[str]:
        seen: set[str] = set()
        todo = list(names)
        while todo:
            name = todo.pop()
            if name not in seen:
                seen.add(name)
                todo += self._parents(name)
        return seen

    def _ordered(self) -> list[str]:
        """Give all revisions, parents first; what is free to choose goes by path."""
        waiting = {name: set(self._parents(name)) for name in self.files}
        children: dict[str, list[str]] = {}
        for name, parents in waiting.items():
            for parent in parents:
                children.setdefault(parent, []).append(name)
        ready = sorted(
            (name for name, parents in waiting.items() if not parents), key=self._by_path, reverse=True
        )
        ordered = []
        while ready:
            name = ready.pop()
            ordered.append(name)
            for child in sorted(children.get(name, ()), key=self._by_path, reverse=True):
                waiting[child].discard(name)
                if not waiting[child]:
                    ready.append(child)
        return ordered

    def _by_path(self, name: str) -> str:
        return self.files[name].path


def chain_of(files: Iterable[MigrationFile]) -> Chain:
    """Put migration files into their chain. Files without a revision stay out."""
    by_revision: dict[str, list[MigrationFile]] = {}
    for file in sorted(files, key=lambda file: file.path):
        if file.revision:
            by_revision.setdefault(file.revision, []).append(file)
    first = {name: same[0] for name, same in by_revision.items()}
    parents = {name: [p for p in file.down_revisions if p in first] for name, file in first.items()}
    followed = {parent for names in parents.values() for parent in names}
    return Chain(
        files=first,
        heads=tuple(sorted(name for name in first if name not in followed)),
        roots=tuple(sorted(name for name, file in first.items() if not file.down_revisions)),
        missing_parents=tuple(
            (name, parent)
            for name, file in first.items()
            for parent in (*file.down_revisions, *file.depends_on)
            if parent not in first
        ),
        duplicates={name: tuple(f.path for f in same) for name, same in by_revision.items() if len(same) > 1},
        cycles=_cycles(first),
    )


def reversible(path: Iterable[MigrationFile]) -> bool:
    """Say whether every migration on a way can be taken back."""
    return all(file.reversible for file in path)


def _several(names: str | Sequence[str] | None) -> Sequence[str]:
    if names is None:
        return ()
    return (names,) if isinstance(names, str) else names


def _cycles(files: Mapping[str, MigrationFile]) -> tuple[tuple[str, ...], ...]:
    done: set[str] = set()
    found: list[tuple[str, ...]] = []
    for start in files:
        trail: list[str] = []
        position: dict[str, int] = {}
        stack: list[tuple[str, bool]] = [(start, False)]
        while stack:
            name, leaving = stack.pop()
            if leaving:
                trail.pop()
                del position[name]
                done.add(name)
            elif name in position:
                around = trail[position[name] :]
                if not any(set(around) == set(cycle) for cycle in found):
                    found.append((*around, name))
            elif name not in done:
                position[name] = len(trail)
                trail.append(name)
                stack.append((name, True))
                file = files[name]
                stack += [(p, False) for p in (*file.down_revisions, *file.depends_on) if p in files]
    return tuple(found)
