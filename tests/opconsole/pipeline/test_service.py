"""The real worker as a service: TERM ends it, and what it was running goes on and is adopted."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

from opconsole.journal.records import RequestKind

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
            said, _ = await asyncio.to_thread(worker.communicate, timeout=30)
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
