from __future__ import annotations

import asyncio
import base64
import contextlib
import fcntl
import json
import os
import signal
import subprocess
import sys
import time
import urllib.parse
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from opconsole import shim
from opconsole.programs import (
    DEFAULT_PATH,
    Ending,
    Program,
    ProgramError,
    ProgramResult,
    TraceState,
    attend,
    clean_variables,
    run_program,
    trace,
)

VARIABLES = {"PATH": DEFAULT_PATH}
MARK = "OPCONSOLE_TEST_MARK"


class Step:
    """One program's folder and log, and what to look at while it runs."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folder = root / "step"
        self.log = root / "log"
        self.mark = f"{os.getpid()}-{root.name}-{time.monotonic_ns()}"

    def shell(
        self, script: str, *, limit: float = 30, grace: float = 0.3, secrets: tuple[str, ...] = ()
    ) -> Program:
        variables = VARIABLES | {MARK: self.mark}
        return Program(("sh", "-c", script), self.root, variables, limit, secrets, grace)

    def python(self, script: str, *, limit: float = 60, secrets: tuple[str, ...] = ()) -> Program:
        variables = VARIABLES | {MARK: self.mark}
        return Program((sys.executable, "-c", script), self.root, variables, limit, secrets, 0.3)

    async def run(self, program: Program) -> ProgramResult:
        return await run_program(program, folder=self.folder, log=self.log)

    def lines(self, stream: str = "o") -> list[str]:
        rows = self.log.read_text().splitlines()
        return [row[27:] for row in rows if row[25] == stream]

    def processes(self) -> set[int]:
        """Every process that carries this step's mark in its variables."""
        found = set()
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if (
                    entry.name.isdigit()
                    and f"{MARK}={self.mark}".encode() in (entry / "environ").read_bytes()
                ):
                    found.add(int(entry.name))
        return found

    def shim(self) -> int:
        return int((self.folder / "lock").read_text().split()[0])


@pytest.fixture
def step(tmp_path: Path) -> Iterator[Step]:
    step = Step(tmp_path)
    yield step
    for pid in step.processes():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


async def until(condition: Callable[[], object], seconds: float = 15) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 (files and processes tell no event)
            await asyncio.sleep(0.01)


async def test_a_program_runs_to_its_end_with_both_outputs_in_the_log(step: Step) -> None:
    result = await step.run(step.shell("echo out; echo err >&2; exit 3"))
    assert (result.ending, result.status, result.signal, result.ok) == (Ending.EXITED, 3, None, False)
    assert result.reason == "exited with status 3"
    assert result.started_at <= result.ended_at
    assert (step.lines("o"), step.lines("e"), step.lines("n")) == (["out"], ["err"], ["exited with status 3"])
    now = trace(step.folder)
    assert (now.state, now.result) == (TraceState.ENDED, result)


async def test_a_program_that_is_killed_says_by_what(step: Step) -> None:
    result = await step.run(step.shell("kill -SEGV $$"))
    assert (result.ending, result.signal) == (Ending.SIGNALLED, 11)
    assert result.reason == "ended by signal 11 (SIGSEGV)"


async def test_a_missing_program_is_named_with_the_path_that_was_searched(step: Step) -> None:
    result = await step.run(Program(("no-such-program",), step.root, {"PATH": "/usr/bin:/bin"}, 5))
    assert result.ending is Ending.NOT_STARTED
    assert result.reason == "no-such-program was not found: searched PATH /usr/bin:/bin"
    assert trace(step.folder).result == result


async def test_the_program_is_looked_up_on_its_own_path_not_on_ours(step: Step) -> None:
    result = await step.run(Program(("sh",), step.root, {"PATH": str(step.root)}, 5))
    assert result.ending is Ending.NOT_STARTED


async def test_a_file_that_is_no_program_and_a_missing_folder_are_not_started(step: Step) -> None:
    script = step.root / "script"
    script.write_text("no interpreter line")
    script.chmod(0o755)
    result = await step.run(Program((str(script),), step.root, VARIABLES, 5))
    assert result.ending is Ending.NOT_STARTED
    assert "Exec format error" in result.reason
    other = await run_program(
        Program(("sh",), Path("/no/folder"), VARIABLES, 5), folder=step.root / "2", log=step.log
    )
    assert other.reason == "its folder /no/folder is not there"


async def test_a_log_that_cannot_be_opened_starts_nothing(step: Step) -> None:
    step.log.mkdir()
    result = await step.run(step.shell("touch effect"))
    assert result.ending is Ending.NOT_STARTED
    assert not (step.root / "effect").exists()


