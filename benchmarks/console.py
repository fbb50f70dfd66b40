"""Measures what a person at the console feels: first paint, large queues, large logs, and what idling costs.

python -m benchmarks.console [paint] [log] [idle]        (default: all three)

First paint is the time until the console says that it reads the workspace, and the other figures until the
queue is there: until a known word arrives at the other end of a real terminal (a pty), beside a bare Textual
app with one Static in the same run: from the start of the process and, in brackets, with the imports
done; making up a queue to show is not counted. Beside it stands the processor time until the word was handed
to the terminal. How often the bare app's time something takes is the median of the rounds' own ratios, for in
a round all take their turns at once: other programs on the machine slow them alike. Logs are measured in
Textual's own test driver, idling on a demo workspace with its worker by /proc. All other figures are the best
of a few rounds; nothing here is a test.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import pty
import select
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # what a process loads is part of what is measured
    from opconsole.console import Answer, Preview
    from opconsole.journal.records import RequestKind
    from opconsole.seen import Seen
    from opconsole.views import EnvironmentView, Snapshot, TaskView
    from queues.queue_file import QueueFile

ROUNDS = 7
FEW = 4
"""Rounds of what takes long."""
MARK = "DEPLOY-000000"
WORKSPACE = """
[projects.shop]
path = "shop"
[projects.shop.environments.development.target]
type = "releases"
path = "deployed/development"
[projects.shop.environments.staging.target]
type = "releases"
path = "deployed/staging"
[projects.shop.environments.production.target]
type = "releases"
path = "deployed/production"
"""
FIRST_WORDS = "reading the workspace"
"""What the console says before it has read anything."""
COLUMNS, LINES = 120, 40
PATIENCE = 60.0
"""Seconds for anything before it counts as failed."""
AS_INSTALLED = {"PYTHONDONTWRITEBYTECODE": ""}
"""Modules come compiled with an installation: without, any start is mostly compiling Textual."""
LOG_LINES = 1_000_000
FOLLOW_LINES = 400_000
FOLLOW_BATCH = 2_000
PACE = 100_000
"""Lines a second that the followed log grows by."""
IDLE_SECONDS = 10.0
SETTLE_SECONDS = 5.0


@dataclass(frozen=True)
class Figure:
    """One line of the table."""

    what: str
    value: str
    goal: str = ""
    met: bool | None = None

    def __str__(self) -> str:
        verdict = "" if self.met is None else ("  ok" if self.met else "  MISSED")
        return f"{self.what:<52} {self.value:>22}   {self.goal}{verdict}".rstrip()


PARTS = ("paint", "log", "idle")


def main(parts: list[str]) -> None:
    """Measure the parts and print their figures."""
    for part in parts or list(PARTS):
        found = {"paint": paints, "log": log_figures, "idle": idle_figures}[part]()
        print(f"-- {part}")
        for figure in found:
            print(figure, flush=True)


# -- first paint


@dataclass(frozen=True)
class Paint:
    """What one first paint took, in seconds: making up what is shown is left out."""

    whole: float
    """From the start of the process until the word arrived at the terminal's other end."""
    app: float
    """Of that, without the imports."""
    cpu: float
    """The processor time of the whole, in user and kernel mode."""
    app_cpu: float


