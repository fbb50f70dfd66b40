"""Checkpoints of the audit chain: its last entry's number and hash, signed, kept where the journal is not.

A checkpoint is one line of JSON, so that a file of them is only ever appended to, and many workspaces may
share one. The signature is an SSH signature over the line's own facts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from opconsole.audit import Checkpoint
from opconsole.clock import iso
from opconsole.ssh_keys import read_signers, sign, verify

NAMESPACE = "audit-checkpoint@opconsole"
"""What a signature is for: a key's signature for anything else is worth nothing here."""
MAX_LINE = 16 * 1024
_VERSION = 1


class Trust(StrEnum):
    """What a checkpoint's signature is worth."""

    SIGNED = "signed"  # by a key that is allowed to
    UNSIGNED = "unsigned"  # nobody's word; as good as the place where it was kept
    FORGED = "forged"  # a signature is needed, and this one is missing or nobody's who is allowed to


@dataclass(frozen=True, slots=True)
class SignedCheckpoint:
    """A checkpoint as it is written down."""

    journal: str
    seq: int
    hash: str
    at: str
    """When it was made, ISO 8601 in UTC."""
    signature: str = field(default="", repr=False)
    """Armoured; empty where no key is configured."""

    @property
    def point(self) -> Checkpoint:
        """What the chain is compared with."""
        return Checkpoint(self.seq, self.hash)

    @property
    def message(self) -> bytes:
        """What is signed: everything but the signature, as canonical JSON."""
        return _canonical(self._facts())

    def line(self) -> str:
        """Write it as one line, newline included."""
        facts = self._facts()
        if self.signature:
            facts["signature"] = self.signature
        return _canonical(facts).decode() + "\n"

    def _facts(self) -> dict[str, object]:
        return {
            "opconsole-audit-checkpoint": _VERSION,
            "journal": self.journal,
            "seq": self.seq,
            "hash": self.hash,
            "at": self.at,
        }


def make_checkpoint(
    journal: str,
    seq: int,
    entry_hash: str,
    at: datetime,
    *,
    key: Path | None,
    environ: Mapping[str, str],
) -> SignedCheckpoint:
    """Make the checkpoint of a chain that ends with entry *seq*; blocking. Raises SshKeyError."""
    bare = SignedCheckpoint(journal, seq, entry_hash, iso(at) or "")
    if key is None:
        return bare
    return replace(bare, signature=sign(bare.message, key=key, namespace=NAMESPACE, environ=environ))


def read_line(line: str) -> SignedCheckpoint | None:
    """Read one line of a file of checkpoints; None where it is none of ours."""
    if len(line) > MAX_LINE:
        return None
    try:
        facts = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(facts, dict) or facts.get("opconsole-audit-checkpoint") != _VERSION:
        return None
    values = {name: facts.get(name, "") for name in ("journal", "seq", "hash", "at", "signature")}
    return SignedCheckpoint(**values) if all(_PROPER[name](values[name]) for name in values) else None


def read_lines(lines: Iterable[str], journal: str) -> list[SignedCheckpoint]:
    """Give the checkpoints of one journal among lines, in their order; other lines are others' business."""
    found = (read_line(line) for line in lines)
    return [one for one in found if one is not None and one.journal == journal]


def trust(checkpoint: SignedCheckpoint, signers: str | None) -> Trust:
    """Say what a checkpoint is worth; *signers* None: nobody is said to sign, so nothing is proved."""
    if signers is None:
        return Trust.UNSIGNED
    if not checkpoint.signature:
        return Trust.FORGED
    who = verify(checkpoint.message, checkpoint.signature, signers=signers, namespace=NAMESPACE)
    return Trust.SIGNED if who is not None else Trust.FORGED


def known_signers(allowed: Path | None, key: Path | None) -> str | None:
    """Give the text of the allowed_signers file, or one that allows our own key alone; None without either.

    Raises SshKeyError where a file that is named cannot be trusted.
    """
    if allowed is not None:
        return read_signers(allowed)
    if key is None:
        return None
    public = key if key.suffix == ".pub" else key.with_name(f"{key.name}.pub")
    words = read_signers(public).split()
    return f'opconsole namespaces="{NAMESPACE}" {" ".join(words[:2])}\n'


def _canonical(facts: Mapping[str, object]) -> bytes:
    return json.dumps(facts, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode("ascii")


def _text(pattern: str) -> Callable[[object], bool]:
    return lambda value: isinstance(value, str) and re.fullmatch(pattern, value) is not None


_PROPER: Mapping[str, Callable[[object], bool]] = {
    "journal": _text(r"[0-9a-z-]{1,64}"),
    "seq": lambda value: value.__class__ is int and isinstance(value, int) and 0 < value < 2**63,
    "hash": _text(r"sha256:[0-9a-f]{64}"),
    "at": _text(r"[0-9TZ:.+-]{1,40}"),
    "signature": _text(r"[\x20-\x7e\n]*"),
}
