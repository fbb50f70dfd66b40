"""Sources: which commit a version means, and one clean, private, verified copy of its files.

A git project's version is named by its tag; a plain folder's tree digest stands for the commit. Every run
reads only the copy in the `SourceStore`, so what was scanned is what is built and migrated.
"""

from __future__ import annotations

import asyncio
import os
import re
import tarfile
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import IO

from opconsole.artifacts import ContentStore, StoreError
from opconsole.git import Git, GitError, GitMissingError
from opconsole.trees import Exclusions, UnsafeTreeError, copy_tree, remove_tree, tree_digest, unpack_tar

_OWN_FOLDER = ".aibrain"  # where deployments.json is written for other programs
DEFAULT_EXCLUSIONS = (
    ".git",
    ".hg",
    ".svn",
    ".venv",
    "venv",
    "node_modules",
    "__pycache__",
    "*.pyc",
    ".pytest_cache",
    ".mypy_cache",
    ".ruff_cache",
    ".tox",
    _OWN_FOLDER,
    ".DS_Store",
)
"""Left out of a plain folder: what no release is made of, or what opconsole writes there itself."""

VERSION_PATTERN = r"[0-9A-Za-z](?:[0-9A-Za-z._+-]{0,126}[0-9A-Za-z])?"
"""What a version may look like: it becomes a tag, a folder's name and a program's argument."""

_VERSION = re.compile(VERSION_PATTERN)


class SourceError(Exception):
    """A version cannot be resolved or exported; says what was wanted, where, and what to do next."""


class BadVersionError(SourceError):
    """A version that could be taken for an option, a path or a command."""


class TagMissingError(SourceError):
    """No tag names the version."""


class TagConflictError(SourceError):
    """Tags disagree about the commit of a version."""


class SourceChangedError(SourceError):
    """Files changed between the moment they were resolved and the moment they were copied."""


class SourceKind(StrEnum):
    """Where a project's files come from."""

    AUTO = "auto"
    GIT = "git"
    FOLDER = "folder"


@dataclass(frozen=True, slots=True)
class SourceVersion:
    """One version of a project, pinned."""

    commit: str
    """The commit's full id; for a plain folder the digest of its tree."""
    version: str
    tag: str | None
    """The tag that names the commit; None for a folder, or where no tag exists (yet)."""
    kind: SourceKind
    """GIT or FOLDER."""
    creates_tag: bool = False
    """HEAD stands in for a tag that is missing; success in development creates it (`create_tag`)."""
    note: str | None = None
    """Something a person should know, such as changes that are not committed and so not exported."""


@dataclass(frozen=True, slots=True)
class StoredSource:
    """A clean export, as the store keeps it: read-only."""

    digest: str
    path: Path


def check_version(version: str) -> str:
    """Give *version* back if it is safe as a tag, folder name and argument; else raise BadVersionError."""
    if not _VERSION.fullmatch(version) or ".." in version or version.endswith(".lock"):
        raise BadVersionError(
            f"{version[:200]!a} is not a version; allowed: letters, digits and . _ + - between them, "
            "at most 128 characters, without '..', such as 2.1.0 or 2.1.0-rc.1"
        )
    return version


async def resolve_source(
    project_path: Path,
    *,
    kind: SourceKind = SourceKind.AUTO,
    version: str | None,
    allow_head: bool,
    exclude: Collection[str] = (),
) -> SourceVersion:
    """Pin *version* of a project to a commit.

    In git the tag ``v<version>`` or ``<version>`` names it. With *allow_head* (development only) HEAD
    stands in for a missing tag. Without a version the commit's own tag, or a short id, is the version, and
    *allow_head* is needed. *exclude* adds patterns to DEFAULT_EXCLUSIONS for a plain folder.

    Raises a SourceError, GitMissingError or GitError, or trees.UnsafeTreeError for a folder that must not
    be taken over.
    """
    if version is not None:
        check_version(version)
    if not await asyncio.to_thread(project_path.is_dir):
        raise SourceError(f"there is no project at {project_path}; check its `path` in opconsole.toml")
    git = Git(project_path)
    if await is_git(git, kind):
        return await _resolve_git(git, version, allow_head=allow_head)
    digest = await asyncio.to_thread(tree_digest, project_path, folder_exclusions(exclude))
    short = digest.partition(":")[2][:12]
    return SourceVersion(digest, version or f"0+{short}", None, SourceKind.FOLDER)


async def create_tag(project_path: Path, source: SourceVersion) -> str:
    """Tag the source's commit ``v<version>`` and give the tag; nothing to do if it names that commit already.

    Raises TagConflictError if the tag names another commit by now.
    """
    if source.kind is not SourceKind.GIT:
        raise SourceError(f"version {source.version} comes from a plain folder, which has no tags")
    git = Git(project_path)
    tag = f"v{check_version(source.version)}"
    present = await git.commit_of(f"refs/tags/{tag}")
    if present is None:
        await git.run("tag", "--no-sign", "--end-of-options", tag, source.commit)
        present = await git.commit_of(f"refs/tags/{tag}")
    if present != source.commit:
        raise TagConflictError(
            f"tag {tag} names commit {_short(present or 'nothing')}, but {source.version} was deployed from "
            f"{_short(source.commit)}; deploy under another version, or move the tag by hand"
        )
    return tag


