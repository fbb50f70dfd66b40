"""The short version of what benchmarks/chaos.py does at length: whoever dies when, the same things hold."""

from __future__ import annotations

import fcntl
import os
import pty
import random
import shutil
import subprocess
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from chaoslab.hosts import REFUSED, strays
from chaoslab.project import Workspace
from chaoslab.stories import STORIES, Death, Lab, Stage, Story

from opconsole.journal.records import RequestKind

QUICK = Story("quick", "development", sick=False, migrates=False)
GUARDED = Story("guarded", "production", sick=True, migrates=False)

CHAINS = {
    "success": [Death(16), Death(8, "after", "exit"), Death(5)],
    "rollback": [Death(19, "after"), Death(7), Death(6), Death(3, "after")],
    "approved": [Death(13), Death(2, "after"), Death(6, "after", "exit"), Death(4, "after")],
    "halted": [Death(20, "after"), Death(8), Death(4, "after", "exit"), Death(5)],
}
"""Commits, each of another host, at which one after the other dies."""


@pytest.mark.parametrize("name", STORIES)
async def test_hosts_that_die_one_after_the_other_at_commits_break_nothing(lab: Lab, name: str):
    told = await lab.play(STORIES[name], CHAINS[name], seed=len(name))
    assert told.faults == [], told


@pytest.mark.parametrize("seed", [20261, 20262, 20263])
async def test_33_hosts_that_die_at_any_moment_break_nothing(lab: Lab, seed: int):
    choice = random.Random(seed)
    deaths = [Death(after=choice.uniform(0.02, 0.9)) for _ in range(5)]
    told = await lab.play(choice.choice([QUICK, GUARDED]), deaths, seed=seed, aftermath=seed == 20261)
    assert told.faults == [], (seed, told)


async def test_a_clock_that_was_set_back_between_two_hosts_breaks_nothing(lab: Lab):
    told = await lab.play(GUARDED, [Death(12, clock=7200.0), Death(9, clock=-86400.0)], seed=5)
    assert told.faults == [], told


async def test_of_two_hosts_at_once_one_gets_the_lock(lab: Lab):
    with lab.stage(QUICK) as stage:
        hosts = [stage.start(), stage.start()]
        await stage.until(lambda: any(host.gone for host in hosts), "no host has ended")
        assert sorted(REFUSED in host.told for host in hosts) == [False, True]
        [living] = [host for host in hosts if not host.gone]
        await stage.follow(living)
        await living.end()
        await _holds(stage)


async def _holds(stage: Stage) -> None:
    await stage.check()
    assert stage.told.faults == [], stage.told


# -- terminals, clones, editors ---------------------------------------------------------------------------

_IN_TERMINAL = """
import fcntl, os, sys, termios
os.setsid()
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.executable, [sys.executable, "-m", "opconsole", *sys.argv[1:]])
"""


async def test_33_a_terminal_that_goes_away_ends_nothing_that_it_started(lab: Lab):
    with lab.stage(QUICK) as stage:
        stage.workspace.hold.touch()
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, b"\x18\0\x50\0\0\0\0\0")
        run = subprocess.Popen(  # noqa: ASYNC220 - it starts at once
            [sys.executable, "-c", _IN_TERMINAL, "-C", str(stage.workspace.root), "run", "--project", "app"],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={**os.environ, "OPCONSOLE_STATE_DIR": str(stage.workspace.state)},
        )
        os.close(theirs)
        await stage.restarting()
        os.close(ours)  # the kernel sends SIGHUP to the terminal's processes
        await stage.until(lambda: run.poll() is not None, "opconsole run has not ended")
        assert any("restart.sh" in line for line in strays(stage.workspace).values()), (
            "its program was ended, too"
        )
        stage.workspace.hold.unlink()
        await stage.through(())
        await _holds(stage)
        assert stage.told.ends == "TWO:succeeded"