def paints() -> Iterator[Figure]:
    """Show each app in a terminal of its own, in turns, so that a busy moment hits them all."""
    kinds = ("bare", "first", "empty", "10000", "100000", "file")
    seen: dict[str, list[Paint]] = {kind: [] for kind in kinds}
    with tempfile.TemporaryDirectory(prefix="opconsole-bench-") as folder:
        compiled = Path(folder)
        for kind in ("bare", "empty"):
            painted_in_terminal(kind, compiled)  # compiles the modules, as an installation does
        for number in range(ROUNDS):
            for kind in kinds:
                if kind not in ("100000", "file") or number < FEW:
                    seen[kind].append(painted_in_terminal(kind, compiled))
    bare = best(seen["bare"])
    yield Figure(
        "first paint of a bare Textual app",
        f"{bare.whole:.3f} s ({bare.app:.3f} s)",
        f"(imports done); processor {bare.cpu:.3f} s ({bare.app_cpu:.3f} s)",
    )
    for kind, what, factor in (
        ("first", "first paint of the console", 1.25),
        ("empty", "console, empty queue read and shown", None),
        ("10000", "console, 10,000 tasks", 2.0),
        ("100000", "console, 100,000 tasks", None),
    ):
        one = best(seen[kind])
        pairs = list(zip(seen[kind], seen["bare"], strict=False))
        clock = statistics.median(ours.whole / theirs.whole for ours, theirs in pairs)
        processor = statistics.median(ours.cpu / theirs.cpu for ours, theirs in pairs)
        told = f"{clock:.2f} x bare; processor {one.cpu:.3f} s, {processor:.2f} x bare"
        value = f"{one.whole:.3f} s ({one.app:.3f} s)"
        if factor is None:
            yield Figure(what, value, told)
        else:
            yield Figure(what, value, f"{told}, goal {factor} x", clock <= factor)
    one = best(seen["file"])
    yield Figure(
        "100,000 tasks parsed, validated and shown",
        f"{one.app:.3f} s",
        f"processor {one.app_cpu:.3f} s, goal 1 s",
        one.app < 1,
    )
    first, queue = command_painted()
    yield Figure("the command, until its first words", f"{first:.3f} s", f"{first / bare.whole:.2f} x bare")
    yield Figure(
        "the command, until its queue is there", f"{queue:.3f} s", f"{queue / bare.whole:.2f} x bare"
    )


def command_painted() -> tuple[float, float]:
    """Give the seconds until `opconsole` shows its first words, and its queue: settings, journal and all.

    A worker is alive after the first round, which is not counted.
    """
    from benchmarks.queue_file import queue_bytes  # noqa: PLC0415 (for this alone)

    command = [sys.executable, "-P", "-m", "opconsole"]
    with tempfile.TemporaryDirectory(prefix="opconsole-bench-") as folder:
        root = Path(folder, "workspace")
        (root / "tasks").mkdir(parents=True)
        (root / "shop").mkdir()
        (root / "tasks" / "work_queue_shop.json").write_bytes(queue_bytes(20))
        (root / "opconsole.toml").write_text(WORKSPACE)
        environment = {**AS_INSTALLED, "PYTHONPYCACHEPREFIX": f"{folder}/compiled"}
        environment["OPCONSOLE_STATE_DIR"] = f"{folder}/state"
        found = []
        try:
            for _ in range(ROUNDS + 1):
                began = time.monotonic()
                with in_terminal([*command, "-C", str(root)], environment) as screen:
                    first = screen.until(FIRST_WORDS.encode())
                    found.append((first - began, screen.until(MARK.encode()) - began))
        finally:
            stop = [*command, "-C", str(root), "worker", "--stop"]
            subprocess.run(stop, env={**os.environ, **environment}, check=False, capture_output=True)
    return min(first for first, _ in found[1:]), min(queue for _, queue in found[1:])


def best(paints: list[Paint]) -> Paint:
    """Give the best of each time."""
    return Paint(
        min(one.whole for one in paints),
        min(one.app for one in paints),
        min(one.cpu for one in paints),
        min(one.app_cpu for one in paints),
    )


def painted_in_terminal(kind: str, compiled: Path) -> Paint:
    """Show an app until its mark has arrived; compiled modules are kept in the folder *compiled*."""
    with tempfile.NamedTemporaryFile(mode="r", encoding="utf-8") as told:
        queue = Path(told.name + ".json")
        if kind == "file":
            from benchmarks.queue_file import queue_bytes  # noqa: PLC0415 - only for this kind

            queue.write_bytes(queue_bytes(100_000))
        began = time.monotonic()
        command = [sys.executable, "-m", "benchmarks.console", "--child", kind, told.name]
        with in_terminal(command, {**AS_INSTALLED, "PYTHONPYCACHEPREFIX": str(compiled)}) as screen:
            seen = screen.until(mark_of(kind).encode())
        queue.unlink(missing_ok=True)
        (imported, ready, _), (imported_cpu, ready_cpu, painted_cpu) = zip(
            *(map(float, line.split()) for line in told.read().splitlines()), strict=True
        )
        app, app_cpu = seen - ready, painted_cpu - ready_cpu
        return Paint(imported - began + app, app, imported_cpu + app_cpu, app_cpu)


