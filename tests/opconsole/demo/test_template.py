"""The demo project as opconsole drives it: its tests, its build, its migrations and its real service."""

from __future__ import annotations

import errno
import io
import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from opconsole.cli.main import run_command
from opconsole.cli.output import ExitStatus
from opconsole.demo.make import DemoWorkspace, make_demo
from opconsole.demo.services import stop_demo
from opconsole.demo.settings_text import DemoEnvironment

TEMPLATE = Path(__file__).resolve().parents[3] / "opconsole" / "demo" / "template"
OVERLAYS = ("base", "2.2.0", "2.3.0", "2.4.0")
VERSIONS = {version: OVERLAYS[: place + 1] for place, version in enumerate(("2.1.0", *OVERLAYS[1:]))}
LIMIT = 60.0  # seconds; a slow machine is no failure


def checkout(version: str, directory: Path) -> Path:
    for overlay in VERSIONS[version]:
        ignore = shutil.ignore_patterns("__pycache__")
        shutil.copytree(TEMPLATE / overlay, directory, dirs_exist_ok=True, ignore=ignore)
    return directory


def run(
    *argv: str | Path, cwd: Path, check: bool = True, **variables: str
) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1", **variables}
    command = [sys.executable, *map(str, argv)]
    done = subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=LIMIT
    )
    assert not check or done.returncode == 0, done.stdout + done.stderr
    return done


