"""Trees of files from outside: walked, hashed, copied and unpacked without ever leaving their root.

What is copied is hashed from the bytes that were copied, so a file swapped between reading and copying is
found by its digest. Refused are links that leave the tree, devices, pipes, sockets, setuid and setgid
files, control characters in names, and anything a tar archive could use to write elsewhere.
"""

from __future__ import annotations

import hashlib
import os
import posixpath
import shutil
import stat
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import IO, Protocol

DIGEST_PREFIX = "sha256:"
MAX_DEPTH = 100
_CHUNK = 1024 * 1024


class UnsafeTreeError(ValueError):
    """Something in a tree or an archive that must not be taken over."""

    def __init__(self, path: str, found: str, allowed: str) -> None:
        self.path = path
        self.found = found
        self.allowed = allowed
        super().__init__(f"{path!a}: {found}; allowed: {allowed}")


@dataclass(frozen=True, slots=True)
class Exclusions:
    """What is left out of a copy: patterns over a name (``*.pyc``) or over a whole relative path."""

    patterns: tuple[str, ...] = ()

    def __contains__(self, relative: object) -> bool:
        path = str(relative)
        name = posixpath.basename(path)
        return any(fnmatchcase(path if "/" in pattern else name, pattern) for pattern in self.patterns)


NOTHING = Exclusions()


def tree_digest(path: Path, exclude: Exclusions = NOTHING) -> str:
    """Give the digest of a folder or of a single file: names, executable bits, link targets and content."""
    digest = _TreeHash()
    _take(path, digest, exclude, path.name)
    return digest.value()


def copy_tree(
    source: Path,
    destination: Path,
    *,
    exclude: Exclusions = NOTHING,
    read_only: bool = False,
    durable: bool = False,
) -> str:
    """Copy a folder to *destination* (made here; it must not exist) and give the digest of what was copied.

    *durable* writes everything through to the disk before this returns. A single file is copied as a file;
    its digest holds the name that it has at the destination.
    """
    digest = _TreeHash()
    root = destination if source.is_dir() else destination.parent
    writer = _Writer(root, read_only=read_only, durable=durable)
    _take(source, _Both(digest, writer), exclude, destination.name)
    writer.finish()
    return digest.value()


def unpack_tar(
    stream: IO[bytes], destination: Path, *, read_only: bool = False, durable: bool = False
) -> str:
    """Unpack a tar stream to *destination* (made here) and give the digest of the tree it makes.

    Raises UnsafeTreeError for a member that must not be taken over, tarfile.TarError for a broken archive.
    """
    digest = _TreeHash()
    writer = _Writer(destination, read_only=read_only, durable=durable)
    unpacked = _Unpacked(_Both(digest, writer))
    with tarfile.open(fileobj=stream, mode="r|*") as archive:
        for member in archive:
            unpacked.take(archive, member)
    writer.finish()
    return digest.value()


def remove_tree(path: Path) -> None:
    """Remove a tree, read-only folders in it too; nothing to do if it is not there."""
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.exists():
        for folder, _, _ in os.walk(path):
            Path(folder).chmod(0o700)  # a read-only folder lets nobody but root remove what it holds
        shutil.rmtree(path)


def inside(root: Path, relative: str) -> Path:
    """Give the path below *root* that *relative* names; raise UnsafeTreeError where it leaves *root*.

    Links on the way are followed, so a link that leads outside is found. The path need not exist.
    """
    if not relative or "\0" in relative or posixpath.isabs(relative):
        raise UnsafeTreeError(relative, "not a relative path", "a path inside the project")
    base = Path(os.path.realpath(root))
    found = Path(os.path.realpath(base / relative))
    if not found.is_relative_to(base):
        raise UnsafeTreeError(relative, "leads out of the project", "a path inside the project")
    return base / os.path.normpath(relative)