async def test_a_folder_is_for_one_execution(step: Step) -> None:
    await step.run(step.shell("true"))
    with pytest.raises(ProgramError, match="earlier execution"):
        await step.run(step.shell("touch effect"))
    assert not (step.root / "effect").exists()


async def test_nothing_is_started_where_the_folder_cannot_be_made(step: Step) -> None:
    step.folder.write_text("a file")
    with pytest.raises(ProgramError, match="not started"):
        await step.run(step.shell("touch effect"))


async def test_28_the_program_gets_a_clean_environment(step: Step, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LD_PRELOAD", "PYTHONPATH", "GIT_DIR", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "/nowhere")
    script = (
        "import os, signal, json; print(json.dumps({"
        "'variables': sorted(set(os.environ) - {'LC_CTYPE'}),"
        "'descriptors': sorted(int(d) for d in os.listdir('/dev/fd') if os.path.exists('/dev/fd/' + d)),"
        "'stdin': os.readlink('/proc/self/fd/0'), 'umask': os.umask(0), 'cwd': os.getcwd(),"
        "'leader': [os.getpid() == os.getsid(0), os.getpid() == os.getpgrp()],"
        "'blocked': [int(s) for s in signal.pthread_sigmask(0, [])],"
        "'ignored': next(l.split()[1] for l in open('/proc/self/status') if l.startswith('SigIgn'))}))"
    )
    program = Program(
        (sys.executable, "-I", "-c", script),
        step.root,
        clean_variables(path="", home=step.root, extra={}),
        20,
    )
    assert (await step.run(program)).ok
    seen = json.loads(step.lines()[0])
    assert not [name for name in seen["variables"] if name.startswith(("LD_", "PYTHON", "GIT_", "AWS_"))]
    assert {"PATH", "HOME", "TERM"} <= set(seen["variables"])
    assert seen["descriptors"] == [0, 1, 2]
    assert (seen["stdin"], seen["umask"], seen["cwd"]) == ("/dev/null", 0o022, str(step.root))
    assert seen["leader"] == [True, True]
    assert seen["blocked"] == []
    assert (
        int(seen["ignored"], 16) & ~((1 << 12) | (1 << 24)) == 0
    )  # Python itself ignores SIGPIPE and SIGXFSZ


def test_28_clean_variables_take_only_what_is_allowed() -> None:
    ours = {
        "LANG": "C.UTF-8",
        "LC_TIME": "de_DE",
        "TZ": "UTC",
        "LD_PRELOAD": "x",
        "PATH": "/evil",
        "HOME": "/root",
    }
    ours |= {
        "GIT_DIR": "x",
        "PYTHONPATH": "x",
        "AWS_PROFILE": "x",
        "LC_x; y": "z",
        "TERM": "xterm",
        "USER": "u",
    }
    clean = clean_variables(path="", home=Path("/h"), extra={"DATABASE_URL": "sqlite://"}, inherited=ours)
    assert clean == {
        "LANG": "C.UTF-8",
        "LC_TIME": "de_DE",
        "TZ": "UTC",
        "USER": "u",
        "HOME": "/h",
        "TERM": "dumb",
        "PATH": DEFAULT_PATH,
        "DATABASE_URL": "sqlite://",
    }


def test_13_a_nul_or_an_equals_sign_where_none_may_be_is_refused() -> None:
    for argv, variables in ((("a\0b",), {}), (("a",), {"X=Y": "1"}), (("a",), {"X": "\0"}), ((), {})):
        with pytest.raises(ValueError, match=r"NUL|'='|name"):
            Program(argv, Path("/"), variables, 1)


async def test_10_no_shell_reads_the_arguments(step: Step) -> None:
    version = "1; touch effect $(touch effect)"
    assert (await step.run(Program(("echo", version), step.root, VARIABLES, 5))).ok
    assert step.lines() == [version]
    assert not (step.root / "effect").exists()


async def test_a_line_that_waits_for_its_end_is_shown_as_far_as_it_is(step: Step) -> None:
    running = asyncio.create_task(
        step.run(step.shell("printf 'dots..'; while [ ! -e go ]; do sleep 0.02; done; echo ."))
    )
    await until(lambda: step.log.exists() and "O dots.." in step.log.read_text())
    (step.root / "go").touch()
    await running
    assert (step.lines("O"), step.lines("o")) == (["dots.."], ["."])


async def test_a_grandchild_with_its_own_session_is_killed_on_time_out(step: Step) -> None:
    script = (
        "setsid sh -c 'trap \"\" TERM; echo ready; while :; do sleep 1; done' & while :; do sleep 1; done"
    )
    result = await step.run(step.shell(script, limit=2))
    assert result.ending is Ending.TIMED_OUT
    assert result.reason == "stopped after its limit of 2 s"
    assert step.lines() == ["ready"]
    assert step.processes() == set()


async def cancelled(step: Step, program: Program) -> ProgramResult:
    running = asyncio.create_task(step.run(program))
    await until(lambda: step.log.exists() and "ready" in step.lines())
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    now = trace(step.folder)
    assert now.result is not None
    assert now.result.ending is Ending.CANCELLED
    assert step.processes() == set()
    return now.result


async def test_a_program_that_ignores_term_is_killed_after_its_grace(step: Step) -> None:
    result = await cancelled(step, step.shell("trap '' TERM; echo ready; while :; do sleep 0.1; done"))
    assert result.signal == 9


async def test_a_program_that_hears_term_may_tidy_up(step: Step) -> None:
    script = "trap 'echo bye; exit 7' TERM; echo ready; while :; do sleep 0.02; done"
    result = await cancelled(step, step.shell(script, grace=20))
    assert result.status == 7
    assert step.lines() == ["ready", "bye"]


async def test_cancelling_stops_everything_before_it_returns(step: Step) -> None:
    script = "trap '' TERM; setsid sleep 60 & echo ready; while :; do sleep 0.1; done"
    running = asyncio.create_task(step.run(step.shell(script)))
    await until(lambda: step.log.exists() and "ready" in step.log.read_text())
    running.cancel()
    await asyncio.sleep(0)
    running.cancel()  # a second one makes it no faster, and loses nothing
    with pytest.raises(asyncio.CancelledError):
        await running
    assert step.processes() == set()
    now = trace(step.folder)
    assert now.result is not None
    assert now.result.ending is Ending.CANCELLED


async def test_cancelling_before_the_program_has_begun_leaves_nothing_running(step: Step) -> None:
    running = asyncio.create_task(step.run(step.shell("sleep 60")))
    await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert step.processes() == set()
    assert trace(step.folder).state is TraceState.ENDED


async def test_a_service_goes_on_after_a_normal_exit_though_it_holds_the_output(step: Step) -> None:
    script = (
        "sh -c 'while [ ! -e go ]; do sleep 0.02; done; echo still here; echo > proof; sleep 60' & echo up"
    )
    async with asyncio.timeout(10):
        result = await step.run(step.shell(script))
    assert result.ok
    assert trace(step.folder).state is TraceState.ENDED
    assert step.processes() != set()
    (step.root / "go").touch()
    await until((step.root / "proof").exists)  # neither SIGPIPE nor a full pipe stopped it
    await until(lambda: "still here" in step.lines())


async def test_33_kill_9_of_the_shim_is_told_as_interrupted(step: Step) -> None:
    running = asyncio.create_task(step.run(step.shell("echo ready; exec sleep 60")))
    await until(lambda: step.log.exists() and "ready" in step.log.read_text())
    os.kill(step.shim(), signal.SIGKILL)
    result = await running
    assert result.ending is Ending.INTERRUPTED
    assert "unknown" in result.reason
    assert trace(step.folder).state is TraceState.INTERRUPTED
    await until(lambda: not step.processes())  # nothing runs on unseen


def handing(step: Step, script: str, **more: Any) -> Program:
    content = {"KEY": "-----BEGIN-----\nq83vEjRW\n", "WORD": "correct horse"}
    return replace(step.shell(script, secrets=tuple(content.values()), **more), files=content)


async def test_27_a_secret_in_a_file_is_for_its_program_alone_and_gone_with_it(step: Step) -> None:
    program = handing(
        step,
        'stat -c "%a %u" "$KEY" "$WORD" "$(dirname "$KEY")"; cat "$KEY" "$WORD"; echo; echo "$KEY" > where; '
        "test $(wc -c < $WORD) = 13",
    )
    result = await step.run(program)
    assert result.ok, step.log.read_text()
    assert step.lines()[:3] == [f"600 {os.geteuid()}", f"600 {os.geteuid()}", f"700 {os.geteuid()}"]
    assert "horse" not in step.log.read_text()
    assert "q83" not in step.log.read_text()
    key = Path((step.root / "where").read_text().strip())
    assert key.is_relative_to(step.folder)
    assert not key.parent.exists()


@pytest.mark.parametrize("script", ["exit 3", "sleep 60", "kill -9 $$", "kill -9 $PPID; sleep 60"])
async def test_27_however_a_program_ends_its_files_go(step: Step, script: str) -> None:
    files = step.root / "memory" / "run" / "step"
    program = replace(handing(step, f'test -e "$KEY" && touch had; {script}', limit=2), files_in=files)
    result = await step.run(program)
    assert not result.ok
    assert (step.root / "had").exists()
    assert not files.parent.exists()
    assert not (
        await run_program(replace(program, argv=("no-such",)), folder=step.root / "2", log=step.log)
    ).ok
    assert not files.parent.exists()


async def test_27_where_its_files_cannot_be_made_a_program_is_not_started(step: Step) -> None:
    files = step.root / "files"
    files.mkdir()
    (files / "of-somebody").touch()
    result = await step.run(replace(handing(step, "touch began"), files_in=files / "of-somebody" / "x"))
    assert result.ending is Ending.NOT_STARTED
    assert "the files with its secrets could not be made" in result.reason
    assert not (step.root / "began").exists()


async def test_27_after_kill_9_of_the_worker_the_files_still_go_with_their_program(step: Step) -> None:
    worker = start_worker(step)
    await until(lambda: step.log.exists() and "ready" in step.log.read_text())
    kill(worker)
    assert (step.folder / "files" / "KEY").read_text() == "hunter2"
    (step.root / "go").touch()
    async with asyncio.timeout(15):
        await attend(step.folder)
    assert not (step.folder / "files").exists()


WORKER = """
import asyncio, sys
from pathlib import Path
from opconsole.programs import *
root = Path(sys.argv[1])
script = "echo ready; while [ ! -e go ]; do sleep 0.02; done; echo done; exit 4"
variables = {"PATH": DEFAULT_PATH, sys.argv[2]: sys.argv[3]}
program = Program(("sh", "-c", script), root, variables, 60, (), 0.3, {"KEY": "hunter2"})
asyncio.run(run_program(program, folder=root / "step", log=root / "log"))
"""


def start_worker(step: Step) -> subprocess.Popen[bytes]:
    house = Path(__file__).parents[2]
    return subprocess.Popen([sys.executable, "-c", WORKER, str(step.root), MARK, step.mark], cwd=house)


def kill(worker: subprocess.Popen[bytes]) -> None:
    worker.kill()
    worker.wait()


async def test_33_after_kill_9_of_the_worker_the_step_goes_on_and_its_end_is_known(step: Step) -> None:
    worker = start_worker(step)
    await until(lambda: step.log.exists() and "ready" in step.log.read_text())
    kill(worker)
    assert trace(step.folder).state is TraceState.RUNNING
    (step.root / "go").touch()
    async with asyncio.timeout(15):
        now = await attend(step.folder)
    assert now.result is not None
    assert (now.result.ending, now.result.status) == (Ending.EXITED, 4)
    assert step.lines() == ["ready", "done"]


async def test_a_step_of_a_dead_worker_can_be_stopped(step: Step) -> None:
    worker = start_worker(step)
    await until(lambda: step.log.exists() and "ready" in step.log.read_text())
    kill(worker)
    async with asyncio.timeout(15):
        now = await attend(step.folder, stop=True)
    assert now.result is not None
    assert now.result.ending is Ending.CANCELLED
    assert step.processes() == set()


async def test_without_pidfds_it_works_too(step: Step, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "pidfd_open")
    running = asyncio.create_task(step.run(step.shell("echo ready; sleep 60")))
    await until(lambda: step.log.exists() and "ready" in step.log.read_text())
    now = await attend(step.folder, stop=True)
    assert now.result == await running
    assert now.result is not None
    assert now.result.ending is Ending.CANCELLED


async def test_a_shim_that_cannot_write_its_record_leaves_nothing_running(step: Step) -> None:
    lock = os.open(step.root / "lock", os.O_RDWR | os.O_CREAT)
    ended = os.open("/dev/null", os.O_RDONLY)
    order = {
        "argv": ["sh", "-c", "setsid sleep 60 &"],
        "cwd": "/",
        "variables": VARIABLES | {MARK: step.mark},
    }
    order |= {"limit": 60, "grace": 1, "secrets": [], "log": str(step.log), "lock": lock, "ended": ended}
    try:
        done = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-I", "-S", shim.__file__],
            input=json.dumps(order).encode() + b"\n",
            pass_fds=(lock, ended),
            stderr=subprocess.DEVNULL,
            check=False,
        )
    finally:
        os.close(lock)
        os.close(ended)
    assert done.returncode == 1
    assert "the shim failed" in step.lines("n")[-1]
    assert step.processes() == set()


