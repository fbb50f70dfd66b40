"""The laboratory's project: three environments, Alembic on SQLite, and programs that keep a ledger.

Every program of the project appends a line to one file for what it did, so that the journal's word can be
held against what really happened. A baseline is deployed once and put back before each story.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from opconsole.trees import remove_tree

ENVIRONMENTS = ("development", "staging", "production")
ODD = {"owner": "Zoë", "weights": [1, 2.50, {"deep": None}], "x-unknown": True}
"""Fields that opconsole does not know and must keep."""

_TOLD = """\
told() {
  grep -q "\\"$OPCONSOLE_RUN\\"" "$HOLDER" 2>/dev/null && held=own || held=other
  echo "$1 $2 $OPCONSOLE_RUN $OPCONSOLE_ENVIRONMENT $3 $held $(date +%s%N)" >> "$LEDGER"
}
"""
_RESTART = (
    _TOLD
    + """\
told begin restart "$OPCONSOLE_RELEASE"
while [ -e "$HOLD" ]; do sleep 0.02; done
sleep 0.03
told end restart "$OPCONSOLE_RELEASE"
"""
)
_HEALTH = (
    _TOLD
    + """\
told end health "$OPCONSOLE_VERSION"
grep -q sick "$1/current/app.txt" && { echo "it answers 500"; exit 1; }
exit 0
"""
)
_ENV_PY = """\
import os
from alembic import context
from sqlalchemy import create_engine, event

engine = create_engine(os.environ["DATABASE_URL"])
@event.listens_for(engine, "connect")
def connect(connection, record):
    connection.isolation_level = None
@event.listens_for(engine, "begin")
def begin(connection):
    connection.exec_driver_sql("BEGIN IMMEDIATE")
with engine.connect() as connection:
    context.configure(connection=connection, transactional_ddl=True)
    with context.begin_transaction():
        context.run_migrations()
engine.dispose()
"""
_MIGRATION = '''\
"""Make t{revision}."""
import os, time
from alembic import op
import sqlalchemy as sa

revision = "{revision}"
down_revision = {below}


def told(when, what):
    words = [when, what, os.environ["OPCONSOLE_RUN"], os.environ["OPCONSOLE_ENVIRONMENT"], revision]
    with open(os.environ["LEDGER"], "a") as ledger:
        ledger.write(" ".join([*words, "own", str(time.time_ns())]) + "\\n")


def upgrade():
    told("begin", "upgrade")
    op.create_table("t{revision}", sa.Column("id", sa.Integer, primary_key=True))
    time.sleep(0.03)
    told("end", "upgrade")


def downgrade():
    told("begin", "downgrade")
    op.drop_table("t{revision}")
    told("end", "downgrade")
'''


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the ledger: what a program did, and whether its run held the target then."""

    when: str
    program: str
    run: str
    environment: str
    subject: str
    own: bool
    at: int


