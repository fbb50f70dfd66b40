"""A small project that is really deployed: its workspace, its queues, and an engine driven by hand."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from opconsole.engine import Engine
from opconsole.host import open_host
from opconsole.ids import new_request_id
from opconsole.journal import ops
from opconsole.journal.hosting import HostLock
from opconsole.journal.location import JournalPlace, locate
from opconsole.journal.records import Approval, EventRow, RequestKind, RequestRow, Run, StepRow
from opconsole.journal.upkeep import contradictions
from opconsole.workspace import Workspace

DEADLINE = 120.0  # a busy machine is slow; nothing waits longer than it must
ENVIRONMENTS = ("development", "staging", "production")

BUILD = """\
test ! -e broken-build || { echo "the compiler gave up"; exit 3; }
mkdir dist && cp -r app.txt dist/
"""
TEST = 'test ! -e broken-test || { echo "1 test failed"; exit 1; }\n'
SMOKE = 'grep -q smoke-me "$TARGET/current/app.txt" && exit 1; exit 0\n'
RESTART = """\
echo "$OPCONSOLE_RELEASE" >> "$OPCONSOLE_SHARED_DIR/restarts"
grep -q stubborn current/app.txt && exit 7
exit 0
"""
HEALTH = """\
grep -q sick "$1/current/app.txt" && { echo "it answers 500"; exit 1; }
exit 0
"""


class TestClock:
    """The machine's clock, which a test can put forward; waiting only puts it forward."""

    __test__ = False

    def __init__(self) -> None:
        self.ahead = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    async def sleep(self, seconds: float) -> None:
        self.ahead += timedelta(seconds=seconds)
        await asyncio.sleep(0)


class Answer:
    """What came of a request."""

    def __init__(self, row: RequestRow) -> None:
        self.granted = bool(row.granted)
        self.text = row.answer or ""


class Driver:
    """An engine that hosts the workspace, driven request by request; nothing happens behind its back."""

    def __init__(self, engine: Engine, place: JournalPlace, clock: TestClock, user: str) -> None:
        self.engine = engine
        self.host = engine.host
        self.reader = engine.host.reader
        self.place = place
        self.clock = clock
        self.user = user

    async def go(self, *projects: str, max_attempts: int | None = None) -> None:
        """Start the queues and schedule until nothing more can be done without a person."""
        for project in projects or ("app",):
            await self.engine.start(project, max_attempts)
        await self.idle()

    async def idle(self) -> None:
        async with asyncio.timeout(DEADLINE):
            await self.engine.until_idle()

    async def ask(self, kind: RequestKind, by: str | None = None, **payload: object) -> Answer:
        row = RequestRow(new_request_id(), kind, payload, self.clock.now(), by or self.user)
        await self.host.journal.commit(ops.insert_request(row))
        await self.engine.answer_requests()
        answered = self.reader.request(row.id)
        assert answered is not None
        return Answer(answered)

    async def decide(self, task: str, verb: str, reason: str = "so it be", **more: Any) -> Answer:
        answer = await self.ask(RequestKind.DECIDE, run=self.run(task).id, verb=verb, reason=reason, **more)
        await self.idle()
        return answer

    async def retry(self, task: str, **more: object) -> Answer:
        answer = await self.ask(RequestKind.RETRY, run=self.run(task).id, **more)
        await self.idle()
        return answer

    async def approve(self, task: str, by: str | None = None, **changed: object) -> Answer:
        """Approve what waits of a task, as its tier wants it, and let it go on."""
        run, approval = self.run(task), self.approval(task)
        payload = {"plan": approval.digest, "reason": "looked at it", "environment": run.environment}
        answer = await self.ask(RequestKind.APPROVE, by, **{"run": run.id, **payload, **changed})
        await self.idle()
        return answer

    def run(self, task: str, project: str = "app") -> Run:
        found = self.reader.latest_run(project, task)
        assert found is not None, f"no run of {task}"
        return found

    def state(self, task: str, project: str = "app") -> str:
        found = self.reader.latest_run(project, task)
        return found.state.value if found else "no run"

    def approval(self, task: str) -> Approval:
        """Give the approval that a task waits for."""
        run = self.run(task)
        waiting = [one for one in self.reader.waiting_approvals() if one.run == run.id]
        assert waiting, f"{task} is {run.state.value}: {run.reason}"
        return waiting[0]

    def steps(self, task: str) -> list[StepRow]:
        return self.reader.steps(self.run(task).id)

    def step(self, task: str, name: str) -> StepRow:
        return [step for step in self.steps(task) if step.name == name][-1]

    def effects(self, task: str) -> list[str]:
        """Name the steps of a task that began behind the gate, the comparison left out."""
        return [
            step.name
            for step in self.steps(task)
            if step.phase.value != "preflight" and step.name != "compare" and step.started_at is not None
        ]

    def log(self, task: str) -> str:
        return (self.place.runs / self.run(task).id / "log").read_text("utf-8")

    def events(self, name: str) -> list[EventRow]:
        return [event for event in self.reader.events_after(0) if event.event == name]


