"""Signs and verifies with SSH keys by `ssh-keygen -Y`: a file, an agent or a hardware key."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from guardrails.trusted import distrust
from opconsole.settings.files import read_checked

SIGN_LIMIT = 60.0
"""Seconds that a signature may take: a hardware key waits to be touched."""
MAX_SIGNERS_BYTES = 256 * 1024


class SshKeyError(Exception):
    """A signature could not be made or asked about; says why and what to do."""


def sign(message: bytes, *, key: Path, namespace: str, environ: Mapping[str, str]) -> str:
    """Give the armoured signature of *message*. Blocking; asks nobody for a passphrase.

    *key* is a private key without a passphrase, or a public key whose private half an agent has.
    """
    done = _run(["-Y", "sign", "-q", "-f", str(key), "-n", namespace], message, environ)
    text = done.stdout.decode("ascii", "replace")
    if done.returncode or "BEGIN SSH SIGNATURE" not in text:
        told = done.stderr.decode("utf-8", "replace").strip()[-300:]
        raise SshKeyError(
            f"{key} could not sign: {told!a}; it must be a key without passphrase, or an agent's"
        )
    return text


def verify(message: bytes, signature: str, *, signers: str, namespace: str) -> str | None:
    """Give the name that *signers* (text of an allowed_signers file) has for whoever signed, or None."""
    with tempfile.TemporaryDirectory(prefix="opconsole-verify-") as folder:
        allowed, signed = Path(folder, "allowed_signers"), Path(folder, "signature")
        allowed.write_text(signers, "utf-8")
        signed.write_text(signature, "utf-8")
        found = _run(["-Y", "find-principals", "-s", str(signed), "-f", str(allowed)], b"", {})
        names = found.stdout.decode("utf-8", "replace").splitlines()
        if found.returncode or not names or not names[0]:
            return None
        argv = ["-Y", "verify", "-f", str(allowed), "-I", names[0], "-n", namespace, "-s", str(signed)]
        return names[0] if _run(argv, message, {}).returncode == 0 else None


def read_signers(path: Path) -> str:
    """Read an allowed_signers file, which nobody but its owner and group may be able to change."""

    def check(facts: os.stat_result) -> None:
        if not stat.S_ISREG(facts.st_mode):
            raise SshKeyError(f"{path} is not a file; name a file of allowed signers")
        doubt = distrust(facts, folder, user=os.geteuid())
        if doubt is not None:
            raise SshKeyError(f"{path} proves nothing: found {doubt.found}; {doubt.remedy}")

    try:
        folder = Path(os.path.realpath(path)).parent.stat()
        content = read_checked(path, check, limit=MAX_SIGNERS_BYTES)
        return content.decode("utf-8")
    except OSError as error:
        raise SshKeyError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError:
        raise SshKeyError(f"{path} is not text; name a file of allowed signers") from None


def _run(words: list[str], message: bytes, environ: Mapping[str, str]) -> subprocess.CompletedProcess[bytes]:
    program = shutil.which("ssh-keygen")
    if program is None:
        raise SshKeyError("ssh-keygen was not found on PATH; install OpenSSH's client")
    kept = {name: environ[name] for name in ("HOME", "SSH_AUTH_SOCK") if environ.get(name)}
    try:
        return subprocess.run(
            [program, *words],
            input=message,
            capture_output=True,
            check=False,
            timeout=SIGN_LIMIT,
            env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", **kept},
            start_new_session=True,  # without a terminal nobody is asked for a passphrase
        )
    except subprocess.TimeoutExpired:
        raise SshKeyError(
            f"ssh-keygen took longer than {SIGN_LIMIT:g} s; is a hardware key to be touched?"
        ) from None
    except OSError as error:
        raise SshKeyError(f"ssh-keygen could not be run: {error.strerror}") from error
