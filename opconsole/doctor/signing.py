"""Signatures: whose count, with which key this person signs, and where the audit's checkpoints go."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

from opconsole.doctor.base import ASKING, Check, Patient, Result, fail, ok, warn
from opconsole.signing import SigningError, find_key, read_lines


def checks(patient: Patient) -> Iterable[Check]:
    """Give the checks."""
    if patient.workspace.settings.approvals.allowed_signers is not None:
        yield Check("approvals", partial(look_at_approvals, patient), ASKING)
    yield Check("audit", partial(look_at_checkpoints, patient))


def look_at_approvals(patient: Patient) -> Iterator[Result]:
    """Read the keys that count, and look for this person's own."""
    rules = patient.workspace.settings.approvals
    for name, file in (("allowed_signers", rules.allowed_signers), ("revoked_keys", rules.revoked_keys)):
        if file is None:
            continue
        path = patient.workspace.path(file)
        try:
            lines = read_lines(path)
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is not text"
            yield fail(
                f"approvals.{name}",
                f"{path} cannot be read: {why}",
                "put it there for the worker to read; a line is: NAME KEYTYPE KEY (man ssh-keygen)",
            )
            continue
        if not lines and name == "allowed_signers":
            yield fail(
                f"approvals.{name}",
                f"{path} names nobody, so nobody can approve",
                "add a line for each approver",
            )
        else:
            yield ok(f"approvals.{name}", f"{len(lines)} keys")
    if shutil.which("ssh-keygen", path=patient.environ.get("PATH")) is None:
        yield fail("ssh-keygen", "it is not to be found", "install OpenSSH's client programs")
        return
    try:
        key = find_key(None, patient.environ)
    except SigningError as error:
        yield warn(
            "your key",
            str(error).partition(":")[0],
            "name your SSH key in OPCONSOLE_SIGNING_KEY, or git config user.signingkey with gpg.format ssh",
        )
    else:
        yield ok("your key", str(key.path))


def look_at_checkpoints(patient: Patient) -> Iterator[Result]:
    """See that checkpoints can be signed and written."""
    rules = patient.workspace.settings.audit
    for name, file in (("signing_key", rules.signing_key), ("signers", rules.signers)):
        if file is not None and not os.access(patient.workspace.path(file), os.R_OK):
            yield fail(
                f"audit.{name}",
                f"{patient.workspace.path(file)} is missing or cannot be read",
                "put it there, readable for the worker's user alone",
            )
    if rules.checkpoint_file is None and rules.checkpoint_git is None:
        yield ok("audit", "checkpoints are kept beside the journal alone")
        return
    if rules.checkpoint_file is not None:
        path = patient.workspace.path(rules.checkpoint_file)
        place = path if path.exists() else path.parent
        if not os.access(place, os.W_OK):
            yield fail(
                "audit.checkpoint_file",
                f"{path} cannot be written by user {os.geteuid()}",
                f"make its folder: mkdir -p {path.parent}, and give it to the worker's user",
            )
        else:
            yield ok("audit.checkpoint_file", str(path))
    remote = rules.checkpoint_git
    if remote is not None and remote.startswith("/") and not Path(remote).is_dir():
        yield fail("audit.checkpoint_git", f"there is no repository at {remote}", f"git init --bare {remote}")