class Project:
    """One workspace with one project (or more), and its files."""

    def __init__(self, root: Path, clock: TestClock) -> None:
        self.root = root
        self.clock = clock
        self.path = root / "projects" / "app"
        self.bin = root / "bin"
        self.extra: dict[str, str] = {}
        """More lines for an environment's table, by its name."""
        self.more = ""
        """More tables, at the end of the settings."""
        self.project_lines = ""
        self.policy = ""
        self.health: str | None = f'["sh", "{root}/bin/health.sh", "TARGET"]'
        self.restart = f'["sh", "{root}/bin/restart.sh"]'
        self.build = '["sh", "build.sh"]'
        self.smoke = ""
        self.migrations = False
        self.dialect = "sqlite"
        self.databases: dict[str, str] = {}
        """URLs, or references to them, in place of SQLite files, by environment."""
        self.migration_lines = ""
        self.environ: dict[str, str] = {"HOME": str(root)}
        self.targets: Path | None = None
        """Where releases go; by default into the workspace."""

    def make(self) -> None:
        for folder in (self.path, self.bin, self.root / "tasks"):
            folder.mkdir(parents=True)
        self.write("app.txt", "first\n")
        self.write("build.sh", BUILD)
        self.write("test.sh", TEST)
        self.write("smoke.sh", SMOKE)
        (self.bin / "restart.sh").write_text(RESTART)
        (self.bin / "health.sh").write_text(HEALTH)
        self.settings()

    def write(self, name: str, text: str) -> Path:
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
        return path

    def target(self, environment: str) -> Path:
        return (self.targets or self.root / "targets") / environment

    def current(self, environment: str) -> str:
        """Name the release that serves in an environment."""
        link = self.target(environment) / "current"
        return link.readlink().name if link.is_symlink() else ""

    def database(self, environment: str) -> Path:
        return self.root / f"{environment}.db"

    def settings(self) -> None:
        lines = [self.policy, "[projects.app]", 'path = "projects/app"', self.project_lines]
        lines += ['test = ["sh", "test.sh"]', f"build = {self.build}", 'artifact = "dist"']
        if self.smoke:
            lines.append(f"smoke = {self.smoke}")
        if self.migrations:
            lines += [f'venv = "{sys.prefix}"', "[projects.app.migrations]", 'path = "alembic/versions"']
            lines += [f'dialect = "{self.dialect}"', self.migration_lines]
        for name in ENVIRONMENTS:
            head = f"projects.app.environments.{name}"
            lines += [f"[{head}]", self.extra.get(name, "")]
            lines += [f"[{head}.target]", 'type = "releases"', f'path = "{self.targets or "targets"}/{name}"']
            lines += [f"restart = {self.restart}"]
            if self.health is not None:
                argv = self.health.replace("TARGET", str(self.target(name)))
                lines += [f"[[{head}.health]]", 'type = "command"', f"argv = {argv}"]
                lines += ["interval = 0.02", "passes = 1", "within = 1.0", "timeout = 5"]
            if self.migrations:
                url = self.databases.get(name, f"sqlite:///{self.database(name)}")
                lines += [f"[{head}.database]", f'url = "{url}"']
            lines += [f"[{head}.variables]", f'TARGET = "{self.target(name)}"']
        path = self.root / "opconsole.toml"
        path.write_text("\n".join([*lines, self.more]) + "\n", "utf-8")
        path.chmod(0o644)

    def queue_file(self, project: str = "app") -> Path:
        return self.root / "tasks" / f"work_queue_{project}.json"

    def queue(self, *tasks: dict[str, object], project: str = "app") -> None:
        document = {"project": project, "features": list(tasks)}
        self.queue_file(project).write_text(json.dumps(document, indent=2), "utf-8")

    def entry(self, task: str, project: str = "app") -> dict[str, Any]:
        features = json.loads(self.queue_file(project).read_text("utf-8"))["features"]
        found: dict[str, Any] = next(entry for entry in features if entry["id"] == task)
        return found

    def deployments(self) -> list[dict[str, Any]]:
        path = self.path / ".aibrain" / "deployments.json"
        found: list[dict[str, Any]] = json.loads(path.read_text("utf-8"))["deployments"]
        return found

    def git(self, *arguments: str) -> str:
        identity = ["-c", "user.name=Somebody", "-c", "user.email=somebody@example.org"]
        quiet = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull, "PATH": os.environ["PATH"]}
        argv = ["git", *identity, "-C", str(self.path), *arguments]
        return subprocess.run(argv, check=True, capture_output=True, text=True, env=quiet).stdout.strip()

    @asynccontextmanager
    async def hosted(self, user: str = "ana") -> AsyncIterator[Driver]:
        """Host the engine, as a process that was just started would."""
        workspace = Workspace.open(self.root, environ={})
        place = locate(workspace.root, create=True)
        assert place is not None
        lock = HostLock.try_acquire(place)
        assert lock is not None
        with lock:
            async with open_host(
                workspace, place, operator=user, environ=self.environ, clock=self.clock
            ) as host:
                engine = Engine(host, lock)
                await engine.prepare()
                yield Driver(engine, place, self.clock, user)
                assert contradictions(host.reader.engine) == []