class Workspace:
    """The live workspace, its state folder, and the baseline that both are put back to."""

    def __init__(self, base: Path) -> None:
        self.base = base.resolve()
        self.live = self.base / "live"
        self.kept = self.base / "kept"
        self.root = self.live / "workspace"
        self.state = self.live / "state"
        self.project = self.root / "projects" / "app"
        self.hold = self.live / "hold"
        self.ledger = self.live / "ledger"

    # -- making it

    def make(self) -> None:
        """Write the project at version 1.0.0, and a queue that deploys it everywhere."""
        for folder in (self.project, self.root / "bin", self.root / "tasks", self.state):
            folder.mkdir(parents=True)
        self.write("app.txt", "first\n")
        self.write("build.sh", "mkdir dist && cp app.txt dist/\n")
        self.write("test.sh", "exit 0\n")
        self.write("alembic.ini", "[alembic]\nscript_location = %(here)s/alembic\npath_separator = os\n")
        self.write("alembic/env.py", _ENV_PY)
        self.migration("0001", None)
        (self.root / "bin" / "restart.sh").write_text(_RESTART)
        (self.root / "bin" / "health.sh").write_text(_HEALTH)
        self.ledger.touch()
        self.settings()
        self.queue(*(entry(f"ONE-{name.upper()}", name, "1.0.0") for name in ENVIRONMENTS))

    def settings(self, *, sick: bool = False) -> None:
        """Write opconsole.toml; what is not *sick* has time to answer, however busy the machine is."""
        lines = ["[projects.app]", 'path = "projects/app"', f'venv = "{sys.prefix}"']
        lines += ['test = ["sh", "test.sh"]', 'build = ["sh", "build.sh"]', 'artifact = "dist"']
        lines += ["[projects.app.migrations]", 'path = "alembic/versions"', 'dialect = "sqlite"']
        for name in ENVIRONMENTS:
            head = f"projects.app.environments.{name}"
            target = self.target(name)
            lines += [f"[{head}]", f"[{head}.target]", 'type = "releases"', f'path = "{target}"']
            lines += [f'restart = ["sh", "{self.root}/bin/restart.sh"]']
            lines += [f"[[{head}.health]]", 'type = "command"']
            lines += [f'argv = ["sh", "{self.root}/bin/health.sh", "{target}"]']
            lines += ["interval = 0.02", "passes = 1", f"within = {0.5 if sick else 10.0}", "timeout = 30"]
            lines += [f"[{head}.database]", f'url = "sqlite:///{self.database(name)}"']
            lines += [f"[{head}.variables]", f'LEDGER = "{self.ledger}"', f'HOLD = "{self.hold}"']
            lines += [f'HOLDER = "{target}/.opconsole-target.json"']
        path = self.root / "opconsole.toml"
        path.write_text("\n".join(lines) + "\n", "utf-8")
        path.chmod(0o644)

    def keep(self) -> None:
        """Keep what is live as the baseline. Nobody may host it meanwhile."""
        shutil.copytree(self.live, self.kept, symlinks=True)

    def restore(self) -> None:
        """Put the baseline back, under the same paths."""
        if self.live.exists():
            remove_tree(self.live)
        shutil.copytree(self.kept, self.live, symlinks=True)

    def next_version(self, *, sick: bool, migrates: bool) -> None:
        """Change the sources: another text, and one more migration."""
        self.write("app.txt", "sick\n" if sick else "second\n")
        self.settings(sick=sick)
        if migrates:
            self.migration("0002", "0001")

    def write(self, name: str, text: str) -> Path:
        path = self.project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
        return path

    def migration(self, revision: str, below: str | None) -> None:
        text = _MIGRATION.format(revision=revision, below=f'"{below}"' if below else None)
        self.write(f"alembic/versions/{revision}_make.py", text)

    # -- its places and what is in them

    def target(self, environment: str) -> Path:
        return self.live / "targets" / environment

    def current(self, environment: str) -> str | None:
        """Name the release that serves."""
        link = self.target(environment) / "current"
        return link.readlink().name if link.is_symlink() else None

    def holder(self, environment: str) -> str | None:
        """Name the run that the target says holds it."""
        path = self.target(environment) / ".opconsole-target.json"
        holder = json.loads(path.read_text())["holder"] if path.exists() else None
        return str(holder["run"]) if holder else None

    def database(self, environment: str) -> Path:
        return self.live / f"{environment}.db"

    def revision(self, environment: str) -> str | None:
        """Give where the database stands by its own word."""
        if not self.database(environment).exists():
            return None
        with closing(sqlite3.connect(self.database(environment))) as connection:
            rows = connection.execute("SELECT version_num FROM alembic_version").fetchall()
        return str(rows[0][0]) if rows else "base"

    def tables(self, environment: str) -> set[str]:
        """Name the tables that migrations made."""
        with closing(sqlite3.connect(self.database(environment))) as connection:
            rows = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        return {name for (name,) in rows} - {"alembic_version"}

    def lines(self) -> list[Line]:
        """Give the ledger."""
        found = []
        for line in self.ledger.read_text().splitlines():
            when, program, run, environment, subject, held, at = line.split(" ")
            found.append(Line(when, program, run, environment, subject, held == "own", int(at)))
        return found

    # -- the queue

    @property
    def queue_file(self) -> Path:
        return self.root / "tasks" / "work_queue_app.json"

    def queue(self, *tasks: dict[str, object]) -> None:
        document = {"project": "app", "comment": ODD, "features": list(tasks)}
        self.queue_file.write_text(json.dumps(document, indent=3, ensure_ascii=False), "utf-8")

    def entries(self) -> dict[str, dict[str, object]]:
        """Give the queue's entries by their ids."""
        features = json.loads(self.queue_file.read_text("utf-8"))["features"]
        return {str(one["id"]): one for one in features}

    def git(self, *arguments: str) -> None:
        """Run git in the workspace, without anybody's settings."""
        identity = ["-c", "user.name=Somebody", "-c", "user.email=somebody@example.org"]
        variables = {
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_CONFIG_SYSTEM": "/dev/null",
            "PATH": "/usr/bin:/bin",
        }
        argv = ["git", *identity, "-C", str(self.root), *arguments]
        subprocess.run(argv, check=True, capture_output=True, env=variables)


def entry(task: str, environment: str, version: str, *, migrates: bool = True) -> dict[str, object]:
    """Write the queue entry of a deployment."""
    return {
        "id": task,
        "agent_type": "deployment",
        "environment": environment,
        "version": version,
        "run_migrations": migrates,
        "status": "pending",
        "max_iterations": 9,
        **ODD,
    }
