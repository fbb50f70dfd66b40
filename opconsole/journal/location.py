"""Where a workspace's journal lives: in the user's state folder, under a random id, never in the workspace.

The id is looked up by the workspace's real path, so two clones are two journals, and `git clean` cannot
reach either. After a move `adopt` gives a workspace its journal back.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from platformdirs import user_state_path

from opconsole.journal.errors import JournalPlaceError

STATE_VARIABLE = "OPCONSOLE_STATE_DIR"


@dataclass(frozen=True, slots=True)
class JournalPlace:
    """The folder of one journal and what lies in it."""

    id: str
    root: Path

    @property
    def database(self) -> Path:
        """The journal itself; opened by SQLite and by nothing else."""
        return self.root / "journal.sqlite3"

    @property
    def wake(self) -> Path:
        """An empty file whose time changes with every commit."""
        return self.root / "wake"

    @property
    def host_lock(self) -> Path:
        """The file that whoever hosts the engine keeps locked."""
        return self.root / "host.lock"

    @property
    def runs(self) -> Path:
        """The folder of the runs' logs and step files."""
        return self.root / "runs"

    @property
    def sources(self) -> Path:
        """The folder of clean exports."""
        return self.root / "sources"

    @property
    def artifacts(self) -> Path:
        """The folder of what was built."""
        return self.root / "artifacts"

    @property
    def ballast(self) -> Path:
        """The reserved piece of disk."""
        return self.root / "ballast"


def state_root() -> Path:
    """Give the folder of all journals: ``OPCONSOLE_STATE_DIR``, else the user's state folder."""
    named = os.environ.get(STATE_VARIABLE)
    if not named:
        return user_state_path("opconsole", appauthor=False)
    root = Path(named)
    if not root.is_absolute():
        raise JournalPlaceError(
            f"{STATE_VARIABLE}={named!r}: found a relative path, which means another folder in every "
            "directory; give an absolute one"
        )
    return root


def locate(workspace: Path, *, create: bool) -> JournalPlace | None:
    """Find the journal of a workspace, making its folder when *create* is set; None when there is none.

    Raises `JournalPlaceError` where a journal cannot live: on a network file system, in a folder of somebody
    else's, or when the folder that the index names is gone.
    """
    real = workspace.resolve(strict=True)
    root = state_root()
    entry = _entry(root, real)
    journal = _read(entry)
    if journal is None:
        if not create:
            return None
        refuse_network(root)
        with _writing(root), _locked(root):
            journal = _read(entry)
            if journal is None:
                journal = secrets.token_hex(8)
                _make(JournalPlace(journal, root / "journals" / journal))
                _write(entry, real, journal)
    return _checked(JournalPlace(journal, root / "journals" / journal), entry)


def adopt(workspace: Path, journal: str) -> JournalPlace:
    """Give a workspace that was moved the journal it had, by its id.

    Raises `JournalPlaceError` when there is no such journal, when the workspace has one already, or when the
    journal's former workspace still exists: that would be a copy, and a copy gets a journal of its own.
    """
    if not _ID.fullmatch(journal):
        raise JournalPlaceError(
            f"{journal!r} is not the id of a journal: found {_shown(journal)}, allowed {_ID.pattern}"
        )
    real = workspace.resolve(strict=True)
    root = state_root()
    place = JournalPlace(journal, root / "journals" / journal)
    if not place.root.is_dir():
        raise JournalPlaceError(
            f"{place.root}: there is no such journal; list {root / 'journals'} for the ids"
        )
    with _writing(root), _locked(root):
        entry = _entry(root, real)
        present = _read(entry)
        if present == journal:
            return _checked(place, entry)
        if present is not None:
            raise JournalPlaceError(
                f"{real} has the journal {present} already; delete {entry} first to forget that one"
            )
        former = [path for path in entry.parent.glob("*.json") if _read(path) == journal]
        for path in former:
            before = _workspace(path)
            if before.is_dir():
                raise JournalPlaceError(
                    f"the journal {journal} belongs to {before}, which still exists: {real} is a copy of it "
                    "and gets a journal of its own"
                )
        _write(entry, real, journal)
        for path in former:
            path.unlink()
    return _checked(place, entry)


def known_here(journal: str) -> tuple[JournalPlace, Path | None] | None:
    """Find a journal by its id, and the path of its workspace; None where its folder is not here."""
    place = JournalPlace(journal, state_root() / "journals" / journal)
    if not _ID.fullmatch(journal) or not place.root.is_dir():
        return None
    for entry in sorted((state_root() / "index").glob("*.json")):
        with suppress(JournalPlaceError):  # somebody else's entry, damaged: `locate` tells them
            if _read(entry) == journal:
                return place, _workspace(entry)
    return place, None


def file_system_type(path: Path, mountinfo: str) -> str:
    """Name the type of the file system that holds *path*, by the text of ``/proc/self/mountinfo``."""
    found, length = "", -1
    for line in mountinfo.splitlines():
        before, _, after = line.partition(" - ")
        fields = before.split(" ")
        if len(fields) < 5 or not after:
            continue
        mount = Path(_OCTAL.sub(lambda code: chr(int(code[1], 8)), fields[4]))
        # Of two mounts on one point the later covers the earlier.
        if path.is_relative_to(mount) and len(mount.parts) >= length:
            found, length = after.split(" ")[0], len(mount.parts)
    return found