def test_a_trace_creates_nothing(tmp_path: Path) -> None:
    assert trace(tmp_path / "nowhere").state is TraceState.NOT_STARTED
    assert trace(tmp_path).state is TraceState.NOT_STARTED
    assert list(tmp_path.iterdir()) == []


async def test_a_full_disk_for_the_log_stops_no_program(step: Step) -> None:
    program = step.shell(
        "i=0; while [ $i -lt 5000 ]; do echo 0123456789012345678901234567890123456789; i=$((i+1)); done"
    )
    result = await run_program(program, folder=step.folder, log=Path("/dev/full"))
    assert result.ok
    assert "could not be logged: No space left on device" in result.reason


async def test_27_a_secret_is_masked_across_chunks_lines_and_encodings(step: Step) -> None:
    secret = "s3cr3t/value+with?signs"
    key = "-----BEGIN KEY-----\nMIIEowIBAAKCAQEA1\n-----END KEY-----"
    encoded = base64.b64encode(f"user:{secret}:x".encode()).decode()
    quoted = urllib.parse.quote(secret, safe="")
    script = (
        "import sys, time\n"
        f"for c in {secret!r}: sys.stdout.write(c); sys.stdout.flush(); time.sleep(0.03)\n"
        f"print(); print({key!r}.splitlines()[1]); print({encoded!r}); print({quoted!r})\n"
        f"print('x' * 65530 + {secret!r} + 'y'); print({secret!r}, file=sys.stderr)\n"
    )
    assert (await step.run(step.python(script, secrets=(secret, key)))).ok
    log = step.log.read_text()
    whole = "".join(row[27:] for row in log.splitlines() if row[25] in "oO")
    for piece in (secret, "MIIEowIBAAKCAQEA1", quoted, base64.b64encode(secret.encode()).decode()[:-4]):
        assert piece not in log
        assert piece not in whole
    assert step.lines("e") == ["***"]
    assert encoded not in whole