def folder_exclusions(exclude: Collection[str] = ()) -> Exclusions:
    """Give what is left out of a plain folder: the defaults and *exclude*."""
    return Exclusions((*DEFAULT_EXCLUSIONS, *exclude))


class SourceStore:
    """Private clean exports, each under the digest of its files."""

    def __init__(self, root: Path) -> None:
        self._store = ContentStore(root)

    async def export(
        self, project_path: Path, source: SourceVersion, *, exclude: Collection[str] = ()
    ) -> StoredSource:
        """Take a clean copy of exactly *source*: of the commit, not of what lies in the folder now.

        Raises SourceChangedError if a plain folder changed since it was resolved, SourceError for
        submodules, GitError, or trees.UnsafeTreeError.
        """
        if source.kind is SourceKind.GIT:
            return await self._export_git(Git(project_path), source.commit)
        return await asyncio.to_thread(self._export_folder, project_path, source, exclude)

    async def verify(self, digest: str) -> StoredSource:
        """Read a stored export again; raise StoreDamagedError if a file was swapped since, NotStoredError."""
        return StoredSource(digest, await asyncio.to_thread(self._store.verify, digest))

    async def working_copy(self, digest: str, destination: Path) -> Path:
        """Make a writable copy at *destination*, which must not exist, verified while it is copied."""
        return await asyncio.to_thread(self._working_copy, digest, destination)

    async def prune(self, protect: Collection[str], *, unused_for: float = 0.0) -> list[str]:
        """Remove every export whose digest is not in *protect*; give the digests removed.

        What was stored or verified within the last *unused_for* seconds stays, too.
        """
        return await asyncio.to_thread(self._store.prune, frozenset(protect), unused_for=unused_for)

    async def _export_git(self, git: Git, commit: str) -> StoredSource:
        tree = await _tree_of(git, commit)
        await _refuse_submodules(git, tree)
        # The archive streams through a pipe: git writes in its own process, a thread unpacks.
        reading, writing = os.pipe()
        stream = os.fdopen(reading, "rb")
        archived, unpacked = await asyncio.gather(
            _archive(git, tree, writing),
            asyncio.to_thread(self._unpack, stream),
            return_exceptions=True,
        )
        if isinstance(archived, BaseException) and (
            not isinstance(unpacked, BaseException) or isinstance(unpacked, tarfile.TarError)
        ):
            raise archived  # the archive only ended early because git failed
        if isinstance(unpacked, BaseException):
            raise unpacked  # git only failed because nobody read on
        return StoredSource(*unpacked)

    def _unpack(self, stream: IO[bytes]) -> tuple[str, Path]:
        def fill(place: Path) -> str:
            digest = unpack_tar(stream, place, read_only=True, durable=True)
            while stream.read(65536):  # what tar pads with; else git dies of a closed pipe
                pass
            return digest

        with stream:
            return self._store.add("tree", fill)

    def _export_folder(
        self, project_path: Path, source: SourceVersion, exclude: Collection[str]
    ) -> StoredSource:
        exclusions = folder_exclusions(exclude)

        def fill(place: Path) -> str:
            digest = copy_tree(project_path, place, exclude=exclusions, read_only=True, durable=True)
            if digest != source.commit:
                raise SourceChangedError(
                    f"files in {project_path} changed while the run was being prepared; start it again"
                )
            return digest

        return StoredSource(*self._store.add("tree", fill))

    def _working_copy(self, digest: str, destination: Path) -> Path:
        stored = self._store.path(digest)
        if copy_tree(stored, destination) != digest:
            remove_tree(destination)
            self._store.verify(digest)  # says what is wrong with the stored one
            raise StoreError(f"the copy of {digest} at {destination} came out different; try again")
        return destination


# -- git -------------------------------------------------------------------------------------------------


async def is_git(git: Git, kind: SourceKind) -> bool:
    """Say whether a project is taken as a git project. Raises GitError."""
    if SourceKind(kind) is not SourceKind.AUTO:
        return SourceKind(kind) is SourceKind.GIT
    path = await asyncio.to_thread(git.folder.resolve)
    own = await asyncio.to_thread((path / ".git").exists)
    above = own or await asyncio.to_thread(lambda: any((p / ".git").exists() for p in path.parents))
    if own or not above:
        return own
    # A folder somewhere inside a repository: a project of it if its files are tracked, else a plain folder.
    if await git.commit_of("HEAD") is None:
        return False
    return bool(await git.run("ls-tree", "-z", "HEAD", "--", "."))


