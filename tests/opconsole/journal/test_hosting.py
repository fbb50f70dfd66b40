"""One process at a time hosts the engine."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

from opconsole.journal.hosting import HostLock, executor_identity, holder, host_alive
from opconsole.journal.location import JournalPlace

_HOLD = """
import subprocess, sys
from pathlib import Path
from opconsole.journal.hosting import HostLock
from opconsole.journal.location import locate

lock = HostLock.try_acquire(locate(Path(sys.argv[1]), create=False))
child = subprocess.Popen(["sleep", "60"], close_fds=False) if "child" in sys.argv else None
print("held" if lock else "refused", child.pid if child else 0, flush=True)
sys.stdin.read()
"""


def test_asking_whether_somebody_hosts_creates_nothing(place: JournalPlace) -> None:
    assert not host_alive(place)
    assert not place.host_lock.exists()
    assert holder(place) is None


def test_a_second_host_is_refused_until_the_first_lets_go(place: JournalPlace) -> None:
    first = HostLock.try_acquire(place)
    assert first is not None
    assert host_alive(place)
    assert HostLock.try_acquire(place) is None
    first.release()
    first.release()
    assert not first.held
    assert not host_alive(place)
    with HostLock.try_acquire(place) or first as second:
        assert second.held


def test_the_lock_names_its_holder_for_people(place: JournalPlace) -> None:
    with HostLock.try_acquire(place) or None or _never():
        assert holder(place) == executor_identity()
    assert executor_identity().pid == os.getpid()
    assert executor_identity().boot_id
    place.host_lock.write_text("[" * 100)
    assert holder(place) is None


def _never() -> HostLock:
    raise AssertionError("the lock was free")


def test_a_killed_host_is_gone_at_once_even_when_its_child_lives_on(
    python: Callable[..., subprocess.Popen[str]], tmp_path: Path, place: JournalPlace
) -> None:
    host = python(_HOLD, str(tmp_path / "workspace"), "child")
    assert host.stdout is not None
    said, child = host.stdout.readline().split()
    assert said == "held"
    try:
        assert host_alive(place)
        assert HostLock.try_acquire(place) is None
        found = holder(place)
        assert found is not None
        assert found.pid == host.pid
        host.kill()
        host.wait()
        assert not host_alive(place)
        with HostLock.try_acquire(place) or _never():
            pass
    finally:
        os.kill(int(child), 9)


def test_of_two_that_start_together_one_hosts(
    python: Callable[..., subprocess.Popen[str]], tmp_path: Path, place: JournalPlace
) -> None:
    hosts = [python(_HOLD, str(tmp_path / "workspace")) for _ in range(3)]
    said = sorted(host.stdout.readline().split()[0] for host in hosts if host.stdout is not None)
    assert said == ["held", "refused", "refused"]


def test_whoever_only_asks_keeps_nobody_from_hosting(place: JournalPlace) -> None:
    (HostLock.try_acquire(place) or _never()).release()
    done = threading.Event()

    def ask() -> None:
        while not done.is_set():
            host_alive(place)

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        for _ in range(50):
            (HostLock.try_acquire(place) or _never()).release()
    finally:
        done.set()
        asking.join()
