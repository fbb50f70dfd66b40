"""What a target writes about itself: which run holds it, which release numbers were given, what was placed.

The record is what excludes two clones of a workspace from one another, for they share no journal. It is
written only under the target's flock.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shlex
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from opconsole.steps import StepFailed
from opconsole.targets.base import Holder
from opconsole.trees import sync_folder

LOCK_NAME = ".opconsole-target.lock"
RECORD_NAME = ".opconsole-target.json"
RELEASE_FILE = ".opconsole-release.json"
LOCK_WAIT = 10.0
"""Seconds to wait for the target's flock; it is only ever held for single file operations."""
MAX_JSON = 1024 * 1024
"""Bytes that a file of ours at a target may have; more is not from us."""

LOST = (
    "somebody in another workspace vouched that this run is gone, and broke its hold; "
    "look at what runs there now, abort this run, and deploy anew"
)
"""What a run is told whose hold was broken."""

_RETRY = 0.02


@dataclass(frozen=True, slots=True)
class Placed:
    """A release's own file, RELEASE_FILE in its folder."""

    version: str
    commit: str
    digest: str
    """The artifact's."""
    placed_at: str
    """ISO 8601, UTC."""

    def write(self, folder: Path) -> None:
        """Write the file into *folder*, durably."""
        write_durably(folder / RELEASE_FILE, json.dumps(asdict(self), indent=2) + "\n")


def read_placed(folder: Path) -> Placed | None:
    """Give what is said of the release in *folder*; None if it has no file of ours, or a damaged one."""
    # The service may write in its release's folder, so the file is read as text from outside.
    try:
        found = json.loads(read_bounded(folder / RELEASE_FILE))
        values = [found[key] for key in ("version", "commit", "digest", "placed_at")]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None  # what that means is for the caller to say
    if not all(isinstance(value, str) and value.isprintable() and len(value) <= 200 for value in values):
        return None
    return Placed(*values)


@dataclass(frozen=True, slots=True)
class Record:
    """What the target's record says."""

    holder: Holder | None = None
    issued: Mapping[str, int] = field(default_factory=dict)
    """The highest release number given, for each version: a pruned release's name is never given again."""
    broken: tuple[Holder, ...] = ()
    """Whose hold a person broke. Such a run, or one with no newer fence, changes nothing any more."""

    def lost(self, journal_id: str, run: str) -> bool:
        """Say whether a person broke this run's hold."""
        return any((one.journal_id, one.run) == (journal_id, run) for one in self.broken)