class Terminal:
    """The other end of a terminal, and the process in it."""

    def __init__(self, process: subprocess.Popen[bytes], descriptor: int) -> None:
        self.process = process
        self._descriptor = descriptor

    def until(self, mark: bytes) -> float:
        """Give the moment (monotonic) at which *mark* has arrived."""
        text = b""
        deadline = time.monotonic() + PATIENCE
        while mark not in text:
            data = self.read(deadline - time.monotonic())
            if not data:
                raise TimeoutError(f"{mark!r} was not painted; the end of what was: {text[-500:]!r}")
            text += data
        return time.monotonic()

    def type(self, keys: bytes) -> None:
        """Press keys."""
        os.write(self._descriptor, keys)

    def drain(self, seconds: float) -> None:
        """Read whatever is painted for so long."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self.read(left)

    def read(self, timeout: float) -> bytes:
        """Give what is painted, once something is; nothing after so many seconds without."""
        ready, _, _ = select.select([self._descriptor], [], [], max(timeout, 0.0))
        try:
            return os.read(self._descriptor, 65536) if ready else b""
        except OSError:  # the process is gone
            return b""


@contextmanager
def in_terminal(command: list[str], environment: Mapping[str, str] | None = None) -> Iterator[Terminal]:
    """Run a program in a terminal of its own; it is ended on the way out."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
    surroundings = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor", **(environment or {})}
    process = subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, env=surroundings, start_new_session=True
    )
    os.close(theirs)
    try:
        yield Terminal(process, ours)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
        os.close(ours)


def mark_of(kind: str) -> str:
    """Give the word by which a kind of app is known to be painted."""
    return FIRST_WORDS if kind == "first" else MARK


def show(kind: str, told: Path) -> None:
    """Be the app in the terminal."""
    if kind == "bare":
        from textual.app import App, ComposeResult  # noqa: PLC0415 - imports are part of the measurement
        from textual.widgets import Static  # noqa: PLC0415

        class Bare(App[None]):
            def compose(self) -> ComposeResult:
                yield Static(MARK)

        tell_painted(told)
        tell(told)
        tell(told)
        Bare().run()
        return
    from queues.collector import hold_collector  # noqa: PLC0415

    hold_collector()  # as the command does
    from opconsole.app import OpconsoleApp  # noqa: PLC0415

    if kind == "file":
        import opconsole.reading  # noqa: F401, PLC0415 - what it needs belongs to the imports

        queue = Path(f"{told}.json")
        tell_painted(told)
        tell(told)
        tell(told)
        OpconsoleApp(Shown(read_views(queue))).run()
        return
    tell_painted(told, mark_of(kind))
    tell(told)
    views = made_views(int(kind)) if kind.isdigit() else ()
    tell(told)
    OpconsoleApp(Shown(views, operator=MARK if not views else "ana", reads=kind != "first")).run()


def tell(told: Path) -> None:
    """Note the moment, and the processor time until now, for whoever measures."""
    with told.open("a", encoding="utf-8") as file:
        file.write(f"{time.monotonic()} {time.process_time()}\n")


def tell_painted(told: Path, mark: str = MARK) -> None:
    """Note the moment in which the mark is handed to the terminal: what is done after it is not counted."""
    from textual.drivers.linux_driver import LinuxDriver  # noqa: PLC0415 - imports are part of what is measured

    write = LinuxDriver.write

    def watched(driver: LinuxDriver, data: str) -> None:
        if mark in data:
            tell(told)
            LinuxDriver.write = write  # type: ignore[method-assign]
        write(driver, data)

    LinuxDriver.write = watched  # type: ignore[method-assign]