def deployment(id: str, environment: str, version: str = "1.0.0", **more: object) -> dict[str, object]:  # noqa: A002
    return {
        "id": id,
        "agent_type": "deployment",
        "environment": environment,
        "version": version,
        "status": "pending",
        **more,
    }


@pytest.fixture
def clock() -> TestClock:
    return TestClock()


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: TestClock) -> Project:
    """A workspace whose project builds in a moment, with three environments."""
    monkeypatch.setenv("OPCONSOLE_STATE_DIR", str(tmp_path / "state"))
    made = Project(tmp_path / "workspace", clock)
    made.make()
    return made


@pytest.fixture
def deploy() -> Callable[..., dict[str, object]]:
    """Write the queue entry of a deployment."""
    return deployment


@pytest.fixture
def cascade() -> Callable[..., list[dict[str, object]]]:
    """Write the guide's cascade for a version: DEV, STAGING and PROD, each behind the one before."""

    def entries(version: str = "1.0.0", suffix: str = "", **more: object) -> list[dict[str, object]]:
        dev, staging, prod = f"DEV{suffix}", f"STAGING{suffix}", f"PROD{suffix}"
        return [
            deployment(dev, "development", version, **more),
            deployment(staging, "staging", version, depends_on=[dev], **more),
            deployment(prod, "production", version, depends_on=[staging], **more),
        ]

    return entries


@pytest.fixture
def in_git(project: Project) -> Project:
    """The project as a git repository with one commit, tagged v1.0.0."""
    if shutil.which("git") is None:
        pytest.skip("git is not installed here")
    project.git("init", "-q", "-b", "main")
    project.write(".gitignore", ".aibrain/\n")
    project.git("add", "-A")
    project.git("commit", "-qm", "first")
    project.git("tag", "v1.0.0")
    return project


ENV_PY = """\
import os, sqlite3
from alembic import context
from sqlalchemy import create_engine, event

engine = create_engine(os.environ["DATABASE_URL"])
@event.listens_for(engine, "connect")
def connect(connection, record):
    connection.isolation_level = None
TRANSACTION = {transactional}
@event.listens_for(engine, "begin")
def begin(connection):
    if TRANSACTION:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
with engine.connect() as connection:
    context.configure(connection=connection, transactional_ddl=TRANSACTION)
    with context.begin_transaction():
        context.run_migrations()
engine.dispose()
"""

