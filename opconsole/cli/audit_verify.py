"""The commands ``audit verify`` and ``audit checkpoint``: proving the chain, and noting how far it goes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from opconsole.audit import ChainFault, Checkpoint, ClockStep, clock_steps, verify_chain
from opconsole.checkpoint_places import CheckpointPlaceError, read_from_file
from opconsole.checkpointing import FAULTS, CheckpointKeeper
from opconsole.checkpoints import SignedCheckpoint, Trust, known_signers, read_lines, trust
from opconsole.cli.output import CommandContext, ExitStatus, UsageError, plain
from opconsole.journal.records import AuditRow
from opconsole.reading import Reading, open_reading
from opconsole.ssh_keys import SshKeyError


@dataclass(frozen=True, slots=True)
class Asked:
    """What ``audit verify`` is asked to compare with."""

    checkpoint: str | None = None
    """NUMBER:HASH, noted by hand."""
    file: Path | None = None
    """A file of checkpoints beside those of the settings."""
    signers: Path | None = None
    """Whose signatures count, in place of the settings."""
    offline: bool = False
    """Do not ask the git remote."""


@dataclass(frozen=True, slots=True)
class Found:
    """The checkpoints that were found, and what is to be said of them."""

    usable: tuple[SignedCheckpoint, ...]
    forged: tuple[str, ...]
    """One sentence for each checkpoint that cannot be believed."""
    warnings: tuple[str, ...]
    signed: bool
    """A signature was wanted of each."""


def verify_audit(context: CommandContext, asked: Asked) -> int:
    """Prove the chain against every checkpoint that can be found; 1 where it is broken."""
    noted = None if asked.checkpoint is None else _checkpoint(asked.checkpoint)
    with closing(open_reading(context.workspace())) as reading:
        rows = reading.reader.audit() if reading.reader else []
        found = _checkpoints(context, reading, asked)
    fault = verify_chain(rows, noted, *(one.point for one in found.usable))
    steps = clock_steps(rows, {one.seq: one.at for one in found.usable})
    sound = fault is None and not found.forged
    if context.json:
        context.document(_document(rows, fault, steps, found))
    else:
        _tell(context, rows, fault, found)
    for text in (*(str(step) for step in steps), *found.warnings):
        context.warn(plain(text))
    return ExitStatus.DONE if sound else ExitStatus.FAILED


def make_checkpoint(context: CommandContext, file: Path | None, remote: str | None) -> int:
    """Note how far the chain goes, in a file or at a git remote; without either, as the settings say."""
    with closing(open_reading(context.workspace())) as reading:
        last = reading.reader.last_audit() if reading.reader else None
        if last is None or reading.place is None:
            raise UsageError("nothing is on record yet, so there is nothing to note")
        keeper = CheckpointKeeper(reading.workspace, reading.place, context.environ)
    to, git = (file, remote) if file or remote else keeper.places()
    try:
        checkpoint = keeper.make(last, datetime.now(UTC))
        where = keeper.keep(checkpoint, file=to, remote=git)
    except FAULTS as fault:
        context.warn(plain(str(fault)))
        return ExitStatus.FAILED
    if context.json:
        context.document(
            {
                "seq": checkpoint.seq,
                "hash": checkpoint.hash,
                "at": checkpoint.at,
                "signed": bool(checkpoint.signature),
                "written": where,
            }
        )
        return ExitStatus.DONE
    kind = "signed checkpoint" if checkpoint.signature else "checkpoint (unsigned)"
    places = ", ".join(where) or "the state folder alone: note it elsewhere, or set [audit] checkpoint_file"
    context.say(f"{kind} {checkpoint.seq}:{checkpoint.hash}, written to {plain(places)}")
    return ExitStatus.DONE


def _checkpoints(context: CommandContext, reading: Reading, asked: Asked) -> Found:
    if reading.place is None:
        return Found((), (), (), signed=False)
    keeper = CheckpointKeeper(reading.workspace, reading.place, context.environ)
    try:
        signers = known_signers(asked.signers, None) if asked.signers else keeper.signers()
    except SshKeyError as error:
        raise UsageError(plain(str(error))) from error
    usable: list[SignedCheckpoint] = []
    forged: list[str] = []
    warnings: list[str] = []
    for where, lines in _lines(keeper, asked):
        if isinstance(lines, str):
            warnings.append(f"no checkpoints from {where}: {lines}")
            continue
        ours = read_lines(lines, reading.place.id)
        if lines and not ours:
            warnings.append(f"{where} has checkpoints, but none of this journal ({reading.place.id})")
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
            raise UsageError(f"{plain(str(asked.file))}: there is no such file")
        try:
            yield str(asked.file), read_from_file(asked.file)
        except CheckpointPlaceError as error:
            raise UsageError(plain(str(error))) from error


def _document(
    rows: Sequence[AuditRow], fault: ChainFault | None, steps: Sequence[ClockStep], found: Found
) -> dict[str, object]:
    broken = None
    if fault is not None:
        broken = {
            "fault": fault.fault.value,
            "seq": fault.seq,
            "found": fault.found,
            "expected": fault.expected,
            "message": str(fault),
        }
    return {
        "valid": fault is None and not found.forged,
        "entries": len(rows),
        "checkpoint": f"{rows[-1].seq}:{rows[-1].hash}" if rows else None,
        "compared": sorted({one.seq for one in found.usable}),
        "signed": found.signed,
        "forged": list(found.forged),
        "clock": [{"seq": step.seq, "at": step.at, "before": step.before} for step in steps],
        "fault": broken,
    }


def _tell(context: CommandContext, rows: Sequence[AuditRow], fault: ChainFault | None, found: Found) -> None:
    for text in found.forged:
        context.warn(plain(text))
    if fault is not None:
        context.warn(plain(str(fault)))
        return
    if found.forged:
        return
    context.say(f"the audit chain is sound: {len(rows)} entries")
    if found.usable:
        newest = max(one.seq for one in found.usable)
        kind = "signed checkpoints" if found.signed else "checkpoints, which are unsigned"
        context.say(f"compared with {len(found.usable)} {kind}; the newest is of entry {newest}")
    if rows:
        last = f"{rows[-1].seq}:{rows[-1].hash}"
        context.say(f"note this elsewhere, to find what is cut off its end: --checkpoint {last}")


def _checkpoint(text: str) -> Checkpoint:
    match = _CHECKPOINT.fullmatch(text)
    if match is None:
        raise UsageError(
            f"--checkpoint {text!a} is none; it looks like 12:sha256:… with 64 hexadecimal digits"
        )
    return Checkpoint(int(match[1]), match[2])


_CHECKPOINT = re.compile(r"([0-9]{1,18}):(sha256:[0-9a-f]{64})")
