"""What tests of several folders need: SSH keys, made for the test alone; and what makes the suite fast."""

from __future__ import annotations

import gc
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

# The tests start hundreds of programs: each would compile all of opconsole anew if compiled code is not kept.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# Programs inherit that a signal is ignored, as under nohup, but not that it is handled: ours must hear of a
# hang-up.
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, lambda *_: None)


def pytest_xdist_auto_num_workers() -> int | None:
    """Give two processes to a core, up to four more in all: many tests wait for a program or a screen."""
    if "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ:
        return None  # whoever says how many is heard
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return cores + min(cores, 4)


def pytest_collection_finish() -> None:
    """Let the collector pass over what stays: a fifth of a screen's test went into looking at it."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


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
