"""Artifacts: what was built, kept under the digest of its content until nothing needs it any more.

`ContentStore` is the mechanism (atomic, read-only, verified); `ArtifactStore` keeps what builds made with
it, and `sources.SourceStore` the clean exports.
"""

from __future__ import annotations

import asyncio
import errno
import os
import re
import tempfile
import threading
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from opconsole.trees import (
    DIGEST_PREFIX,
    NOTHING,
    Exclusions,
    UnsafeTreeError,
    copy_tree,
    remove_tree,
    sync_folder,
    tree_digest,
)

LEFTOVER_AGE = 24 * 3600.0
"""Seconds after which something half-written in a store counts as left over by a crash."""

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_NEW = ".new-"
_GONE = ".gone-"


class StoreError(Exception):
    """The store cannot give or take something; says what, where, and what to do next."""


class NotStoredError(StoreError):
    """Nothing is stored under a digest."""


class StoreDamagedError(StoreError):
    """What is stored no longer has the digest that it is stored under."""


@dataclass(frozen=True, slots=True)
class Artifact:
    """Something that was built, as the store keeps it."""

    digest: str
    """``sha256:…`` over the canonical tree."""
    path: Path
    """The folder or file in the store. Read-only; copy it to change it."""


class ContentStore:
    """A folder of read-only trees, each under the digest of its content: ``<root>/<hex>/<name>``."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._pruning = threading.Lock()

    def add(self, name: str, fill: Callable[[Path], str]) -> tuple[str, Path]:
        """Let *fill* write to the path it is given and return its digest; then make that visible at once.

        Blocking. What is there already under the digest is verified and used.
        """
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix=_NEW, dir=self.root))
        try:
            digest = fill(fresh / name)
            place = self._place(digest)
            sync_folder(fresh)
            try:
                fresh.rename(place)
            except OSError as error:
                if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
                    raise  # else it is stored already: verified below
            sync_folder(self.root)
        finally:
            if fresh.exists():
                remove_tree(fresh)
        return digest, self.verify(digest)

    def path(self, digest: str) -> Path:
        """Give where *digest* is stored, unverified; raise NotStoredError."""
        place = self._place(digest)
        entries = list(place.iterdir()) if place.is_dir() else []
        if len(entries) != 1:
            raise NotStoredError(f"nothing is stored as {digest} in {self.root}; build or export it again")
        return entries[0]

    def verify(self, digest: str) -> Path:
        """Read what is stored under *digest* again, give its path; raise StoreDamagedError if it changed."""
        path = self._used(digest)
        try:
            found = tree_digest(path)
        except (UnsafeTreeError, OSError) as error:
            raise self._damaged(digest, path, str(error)) from error
        if found != digest:
            raise self._damaged(digest, path, f"its content is {found}")
        return path

    def _used(self, digest: str) -> Path:
        """Note that somebody is about to use what is stored, so that it is not pruned in the next moment."""
        with self._pruning:
            path = self.path(digest)
            os.utime(path.parent)
            return path

    def prune(self, protect: Collection[str], *, unused_for: float = 0.0) -> list[str]:
        """Remove all but *protect*, and what a crash left half-written; give the digests removed.

        What was added or verified within the last *unused_for* seconds stays, too. Raises OSError where the
        folder cannot be written.
        """
        removed: list[str] = []
        if not self.root.is_dir():
            return removed
        for entry in sorted(self.root.iterdir()):
            digest = DIGEST_PREFIX + entry.name
            if _DIGEST.fullmatch(digest):
                if digest not in protect and (gone := self._put_aside(entry, unused_for)) is not None:
                    removed.append(digest)
                    remove_tree(gone)
            elif entry.name.startswith(_GONE) or _left_over(entry, _NEW):
                remove_tree(entry)
        return removed

    def _put_aside(self, entry: Path, unused_for: float) -> Path | None:
        """Rename what is to be removed, so that a crash leaves no damaged tree under its digest."""
        with self._pruning:
            if time.time() - entry.stat().st_mtime < unused_for:
                return None
            return entry.rename(self.root / f"{_GONE}{entry.name}")

    def _place(self, digest: str) -> Path:
        if not _DIGEST.fullmatch(digest):
            raise NotStoredError(f"{digest!a} is not a digest; allowed: sha256: and 64 hexadecimal digits")
        return self.root / digest.removeprefix(DIGEST_PREFIX)

    def _damaged(self, digest: str, path: Path, found: str) -> StoreDamagedError:
        return StoreDamagedError(
            f"what is stored as {digest} was changed ({found}); "
            f"find out who writes to {path.parent}, remove that folder, and build or export again"
        )


class ArtifactStore:
    """Keeps what builds made. All methods do their work in a thread."""

    def __init__(self, root: Path) -> None:
        self._store = ContentStore(root)

    async def put(self, path: Path, *, exclude: Exclusions = NOTHING) -> Artifact:
        """Store a folder or a file and give it with its digest; storing the same again changes nothing.

        Raises StoreError if *path* is missing, trees.UnsafeTreeError for what must not be deployed: links
        that leave it, devices, setuid files.
        """
        return await asyncio.to_thread(self._put, path, exclude)

    async def verify(self, digest: str) -> Artifact:
        """Give a stored artifact after reading all of it again; raise NotStoredError, StoreDamagedError."""
        return Artifact(digest, await asyncio.to_thread(self._store.verify, digest))

    async def prune(self, protect: Collection[str], *, unused_for: float = 0.0) -> list[str]:
        """Remove every artifact whose digest is not in *protect*; give the digests removed.

        What was stored or verified within the last *unused_for* seconds stays, too.
        """
        return await asyncio.to_thread(self._store.prune, frozenset(protect), unused_for=unused_for)

    def _put(self, path: Path, exclude: Exclusions) -> Artifact:
        if path.is_symlink() or not (path.is_dir() or path.is_file()):
            raise StoreError(
                f"there is no artifact at {path}; allowed: a folder or file that the build made there, "
                "so check the build's output and the project's `artifact` setting"
            )
        digest, stored = self._store.add(
            path.name,
            lambda place: copy_tree(path, place, exclude=exclude, read_only=True, durable=True),
        )
        return Artifact(digest, stored)


def _left_over(entry: Path, prefix: str) -> bool:
    return entry.name.startswith(prefix) and time.time() - entry.lstat().st_mtime > LEFTOVER_AGE
