"""The commands ``audit verify`` and ``audit checkpoint``: proving the chain, and noting how far it goes."""

from __future__ import annotations

import re
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from opconsole.audit import Checkpoint
from opconsole.audit_check import Asked, ChainCheck, check_chain
from opconsole.checkpointing import FAULTS, CheckpointKeeper
from opconsole.cli.output import CommandContext, ExitStatus, UsageError, plain
from opconsole.journal.audit_pages import AuditPages
from opconsole.reading import open_reading


def verify_audit(
    context: CommandContext, checkpoint: str | None, file: Path | None, signers: Path | None, *, offline: bool
) -> int:
    """Prove the chain against every checkpoint that can be found; 1 where it is broken."""
    noted = None if checkpoint is None else _checkpoint(checkpoint)
    asked = Asked(noted, file, signers, offline)
    with closing(open_reading(context.workspace())) as reading:
        pages = AuditPages(reading.reader.engine) if reading.reader else None
        place = reading.place
        keeper = None if place is None else CheckpointKeeper(reading.workspace, place, context.environ)
        try:
            check = check_chain(pages.entries if pages else list, keeper, asked)
        except FAULTS as error:
            raise UsageError(plain(str(error))) from error
    if context.json:
        context.document(_document(check))
    else:
        _tell(context, check)
    for text in (*(str(step) for step in check.steps), *check.found.warnings):
        context.warn(plain(text))
    return ExitStatus.DONE if check.sound else ExitStatus.FAILED


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


def _document(check: ChainCheck) -> dict[str, object]:
    fault, found, broken = check.fault, check.found, None
    if fault is not None:
        broken = {
            "fault": fault.fault.value,
            "seq": fault.seq,
            "found": fault.found,
            "expected": fault.expected,
            "message": str(fault),
        }
    return {
        "valid": check.sound,
        "entries": check.entries,
        "checkpoint": _last(check) or None,
        "compared": sorted({one.seq for one in found.usable}),
        "signed": found.signed,
        "forged": list(found.forged),
        "clock": [{"seq": step.seq, "at": step.at, "before": step.before} for step in check.steps],
        "fault": broken,
    }


def _last(check: ChainCheck) -> str:
    return f"{check.last.seq}:{check.last.hash}" if check.last is not None else ""


def _tell(context: CommandContext, check: ChainCheck) -> None:
    found = check.found
    for text in found.forged:
        context.warn(plain(text))
    if check.fault is not None:
        context.warn(plain(str(check.fault)))
        return
    if found.forged:
        return
    context.say(f"the audit chain is sound: {check.entries} entries")
    if found.newest is not None:
        kind = "signed checkpoints" if found.signed else "checkpoints, which are unsigned"
        context.say(f"compared with {len(found.usable)} {kind}; the newest is of entry {found.newest.seq}")
    if last := _last(check):
        context.say(f"note this elsewhere, to find what is cut off its end: --checkpoint {last}")


def _checkpoint(text: str) -> Checkpoint:
    match = _CHECKPOINT.fullmatch(text)
    if match is None:
        raise UsageError(
            f"--checkpoint {text!a} is none; it looks like 12:sha256:… with 64 hexadecimal digits"
        )
    return Checkpoint(int(match[1]), match[2])


_CHECKPOINT = re.compile(r"([0-9]{1,18}):(sha256:[0-9a-f]{64})")
