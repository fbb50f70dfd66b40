"""Start, replace and stop this release's service on its machine.

``python current/service.py restart`` stops the service that runs from an earlier release, starts this one
and returns once its port listens; it fails, with the reason, when the new one does not come up.
``python current/service.py stop`` stops it; where none runs, that is already done.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

START_LIMIT = 15.0  # seconds until the port must listen
STOP_LIMIT = 5.0  # seconds between asking a service to stop and killing it


class ServiceProblem(Exception):
    """The service could not be started or stopped."""


@dataclass(frozen=True)
class Running:
    """A service that was started: its process, and when the machine says that it began.

    A process id is used again after a while; with its start time it names one process for good.
    """

    pid: int
    started: str
    version: str


def restart(release: Path, shared: Path) -> None:
    """Replace the service that runs now, if any, by this release's."""
    stop(shared)
    running = start(release, shared)
    print(f"credentialmate {running.version} listens on port {os.environ.get('PORT')} (pid {running.pid})")


def stop(shared: Path) -> None:
    """End the service that an earlier ``restart`` started; kill it when it does not end by itself."""
    running = read_state(shared)
    if running is None or process_start(running.pid) != running.started:
        print("credentialmate is not running")
    else:
        if not ended_after(running, signal.SIGTERM) and not ended_after(running, signal.SIGKILL):
            raise ServiceProblem(f"process {running.pid} does not end")
        print(f"credentialmate {running.version} stopped (pid {running.pid})")
    state_file(shared).unlink(missing_ok=True)


def start(release: Path, shared: Path) -> Running:
    """Start the service in its own session and wait until it listens or has given up."""
    reading, writing = os.pipe()
    environment = {**os.environ, "SERVICE_READY_FD": str(writing), "PYTHONDONTWRITEBYTECODE": "1"}
    with os.fdopen(reading, "rb") as ready, (shared / "service.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "credentialmate"],
            cwd=release,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            pass_fds=[writing],
            start_new_session=True,
        )
        os.close(writing)
        message = read_message(ready.fileno(), START_LIMIT)
        if message == "ready":
            running = Running(process.pid, process_start(process.pid), version_of(release))
            try:
                state_file(shared).write_text(json.dumps(asdict(running)) + "\n", encoding="utf-8")
            except OSError:
                process.kill()  # nobody could stop it later: the note that names it could not be written
                raise
            return running
        process.kill()
        process.wait()
    reason = f"it does not listen after {START_LIMIT:g} s" if message is None else message
    raise ServiceProblem(reason or f"it ended at once: see {shared / 'service.log'}")


def read_message(descriptor: int, limit: float) -> str | None:
    """Read what the service says until it closes its end; None when that takes too long."""
    said = b""
    deadline = time.monotonic() + limit
    while select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))[0]:
        part = os.read(descriptor, 4096)
        if not part:
            return said.decode(errors="replace")
        said += part
    return None


def ended_after(running: Running, what: signal.Signals) -> bool:
    """Send a signal and wait for the process to end; False when it is still there at the limit."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(running.pid, what)
    deadline = time.monotonic() + STOP_LIMIT
    while process_start(running.pid) == running.started:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)  # it is not our child, so there is nothing to wait on that works everywhere
    return True


def process_start(pid: int) -> str:
    """Tell when a living process began, in the machine's own words; empty when there is none."""
    if sys.platform == "linux":
        try:
            # After the name, which may hold anything, in brackets: state is field 3, start time field 22.
            fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            return ""
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()
        return "" if fields[0] in "ZX" else f"{boot} {fields[19]}"
    listed = subprocess.run(
        ["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    ).stdout.split(maxsplit=1)
    return "" if len(listed) < 2 or listed[0].startswith("Z") else listed[1].strip()


def read_state(shared: Path) -> Running | None:
    """Read what the last start left; a file that is damaged is a problem for a person."""
    try:
        return Running(**json.loads(state_file(shared).read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError) as problem:
        raise ServiceProblem(f"{state_file(shared)} cannot be read ({problem}); end the service by hand") from problem


def state_file(shared: Path) -> Path:
    """Say where the running service is noted."""
    return shared / "service.json"


def version_of(release: Path) -> str:
    """Read the version that the build wrote into the release."""
    return (release / "VERSION").read_text(encoding="utf-8").strip()


def main(arguments: list[str]) -> int:
    """Do what is asked; 1 with the reason when it cannot be done, 2 for a wrong command."""
    if arguments not in (["restart"], ["stop"]):
        print("usage: service.py restart|stop", file=sys.stderr)
        return 2
    try:
        shared = Path(os.environ["OPCONSOLE_SHARED_DIR"])
        if arguments == ["restart"]:
            restart(Path(__file__).resolve().parent, shared)
        else:
            stop(shared)
    except KeyError:
        print("OPCONSOLE_SHARED_DIR is not set: it names the folder that all releases share", file=sys.stderr)
        return 1
    except (ServiceProblem, OSError) as problem:
        print(f"credentialmate: {problem}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