def sync_folder(path: Path) -> None:
    """Write a folder's entries through to the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


# -- who takes what a walk finds -------------------------------------------------------------------------


class _Taker(Protocol):
    def folder(self, path: str) -> None: ...
    def link(self, path: str, target: str) -> None: ...
    def file(self, path: str, executable: bool, content: IO[bytes]) -> None: ...


@dataclass
class _TreeHash:
    """The canonical form: one line per entry, sorted, each with lengths so that nothing can be confused."""

    entries: list[bytes] = field(default_factory=list)

    def folder(self, path: str) -> None:
        self._add(b"folder", path, b"")

    def link(self, path: str, target: str) -> None:
        self._add(b"link", path, os.fsencode(target))

    def file(self, path: str, executable: bool, content: IO[bytes]) -> None:
        content_hash = hashlib.sha256()
        while chunk := content.read(_CHUNK):
            content_hash.update(chunk)
        self.hashed(path, executable, content_hash.digest())

    def hashed(self, path: str, executable: bool, content: bytes) -> None:
        self._add(b"program" if executable else b"file", path, content)

    def value(self) -> str:
        whole = hashlib.sha256(b"opconsole tree 1\n")
        for entry in sorted(self.entries):
            whole.update(entry)
        return DIGEST_PREFIX + whole.hexdigest()

    def _add(self, kind: bytes, path: str, content: bytes) -> None:
        name = os.fsencode(path)
        self.entries.append(
            b"%d:%s %s %d:%s\n" % (len(name), name, kind, len(content), content),
        )


@dataclass
class _Writer:
    """Writes a tree below a root that it makes itself; modes come from here, never from the source."""

    root: Path
    read_only: bool
    durable: bool
    folders: list[Path] = field(default_factory=list)
    links: list[Path] = field(default_factory=list)

    def folder(self, path: str) -> None:
        place = self._at(path)
        place.mkdir(mode=0o755)
        self.folders.append(place)

    def link(self, path: str, target: str) -> None:
        place = self._at(path)
        place.symlink_to(target)
        self.links.append(place)

    @contextmanager
    def open(self, path: str, executable: bool) -> Iterator[IO[bytes]]:
        mode = (0o555 if executable else 0o444) if self.read_only else (0o755 if executable else 0o644)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        with os.fdopen(os.open(self._at(path), flags, 0o600), "wb") as file:
            yield file
            file.flush()
            os.fchmod(file.fileno(), mode)
            if self.durable:
                os.fsync(file.fileno())

    def finish(self) -> None:
        """Prove that no link, by itself or through others, leads out; then seal and sync the folders."""
        root = Path(os.path.realpath(self.root))
        for link in self.links:
            if not Path(os.path.realpath(link)).is_relative_to(root):
                raise UnsafeTreeError(
                    str(link.relative_to(self.root)), "a link that leaves the tree", "links inside the tree"
                )
        for folder in reversed(self.folders):
            if self.durable:
                sync_folder(folder)
            folder.chmod(0o555 if self.read_only else 0o755)

    def _at(self, path: str) -> Path:
        return self.root / path if path else self.root


@dataclass
class _Both:
    """Hashes and writes in one reading, so that the digest is that of the copy."""

    digest: _TreeHash
    writer: _Writer

    def folder(self, path: str) -> None:
        self.digest.folder(path)
        self.writer.folder(path)

    def link(self, path: str, target: str) -> None:
        self.digest.link(path, target)
        self.writer.link(path, target)

    def file(self, path: str, executable: bool, content: IO[bytes]) -> None:
        content_hash = hashlib.sha256()
        with self.writer.open(path, executable) as copy:
            while chunk := content.read(_CHUNK):
                content_hash.update(chunk)
                copy.write(chunk)
        self.digest.hashed(path, executable, content_hash.digest())


@dataclass
class _Unpacked:
    """What an archive has named so far: nothing may be named twice, or lie below something not a folder."""

    into: _Both
    folders: set[str] = field(default_factory=set)
    others: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.into.folder("")

    def take(self, archive: tarfile.TarFile, member: tarfile.TarInfo) -> None:
        name = _member_name(member)
        self._make_folders(name if member.isdir() else posixpath.dirname(name))
        if member.isdir():
            return
        if name == "" or name in self.others or name in self.folders:
            raise UnsafeTreeError(name, "named twice in the archive", "each path once")
        self.others.add(name)
        if member.isreg() and (content := archive.extractfile(member)) is not None:
            _check_mode(name, member.mode)
            self.into.file(name, bool(member.mode & 0o100), content)
        elif member.issym():
            _check_link(name, member.linkname)
            self.into.link(name, member.linkname)
        else:
            raise UnsafeTreeError(name, "a hard link, device or pipe", "files, folders and symbolic links")

    def _make_folders(self, path: str) -> None:
        parts = path.split("/") if path else []
        for end in range(1, len(parts) + 1):
            folder = "/".join(parts[:end])
            if folder in self.others:
                # Writing below a link would be writing where the link leads.
                raise UnsafeTreeError(folder, "used as a folder, but is none", "each path once")
            if folder not in self.folders:
                self.folders.add(folder)
                self.into.folder(folder)


# -- walking ---------------------------------------------------------------------------------------------


def _take(source: Path, taker: _Taker, exclude: Exclusions, file_name: str) -> None:
    if not source.is_dir():
        _check_name(file_name, file_name)
        with _open_file(file_name, os.fspath(source), None) as (file, executable):
            taker.file(file_name, executable, file)
        return
    descriptor = os.open(source, os.O_RDONLY | os.O_DIRECTORY)
    try:
        taker.folder("")
        _take_folder(descriptor, "", taker, exclude, depth=0)
    finally:
        os.close(descriptor)


def _take_folder(descriptor: int, prefix: str, taker: _Taker, exclude: Exclusions, depth: int) -> None:
    # Everything is opened relative to its folder's descriptor and without following links: a folder that
    # is swapped for a link meanwhile cannot lead us elsewhere.
    if depth > MAX_DEPTH:
        raise UnsafeTreeError(prefix, f"folders nested deeper than {MAX_DEPTH}", f"at most {MAX_DEPTH}")
    for name in sorted(os.listdir(descriptor)):
        path = f"{prefix}{name}"
        if path in exclude:
            continue
        _check_name(path, name)
        mode = os.stat(name, dir_fd=descriptor, follow_symlinks=False).st_mode
        if stat.S_ISLNK(mode):
            target = os.readlink(name, dir_fd=descriptor)
            _check_link(path, target)
            taker.link(path, target)
        elif stat.S_ISDIR(mode):
            _check_mode(path, mode & ~stat.S_ISGID)  # on folders setgid only hands down the group
            inner = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=descriptor)
            try:
                taker.folder(path)
                _take_folder(inner, f"{path}/", taker, exclude, depth + 1)
            finally:
                os.close(inner)
        elif stat.S_ISREG(mode):
            with _open_file(path, name, descriptor) as (file, executable):
                taker.file(path, executable, file)
        else:
            raise UnsafeTreeError(path, "a device, pipe or socket", "files, folders and symbolic links")


@contextmanager
def _open_file(path: str, name: str, folder: int | None) -> Iterator[tuple[IO[bytes], bool]]:
    descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    with os.fdopen(descriptor, "rb") as file:
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode):
            raise UnsafeTreeError(path, "no longer a regular file", "files that stay what they are")
        _check_mode(path, mode)
        yield file, bool(mode & 0o100)


# -- what is refused -------------------------------------------------------------------------------------


def _check_name(path: str, name: str) -> None:
    if any(ord(character) < 32 or 127 <= ord(character) < 160 for character in name):
        raise UnsafeTreeError(path, "a control character in the name", "names without control characters")


def _check_mode(path: str, mode: int) -> None:
    if mode & (stat.S_ISUID | stat.S_ISGID):
        raise UnsafeTreeError(path, "setuid or setgid", "files without setuid and setgid")


def _check_link(path: str, target: str) -> None:
    away = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
    if not target or "\0" in target or posixpath.isabs(target) or away == ".." or away.startswith("../"):
        raise UnsafeTreeError(path, f"a link to {target!a}, outside the tree", "links inside the tree")


def _member_name(member: tarfile.TarInfo) -> str:
    name = member.name
    parts = name.split("/")
    if posixpath.isabs(name) or ".." in parts or "\0" in name:
        raise UnsafeTreeError(name, "an absolute path or '..' in an archive", "paths inside the archive")
    plain = [part for part in parts if part not in ("", ".")]
    if len(plain) > MAX_DEPTH:
        raise UnsafeTreeError(name, f"folders nested deeper than {MAX_DEPTH}", f"at most {MAX_DEPTH}")
    for part in plain:
        _check_name(name, part)
    return "/".join(plain)