def made_views(count: int) -> Sequence[TaskView]:
    """Give the views of a queue without any file."""
    from benchmarks.queue_file import queue_bytes  # noqa: PLC0415 - only some of the children need it
    from queues.queue_file import parse_queue  # noqa: PLC0415

    return views_of(parse_queue(queue_bytes(count), name="work_queue_shop.json"))


def read_views(path: Path) -> Sequence[TaskView]:
    """Read a queue file and give its views."""
    from queues.queue_file import read_queue  # noqa: PLC0415

    return views_of(read_queue(path, project="shop"))


def views_of(file: QueueFile) -> Sequence[TaskView]:
    """Give the views of a queue file's tasks."""
    from guardrails.environments import STANDARD  # noqa: PLC0415
    from opconsole.task_views import Present, TaskViews, graph_of  # noqa: PLC0415

    files = {"shop": file}
    return TaskViews(files, {"shop": STANDARD}, graph_of(files), [], Present()).tasks


class Shown:
    """A console on which nothing happens."""

    def __init__(self, tasks: Sequence[TaskView], operator: str = "ana", *, reads: bool = True) -> None:
        """Show these tasks; one that does not read is for ever about to."""
        self._reads = reads
        self.read_only = self.stays_read_only = False
        self.operator = operator
        self._tasks = tasks

    async def snapshot(self) -> Snapshot:
        """Give the tasks."""
        if not self._reads:
            await asyncio.Event().wait()
        from opconsole.views import QueueView, Snapshot  # noqa: PLC0415 - the parent process needs none of it

        queue = QueueView("shop", False, Path("work_queue_shop.json"), ())
        return Snapshot("bench", self._tasks, (queue,), 0, 0, 0, worker_alive=True)

    async def run(self, _run: str) -> None:
        """Give no run."""

    async def programs(self, _run: str, _position: int, _name: str) -> tuple[()]:
        """Give no programs."""
        return ()

    async def approvals(self) -> tuple[()]:
        """Give no approvals."""
        return ()

    async def durations(self) -> dict[tuple[str, str, str], float]:
        """Give no durations."""
        return {}

    async def environments(self) -> tuple[EnvironmentView, ...]:
        """Give no environments."""
        return ()

    async def look(self, environment: EnvironmentView) -> Seen:
        """See nothing."""
        raise NotImplementedError(environment.environment)

    async def migration_source(self, _run: str, _path: str) -> None:
        """Give no source."""

    async def checkout(self, _run: str) -> None:
        """Give no checkout."""

    async def exempt(self, proposal: object) -> Answer:
        """Refuse."""
        raise NotImplementedError(str(proposal))

    def sign(self, run_id: str, reason: str, *, ask: bool) -> str:
        """Refuse."""
        raise NotImplementedError(f"{run_id} {reason} {ask}")

    async def hear(self, text: str, _project: str | None = None) -> Preview:
        """Hear nothing."""
        raise NotImplementedError(text)

    async def add(self, preview: Preview, *, start: bool) -> Answer:
        """Refuse."""
        raise NotImplementedError(f"{preview} {start}")

    async def changes(self) -> AsyncIterator[None]:
        """Never wake."""
        await asyncio.Event().wait()
        yield

    async def ask(self, kind: RequestKind, payload: Mapping[str, object]) -> Answer:
        """Refuse."""
        raise NotImplementedError(f"{kind} {payload}")


# -- logs


def log_figures() -> list[Figure]:
    """Show a log of a million lines, and follow one that grows as fast as it can be written."""
    with tempfile.TemporaryDirectory(prefix="opconsole-bench-") as folder:
        path = Path(folder) / "log"
        with path.open("w", encoding="utf-8") as file:
            file.writelines(log_line(number) for number in range(LOG_LINES))
        return asyncio.run(watched(path))


def log_line(number: int) -> str:
    """Give a line as a run's log has it."""
    return f"2026-03-02T14:05:00.120Z o building part {number} of the release, as it was asked\n"