MIGRATION = '''\
"""{description}"""
from alembic import op
import sqlalchemy as sa

revision = "{revision}"
down_revision = {below}


def upgrade():
    {up}


def downgrade():
    {down}
'''


@pytest.fixture
def migrations(project: Project) -> Callable[..., Path]:
    """Give the project Alembic migrations on SQLite; calling it adds one more."""
    project.migrations = True
    project.write("alembic.ini", "[alembic]\nscript_location = %(here)s/alembic\npath_separator = os\n")
    project.write("alembic/env.py", ENV_PY.format(transactional=True))
    project.settings()
    written: list[str] = []

    def add(up: str = "", down: str = "") -> Path:
        revision = f"{len(written) + 1:04}"
        below = f'"{written[-1]}"' if written else "None"
        written.append(revision)
        table = f"t{revision}"
        text = MIGRATION.format(
            description=f"Make {table}.",
            revision=revision,
            below=below,
            up=up or f'op.create_table("{table}", sa.Column("id", sa.Integer, primary_key=True))',
            down=down or f'op.drop_table("{table}")',
        )
        return project.write(f"alembic/versions/{revision}_make.py", text)

    add()
    return add


@pytest.fixture
def alive() -> Callable[[str], Sequence[int]]:
    """List the processes whose command line holds a text."""

    def find(text: str) -> Sequence[int]:
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                line = (folder / "cmdline").read_bytes()
                stat = (folder / "stat").read_text().rpartition(")")[2].split()[0]
            except OSError:
                continue
            if text.encode() in line and stat != "Z" and folder.name != str(os.getpid()):
                found.append(int(folder.name))
        return found

    return find


@pytest.fixture
def alembic_of() -> Callable[[str], list[int]]:
    """Find the Alembic processes of a run: by its variable, for those of others may run beside them."""

    def find(run: str) -> list[int]:
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                mine = f"OPCONSOLE_RUN={run}".encode() in (folder / "environ").read_bytes()
                alembic = b"alembic" in (folder / "cmdline").read_bytes()
            except OSError:
                continue
            if mine and alembic:
                found.append(int(folder.name))
        return found

    return find


@pytest.fixture
def until() -> Callable[..., Any]:
    """Wait until a condition holds, with a deadline."""

    async def wait(condition: Callable[[], object], what: str = "the condition") -> None:
        async with asyncio.timeout(DEADLINE):
            while not condition():  # noqa: ASYNC110 - the world outside sets no event
                await asyncio.sleep(0.01)
        assert condition(), what

    return wait


HOSTING = """
import asyncio, os, sys
from pathlib import Path
from opconsole.engine import Engine
from opconsole.host import open_host
from opconsole.journal.hosting import HostLock
from opconsole.journal.location import locate
from opconsole.workspace import Workspace
from opconsole.cli.worker import end_at_once
import opconsole.attempt as attempt

root, step, when = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
perform, act = attempt.Attempt.perform, attempt.Attempt._act

async def performing(self, planned, *, again=False):
    if (planned.step.name, when) == (step, "before"):
        os._exit(9)
    told = await perform(self, planned, again=again)
    if (planned.step.name, when) == (step, "after"):
        os._exit(9)
    return told

async def acting(self, planned, runner):
    told = await act(self, planned, runner)
    if (planned.name, when) == (step, "within"):
        os._exit(9)
    return told

attempt.Attempt.perform, attempt.Attempt._act = performing, acting

async def main():
    workspace = Workspace.open(root, environ={})
    place = locate(workspace.root, create=True)
    lock = HostLock.try_acquire(place)
    with lock:
        async with open_host(workspace, place, operator="ana", environ={}, on_fatal=end_at_once) as host:
            engine = Engine(host, lock)
            await engine.prepare()
            print("hosting", flush=True)
            await engine.start("app", None)
            await engine.until_idle()

asyncio.run(main())
"""


@pytest.fixture
def dying(project):
    """Host the engine in a process of its own."""
    started = []

    def start(step="", when=""):
        argv = [sys.executable, "-c", HOSTING, str(project.root), step, when]
        process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, env=dict(os.environ))
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()
