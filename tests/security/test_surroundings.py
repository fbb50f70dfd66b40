"""What a step's programs know of us: what we gave them, and in a sandbox not even the network."""

from __future__ import annotations

import os
import sqlite3
import sys
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from opconsole import sandbox
from opconsole.sandbox import Sandbox, make_sandbox

needs_bubblewrap = pytest.mark.skipif(
    bool(sandbox.problem()), reason=f"no sandbox on this machine: {sandbox.problem()}"
)

STRAY = {
    "LD_PRELOAD": "/nowhere/evil.so",
    "LD_LIBRARY_PATH": "/nowhere",
    "DYLD_INSERT_LIBRARIES": "/nowhere/evil.dylib",
    "PYTHONPATH": "/nowhere",
    "PYTHONHOME": "/nowhere",
    "PYTHONSTARTUP": "/nowhere/evil.py",
    "PERL5OPT": "-Mevil",
    "NODE_OPTIONS": "--require=/nowhere/evil.js",
    "BASH_ENV": "/nowhere/evil.sh",
    "ENV": "/nowhere/evil.sh",
    "GIT_DIR": "/nowhere/.git",
    "GIT_SSH_COMMAND": "evil",
    "GIT_CONFIG_COUNT": "1",
    "AWS_ACCESS_KEY_ID": "AKIAEVIL",
    "AWS_SECRET_ACCESS_KEY": "stray",
    "AWS_PROFILE": "production",
    "GOOGLE_APPLICATION_CREDENTIALS": "/nowhere/key.json",
    "SSH_AUTH_SOCK": "/nowhere/agent",
    "HTTP_PROXY": "http://evil.invalid",
    "PROD_DATABASE": "postgresql://app:prodpw@prod/app",
    "OPCONSOLE_STATE_DIR": "kept for opconsole itself",
}


def variables(log: str) -> dict[str, str]:
    lines = (line[27:] for line in log.splitlines() if line[25:26] == "o")
    return dict(line.partition("=")[::2] for line in lines if "=" in line)