async def watched(path: Path) -> list[Figure]:
    """Open the log in the driver, follow it, and press keys meanwhile."""
    from textual import events  # noqa: PLC0415 - the other parts need no Textual in this process
    from textual.app import App, ComposeResult  # noqa: PLC0415

    from screens.widgets.log_pane import LogPane  # noqa: PLC0415
    from screens.widgets.log_view import LogView  # noqa: PLC0415

    class Watching(App[None]):
        pressed: asyncio.Event

        def compose(self) -> ComposeResult:
            yield LogPane()

        def on_key(self, event: events.Key) -> None:
            if event.key == "f12":
                self.pressed.set()

    app = Watching()
    app.pressed = asyncio.Event()
    async with app.run_test(size=(COLUMNS, LINES)) as pilot:
        await pilot.pause()
        pane, view = app.query_one(LogPane), app.query_one(LogView)
        last = f"part {LOG_LINES - 1} of"
        began = time.perf_counter()
        pane.show_log(path)
        await until(lambda: last in view.text_in_view())
        tail = time.perf_counter() - began
        await until(lambda: view.complete and view.count == LOG_LINES)
        indexed = time.perf_counter() - began
        await asyncio.sleep(0.2)  # the follower sets up its watch
        # A process of its own, as a program's output comes: a thread would take turns with the loop.
        command = [sys.executable, "-m", "benchmarks.console", "--grow", str(path)]
        beside = await asyncio.create_subprocess_exec(
            *[sys.executable, "-m", "benchmarks.console", "--keys"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert beside.stdout is not None
        await beside.stdout.readline()  # it has begun
        writer = await asyncio.create_subprocess_exec(*command)
        total = LOG_LINES + FOLLOW_LINES
        delays: list[float] = []
        await until(lambda: view.count > LOG_LINES)
        began, there = time.perf_counter(), view.count
        while f"part {total - 1} of" not in view.text_in_view():
            app.pressed.clear()
            asked = time.perf_counter()
            app.simulate_key("f12")
            async with asyncio.timeout(PATIENCE):
                await app.pressed.wait()
            delays.append(time.perf_counter() - asked)
            await asyncio.sleep(0.005)
            if time.perf_counter() - began > PATIENCE:
                break
        took = time.perf_counter() - began
        told, _ = await beside.communicate(b"")  # its input ends: so do its keys
        await writer.wait()
    floor, floor_worst = map(float, told.split())
    rate, worst = (total - there) / took, max(delays) * 1000
    most = statistics.quantiles(delays, n=20)[-1] * 1000
    return [
        Figure(f"log of {LOG_LINES:,} lines: tail on screen", f"{tail:.3f} s", "goal 0.3 s", tail < 0.3),
        Figure("  every line counted", f"{indexed:.3f} s"),
        Figure("  follow", f"{rate:,.0f} lines/s", f"written {PACE:,} lines/s, goal 50,000", rate >= 50_000),
        Figure(
            f"  a key answered meanwhile (of {len(delays)})",
            f"{most:.1f} / {worst:.1f} ms",
            f"95 % / worst; a bare app beside it {floor:.1f} / {floor_worst:.1f} ms, goal 50 ms above",
            most - floor < 50,
        ),
    ]


async def pressed_alone() -> None:
    """Press keys in a bare app until the input ends; print what 95 % and the worst took, in milliseconds."""
    from textual import events  # noqa: PLC0415 - only this child needs it
    from textual.app import App  # noqa: PLC0415

    class Bare(App[None]):
        pressed = asyncio.Event()

        def on_key(self, event: events.Key) -> None:
            if event.key == "f12":
                self.pressed.set()

    app = Bare()
    delays: list[float] = []
    async with app.run_test(size=(COLUMNS, LINES)):
        print("ready", flush=True)
        ended = asyncio.ensure_future(asyncio.to_thread(sys.stdin.read))
        while not ended.done() or len(delays) < 2:
            app.pressed.clear()
            asked = time.perf_counter()
            app.simulate_key("f12")
            async with asyncio.timeout(PATIENCE):
                await app.pressed.wait()
            delays.append(time.perf_counter() - asked)
            await asyncio.sleep(0.005)
    print(statistics.quantiles(delays, n=20, method="inclusive")[-1] * 1000, max(delays) * 1000, flush=True)


def grow(path: Path) -> None:
    """Append to the log batch by batch, at a steady pace."""
    began = time.monotonic()
    with path.open("a", encoding="utf-8") as file:
        for first in range(0, FOLLOW_LINES, FOLLOW_BATCH):
            time.sleep(max(0.0, began + first / PACE - time.monotonic()))
            numbers = range(LOG_LINES + first, LOG_LINES + first + FOLLOW_BATCH)
            file.writelines(log_line(number) for number in numbers)
            file.flush()


async def until(met: Callable[[], bool]) -> None:
    """Wait for a condition, asked at every turn of the loop's clock."""
    deadline = time.perf_counter() + PATIENCE
    while not met():
        if time.perf_counter() > deadline:
            raise TimeoutError("it was not shown")
        await asyncio.sleep(0.002)


# -- idling


def idle_figures() -> list[Figure]:
    """Let a console and its worker idle on a demo workspace."""
    with tempfile.TemporaryDirectory(prefix="opconsole-bench-") as folder:
        os.environ["OPCONSOLE_STATE_DIR"] = str(Path(folder) / "state")
        from opconsole.demo.make import make_demo  # noqa: PLC0415 - the state's place is set first

        demo = make_demo(Path(folder) / "demo")
        command = [sys.executable, "-m", "opconsole", "-C", str(demo.directory)]
        try:
            with in_terminal(command) as screen:
                screen.until(b"Pipeline")
                screen.drain(SETTLE_SECONDS)
                return idling(screen, {"console": screen.process.pid, "worker": worker_of(demo.directory)})
        finally:
            subprocess.run([*command, "worker", "--stop"], capture_output=True, timeout=PATIENCE, check=False)


def idling(screen: Terminal, processes: Mapping[str, int]) -> list[Figure]:
    """Give what the processes take while nothing happens."""
    began = time.monotonic()
    before = {name: cpu_seconds(pid) for name, pid in processes.items()}
    screen.drain(IDLE_SECONDS)
    elapsed = time.monotonic() - began
    shares = {name: (cpu_seconds(pid) - before[name]) / elapsed * 100 for name, pid in processes.items()}
    sizes = {name: resident_mb(pid) for name, pid in processes.items()}
    together = sum(shares.values())
    each = ", ".join(f"{name} {share:.2f} %" for name, share in shares.items())
    return [
        Figure("idle: CPU together", f"{together:.2f} %", f"{each}; goal 1 %", together < 1),
        *[
            Figure(f"idle: memory of the {name}", f"{size:.0f} MB", "goal 150 MB", size < 150)
            for name, size in sizes.items()
        ],
    ]


def worker_of(workspace: Path) -> int:
    """Give the process that works for a workspace."""
    from opconsole.journal.hosting import holder, host_alive  # noqa: PLC0415 - after the state's place is set
    from opconsole.journal.location import locate  # noqa: PLC0415

    place = locate(workspace, create=False)
    who = holder(place) if place is not None and host_alive(place) else None
    if who is None:
        raise LookupError("the demo has no worker")
    return who.pid


def cpu_seconds(pid: int) -> float:
    """Give the processor time that a process has taken, in user and kernel mode."""
    fields = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_mb(pid: int) -> float:
    """Give the memory that a process keeps, in MB."""
    lines = Path(f"/proc/{pid}/status").read_text("utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) / 1000


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        show(sys.argv[2], Path(sys.argv[3]))
    elif sys.argv[1:2] == ["--grow"]:
        grow(Path(sys.argv[2]))
    elif sys.argv[1:2] == ["--keys"]:
        asyncio.run(pressed_alone())
    else:
        main(sys.argv[1:])
