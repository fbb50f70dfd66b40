"""doctor: each fault of a set-up is really made, found, and told with its fix; what is well is not blamed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from opconsole.doctor import Level, Patient, TerminalFacts
from opconsole.doctor.base import Check, fail
from opconsole.doctor.examining import _carry_out
from opconsole.doctor.journal import went_back
from opconsole.doctor.machine import room
from opconsole.doctor.terminal import look as look_at_terminal
from opconsole.doctor.worker import began_at, changed_at, look_at_logind, look_at_units
from opconsole.doctor.worker import look as look_at_worker
from opconsole.journal import ops
from opconsole.journal.hosting import HostLock, executor_identity
from opconsole.workspace import Workspace

NO_TERMINAL = TerminalFacts(interactive=False, encoding="utf-8", columns=80, lines=24)
TERMINAL = TerminalFacts(interactive=True, encoding="utf-8", columns=120, lines=40)


def faults(desk: Any, *arguments: str) -> dict[str, list[tuple[str, str, str]]]:
    """Give what doctor finds wrong: by group, place, finding and fix."""
    answer = desk.give("--json", "doctor", *arguments)
    found: dict[str, list[tuple[str, str, str]]] = {}
    for check in answer.document["checks"]:
        assert check["level"] == "ok" or check["fix"], "a fault without a fix"
        if check["level"] != "ok":
            found.setdefault(check["group"], []).append((check["place"], check["found"], check["fix"]))
    failed = any(check["level"] == "fail" for check in answer.document["checks"])
    assert answer.status == int(failed)
    assert answer.document["sound"] is not failed
    return found


def sound(desk: Any) -> None:
    (desk.root / "shop").mkdir()
    desk.queue(desk.entry("DEPLOY-DEV", "dev"))


def environment(text: str) -> str:
    return f'[projects.shop]\npath = "shop"\n[projects.shop.environments.development]\n{text}\n'


RELEASES = 'target = {type = "releases", path = "deployed"}'


def test_a_sound_set_up_has_no_fault(desk: Any) -> None:
    sound(desk)
    assert faults(desk) == {}
    said = desk.give("doctor")
    assert "All is well." in said.out
    assert "fix:" not in said.out


def test_settings_that_cannot_be_used_are_told_with_their_lines(desk: Any) -> None:
    desk.settings('[workspace]\nqueue = "tasks"\n[policy]\nretries = -1\n')
    found = faults(desk)["settings"]
    assert [place.rpartition(":")[2] for place, _, _ in found] == ["2", "4"]
    assert "queue" in found[0][1]


def test_a_folder_without_settings_is_a_fault_whose_fix_is_init(desk: Any, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    answer = desk.give("-C", str(elsewhere), "doctor", inside=False)
    assert answer.status == 1
    assert "opconsole init" in answer.out


def test_a_projects_missing_folder_is_told(desk: Any) -> None:
    assert "is missing" in faults(desk)["settings"][0][1]


def test_faults_of_queue_files_are_told_with_file_and_line(desk: Any) -> None:
    sound(desk)
    desk.queue(desk.entry("A", "dev", depends_on=["B"]), desk.entry("B", "dev", depends_on=["A"]))
    assert any("a cycle" in text for _, text, _ in faults(desk)["queues"])
    file = desk.queue(desk.entry("A", "devel"))
    place, text, fix = faults(desk)["queues"][0]
    assert place.startswith(f"{file}:")
    assert "devel" in text
    assert "queue validate" in fix


def git(folder: Path, *words: str) -> None:
    subprocess.run(
        ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", *words],
        cwd=folder,
        check=True,
        capture_output=True,
    )


def test_what_git_lacks_is_told_step_by_step(desk: Any) -> None:
    sound(desk)
    shop = desk.root / "shop"
    desk.settings(environment(RELEASES).replace('path = "shop"', 'path = "shop"\nsource = "git"'))
    assert "is no git repository" in faults(desk)["sources"][0][1]
    git(shop, "init", "-q")
    assert "no commit yet" in faults(desk)["sources"][0][1]
    (shop / "file").write_text("text")
    git(shop, "add", ".")
    git(shop, "commit", "-qm", "first")
    assert "git tag v1.0.0" in faults(desk)["sources"][0][2]
    git(shop, "tag", "v1.0.0")
    assert "sources" not in faults(desk)


def test_a_machine_without_git_is_told(desk: Any, tmp_path: Path) -> None:
    sound(desk)
    git(desk.root / "shop", "init", "-q")
    desk.environ["PATH"] = str(tmp_path)
    assert "git is needed" in faults(desk)["sources"][0][1]


def test_programs_that_are_not_there_are_told_before_a_run_needs_them(desk: Any) -> None:
    sound(desk)
    desk.settings(
        environment(
            'target = {type = "releases", path = "deployed", restart = ["no-such-restart", "x"]}\n'
            'health = [{type = "command", argv = ["no-such-check"]}]'
        ).replace(
            'path = "shop"\n[',
            'path = "shop"\nvenv = ".venv"\ntest = [["no-such-tester"]]\nbuild = [["true"]]\n[',
            1,
        )
    )
    told = " ".join(text for _, text, _ in faults(desk)["programs"])
    for missing in ("no-such-tester", "no-such-restart", "no-such-check", ".venv is missing"):
        assert missing in told
    assert "build" not in told


def test_a_program_that_may_not_be_run_is_told(desk: Any) -> None:
    sound(desk)
    script = desk.root / "deploy.sh"
    script.write_text("#!/bin/sh\n")
    desk.settings(environment('target = {type = "command", deploy = ["./deploy.sh"], rollback = ["true"]}'))
    assert faults(desk)["programs"][0][2] == "chmod +x it"
    script.chmod(0o755)
    assert "programs" not in faults(desk)


MIGRATIONS = '\n[projects.shop.migrations]\npath = "alembic/versions"\ndialect = "sqlite"\n'


def test_a_missing_migrations_folder_and_a_missing_alembic_ini_are_told(desk: Any) -> None:
    sound(desk)
    desk.settings(environment(RELEASES + '\ndatabase = {url = "sqlite:///app.db"}') + MIGRATIONS)
    assert "alembic/versions is not in the project" in faults(desk)["sources"][0][1]
    (desk.root / "shop/alembic/versions").mkdir(parents=True)
    assert "no alembic.ini" in faults(desk)["sources"][0][1]
    (desk.root / "shop/alembic.ini").touch()
    assert "holds no migration" in faults(desk)["sources"][0][1]
    (desk.root / "shop/alembic/versions/0001_first.py").touch()
    assert "sources" not in faults(desk)


def test_a_project_whose_python_lacks_alembic_or_the_driver_is_told(desk: Any, tmp_path: Path) -> None:
    sound(desk)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", desk.root / "shop/.venv"], check=True)
    text = environment(RELEASES + '\ndatabase = {url = "postgresql+asyncpg://localhost/none"}') + MIGRATIONS
    desk.settings(text.replace('path = "shop"\n[', 'path = "shop"\nvenv = ".venv"\n[', 1))
    told = [text for place, text, _ in faults(desk)["programs"] if place == "shop alembic"]
    assert any("has no alembic" in text for text in told)
    assert any("has no asyncpg" in text for text in told)


def test_a_target_that_another_workspace_holds_is_told_and_so_is_a_damaged_record(desk: Any) -> None:
    sound(desk)
    desk.settings(environment(RELEASES))
    target = desk.root / "deployed"
    target.mkdir()
    record = target / ".opconsole-target.json"
    record.write_text(
        '{"holder": {"journal_id": "feedfeedfeedfeed", "run": "r-1", "fence": 3}, "issued": {}}'
    )
    _, text, fix = faults(desk)["targets"][0]
    assert "run r-1 of another workspace" in text
    assert "opconsole unlock shop development --foreign r-1 --reason …" in fix
    record.write_text("{")
    assert "is damaged" in faults(desk)["targets"][0][1]
    record.unlink()
    (target / "current").mkdir()
    assert "is not a link" in faults(desk)["targets"][0][1]


def test_a_target_that_is_a_file_is_told(desk: Any) -> None:
    sound(desk)
    desk.settings(environment(RELEASES))
    (desk.root / "deployed").touch()
    assert "is not a folder" in faults(desk)["targets"][0][1]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_target_that_cannot_be_written_is_told(desk: Any) -> None:
    sound(desk)
    desk.settings(environment(RELEASES))
    (desk.root / "deployed").mkdir(mode=0o500)
    assert "cannot be written" in faults(desk)["targets"][0][1]


def test_a_target_below_a_file_cannot_be_made(desk: Any) -> None:
    sound(desk)
    (desk.root / "file").touch()
    desk.settings(environment('target = {type = "releases", path = "file/deployed"}'))
    assert "mkdir -p" in faults(desk)["targets"][0][2]


def test_a_database_that_does_not_answer_is_told_and_its_password_is_not(desk: Any) -> None:
    sound(desk)
    desk.environ["DB"] = "postgresql+psycopg://app:h1dden-word@127.0.0.1:1/shop"
    desk.settings(environment(RELEASES + '\ndatabase = {url = "env:DB"}'))
    answer = desk.give("--json", "doctor", "--all")
    assert "h1dden-word" not in answer.out + answer.err
    [(place, text, _)] = faults(desk)["databases"]
    assert place == "shop development"
    assert "127.0.0.1:1/shop cannot be asked" in text


def test_a_file_that_is_no_database_is_told(desk: Any) -> None:
    sound(desk)
    (desk.root / "app.db").write_text("this is no database, it only has its name" * 50)
    desk.settings(environment(RELEASES + f'\ndatabase = {{url = "sqlite:///{desk.root}/app.db"}}'))
    assert "file is not a database" in faults(desk)["databases"][0][1]
    desk.settings(environment(RELEASES + '\ndatabase = {url = "sqlite:////nowhere/at/all/app.db"}'))
    assert "mkdir -p /nowhere/at/all" in faults(desk)["databases"][0][2]


def test_a_missing_driver_is_told_with_the_extra_that_has_it(
    desk: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    sound(desk)
    monkeypatch.setitem(sys.modules, "pymysql", None)  # what an import finds where it is not installed
    desk.settings(environment(RELEASES + '\ndatabase = {url = "mysql+pymysql://localhost/shop"}'))
    assert "pip install 'opconsole[mysql]'" in faults(desk)["databases"][0][2]


def test_secrets_that_do_not_resolve_are_told_and_those_that_do_are_not_shown(desk: Any) -> None:
    sound(desk)
    open_to_all = desk.root / "open"
    open_to_all.write_text("h1dden-word")
    open_to_all.chmod(0o644)
    desk.environ["GOOD"] = "h1dden-word"
    desk.settings(
        environment(
            RELEASES
            + '\nvariables = {A = "env:NOT_SET", B = "file:open", C = "env:GOOD", D = "file:nowhere"}'
        )
    )
    answer = desk.give("--json", "doctor", "--all")
    assert "h1dden-word" not in answer.out + answer.err
    told = {place.rpartition(".")[2]: (text, fix) for place, text, fix in faults(desk)["secrets"]}
    assert set(told) == {"A", "B", "D"}
    assert "set NOT_SET where opconsole and its worker start" in told["A"][1]
    assert told["B"][1].startswith("chmod 600")


def test_a_journal_of_a_newer_opconsole_is_told(desk: Any) -> None:
    sound(desk)
    desk.write(ops.event(desk.now, "alert", ""))
    desk.close()
    _sql(desk, "UPDATE alembic_version SET version_num = '9999_later'")
    assert "upgrade opconsole" in faults(desk)["journal"][0][2]


def test_a_damaged_journal_is_told(desk: Any) -> None:
    sound(desk)
    for number in range(200):
        desk.write(ops.event(desk.now, "alert", "", detail={"text": "x" * 500, "number": number}))
    desk.close()
    _sql(desk, "PRAGMA wal_checkpoint(TRUNCATE)")
    size = desk.place.database.stat().st_size
    with desk.place.database.open("r+b") as file:  # nobody has it open: nobody's lock is dropped
        file.seek(size // 2)
        file.write(b"\xff" * 8192)
    found = faults(desk)["journal"]
    assert found
    assert "docs/service.md" in found[0][2]


def test_a_journal_that_others_may_write_is_told(desk: Any) -> None:
    sound(desk)
    desk.write(ops.event(desk.now, "alert", ""))
    desk.place.database.chmod(0o666)
    assert faults(desk)["journal"][0][2].startswith("chmod 600")


def test_rows_that_contradict_each_other_are_told(desk: Any) -> None:
    sound(desk)
    desk.write(ops.event(desk.now, "alert", ""))
    _sql(
        desk,
        "INSERT INTO requests (id, kind, payload, created_at, created_by, answered_at) "
        "VALUES ('q-1', 'retry', '{}', '2026-03-01 12:00:00.000000', 'ana', '2026-03-01 12:00:00.000000')",
    )
    assert "has an answer, yet no verdict" in faults(desk)["journal"][0][1]


def test_a_lost_journal_folder_is_told(desk: Any) -> None:
    sound(desk)
    shutil.rmtree(desk.place.root)
    assert "is gone" in faults(desk)["journal"][0][1]


def test_a_clock_that_was_set_back_is_told() -> None:
    now = datetime(2026, 3, 1, tzinfo=UTC)
    assert went_back(now + timedelta(hours=1), now).level is Level.FAIL
    assert went_back(now, now + timedelta(hours=1)).level is Level.OK
    assert went_back(None, now).level is Level.OK


def test_a_journal_from_the_future_means_a_clock_set_back(desk: Any) -> None:
    sound(desk)
    desk.write(ops.event(datetime(2126, 1, 1, tzinfo=UTC), "alert", ""))
    assert faults(desk)["journal"][0][0] == "clock"


def test_a_started_queue_without_a_worker_is_told(desk: Any) -> None:
    sound(desk)
    assert desk.give("queue", "start", "shop").status == 0
    assert "none is alive" in faults(desk)["worker"][0][1]


def test_a_worker_older_than_the_installed_files_is_told(desk: Any, tmp_path: Path) -> None:
    sound(desk)
    lock = HostLock.try_acquire(desk.place)
    assert lock is not None
    patient = _patient(desk)
    with lock:  # this process hosts, and began before the file below
        (tmp_path / "new.py").touch()
        [found] = look_at_worker(patient, [tmp_path])
        assert found.level is Level.WARN
        assert "worker --stop" in found.fix
        [found] = look_at_worker(patient, [])
        assert found.level is Level.OK
    began = began_at(executor_identity(), Path("/"))
    assert began is not None
    assert began < changed_at([tmp_path])


def test_a_unit_that_would_cut_deployments_off_is_told(desk: Any, tmp_path: Path) -> None:
    sound(desk)
    assert desk.give("init", "--systemd", str(desk.root)).status == 0
    [unit] = desk.root.glob("*.service")
    folder = tmp_path / "system/etc/systemd/system"
    folder.mkdir(parents=True)
    shutil.copy(unit, folder)
    patient = _patient(desk, tmp_path / "system")
    assert {result.level for result in look_at_units(patient)} == {Level.OK}
    (folder / f"{unit.name}.d").mkdir()
    (folder / f"{unit.name}.d/own.conf").write_text("[Service]\nKillMode=control-group\n")
    [result] = look_at_units(patient)
    assert result.level is Level.FAIL
    assert "KillMode=process" in result.fix


def test_a_unit_of_a_python_that_is_gone_is_told(desk: Any, tmp_path: Path) -> None:
    sound(desk)
    folder = tmp_path / "system/etc/systemd/system"
    folder.mkdir(parents=True)
    (folder / "o.service").write_text(
        f"[Service]\nKillMode=process\nExecStart=/gone/python -m opconsole -C {desk.root} worker\n"
    )
    assert "starts /gone/python" in next(iter(look_at_units(_patient(desk, tmp_path / "system")))).found


def test_a_logind_that_ends_workers_at_logout_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "etc/systemd/logind.conf.d"
    folder.mkdir(parents=True)
    (folder.parent / "logind.conf").write_text("[Login]\n#KillUserProcesses=yes\n")
    assert next(iter(look_at_logind(tmp_path))).level is Level.OK
    (folder / "own.conf").write_text("[Login]\nKillUserProcesses=yes\n")
    assert "enable-linger" in next(iter(look_at_logind(tmp_path))).fix


def test_a_channel_that_did_not_take_a_message_is_told(desk: Any) -> None:
    sound(desk)
    desk.environ["HOOK"] = "json://127.0.0.1:1/"
    desk.settings(environment(RELEASES) + '[notifications.channels.ops]\nurl = "env:HOOK"\n')
    desk.write(ops.event(desk.now, "alert", ""))
    _sql(
        desk,
        "INSERT INTO outbox (kind, project, payload, created_at, attempts, error) VALUES "
        "('notify', 'shop', '{\"channel\": \"ops\"}', '2026-03-01 12:00:00.000000', 3, 'connection refused')",
    )
    [(place, text, fix)] = faults(desk)["notifications"]
    assert place == "notifications.channels.ops"
    assert "connection refused" in text
    assert "notify test ops" in fix


def test_signers_that_cannot_be_read_and_a_missing_key_are_told(desk: Any, tmp_path: Path) -> None:
    sound(desk)
    desk.environ |= {"OPCONSOLE_SIGNING_KEY": str(tmp_path / "none"), "HOME": str(tmp_path)}
    desk.settings(environment(RELEASES) + '[approvals]\nallowed_signers = "signers"\n')
    told = {place: text for place, text, _ in faults(desk)["signing"]}
    assert "cannot be read" in told["approvals.allowed_signers"]
    assert "is not there" in told["your key"]
    (desk.root / "signers").write_text("# nobody yet\n")
    told = {place: text for place, text, _ in faults(desk)["signing"]}
    assert "names nobody" in told["approvals.allowed_signers"]


def test_checkpoints_that_could_not_be_written_are_told(desk: Any) -> None:
    sound(desk)
    desk.settings(environment(RELEASES) + '[audit]\ncheckpoint_file = "/nowhere/at/all/checkpoints"\n')
    assert faults(desk)["signing"][0][2].startswith("make its folder")


def test_a_resource_to_provision_without_boto3_is_told(desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    sound(desk)
    desk.settings(environment(RELEASES) + '[aws]\naccount = "123456789012"\n')
    assert "aws" not in faults(desk)
    found = __import__("importlib.util").util.find_spec
    monkeypatch.setattr(
        "opconsole.doctor.aws.find_spec", lambda name: None if name == "boto3" else found(name)
    )
    assert "pip install 'opconsole[aws]'" in faults(desk)["aws"][0][2]


def test_aws_is_only_asked_when_it_is_wanted_and_another_account_is_told(desk: Any) -> None:
    moto = pytest.importorskip("moto.server")
    sound(desk)
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    try:
        host, port = server.get_host_and_port()
        desk.environ |= {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "h1dden-word"}
        desk.settings(
            environment(RELEASES) + f'[aws]\naccount = "999999999999"\nendpoint = "http://{host}:{port}"\n'
        )
        assert "aws" not in faults(desk)
        [(_, text, _)] = faults(desk, "--online")["aws"]
    finally:
        server.stop()
    assert "this is account 123456789012, but the settings say 999999999999" in text


@pytest.mark.parametrize(
    ("facts", "environ", "place"),
    [
        (TERMINAL, {"TERM": "dumb"}, "TERM"),
        (TERMINAL, {}, "TERM"),
        (TERMINAL, {"TERM": "xterm"}, "colours"),
        (
            TerminalFacts(interactive=True, encoding="ANSI_X3.4-1968", columns=80, lines=24),
            {"TERM": "xterm-256color"},
            "locale",
        ),
        (
            TerminalFacts(interactive=True, encoding="utf-8", columns=60, lines=20),
            {"TERM": "xterm-256color"},
            "size",
        ),
        (
            TerminalFacts(interactive=True, encoding="utf-8", columns=80, lines=24, clipboard="external"),
            {"TERM": "tmux-256color"},
            "tmux",
        ),
    ],
)
def test_what_a_terminal_lacks_is_told(facts: TerminalFacts, environ: dict[str, str], place: str) -> None:
    [result] = look_at_terminal(facts, environ)
    assert (result.place, result.level) == (place, Level.WARN)
    assert result.fix


def test_a_good_terminal_is_not_blamed() -> None:
    [result] = look_at_terminal(TERMINAL, {"TERM": "xterm", "COLORTERM": "truecolor"})
    assert result.level is Level.OK


def test_a_disk_that_is_nearly_full_is_told() -> None:
    gib = 1024**3
    assert room("journal", Path("/x"), 50 * 1024**2, 10 * gib).level is Level.FAIL
    assert room("journal", Path("/x"), 500 * 1024**2, 10 * gib).level is Level.WARN
    assert room("journal", Path("/x"), 5 * gib, 10 * gib).level is Level.OK


def test_what_does_not_answer_is_given_up_and_hides_nothing() -> None:
    never = threading.Event()

    def hang() -> list[Any]:
        never.wait()
        return []

    def stumble() -> list[Any]:
        raise RuntimeError("a stumble")

    checks = [
        Check("slow", hang, 0.05),
        Check("stumbling", stumble),
        Check("quick", lambda: [fail("quick", "found", "fix")]),
    ]
    found = _carry_out({"group": checks * 8})["group"]
    never.set()
    assert [result.place for result in found] == ["slow", "stumbling", "quick"] * 8
    assert "not answered within" in found[0].found
    assert "a stumble" in found[1].found


def test_text_from_outside_cannot_steer_the_terminal(desk: Any) -> None:
    sound(desk)
    desk.queue(desk.entry("A\x1b[2J", "dev", depends_on=["\x1b]0;x\x07"]))
    answer = desk.give("doctor", "--all")
    assert "\x1b" not in answer.out


def _patient(desk: Any, system: Path = Path("/")) -> Patient:
    workspace = Workspace.open(desk.root)
    return Patient(workspace, {}, datetime.now(UTC), NO_TERMINAL, system=system)


def _sql(desk: Any, statement: str) -> None:
    import sqlite3  # noqa: PLC0415 (only to do by hand what nobody should)

    connection = sqlite3.connect(desk.place.database, timeout=10)
    with connection:
        connection.execute(statement)
    connection.close()