def refuse_network(folder: Path) -> None:
    """Raise JournalPlaceError where *folder* is on a network file system."""
    mountinfo = Path("/proc/self/mountinfo")
    if not mountinfo.exists():  # not Linux: its name for the file system is unknown
        return
    text = mountinfo.read_text("utf-8", errors="surrogateescape")
    kind = file_system_type(folder.resolve(), text)
    if _NETWORK.fullmatch(kind) or _NETWORK_FUSE.fullmatch(kind):
        raise JournalPlaceError(
            f"{folder} is on a network file system ({kind}), where SQLite's locks cannot be trusted; name a "
            f"folder on a local disk in {STATE_VARIABLE}"
        )


# -- helpers --------------------------------------------------------------------------------------------

_ID = re.compile(r"[0-9a-f]{16}")
_OCTAL = re.compile(r"\\([0-7]{3})")
_NETWORK = re.compile(
    r"nfs4?|cifs|smb[23]?|smbfs|ncpfs|9p|afs|ceph|coda|lustre|gpfs|gfs2|ocfs2|glusterfs|beegfs|orangefs|pvfs2|"
    r"davfs|acfs|panfs|prl_fs|vboxsf"
)
_NETWORK_FUSE = re.compile(
    r"fuse\.(sshfs|glusterfs|s3fs|rclone|gcsfuse|goofys|davfs2?|curlftpfs|ceph(-fuse)?|mfs.*|moosefs|juicefs|"
    r"blobfuse2?|smbnetfs|hdfs|lizardfs|seaweedfs|weed|mount-s3|mountpoint-s3|nfs.*)"
)


def _entry(root: Path, workspace: Path) -> Path:
    name = hashlib.sha256(os.fsencode(workspace)).hexdigest()[:32]
    return root / "index" / f"{name}.json"


def _read(entry: Path) -> str | None:
    found = _load(entry).get("id")
    if found is None:
        return None
    if not isinstance(found, str) or not _ID.fullmatch(found):
        raise JournalPlaceError(f"{entry}, field id: found {_shown(found)}, allowed 16 hexadecimal digits")
    return found


def _workspace(entry: Path) -> Path:
    found = _load(entry).get("workspace")
    if not isinstance(found, str) or "\0" in found:
        raise JournalPlaceError(f"{entry}, field workspace: found {_shown(found)}, allowed a path")
    return Path(found)


def _load(entry: Path) -> dict[str, object]:
    try:
        found = json.loads(entry.read_text("ascii"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise JournalPlaceError(
            f"{entry} cannot be read ({error.strerror or error}); run as its owner, or name a folder of your "
            f"own in {STATE_VARIABLE}"
        ) from error
    except (ValueError, RecursionError) as error:
        raise JournalPlaceError(f"{entry} is no index entry ({error}); adopt the journal again") from error
    if not isinstance(found, dict):
        raise JournalPlaceError(f"{entry}: found {_shown(found)}, allowed an object")
    return found


def _shown(found: object) -> str:
    return ascii(found)[:80]


def _write(entry: Path, workspace: Path, journal: str) -> None:
    partial = entry.with_suffix(".new")
    with partial.open("w", encoding="ascii") as file:
        json.dump({"workspace": os.fspath(workspace), "id": journal}, file)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(entry)
    _sync_folder(entry.parent)


def _make(place: JournalPlace) -> None:
    for folder in (place.root, place.runs, place.sources, place.artifacts):
        folder.mkdir(mode=0o700, parents=True)
    place.wake.touch(mode=0o600)
    _sync_folder(place.root.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _writing(root: Path) -> Iterator[None]:
    """Say of a state folder that cannot be written which variable names another one."""
    try:
        yield
    except OSError as error:
        raise JournalPlaceError(
            f"{error.filename or root}: the folder of the journals cannot be written "
            f"({error.strerror or error}); name a local one of your own in {STATE_VARIABLE}"
        ) from error


@contextmanager
def _locked(root: Path) -> Iterator[None]:
    for folder in (root, root / "index", root / "journals"):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _refuse_foreign(folder)
    descriptor = os.open(root / "index.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _checked(place: JournalPlace, entry: Path) -> JournalPlace:
    if not place.root.is_dir():
        raise JournalPlaceError(
            f"{place.root}: the folder of the journal that {entry} names is gone; put a backup back, or "
            "delete that entry to begin a new journal that knows of no earlier run"
        )
    _refuse_foreign(place.root)
    refuse_network(place.root)
    if place.root.stat().st_mode & 0o077:
        place.root.chmod(0o700)
    return place


def _refuse_foreign(folder: Path) -> None:
    status = folder.stat()
    if status.st_uid != os.geteuid():
        raise JournalPlaceError(
            f"{folder} belongs to user {status.st_uid}, found user {os.geteuid()}; run as its owner, or name "
            f"a folder of your own in {STATE_VARIABLE}"
        )
    if status.st_mode & 0o002:
        raise JournalPlaceError(f"{folder} may be written by everybody; chmod o-w it, or name another folder")