async def test_a_second_clone_is_refused_by_a_target_that_a_dead_host_holds(lab: Lab):
    with lab.stage(QUICK) as stage:
        workspace = stage.workspace
        shutil.copytree(workspace.root, workspace.live / "clone")
        clone = Workspace(workspace.base)
        clone.root = workspace.live / "clone"
        workspace.hold.touch()
        first = stage.start()
        await stage.restarting()
        first.signal(9)
        await first.wait(10)
        with lab.opened(create=True, of=clone) as (place, reader):
            second = lab.nursery.start(clone)
            other = Stage(lab, place, reader)
            other.operator.ask(None, RequestKind.START, {"project": "app"})
            await other.until(lambda: (run := reader.latest_run("app", "TWO")) and run.state.final, "TWO")
            run = reader.latest_run("app", "TWO")
            assert run is not None
            assert run.state.value == "failed"
            assert "another workspace" in run.reason
            await second.end()
        workspace.hold.unlink()
        await stage.through(())
        await _holds(stage)
        assert stage.told.ends == "TWO:succeeded"


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed here")
async def test_a_queue_file_that_an_editor_or_git_turns_back_starts_nothing_again(lab: Lab):
    with lab.stage(QUICK) as stage:
        workspace = stage.workspace
        workspace.git("init", "-q")
        workspace.git("add", "tasks")
        workspace.git("commit", "-qm", "queue")
        stale = workspace.queue_file.read_text()
        workspace.hold.touch()
        host = stage.start()
        await stage.restarting()
        await stage.until(lambda: workspace.entries()["TWO"]["status"] == "in_progress", "no echo")
        workspace.git("checkout", "-q", "--", "tasks")
        await _reloaded(stage)
        workspace.hold.unlink()
        await stage.follow(host)
        await host.end()
        await _holds(stage)
        host = stage.start()
        workspace.queue_file.write_text(stale)
        await _reloaded(stage)
        assert workspace.entries()["TWO"]["status"] == "pending"
        assert [run.state.value for run in stage.reader.runs_of("TWO")] == ["succeeded"]
        await host.end()
        assert sum(line.subject == "1.1.0-1" for line in workspace.lines() if line.when == "begin") == 1


async def _reloaded(stage: Stage) -> None:
    """Let the host read the queue once more, and wait until it has, with all that it may start then."""
    stage.operator.ask(None, RequestKind.RELOAD, {"project": "app"})
    await stage.until(lambda: not stage.reader.open_requests(), "no answer")


# -- full disks -------------------------------------------------------------------------------------------


@contextmanager
def _small_disk(folder: Path, size: str) -> Iterator[None]:
    """Put a small disk of its own under a folder, with what the folder holds."""
    aside = folder.with_name(f"{folder.name}.aside")
    shutil.copytree(folder, aside, symlinks=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size},mode=700", "tmpfs", str(folder)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip("mounting is not allowed here")
    try:
        shutil.copytree(aside, folder, symlinks=True, dirs_exist_ok=True)
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def _fill(folder: Path) -> Path:
    """Take what is left of a disk."""
    file = folder / "filling"
    with file.open("wb", buffering=0) as filling:
        for size in (65536, 4096, 1):
            try:
                while filling.write(bytes(size)):
                    pass
            except OSError:
                continue
    return file


@pytest.mark.parametrize("disk", ["state", "tasks"])
async def test_a_disk_that_fills_up_loses_nothing_and_starts_no_effect(lab: Lab, disk: str):
    with lab.stage(QUICK) as stage:
        workspace = stage.workspace
        folder = workspace.state if disk == "state" else workspace.queue_file.parent
    with _small_disk(folder, "24m" if disk == "state" else "1m"), lab.opened() as (place, reader):
        stage = Stage(lab, place, reader)
        workspace.hold.touch()
        host = stage.start()
        await stage.restarting()
        filling = _fill(folder)
        workspace.hold.unlink()
        if disk == "state":
            await stage.until(lambda: _rests(stage), "the run has not come to rest")
            run = reader.latest_run("app", "TWO")
            assert run is not None
            assert run.state.value == "interrupted", run
            assert "full" in run.reason
            health = [step for step in reader.steps(run.id) if step.name == "health"]
            assert [step.started_at for step in health] == [None], "an effect began without a record"
        else:
            await stage.until(lambda: any(row.error for row in reader.open_outbox()), "no failed echo")
        filling.unlink()
        await stage.follow(host)
        await host.end()
        await _holds(stage)


def _rests(stage: Stage) -> bool:
    run = stage.reader.latest_run("app", "TWO")
    return run is not None and (run.state.final or run.state.undecided)