def test_a_program_shows_no_secret_in_a_traceback() -> None:
    program = Program(("true",), Path("/"), {"KEY": "hunter2"}, 1, ("hunter2",))
    assert "hunter2" not in repr(program)


async def test_neither_arguments_nor_variables_of_the_shim_hold_a_secret(step: Step) -> None:
    running = asyncio.create_task(step.run(step.shell("echo ready; sleep 60", secrets=("hunter2-hunter2",))))
    await until(lambda: step.log.exists() and "ready" in step.log.read_text())
    for name in ("cmdline", "environ"):
        text = Path(f"/proc/{step.shim()}/{name}").read_bytes()
        assert b"hunter2" not in text
        assert MARK.encode() not in text
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_09_fifty_megabytes_without_a_newline_cost_the_shim_no_memory(step: Step) -> None:
    script = (
        "import sys, os, time\n"
        "for _ in range(800): os.write(1, b'x' * 65536)\n"
        "os.write(2, b'written\\n')\n"
        "while not os.path.exists('go'): time.sleep(0.02)\n"
    )
    running = asyncio.create_task(step.run(step.python(script)))
    await until(lambda: step.log.exists() and step.log.stat().st_size > 50_000_000, 60)
    status = Path(f"/proc/{step.shim()}/status").read_text()
    peak = next(int(row.split()[1]) for row in status.splitlines() if row.startswith("VmHWM"))
    (step.root / "go").touch()
    assert (await running).ok
    assert peak < 40_000  # kB; the interpreter alone takes about 12,000