class RecordFile:
    """The record of the target in one folder."""

    def __init__(self, folder: Path, *, place: str = "PROJECT ENVIRONMENT", wait: float = LOCK_WAIT) -> None:
        """*place* is how `opconsole unlock` is told of this target, for what is said to people."""
        self._folder = folder
        self._place = place
        self._wait = wait

    @property
    def path(self) -> Path:
        """Where the record is."""
        return self._folder / RECORD_NAME

    def read(self) -> Record:
        """Give the record, an empty one if there is none yet; raise StepFailed if it is damaged."""
        try:
            found = json.loads(read_bounded(self.path))
            holder = found["holder"]
            return Record(
                None if holder is None else _holder(holder),
                {str(version): int(number) for version, number in found["issued"].items()},
                tuple(_holder(one) for one in found.get("broken", ())),
            )
        except FileNotFoundError:
            return Record()
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise StepFailed(
                f"the target's record {self.path} is damaged ({error!r}); "
                "make sure that no run changes this target, then remove that file"
            ) from error

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the target's flock; raise StepFailed (retryable) if another program keeps it."""
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW  # close-on-exec, so no program of ours inherits it
        descriptor = os.open(self._folder / LOCK_NAME, flags, 0o600)
        try:
            self._lock(descriptor)
            yield
        finally:
            os.close(descriptor)

    def check(self, holder: Holder) -> Record:
        """Give the record if *holder* may change the target now; else raise StepFailed. Under the flock."""
        record = self.read()
        other = record.holder
        if record.lost(holder.journal_id, holder.run) or any(
            one.journal_id == holder.journal_id and holder.fence <= one.fence for one in record.broken
        ):
            raise StepFailed(f"run {holder.run!a} no longer holds the target {self._folder}: {LOST}")
        if other is None:
            return record
        if other.journal_id != holder.journal_id:
            raise StepFailed(self.held_elsewhere(other))
        if other.fence > holder.fence or (other.fence == holder.fence and other.run != holder.run):
            raise StepFailed(
                f"run {holder.run!a} no longer holds the target {self._folder}: run {other.run!a} has "
                f"taken it (fence {other.fence}, ours {holder.fence})"
            )
        return record

    def held_elsewhere(self, other: Holder) -> str:
        """Say that another workspace's run holds the target, and what leads on."""
        return (
            f"the target {self._folder} is held by run {other.run!a} of another workspace "
            f"(journal {other.journal_id!a}); {self.way_on(other)}"
        )

    def way_on(self, other: Holder) -> str:
        """Say what to do about another workspace's run that holds the target."""
        return (
            "let that run end there; if that workspace is gone and nothing of it runs any more: "
            f"opconsole unlock {self._place} --foreign {shlex.quote(other.run)} --reason …"
        )

    def break_hold(self, holder: Holder) -> bool:
        """Take the target from *holder* for good; False when it holds it no more. Under the flock."""
        record = self.read()
        if record.holder != holder:
            return False
        self.write(replace(record, holder=None, broken=(*record.broken, holder)))
        return True

    def claim(self, holder: Holder) -> Record:
        """Compare and set: make *holder* the target's holder, or raise StepFailed. Under the flock.

        A fence below 1 says that the run does not hold its environment's lock; it may change nothing.
        """
        record = self.check(holder)
        if holder.fence < 1:
            raise StepFailed(
                f"run {holder.run!a} does not hold its environment's lock, so it may change nothing"
            )
        if record.holder != holder:
            record = replace(record, holder=holder)
            self.write(record)
        return record

    def release(self, holder: Holder) -> None:
        """Let go of the target if the run of *holder* has it. Under the flock.

        The fence does not matter: a run that is final has given its lock, and with it its fence, back.
        """
        record = self.read()
        other = record.holder
        if other is not None and (other.journal_id, other.run) == (holder.journal_id, holder.run):
            self.write(replace(record, holder=None))

    def write(self, record: Record) -> None:
        """Replace the file at once and durably. Under the flock."""
        said: dict[str, object] = {
            "holder": None if record.holder is None else asdict(record.holder),
            "issued": dict(record.issued),
        }
        if record.broken:
            said["broken"] = [asdict(one) for one in record.broken]
        write_durably(self.path, json.dumps(said, indent=2) + "\n")

    def _lock(self, descriptor: int) -> None:
        deadline = time.monotonic() + self._wait
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                if error.errno not in (errno.EWOULDBLOCK, errno.EINTR):
                    raise
            else:
                return
            if time.monotonic() > deadline:
                raise StepFailed(
                    f"another program keeps {self._folder / LOCK_NAME} locked; "
                    "see who with `fuser`, and try again",
                    retryable=True,
                )
            # In a thread of its own. A flock that waits in the kernel could be neither limited nor ended.
            time.sleep(_RETRY)


def _holder(found: Mapping[str, Any]) -> Holder:
    return Holder(str(found["journal_id"]), str(found["run"]), int(found["fence"]))


def read_bounded(path: Path) -> bytes:
    """Give a small file's content; raise ValueError if it is larger than any of ours, or no file."""
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
        content = file.read(MAX_JSON + 1)
    if len(content) > MAX_JSON:
        raise ValueError(f"{path} is larger than {MAX_JSON} bytes")
    return content


def write_durably(path: Path, text: str) -> None:
    """Replace or make a small file so that after a crash it is the old one or the new one, whole."""
    descriptor, fresh = tempfile.mkstemp(prefix=f"{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fchmod(descriptor, 0o644)
            os.fsync(descriptor)
        Path(fresh).replace(path)
    except BaseException:
        with suppress(FileNotFoundError):
            Path(fresh).unlink()
        raise
    sync_folder(path.parent)