async def test_28_no_loader_interpreter_git_or_cloud_variable_reaches_a_step(
    project: Any, deploy: Callable[..., dict[str, object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in STRAY.items():
        if name != "OPCONSOLE_STATE_DIR":
            monkeypatch.setenv(name, value)
    project.environ |= {name: value for name, value in STRAY.items() if name != "OPCONSOLE_STATE_DIR"}
    project.write("test.sh", "env\nprintf 'umask=%s\\n' \"$(umask)\"\nprintf 'cwd=%s\\n' \"$PWD\"\n")
    project.queue(deploy("DEV", "development"))
    mask = os.umask(0o000)
    try:
        async with project.hosted() as driver:
            await driver.go()
            given, runs = variables(driver.log("DEV")), driver.place.runs
            assert driver.state("DEV") == "succeeded", driver.log("DEV")
    finally:
        os.umask(mask)
    assert not set(given) & set(STRAY)
    assert not [name for name, value in given.items() if value in STRAY.values()]
    assert set(given) <= {
        *("PATH", "HOME", "TERM", "LANG", "LANGUAGE", "TZ", "USER", "LOGNAME", "TMPDIR"),
        *("PWD", "OLDPWD", "SHLVL", "_"),
        *("OPCONSOLE_PROJECT", "OPCONSOLE_RUN", "OPCONSOLE_VERSION", "umask", "cwd"),
        *(name for name in given if name.startswith("LC_")),
    }  # fmt: skip
    assert int(given["umask"], 8) == 0o022, "whatever ours is"
    assert Path(given["cwd"]).is_relative_to(runs), "in the run's own copy"


async def test_28_nor_does_one_reach_any_other_program_that_a_run_starts(
    project: Any, deploy: Callable[..., dict[str, object]], migrations: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    stray = {name: value for name, value in STRAY.items() if name != "OPCONSOLE_STATE_DIR"}
    for name, value in stray.items():
        monkeypatch.setenv(name, value)
    project.environ |= stray
    migrations()

    def tell(what: str) -> str:
        return f"env | sed 's/^/{what}: /' >> {project.root}/told\n"

    environment = project.path / "alembic" / "env.py"
    environment.write_text(
        f"import os\nwith open({str(project.root / 'told')!r}, 'a') as told:\n"
        "    told.writelines(f'alembic: {name}={value}\\n' for name, value in os.environ.items())\n"
        + environment.read_text()
    )
    project.smoke = '["sh", "smoke.sh"]'
    project.settings()
    for name, folder in (("build", project.path), ("smoke", project.path), ("health", project.bin)):
        script = folder / f"{name}.sh"
        script.write_text(tell(name) + script.read_text())
    (project.bin / "restart.sh").write_text(tell("restart"))
    project.queue(deploy("DEV", "development", run_migrations=True))
    async with project.hosted() as driver:
        await driver.go()
        assert driver.state("DEV") == "succeeded", driver.log("DEV")
    told = [line.partition(": ") for line in (project.root / "told").read_text().splitlines()]
    assert {what for what, _, _ in told} == {"build", "smoke", "health", "restart", "alembic"}
    for what, _, variable in told:
        name, _, value = variable.partition("=")
        assert name not in stray, f"{name} reaches {what}"
        assert len(value) < 4 or value not in stray.values(), (
            f"the value of a stray variable reaches {what} as {name}"
        )


async def test_28_the_keys_of_another_environment_do_not_reach_a_step(
    project: Any, cascade: Callable[..., list[dict[str, object]]]
) -> None:
    project.environ |= {
        "KEY_DEVELOPMENT": "dev-key-1",
        "KEY_STAGING": "stage-key-2",
        "KEY_PRODUCTION": "prod-key-3",
    }
    tell = "env | sed -n 's/^KEY=\\(.\\).*/key \\1/p; s/^OTHER.*/other/p'\n"
    (project.bin / "restart.sh").write_text(tell)
    project.write("test.sh", tell)
    project.settings()
    text = (project.root / "opconsole.toml").read_text()
    for name in ("development", "staging", "production"):
        head = f"[projects.app.environments.{name}.variables]\n"
        text = text.replace(head, f'{head}KEY = "env:KEY_{name.upper()}"\n')
    (project.root / "opconsole.toml").write_text(text)
    project.queue(*cascade())
    async with project.hosted() as driver:
        await driver.go()
        await driver.approve("STAGING")
        await driver.approve("PROD")
        said = {
            task: [line[27:] for line in driver.log(task).splitlines() if " o key " in line]
            for task in ("DEV", "STAGING", "PROD")
        }
    assert said == {"DEV": ["key d"], "STAGING": ["key s"], "PROD": ["key p"]}, "tests know none at all"


def test_28_the_sandbox_s_argument_list_says_what_is_there_in_the_order_that_counts() -> None:
    made = Sandbox(
        "/usr/bin/bwrap",
        Path("/s/run/work"),
        hidden=(Path("/home/x"), Path("/s")),
        readable=(Path("/home/x/v"),),
        writable=(Path("/s/run/work"),),
    )
    words = " ".join(made.argv(["make", "test", "--", "$(id)"]))
    assert words.startswith("/usr/bin/bwrap --unshare-all --die-with-parent --new-session --ro-bind / / ")
    order = [
        "--tmpfs /tmp",
        "--tmpfs /home/x",
        "--tmpfs /s",
        "--ro-bind-try /home/x/v",
        "--bind /s/run/work /s/run/work",
    ]
    places = [words.index(part) for part in order]
    assert places == sorted(places), "what comes later lies over what came before"
    assert made.argv(["make", "test", "--", "$(id)"])[-5:] == ("--", "make", "test", "--", "$(id)")
    assert "--share-net" not in words


@pytest.fixture
def server() -> Any:
    """A service on this machine that whoever has a network can reach."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    here = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=here.serve_forever)
    thread.start()
    yield here.server_address[1]
    here.shutdown()
    thread.join()
    here.server_close()


REACH = """\
import os, pathlib, socket
def tried(name, act):
    try:
        act()
        print(name, "yes")
    except OSError as error:
        print(name, "no")
tried("network", lambda: socket.create_connection(("127.0.0.1", {port}), 5).close())
tried("system", lambda: pathlib.Path("/usr/opconsole-was-here").write_text("x"))
tried("workspace", lambda: pathlib.Path("{root}/was-here").write_text("x"))
tried("home", lambda: pathlib.Path("{home}/.ssh/key").read_text())
found = [*pathlib.Path("{state}/journals").glob("*/journal.sqlite3"), "/none"]
tried("state", lambda: os.stat(found[0]))
tried("processes", lambda: os.kill({pid}, 0))
tried("tmp", lambda: pathlib.Path("/tmp/of-its-own").write_text("x"))
tried("work", lambda: pathlib.Path("made-here").write_text("x"))
"""


@needs_bubblewrap
async def test_28_in_the_sandbox_there_is_no_network_and_only_the_working_copy_can_be_written(
    project: Any, deploy: Callable[..., dict[str, object]], server: int, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    (home / ".ssh").mkdir(parents=True)
    (home / ".ssh" / "key").write_text("private")
    project.environ["HOME"] = str(home)
    project.project_lines = f'sandbox = "required"\nvenv = "{sys.prefix}"'
    reach = REACH.format(port=server, root=project.root, home=home, state=tmp_path / "state", pid=os.getpid())
    project.write("reach.py", reach)
    project.write("test.sh", "python reach.py && test -e made-here\n")
    project.queue(deploy("DEV", "development"))
    project.settings()
    async with project.hosted() as driver:
        await driver.go()
        log = driver.log("DEV")
        assert driver.state("DEV") == "succeeded", log
    said = dict(
        line[27:].split()
        for line in log.splitlines()
        if line[25:26] == "o" and line.endswith((" yes", " no"))
    )
    assert {name for name, answer in said.items() if answer == "yes"} == {"tmp", "work"}
    assert set(said) == {"network", "system", "workspace", "home", "state", "processes", "tmp", "work"}
    assert not Path("/tmp/of-its-own").exists()
    assert project.current("development"), "what was built in it is deployed"


ENV = """
import contextlib, pathlib, socket
def tried(name, act):
    try:
        act()
        told = "yes"
    except OSError:
        told = "no"
    print(f"{name} {told}")
tried("home", lambda: pathlib.Path("HOME/.ssh/key").read_text())
tried("workspace", lambda: pathlib.Path("ROOT/was-here").write_text("x"))
tried("settings", lambda: print("# was here", file=open("ROOT/opconsole.toml", "a")))
tried("sources", lambda: pathlib.Path(__file__).with_name("x").write_text("x"))
tried("network", lambda: socket.create_connection(("127.0.0.1", PORT), 5).close())
"""


@needs_bubblewrap
async def test_28_what_asks_a_database_before_the_gate_reaches_the_database_and_no_file_of_ours(
    project: Any, deploy: Callable[..., dict[str, object]], migrations: Any, server: int, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    (home / ".ssh").mkdir(parents=True)
    (home / ".ssh" / "key").write_text("private")
    project.environ["HOME"] = str(home)
    migrations()
    project.project_lines = 'sandbox = "required"'
    project.settings()
    environment = project.path / "alembic" / "env.py"
    hostile = ENV.replace("HOME", str(home)).replace("ROOT", str(project.root)).replace("PORT", str(server))
    asked = "import os, sys\nif 'current' in sys.argv:\n"
    environment.write_text(
        asked + "".join(f"    {line}\n" for line in hostile.splitlines()) + environment.read_text()
    )
    project.queue(
        deploy("PROD", "production", run_migrations=True),
    )
    sqlite3.connect(project.database("production")).executescript("CREATE TABLE a (b)").close()
    async with project.hosted() as driver:
        await driver.go()
        assert driver.state("PROD") == "waiting", driver.log("PROD")
        steps = driver.place.runs / driver.run("PROD").id / "steps"
        said = next(steps.glob("*-validate-0")).joinpath("output").read_text()
        told = dict(line[27:].split() for line in said.splitlines() if line.endswith((" yes", " no")))
    assert (told["home"], told["sources"], told["network"]) == ("no", "no", "yes")
    assert not (project.root / "was-here").exists()
    assert "# was here" not in (project.root / "opconsole.toml").read_text()


@needs_bubblewrap
def test_28_what_writes_the_sql_of_migrations_has_no_network_either(
    project: Any, migrations: Any, command: Any, server: int
) -> None:
    migrations()
    project.project_lines = 'sandbox = "required"'
    project.settings()
    environment = project.path / "alembic" / "env.py"
    offline = "from alembic import context\ncontext.configure(dialect_name='sqlite', literal_binds=True)\n"
    offline += "with context.begin_transaction():\n    context.run_migrations()\n"
    reach = f"tried('network', lambda: socket.create_connection(('127.0.0.1', {server}), 5).close())\n"
    environment.write_text(ENV[: ENV.index('tried("home"')] + reach + offline)
    said = command(project.root, "migrations", "sql", "app", "development")
    assert said.status == 0, said.err
    assert "network no" in said.out
    assert "CREATE TABLE" in said.out


@needs_bubblewrap
async def test_28_cancelling_ends_what_runs_in_a_sandbox(
    project: Any, deploy: Callable[..., dict[str, object]], alive: Callable[[str], Any]
) -> None:
    project.project_lines = "sandbox = true"
    project.policy = "[policy]\ntest_limit = 1.0\n"
    project.write("test.sh", "sleep 86399 & sleep 86399\n")
    project.queue(deploy("DEV", "development"))
    project.settings()
    async with project.hosted() as driver:
        await driver.go()
        assert driver.state("DEV") == "failed"
        assert "limit" in driver.run("DEV").reason
    assert not alive("86399")


@pytest.mark.parametrize(("wanted", "state"), [('"required"', "failed"), ("true", "succeeded")])
async def test_28_without_bubblewrap_a_required_sandbox_fails_and_a_wished_one_is_told(
    project: Any,
    deploy: Callable[..., dict[str, object]],
    monkeypatch: pytest.MonkeyPatch,
    wanted: str,
    state: str,
) -> None:
    monkeypatch.setattr(sandbox, "_program", lambda: None)
    sandbox.problem.cache_clear()
    try:
        project.project_lines = f"sandbox = {wanted}"
        project.queue(deploy("DEV", "development"))
        project.settings()
        async with project.hosted() as driver:
            await driver.go()
            assert driver.state("DEV") == state
            assert "bubblewrap is not installed" in driver.log("DEV")
        assert isinstance(make_sandbox(project.root, home=None, state=project.root, venv=None), str)
    finally:
        sandbox.problem.cache_clear()
