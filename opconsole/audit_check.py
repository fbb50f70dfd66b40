"""Proves the audit chain against every checkpoint that can be found; for the command line and the screen."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from opconsole.audit import ChainFault, Checkpoint, ClockStep, clock_steps, verify_chain
from opconsole.checkpoint_places import CheckpointPlaceError, read_from_file
from opconsole.checkpointing import CheckpointKeeper
from opconsole.checkpoints import SignedCheckpoint, Trust, known_signers, read_lines, trust
from opconsole.journal.records import AuditRow

Progress = Callable[[int], None]
"""Is told how many entries are checked."""
STEP = 1_000


@dataclass(frozen=True, slots=True)
class Asked:
    """What the chain is to be compared with, besides the checkpoints of the settings."""

    checkpoint: Checkpoint | None = None
    """Noted by hand."""
    file: Path | None = None
    """A file of checkpoints; it must be there."""
    signers: Path | None = None
    """Whose signatures count, in place of the settings."""
    offline: bool = False
    """Do not ask the git remote."""


@dataclass(frozen=True, slots=True)
class Found:
    """The checkpoints that were found, and what is to be said of them."""

    usable: tuple[SignedCheckpoint, ...] = ()
    forged: tuple[str, ...] = ()
    """One sentence for each checkpoint that cannot be believed."""
    warnings: tuple[str, ...] = ()
    signed: bool = False
    """A signature was wanted of each."""

    @property
    def newest(self) -> SignedCheckpoint | None:
        """The checkpoint of the newest entry."""
        return max(self.usable, key=lambda one: one.seq, default=None)


@dataclass(frozen=True, slots=True)
class ChainCheck:
    """What came of checking a chain."""

    entries: int
    last: AuditRow | None
    fault: ChainFault | None
    steps: tuple[ClockStep, ...]
    """Where the clock was set back: no fault of the chain."""
    found: Found

    @property
    def sound(self) -> bool:
        """Whether nothing was edited, moved, taken out or cut off, as far as it can be told."""
        return self.fault is None and not self.found.forged


def check_chain(
    entries: Callable[[], Iterable[AuditRow]],
    keeper: CheckpointKeeper | None,
    asked: Asked,
    progress: Progress = lambda _: None,
) -> ChainCheck:
    """Check the chain that *entries* gives, each time it is asked, from its beginning.

    Blocks, and asks a git remote where the settings name one. Raises SshKeyError where the signers cannot be
    read, CheckpointPlaceError where the file that was asked for cannot.
    """
    found = find_checkpoints(keeper, asked) if keeper is not None else Found()
    tally = _Tally(progress)
    fault = verify_chain(tally.through(entries()), asked.checkpoint, *(one.point for one in found.usable))
    if fault is not None:  # what is behind the fault counts, too
        tally = _Tally(progress)
        for _ in tally.through(entries()):
            pass
    steps = clock_steps(entries(), {one.seq: one.at for one in found.usable})
    return ChainCheck(tally.count, tally.last, fault, tuple(steps), found)


def find_checkpoints(keeper: CheckpointKeeper, asked: Asked) -> Found:
    """Read the checkpoints of every place, and say which can be believed. Raises as `check_chain` does."""
    signers = known_signers(asked.signers, None) if asked.signers else keeper.signers()
    usable: list[SignedCheckpoint] = []
    forged: list[str] = []
    warnings: list[str] = []
    for where, lines in _lines(keeper, asked):
        if isinstance(lines, str):
            warnings.append(f"no checkpoints from {where}: {lines}")
            continue
        ours = read_lines(lines, keeper.place.id)
        if lines and not ours:
            warnings.append(f"{where} has checkpoints, but none of this journal ({keeper.place.id})")
        for one in ours:
            if trust(one, signers) is Trust.FORGED:
                forged.append(
                    f"the checkpoint of entry {one.seq} in {where} is not signed by anybody allowed to"
                )
            else:
                usable.append(one)
    return Found(tuple(usable), tuple(forged), tuple(warnings), signed=signers is not None)


def _lines(keeper: CheckpointKeeper, asked: Asked) -> Iterator[tuple[str, list[str] | str]]:
    file, remote = keeper.places()
    yield from keeper.lines(file=file, remote=None if asked.offline else remote)
    if asked.file is not None:
        if not asked.file.exists():
            raise CheckpointPlaceError(f"{asked.file}: there is no such file")
        yield str(asked.file), read_from_file(asked.file)


class _Tally:
    """Counts entries as they go by."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self.count = 0
        self.last: AuditRow | None = None

    def through(self, entries: Iterable[AuditRow]) -> Iterator[AuditRow]:
        for entry in entries:
            self.count, self.last = self.count + 1, entry
            if self.count % STEP == 0:
                self._progress(self.count)
            yield entry
        self._progress(self.count)