async def _resolve_git(git: Git, version: str | None, *, allow_head: bool) -> SourceVersion:
    if version is not None:
        tag, commit = await _tagged(git, version)
        if tag is not None and commit is not None:
            return SourceVersion(commit, version, tag, SourceKind.GIT)
        if not allow_head:
            raise TagMissingError(
                f"no tag v{version} or {version} in {git.folder}; deploy {version} to development first, "
                f"which creates it, or: git tag v{version} <commit>"
            )
    elif not allow_head:
        raise SourceError("a version is needed here: only development may take HEAD; name a tagged version")
    head = await git.commit_of("HEAD")
    if head is None:
        raise SourceError(f"{git.folder} has no commit yet; commit its files first")
    note = await _uncommitted(git)
    if version is not None:
        return SourceVersion(head, version, None, SourceKind.GIT, creates_tag=True, note=note)
    tag = await _tag_at(git, head)
    named = tag.removeprefix("v") if tag else f"0+{head[:12]}"
    return SourceVersion(head, named, tag, SourceKind.GIT, note=note)


async def _tagged(git: Git, version: str) -> tuple[str | None, str | None]:
    found = {
        tag: commit
        for tag in (f"v{version}", version)
        if (commit := await git.commit_of(f"refs/tags/{tag}")) is not None
    }
    if len(set(found.values())) > 1:
        told = " and ".join(f"{tag} names {_short(commit)}" for tag, commit in found.items())
        raise TagConflictError(
            f"two tags claim version {version} in {git.folder}: {told}; delete the wrong one"
        )
    return next(iter(found.items()), (None, None))


async def _tag_at(git: Git, commit: str) -> str | None:
    tags = (await git.run("tag", "--list", "--points-at", commit)).decode("utf-8", "replace").split("\n")
    usable = [
        tag for tag in tags if re.fullmatch(r"v?[0-9][0-9A-Za-z._+-]*", tag) and _VERSION.fullmatch(tag)
    ]
    return usable[0] if len(usable) == 1 else None


async def _uncommitted(git: Git) -> str | None:
    status = await git.run("status", "--porcelain", "-z", "--untracked-files=normal", "--", ".")
    # What we write into projects ourselves is nobody's forgotten change.
    own = os.fsencode(_OWN_FOLDER)
    changes = [path for path in _changed_paths(status.split(b"\0")) if own not in path.split(b"/")]
    if not changes:
        return None
    shown = ", ".join(ascii(os.fsdecode(path)) for path in changes[:3])
    more = f" and {len(changes) - 3} more" if len(changes) > 3 else ""
    return f"not committed, so not part of this version: {shown}{more}"


def _changed_paths(entries: Sequence[bytes]) -> list[bytes]:
    paths = []
    rest = iter(entries)
    for entry in rest:
        if entry:
            paths.append(entry[3:])
            if entry[:1] in b"RC":
                next(rest, None)  # where it was renamed or copied from
    return paths


async def _tree_of(git: Git, commit: str) -> str:
    if not re.fullmatch(r"[0-9a-f]{40,64}", commit):
        raise SourceError(f"{commit[:100]!a} is not a commit; allowed: its full id")
    prefix = (await git.run("rev-parse", "--show-prefix")).decode("utf-8", "surrogateescape").rstrip("\n")
    wanted = f"{commit}:{prefix.rstrip('/')}" if prefix else f"{commit}^{{tree}}"
    tree = (await git.run("rev-parse", "--verify", "--end-of-options", wanted)).decode().strip()
    if not re.fullmatch(r"[0-9a-f]{40,64}", tree):
        raise GitError(f"git named {tree[:100]!a} for {commit} in {git.folder}, which is not a tree's id")
    return tree


async def _archive(git: Git, tree: str, writing: int) -> None:
    # Of the tree, not the commit: then `export-subst` puts nothing into files that changes with time. In
    # the repository's top folder: in any other, git looks for that folder in the tree again.
    try:
        top = os.fsdecode((await git.run("rev-parse", "--show-toplevel")).removesuffix(b"\n"))
        await Git(Path(top)).run("archive", "--format=tar", tree, stdout=writing)
    finally:
        os.close(writing)


async def _refuse_submodules(git: Git, tree: str) -> None:
    listing = await git.run("ls-tree", "-r", "-z", "--full-tree", tree)
    for entry in listing.split(b"\0"):
        if entry.startswith(b"160000 "):
            path = os.fsdecode(entry.partition(b"\t")[2])
            raise SourceError(
                f"{path!a} is a git submodule, which no export holds; "
                "have the build fetch it, or commit its files into the project"
            )


def _short(commit: str) -> str:
    return commit[:12]


__all__ = [
    "DEFAULT_EXCLUSIONS",
    "VERSION_PATTERN",
    "BadVersionError",
    "GitError",
    "GitMissingError",
    "SourceChangedError",
    "SourceError",
    "SourceKind",
    "SourceStore",
    "SourceVersion",
    "StoredSource",
    "TagConflictError",
    "TagMissingError",
    "UnsafeTreeError",
    "check_version",
    "create_tag",
    "folder_exclusions",
    "resolve_source",
]
