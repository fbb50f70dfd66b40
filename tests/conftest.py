"""What tests of several folders need: real SSH keys, made for the test alone."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest


class KeyRing:
    """SSH keys by the name of their owner, and the files that say whose signatures count."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()

    def key(self, name: str) -> Path:
        """Give the private key of *name*, made when it is first asked for."""
        path = self.folder / name
        if not path.exists():
            argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(path)]
            subprocess.run(argv, check=True, stdin=subprocess.DEVNULL)
        return path

    def public(self, name: str) -> str:
        kind, key, *_ = self.key(name).with_name(f"{name}.pub").read_text("ascii").split()
        return f"{kind} {key}"

    def line(self, name: str, *options: str, principals: str | None = None) -> str:
        """Give the line of an allowed signer."""
        return " ".join([principals or name, *options, self.public(name)])


@pytest.fixture
def keys(tmp_path: Path) -> KeyRing:
    """Make SSH keys as they are wanted."""
    if shutil.which("ssh-keygen") is None:
        pytest.skip("ssh-keygen is not on this machine; it makes and verifies the signatures")
    return KeyRing(tmp_path / "keys")


@pytest.fixture
def allow(tmp_path: Path, keys: KeyRing) -> Callable[..., Path]:
    """Write a file of allowed signers, each given by name or by the whole line."""

    def write(*signers: str) -> Path:
        path = tmp_path / "allowed_signers"
        lines = [signer if " " in signer else keys.line(signer) for signer in signers]
        path.write_text("\n".join(lines) + "\n", "ascii")
        return path

    return write
