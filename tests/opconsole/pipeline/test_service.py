"""The real worker as a service: TERM ends it, and what it was running goes on and is adopted."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from opconsole.cli.worker import ensure_worker
from opconsole.ids import new_request_id
from opconsole.journal import ops
from opconsole.journal.hosting import host_alive
from opconsole.journal.location import locate
from opconsole.journal.records import RequestKind, RequestRow
from opconsole.journal.writer import write_once
from opconsole.reading import open_reading
from opconsole.workspace import Workspace

HOLDING = """\
touch "$OPCONSOLE_SHARED_DIR/began"
while [ -e "{hold}" ]; do sleep 0.02; done
echo "$OPCONSOLE_RELEASE" >> "$OPCONSOLE_SHARED_DIR/restarts"
"""


async def test_term_ends_the_worker_and_leaves_its_steps_for_the_next(project, deploy, until, tmp_path):
    hold, shared = project.root / "hold", project.target("development") / "shared"
    (project.bin / "restart.sh").write_text(HOLDING.format(hold=hold))
    hold.touch()
    for path in (project.root, project.root / "opconsole.toml"):
        path.chmod(0o755)
    project.queue(deploy("D", "development"))
    async with project.hosted() as driver:  # somebody started the queue, and left
        await driver.ask(RequestKind.START, project="app")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(str(tmp_path / "notify"))
        receiver.setblocking(False)
        worker = _worker(project.root, tmp_path / "notify")
        try:
            await until((shared / "began").exists)
            worker.send_signal(signal.SIGTERM)
            said, _ = await asyncio.to_thread(worker.communicate, timeout=90)
        finally:
            worker.kill()
            worker.wait()
        assert worker.returncode == 0
        assert "1 runs are left as they are" in said
        told = []
        while (message := _received(receiver)) is not None:
            told += message.splitlines()
    assert told.index("READY=1") < told.index("STOPPING=1")
    assert "STATUS=1 running, 0 waiting for a person" in told
    assert not (shared / "restarts").exists()  # its program waits still
    async with project.hosted() as driver:
        await until(lambda: "it is adopted" in driver.log("D"))
        hold.unlink()
        await driver.idle()
        assert driver.state("D") == "succeeded"
    assert (shared / "restarts").read_text() == "1.0.0-1\n"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux sets another process's limits")
async def test_an_input_output_error_ends_the_worker_and_its_program_is_adopted_by_the_next(
    project, deploy, until, tmp_path
):
    hold, shared = project.root / "hold", project.target("development") / "shared"
    (project.bin / "restart.sh").write_text(HOLDING.format(hold=hold))
    hold.touch()
    project.queue(deploy("D", "development"))
    async with project.hosted() as driver:
        await driver.ask(RequestKind.START, project="app")
        place, clock = driver.place, driver.clock
    worker = _worker(project.root, tmp_path / "nobody")
    try:
        await until((shared / "began").exists)
        # The kernel refuses to let the journal's files grow: an error that is not a full disk.
        resource.prlimit(worker.pid, resource.RLIMIT_FSIZE, (0, 0))
        row = RequestRow(new_request_id(), RequestKind.RELOAD, {"project": "app"}, clock.now(), "ana")
        await asyncio.to_thread(write_once, place, ops.insert_request(row))
        await asyncio.to_thread(worker.communicate, timeout=90)
    finally:
        worker.kill()
        worker.wait()
    assert worker.returncode == 1
    assert not (shared / "restarts").exists()
    async with project.hosted() as driver:
        await until(lambda: driver.state("D") != "running" or "it is adopted" in driver.log("D"))
        assert driver.state("D") == "running", (driver.run("D").reason, driver.log("D"))
        hold.unlink()
        await driver.idle()
        assert driver.state("D") == "succeeded"
    assert (shared / "restarts").read_text() == "1.0.0-1\n"


HEAVY = """
import sys
from opconsole.__main__ import main
sys.argv[1:] = ["-C", sys.argv[1], "worker"]
try:
    main()
finally:
    print("loaded:", *sorted({"apprise", "boto3", "botocore", "cfnlint", "textual"} & set(sys.modules)))
"""


async def test_a_worker_that_tells_nobody_and_provisions_nothing_loads_none_of_the_libraries_for_that(
    project, deploy, until
):
    project.queue(deploy("D", "development"))
    async with project.hosted() as driver:
        await driver.ask(RequestKind.START, project="app")
    argv = [sys.executable, "-c", HEAVY, str(project.root)]
    worker = subprocess.Popen(argv, env=dict(os.environ), stdout=subprocess.PIPE, text=True)  # noqa: ASYNC220
    reading = open_reading(Workspace.open(project.root, environ={}))
    try:
        await until(lambda: any(one.event == "idle" for one in reading.reader.events_after(0)))
        assert reading.find_run("D").state == "succeeded"
        worker.send_signal(signal.SIGTERM)
        said, _ = await asyncio.to_thread(worker.communicate, timeout=90)
    finally:
        reading.close()
        worker.kill()
        worker.wait()
    assert "loaded:\n" in said


async def test_run_goes_on_by_itself_when_the_worker_that_it_followed_is_gone(project, deploy, until):
    project.queue(deploy("D", "development"))
    async with project.hosted() as driver:
        argv = [sys.executable, "-m", "opconsole", "-C", str(project.root), "run", "--project", "app"]
        run = subprocess.Popen(  # noqa: ASYNC220
            argv, env=dict(os.environ), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        await until(driver.reader.open_requests)
        await driver.engine.answer_requests()
        assert driver.state("D") == "no run"
    try:
        out, err = await asyncio.to_thread(run.communicate, timeout=120)
    finally:
        run.kill()
        run.wait()
    assert run.returncode == 0, out + err
    assert "the worker has ended; its work goes on here" in err
    assert project.current("development") == "1.0.0-1"


async def test_a_crash_of_the_interpreter_itself_leaves_word_of_where_every_thread_was(project, until):
    place = locate(project.root, create=True)
    argv = [sys.executable, "-m", "opconsole", "-C", str(project.root), "worker"]
    worker = subprocess.Popen(argv, env=dict(os.environ), stderr=subprocess.PIPE, text=True)  # noqa: ASYNC220
    try:
        await until(lambda: host_alive(place))
        worker.send_signal(signal.SIGABRT)
        _, err = await asyncio.to_thread(worker.communicate, timeout=90)
    finally:
        worker.kill()
        worker.wait()
    assert worker.returncode == -signal.SIGABRT
    assert "Fatal Python error: Aborted" in err
    assert "in run_worker" in err


async def test_folders_of_the_workspace_that_are_named_like_our_packages_are_not_taken_for_them(
    project, until
):
    for name in ("queues", "guardrails", "opconsole"):
        (project.root / name).mkdir()
        (project.root / name / "__init__.py").write_text("raise RuntimeError('the wrong package')\n")
    workspace, place = Workspace.open(project.root, environ={}), locate(project.root, create=True)
    assert place is not None
    assert await asyncio.to_thread(ensure_worker, workspace, place), (place.root / "worker.log").read_text()
    argv = [sys.executable, "-P", "-m", "opconsole", "-C", str(project.root), "worker", "--stop"]
    done = await asyncio.to_thread(subprocess.run, argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    await until(lambda: not host_alive(place))


def _worker(root: Path, address: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "opconsole", "-C", str(root), "worker"],
        env={**os.environ, "NOTIFY_SOCKET": str(address)},
        stdout=subprocess.PIPE,
        text=True,
    )


def _received(receiver: socket.socket) -> str | None:
    try:
        return receiver.recv(4096).decode()
    except BlockingIOError:
        return None