def children() -> set[str]:
    """List the children of this process, those too that have ended and were not waited for."""
    lists = Path("/proc/self/task").glob("*/children")
    return {child for path in lists for child in path.read_text().split()}


async def test_many_programs_run_at_once_and_leave_no_descriptor_or_child_behind(tmp_path: Path) -> None:
    before, others = set(Path("/proc/self/fd").iterdir()), children()
    steps = [Step(tmp_path / str(number)) for number in range(8)]
    for step in steps:
        step.root.mkdir()
    results = await asyncio.gather(*(step.run(step.shell("echo hi")) for step in steps))
    assert all(result.ok for result in results)
    assert len(set(Path("/proc/self/fd").iterdir())) <= len(before) + 1
    assert children() <= others  # a server that other tests use may be a child, too


async def test_a_shim_that_counts_in_another_namespace_is_waited_for_and_never_signalled(step: Step) -> None:
    # Its number would be that of somebody else's process here.
    step.folder.mkdir(parents=True, exist_ok=True)
    lock = step.folder / "lock"
    lock.write_text(f"{os.getpid()} pid:[1]\n")
    with lock.open("r+") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        waiting = asyncio.ensure_future(attend(step.folder, stop=True))
        await asyncio.sleep(0.2)
        assert not waiting.done()
    assert (await waiting).state is TraceState.INTERRUPTED