@dataclass(frozen=True)
class Site:
    """One environment of a demo, with releases placed by hand as a target places them."""

    demo: DemoWorkspace
    environment: DemoEnvironment
    artifacts: Path

    def place(self, version: str) -> None:
        release = self.environment.target / "releases" / f"{version}-1"
        if not release.exists():
            source = checkout(version, self.artifacts / version)
            run("build.py", cwd=source, OPCONSOLE_VERSION=version)
            shutil.copytree(source / "dist" / "credentialmate", release)
        link = self.environment.target / "next"
        link.symlink_to(release)
        link.replace(self.environment.target / "current")

    def service(self, command: str, *, check: bool = True) -> subprocess.CompletedProcess[str]:
        environment = self.environment
        return run(
            "current/service.py",
            command,
            cwd=environment.target,
            check=check,
            OPCONSOLE_SHARED_DIR=str(environment.shared),
            PORT=str(environment.port),
            ENVIRONMENT_NAME=environment.name,
            DATABASE_URL=f"sqlite:///{environment.database}",
        )

    def migrate(self, *command: str) -> subprocess.CompletedProcess[str]:
        ini = "current/apps/backend-api/alembic.ini"
        url = f"sqlite:///{self.environment.database}"
        return run("-m", "alembic", "-c", ini, *command, cwd=self.environment.target, DATABASE_URL=url)

    def get(self, path: str) -> tuple[int, str]:
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with direct.open(self.environment.url + path, timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code, refused.read().decode()

    def pid(self) -> int:
        return int(json.loads((self.environment.shared / "service.json").read_text(encoding="utf-8"))["pid"])

    def listens(self) -> bool:
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", self.environment.port)) != errno.ECONNREFUSED


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("artifacts")


@pytest.fixture
def site(tmp_path: Path, artifacts: Path) -> Iterator[Site]:
    demo = make_demo(tmp_path / "demo", git=None)
    site = Site(demo, demo.environments[0], artifacts)
    yield site
    if (site.environment.target / "current").exists():
        site.service("stop")


@pytest.mark.parametrize("version", VERSIONS)
def test_the_projects_own_tests_pass_in_every_version(tmp_path: Path, version: str) -> None:
    project = checkout(version, tmp_path / "project")
    done = run("-m", "unittest", "discover", "-s", "tests", "-v", cwd=project)
    assert "\nOK\n" in done.stderr


def test_the_build_makes_one_release_with_its_version_and_leaves_no_byte_code(tmp_path: Path) -> None:
    project = checkout("2.1.0", tmp_path / "project")
    done = run("build.py", cwd=project, OPCONSOLE_VERSION="2.1.0")
    release = project / "dist" / "credentialmate"
    assert done.stdout == "built credentialmate 2.1.0: dist/credentialmate\n"
    assert (release / "VERSION").read_text(encoding="utf-8") == "2.1.0\n"
    assert (release / "apps" / "backend-api" / "alembic.ini").is_file()
    assert list(release.rglob("*.pyc")) == []


def test_a_build_that_cannot_compile_fails_and_names_the_line(tmp_path: Path) -> None:
    project = checkout("2.1.0", tmp_path / "project")
    (project / "credentialmate" / "broken.py").write_text("x = 1\ndef (:\n", encoding="utf-8")
    done = run("build.py", cwd=project, check=False)
    assert done.returncode == 1
    assert "credentialmate/broken.py:2: invalid syntax" in done.stderr


def test_it_serves_from_before_its_migrations_and_is_healthy_after_them(site: Site) -> None:
    site.place("2.1.0")
    assert f"listens on port {site.environment.port}" in site.service("restart").stdout
    status, body = site.get("/health")
    assert status == 500
    assert "run the migrations" in body

    site.migrate("upgrade", "head")

    status, body = site.get("/health")
    assert (status, json.loads(body)) == (200, {"status": "ok", "version": "2.1.0", "revision": "0003"})
    assert len(json.loads(site.get("/clinicians")[1])) == 3
    assert "2.1.0" in site.get("/")[1]
    assert "development" in site.get("/")[1]
    smoke = run("smoke.py", cwd=site.environment.target / "current", PORT=str(site.environment.port))
    assert smoke.stdout.endswith("3 clinicians\n")


def test_a_newer_release_takes_over_its_port_and_its_database_and_goes_back(site: Site) -> None:
    site.place("2.1.0")
    site.migrate("upgrade", "head")
    site.service("restart")
    first = site.pid()

    site.place("2.2.0")
    site.service("restart")
    assert site.pid() != first
    status, body = site.get("/health")
    assert (status, json.loads(body)["problems"]) == (500, ["the database lacks clinicians.expires_on"])
    site.migrate("upgrade", "head")
    assert json.loads(site.get("/health")[1]) == {"status": "ok", "version": "2.2.0", "revision": "0004"}

    site.migrate("downgrade", "0003")
    site.place("2.1.0")
    site.service("restart")
    assert json.loads(site.get("/health")[1]) == {"status": "ok", "version": "2.1.0", "revision": "0003"}


def test_the_broken_version_stays_unhealthy_after_its_migrations_and_says_why(site: Site) -> None:
    site.place("2.3.0")
    site.service("restart")
    site.migrate("upgrade", "head")
    status, body = site.get("/health")
    assert (status, json.loads(body)["problems"]) == (500, ["LICENCE_REGISTRY_URL is not set"])


def test_the_blocked_version_loses_data_in_one_statement_and_only_production_minds(tmp_path: Path) -> None:
    project = checkout("2.4.0", tmp_path / "project")
    migrations = str(project / "apps/backend-api/alembic/versions")

    def check(environment: str) -> tuple[int, str]:
        out = io.StringIO()
        line = ["check", migrations, "--environment", environment]
        return run_command(line, stdout=out, stderr=out, environ={}), out.getvalue()

    for environment in ("development", "staging"):
        assert check(environment)[0] == ExitStatus.DONE
    status, told = check("production")
    assert status == ExitStatus.BLOCKED
    assert "CRITICAL (1)" in told
    assert "0006_forget_renewals.py:21\n    Pattern: DROP TABLE" in told
    assert "HIGH (" not in told


def test_every_migration_goes_down_again_and_leaves_nothing(site: Site) -> None:
    site.place("2.4.0")
    site.migrate("upgrade", "head")
    site.migrate("downgrade", "base")
    connection = sqlite3.connect(site.environment.database)
    try:
        names = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    finally:
        connection.close()
    assert names == {"alembic_version"}


def test_a_migration_that_fails_in_its_middle_changes_nothing(site: Site) -> None:
    site.place("2.1.0")
    site.migrate("upgrade", "head")
    connection = sqlite3.connect(site.environment.database)
    try:
        connection.execute("CREATE TABLE ix_stranger (id)")
        connection.commit()
    finally:
        connection.close()
    broken = site.environment.target / "current/apps/backend-api/alembic/versions/0004_broken.py"
    broken.write_text(
        'from alembic import op\nrevision = "0004"\ndown_revision = "0003"\n'
        "def upgrade():\n"
        "    op.execute('CREATE TABLE half (id)')\n"
        "    op.execute('CREATE TABLE ix_stranger (id)')\n",
        encoding="utf-8",
    )
    ini = "current/apps/backend-api/alembic.ini"
    url = f"sqlite:///{site.environment.database}"
    done = run(
        "-m",
        "alembic",
        "-c",
        ini,
        "upgrade",
        "head",
        cwd=site.environment.target,
        check=False,
        DATABASE_URL=url,
    )
    assert done.returncode != 0
    assert "0003" in site.migrate("current").stdout
    connection = sqlite3.connect(site.environment.database)
    try:
        assert connection.execute("SELECT name FROM sqlite_master WHERE name = 'half'").fetchall() == []
    finally:
        connection.close()


def test_a_port_in_use_fails_the_restart_and_says_so(site: Site) -> None:
    site.place("2.1.0")
    with socket.socket() as other:
        other.bind(("127.0.0.1", site.environment.port))
        other.listen()
        done = site.service("restart", check=False)
    assert done.returncode == 1
    assert done.stderr == f"credentialmate: port {site.environment.port} is in use\n"
    assert not (site.environment.shared / "service.json").exists()


def test_a_release_that_dies_at_once_fails_the_restart_and_points_to_its_log(site: Site) -> None:
    site.place("2.1.0")
    (site.environment.target / "current" / "credentialmate" / "server.py").write_text(
        "1 / 0\n", encoding="utf-8"
    )
    done = site.service("restart", check=False)
    assert done.returncode == 1
    assert "it ended at once: see" in done.stderr
    assert "ZeroDivisionError" in (site.environment.shared / "service.log").read_text(encoding="utf-8")


def test_the_service_outlives_the_program_that_started_it_and_stops_when_told(site: Site) -> None:
    site.place("2.1.0")
    site.service("restart")
    pid = site.pid()
    assert os.getsid(pid) == pid
    assert site.listens()
    assert f"stopped (pid {pid})" in site.service("stop").stdout
    assert not site.listens()
    assert site.service("stop").stdout == "credentialmate is not running\n"


def test_a_service_that_was_killed_is_started_anew(site: Site) -> None:
    site.place("2.1.0")
    site.service("restart")
    os.kill(site.pid(), signal.SIGKILL)
    assert "not running" in site.service("restart").stdout
    assert site.listens()


def test_a_stopped_process_that_ignores_the_request_is_killed(site: Site) -> None:
    site.place("2.1.0")
    site.service("restart")
    os.kill(site.pid(), signal.SIGSTOP)
    site.service("stop")
    assert not site.listens()


def test_another_process_with_the_noted_id_is_left_alone(site: Site) -> None:
    site.place("2.1.0")
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as stranger:
        note = {"pid": stranger.pid, "started": "another time", "version": "2.1.0"}
        (site.environment.shared / "service.json").write_text(json.dumps(note), encoding="utf-8")
        assert site.service("stop").stdout == "credentialmate is not running\n"
        assert stranger.poll() is None
        stranger.communicate(b"\n")
    assert stranger.returncode == 0


def test_a_damaged_note_is_a_problem_for_a_person(site: Site) -> None:
    site.place("2.1.0")
    note = site.environment.shared / "service.json"
    note.write_text("{", encoding="utf-8")
    done = site.service("stop", check=False)
    note.unlink()
    assert done.returncode == 1
    assert "end the service by hand" in done.stderr


def test_stopping_the_demo_ends_its_worker_first_and_then_its_services(site: Site) -> None:
    site.place("2.1.0")
    site.service("restart")
    asked: list[tuple[Path, bool]] = []

    stopped = stop_demo(
        site.demo.directory, stop_worker=lambda folder: asked.append((folder, site.listens()))
    )

    assert asked == [(site.demo.directory, True)]
    assert [(one.environment, one.ok) for one in stopped] == [
        ("development", True),
        ("staging", True),
        ("production", True),
    ]
    assert "stopped (pid" in stopped[0].message
    assert stopped[1].message == "nothing was deployed"
    assert not site.listens()
