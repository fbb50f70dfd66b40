"""Makes the audit chain's checkpoints: when one is due, where it goes, and where others are found."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from opconsole.checkpoint_places import (
    LOCAL,
    CheckpointPlaceError,
    GitPlace,
    append_to_file,
    read_from_file,
)
from opconsole.checkpoints import SignedCheckpoint, known_signers, make_checkpoint, read_lines
from opconsole.host import Host
from opconsole.journal import ops
from opconsole.journal.location import JournalPlace
from opconsole.journal.records import AuditRow
from opconsole.settings.model import Audit
from opconsole.ssh_keys import SshKeyError
from opconsole.workspace import Workspace

FAULTS = (CheckpointPlaceError, SshKeyError)
"""What keeps a checkpoint from being made or found."""


@dataclass(frozen=True, slots=True)
class CheckpointKeeper:
    """The checkpoints of one workspace's journal. Everything here blocks: call it in a thread."""

    workspace: Workspace
    place: JournalPlace
    environ: Mapping[str, str]

    @property
    def settings(self) -> Audit:
        """The ``[audit]`` settings."""
        return self.workspace.settings.audit

    @property
    def local(self) -> Path:
        """The file beside the journal."""
        return self.place.root / LOCAL

    def due(self, last: AuditRow | None, now: datetime) -> bool:
        """Say whether the chain has grown enough, or long enough ago, since the last checkpoint made here."""
        if last is None:
            return False
        made = read_lines(read_from_file(self.local), self.place.id)
        if not made:
            return True
        new = last.seq - made[-1].seq
        age = now - _moment(made[-1].at, now)
        return new >= self.settings.checkpoint_every or (
            new > 0 and age >= timedelta(seconds=self.settings.checkpoint_after)
        )

    def make(self, last: AuditRow, now: datetime) -> SignedCheckpoint:
        """Make the checkpoint of a chain that ends with *last*. Raises SshKeyError."""
        return make_checkpoint(
            self.place.id,
            last.seq,
            last.hash,
            now,
            key=self._path(self.settings.signing_key),
            environ=self.environ,
        )

    def keep(self, checkpoint: SignedCheckpoint, *, file: Path | None, remote: str | None) -> list[str]:
        """Write a checkpoint down there and beside the journal; give where it went.

        Beside the journal last: where another place fails it stays due. Raises one of FAULTS.
        """
        where = []
        if file is not None:
            append_to_file(file, checkpoint.line())
            where.append(str(file))
        if remote is not None:
            GitPlace(remote, self.place.id, self.environ).append(checkpoint.line(), checkpoint.seq)
            where.append(remote)
        append_to_file(self.local, checkpoint.line())
        return where

    def places(self) -> tuple[Path | None, str | None]:
        """Give the file and the remote of the settings."""
        return self._path(self.settings.checkpoint_file), self.settings.checkpoint_git

    def signers(self) -> str | None:
        """Give whose signatures count, as an allowed_signers text; None: nobody is said to sign."""
        return known_signers(self._path(self.settings.signers), self._path(self.settings.signing_key))

    def lines(self, *, file: Path | None, remote: str | None) -> Iterator[tuple[str, list[str] | str]]:
        """Give for each place its name, and its lines or, as a text, why they cannot be had."""
        yield "beside the journal", _attempt(lambda: read_from_file(self.local))
        if file is not None:
            yield str(file), _attempt(lambda: read_from_file(file))
        if remote is not None:
            yield remote, _attempt(lambda: GitPlace(remote, self.place.id, self.environ).lines())

    def _path(self, text: str | None) -> Path | None:
        return None if text is None else self.workspace.path(text)


class CheckpointService:
    """The worker's part: looks whether one is due, and tells once of what keeps it from being made."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._keeper = CheckpointKeeper(host.workspace, host.place, host.environ)
        self._told = ""

    async def look(self) -> None:
        """Make a checkpoint if one is due."""
        problem = await self._host.read(self._make_if_due)
        if problem and problem != self._told:
            project = next(iter(self._host.workspace.settings.projects), "")
            detail = {"priority": "P1", "text": f"no audit checkpoint could be made: {problem}"}
            await self._host.journal.commit(
                ops.event(self._host.clock.now(), "alert", project, detail=detail)
            )
        self._told = problem

    def _make_if_due(self) -> str:
        now = self._host.clock.now()
        last = self._host.reader.last_audit()
        try:
            if last is None or not self._keeper.due(last, now):
                return ""
            file, remote = self._keeper.places()
            self._keeper.keep(self._keeper.make(last, now), file=file, remote=remote)
        except FAULTS as fault:
            return str(fault)
        return ""


def _moment(text: str, otherwise: datetime) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return otherwise


def _attempt(read: Callable[[], list[str]]) -> list[str] | str:
    try:
        return read()
    except FAULTS as fault:
        return str(fault)
