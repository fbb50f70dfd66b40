"""The worker under systemd: a unit that systemd accepts, and what the worker tells it."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from opconsole.cli.main import run_command
from opconsole.systemd import Manager, Notifier, Unit, unit_name, unit_text

SETTINGS = """
[workspace]
name = "the shop"
[projects.shop]
path = "shop"
[projects.shop.environments.development]
target = {type = "releases", path = "deployed/dev"}
"""


def _unit(**changed: object) -> Unit:
    given: dict[str, object] = {
        "workspace": Path("/srv/ops"),
        "title": "ops",
        "python": Path(sys.executable),
        "user": "root",
        "path": ["/usr/bin", "bin", "/bin"],
        "variables": {},
    }
    return Unit(**{**given, **changed})  # type: ignore[arg-type]


def _lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line and not line.startswith("#")]


# -- the unit ---------------------------------------------------------------------------------------------


def test_the_unit_leaves_running_steps_alone_and_restarts_only_what_failed() -> None:
    lines = _lines(unit_text(_unit(), Manager.USER, "ops.service"))
    assert f"ExecStart={sys.executable} -P -m opconsole -C /srv/ops worker" in lines
    for wanted in ("Type=notify", "KillMode=process", "Restart=on-failure", "WantedBy=default.target"):
        assert wanted in lines
    assert "Environment=PATH=/usr/bin:/bin" in lines  # a relative folder is no place to find programs
    assert not [line for line in lines if line.startswith("User=")]


def test_the_machines_unit_names_its_user_and_begins_at_boot() -> None:
    lines = _lines(unit_text(_unit(user="deploy"), Manager.SYSTEM, "ops.service"))
    assert "User=deploy" in lines
    assert "WantedBy=multi-user.target" in lines


def test_paths_are_written_so_that_systemd_reads_them_as_they_are() -> None:
    odd = Path('/srv/100% my "ops" $HOME\\x')
    lines = _lines(unit_text(_unit(workspace=odd), Manager.USER, "ops.service"))
    assert 'WorkingDirectory=/srv/100%% my "ops" $HOME\\x' in lines
    assert any('-C "/srv/100%% my \\"ops\\" $$HOME\\\\x" worker' in line for line in lines)


def test_a_path_with_a_line_break_is_refused() -> None:
    with pytest.raises(ValueError, match="not printable"):
        unit_text(_unit(workspace=Path("/srv/a\nExecStartPre=/bin/evil")), Manager.USER, "ops.service")


def test_a_units_name_holds_only_what_systemd_allows() -> None:
    assert unit_name("Ops & more/../x") == "opconsole-Ops-more-..-x.service"
    assert unit_name("…") == "opconsole-workspace.service"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed here")
@pytest.mark.parametrize("manager", list(Manager))
def test_systemd_finds_nothing_wrong_with_the_unit(tmp_path: Path, manager: Manager) -> None:
    workspace = tmp_path / "my ops 100%"
    workspace.mkdir()
    name = unit_name("my ops")
    (tmp_path / name).write_text(unit_text(_unit(workspace=workspace), manager, name))
    flag = ["--user"] if manager is Manager.USER else []
    environ = {**os.environ, "XDG_RUNTIME_DIR": str(tmp_path), "HOME": str(tmp_path)}
    found = subprocess.run(
        ["systemd-analyze", *flag, "verify", "--man=no", str(tmp_path / name)],
        capture_output=True,
        text=True,
        check=False,
        env=environ,
    )
    said = [line for line in (found.stdout + found.stderr).splitlines() if name in line]
    assert said == []
    assert found.returncode == 0, found.stderr


# -- the command ------------------------------------------------------------------------------------------


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("OPCONSOLE_STATE_DIR", str(tmp_path / "state"))
    root = tmp_path / "ops"
    root.mkdir(mode=0o755)
    (root / "opconsole.toml").write_text(SETTINGS)
    (root / "opconsole.toml").chmod(0o644)
    return root


def _command(root: Path, *line: str) -> tuple[int, str]:
    with (root.parent / "out").open("w+") as out, (root.parent / "err").open("w+") as err:
        status = run_command(["-C", str(root), *line], stdout=out, stderr=err, environ=dict(os.environ))
    return int(status), (root.parent / "out").read_text() + (root.parent / "err").read_text()


def test_init_writes_the_unit_beside_the_settings_and_never_over_another(workspace: Path) -> None:
    status, said = _command(workspace, "init", "--systemd")
    assert status == 0, said
    file = workspace / "opconsole-the-shop.service"
    text = file.read_text()
    assert f"OPCONSOLE_STATE_DIR={workspace.parent / 'state'}" in text
    assert "systemctl --user enable --now opconsole-the-shop.service" in text
    file.write_text("mine")
    status, said = _command(workspace, "init", "--systemd", "--system")
    assert status == 2
    assert "exists already" in said
    assert file.read_text() == "mine"


def test_a_unit_is_for_a_workspace(tmp_path: Path) -> None:
    status, said = _command(tmp_path, "init", "--systemd")
    assert status == 2
    assert "is no workspace" in said


# -- telling systemd --------------------------------------------------------------------------------------


@pytest.fixture(params=["file", "abstract"])
def listening(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, socket.socket]]:
    """Be systemd: give the address and the socket that a service tells of itself on."""
    if request.param == "abstract" and sys.platform != "linux":
        pytest.skip("only Linux has abstract addresses")
    name = f"opconsole-{secrets.token_hex(8)}" if request.param == "abstract" else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind("\0" + name if request.param == "abstract" else name)
        receiver.settimeout(30)
        yield ("@" + name if request.param == "abstract" else name), receiver


def _told(receiver: socket.socket, wanted: str) -> str:
    """Give the first message that holds *wanted*."""
    while True:
        text = receiver.recv(4096).decode()
        if wanted in text.splitlines():
            return text


def test_the_worker_says_when_it_is_ready_and_ends_cleanly_on_term(
    workspace: Path, listening: tuple[str, socket.socket]
) -> None:
    address, receiver = listening
    environ = {**os.environ, "NOTIFY_SOCKET": address}
    process = subprocess.Popen(
        [sys.executable, "-m", "opconsole", "-C", str(workspace), "worker"],
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        assert "STATUS=0 running, 0 waiting for a person" in _told(receiver, "READY=1")
        process.send_signal(signal.SIGTERM)
        assert "STATUS=ends" in _told(receiver, "STOPPING=1")
        said, _ = process.communicate(timeout=60)
        assert process.returncode == 0, said
    finally:
        process.kill()
        process.wait()
    _, said = _command(workspace, "worker", "--stop")
    assert "no worker is alive" in said


def test_the_address_is_taken_from_the_environment_so_that_no_child_has_it(tmp_path: Path) -> None:
    environ = {"NOTIFY_SOCKET": str(tmp_path / "gone")}
    notifier = Notifier.taken_from(environ)
    assert environ == {}
    assert notifier.tell("READY=1") is False  # nobody listens there, and that harms nothing
    assert Notifier(None).tell("READY=1") is False


def test_a_status_stays_one_line(listening: tuple[str, socket.socket]) -> None:
    address, receiver = listening
    assert Notifier(address).tell("READY=1", "STATUS=a\nSTOPPING=1")
    assert receiver.recv(4096).decode() == "READY=1\nSTATUS=a STOPPING=1"


def test_json_names_the_unit(workspace: Path) -> None:
    status, said = _command(workspace, "init", "--systemd", "--json")
    assert status == 0
    assert '"manager": "user"' in said
    assert json.dumps(str(workspace / "opconsole-the-shop.service")) in said
