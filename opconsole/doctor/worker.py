"""The worker: alive where it should be, of the installed files, and kept running by systemd as it must be."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import guardrails
import opconsole
import queues
from opconsole.clock import iso
from opconsole.doctor.base import Check, Patient, Result, fail, ok, warn
from opconsole.journal.errors import JournalError, JournalPlaceError
from opconsole.journal.hosting import ExecutorIdentity, executor_identity, holder, host_alive
from opconsole.journal.location import locate
from opconsole.reading import open_reading

INSTALLED = tuple(Path(package.__path__[0]) for package in (opconsole, queues, guardrails))
"""The folders of our own code."""

UNITS = ("etc/systemd/system", "run/systemd/system", "usr/lib/systemd/system", "etc/systemd/user")


def checks(patient: Patient) -> Iterable[Check]:
    """Give the checks."""
    yield Check("worker", partial(look, patient))
    yield Check("systemd", partial(look_at_units, patient))
    yield Check("logind", partial(look_at_logind, patient.system))


def look(patient: Patient, installed: Sequence[Path] = INSTALLED) -> Iterator[Result]:
    """See whether one is alive where a queue is started, and whether it runs what is installed."""
    try:
        place = locate(patient.workspace.root, create=False)
        if place is None:
            yield ok("worker", "none has run yet")
            return
        if not host_alive(place):
            started = _started(patient)
            if started:
                yield warn(
                    "worker",
                    f"none is alive, although the queue of {', '.join(started)} is started",
                    "start one: opconsole worker, or open the console; opconsole init --systemd makes a unit",
                )
            else:
                yield ok("worker", "none is alive, and no queue is started")
            return
    except (JournalError, JournalPlaceError):
        return  # the journal's group tells
    who = holder(place)
    began = None if who is None else began_at(who, patient.system)
    if who is None or began is None:
        yield ok("worker", "one is alive; when it began is not known here")
        return
    changed = changed_at(installed)
    if changed > began:
        yield warn(
            "worker",
            f"process {who.pid} began at {iso(began)}, before the installed opconsole was changed "
            f"({iso(changed)}): it runs the older code",
            "opconsole worker --stop, then start it again; what runs goes on meanwhile",
        )
    else:
        yield ok("worker", f"process {who.pid} is alive since {iso(began)}")


def began_at(who: ExecutorIdentity, system: Path) -> datetime | None:
    """Say when a process began; None for one of another machine, boot or container, or that is gone."""
    here = executor_identity()
    if (who.machine_id, who.boot_id, who.pid_namespace) != (
        here.machine_id,
        here.boot_id,
        here.pid_namespace,
    ):
        return None
    try:
        text = (system / "proc/stat").read_text("ascii", "replace")
    except OSError:
        return None  # not Linux
    boot = next((line.split()[1] for line in text.splitlines() if line.startswith("btime ")), None)
    if boot is None or not who.start_time:
        return None
    return datetime.fromtimestamp(int(boot) + who.start_time / os.sysconf("SC_CLK_TCK"), UTC)


def changed_at(folders: Sequence[Path]) -> datetime:
    """Say when the newest of our files came to its place: its times of change survive no installing."""
    times = [file.stat().st_ctime for folder in folders for file in folder.rglob("*.py")]
    return datetime.fromtimestamp(max(times, default=0.0), UTC)


def look_at_units(patient: Patient) -> Iterator[Result]:
    """Read the units of systemd that start this workspace's worker."""
    found = 0
    home = patient.environ.get("HOME")
    folders = [patient.system / folder for folder in UNITS]
    folders += [Path(home, ".config/systemd/user")] if home else []
    for file in (one for folder in folders if folder.is_dir() for one in sorted(folder.glob("*.service"))):
        try:
            texts = [file.read_text("utf-8", "replace")]
            texts += [one.read_text("utf-8", "replace") for one in sorted(Path(f"{file}.d").glob("*.conf"))]
        except OSError:
            continue  # not ours to read, so it is not this person's worker
        command = setting(texts, "ExecStart")
        if "opconsole" not in command or str(patient.workspace.root) not in command:
            continue
        found += 1
        mode = setting(texts, "KillMode") or "control-group"
        if mode != "process":
            yield fail(
                file.name,
                f"{file} has KillMode={mode}: stopping the worker would cut running deployments off halfway",
                "set KillMode=process there, or write it anew: opconsole init --systemd",
            )
        program = _program(command)
        if program and not Path(program).exists():
            yield fail(
                file.name,
                f"{file} starts {program}, which is missing",
                "write it anew with the present installation: opconsole init --systemd",
            )
        if mode == "process":
            yield ok(file.name, "KillMode=process")
    if not found:
        yield ok("systemd", "no unit starts this workspace's worker")


def look_at_logind(system: Path) -> Iterator[Result]:
    """See whether logging out would end a worker that was started from a terminal."""
    files = [system / "etc/systemd/logind.conf"]
    for folder in ("usr/lib/systemd/logind.conf.d", "run/systemd/logind.conf.d", "etc/systemd/logind.conf.d"):
        files += sorted((system / folder).glob("*.conf"))
    texts = [file.read_text("utf-8", "replace") for file in files if file.is_file()]
    if setting(texts, "KillUserProcesses").lower() in ("yes", "true", "on", "1"):
        yield warn(
            "logind",
            "KillUserProcesses=yes: logging out ends a worker that a console has started",
            "run it as a service: opconsole init --systemd, and loginctl enable-linger; or set that to no",
        )
    else:
        yield ok("logind", "logging out ends no worker")


def setting(texts: Sequence[str], key: str) -> str:
    """Give the last value that files of systemd give a key; empty where none does."""
    value = ""
    for text in texts:
        for line in text.replace("\\\n", " ").splitlines():
            name, equals, said = line.partition("=")
            if equals and name.strip() == key:
                value = said.strip()
    return value


def _program(command: str) -> str:
    try:
        words = shlex.split(command)
    except ValueError:
        return ""
    return words[0].lstrip("@-:+!") if words and words[0].lstrip("@-:+!").startswith("/") else ""


def _started(patient: Patient) -> list[str]:
    with closing(open_reading(patient.workspace)) as reading:
        rows = reading.reader.queues() if reading.reader else {}
    return [name for name, row in rows.items() if row.started]
