"""An audit log that was truncated, reordered, edited, or written with the clock set back."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from opconsole.audit_export import spreadsheet_cell
from opconsole.journal import ops

pytestmark = pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="ssh-keygen is not installed here")


def key(folder: Path, name: str = "key") -> Path:
    made = folder / name
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(made)], check=True)
    return made


def entries(desk: Any, count: int, *, first: int = 1) -> None:
    for number in range(first, first + count):
        desk.write(
            ops.audit(desk.now + timedelta(seconds=number), "ana", "approved", f"r-{number}", reason="ok")
        )


def tamper(desk: Any, *statements: str) -> None:
    """Change the journal as somebody with a database tool would."""
    desk.close()
    desk._writer = None
    with sqlite3.connect(desk.place.database) as connection:
        for statement in statements:
            connection.execute(statement)


def forge(desk: Any) -> None:
    """Write the whole chain anew, with sound hashes, after a change of its first entry."""
    from opconsole.audit import GENESIS, entry_hash  # noqa: PLC0415 (what only an attacker calls by hand)

    desk.close()
    desk._writer = None
    with sqlite3.connect(desk.place.database) as connection:
        columns = ("seq", "at", "actor", "action", "subject", "detail")
        rows = connection.execute(f"SELECT {', '.join(columns)} FROM audit ORDER BY seq").fetchall()
        before = GENESIS
        for row in rows:
            facts = dict(zip(columns, row, strict=True)) | ({"actor": "mallory"} if row[0] == 1 else {})
            own = entry_hash(**facts, prev_hash=before)
            connection.execute(
                "UPDATE audit SET actor = ?, prev_hash = ?, hash = ? WHERE seq = ?",
                (facts["actor"], before, own, facts["seq"]),
            )
            before = own


@pytest.mark.parametrize(
    ("fault", "statement"),
    [
        ("edited", "UPDATE audit SET actor = 'mallory' WHERE seq = 3"),
        ("edited", "UPDATE audit SET detail = '{}' WHERE seq = 5"),
        ("gap", "DELETE FROM audit WHERE seq = 2"),
        ("truncated", "DELETE FROM audit WHERE seq > 4"),
        ("truncated", "DELETE FROM audit"),
    ],
)
def test_30_an_audit_log_that_was_edited_or_truncated_is_found(desk: Any, fault: str, statement: str) -> None:
    entries(desk, 6)
    assert desk.give("audit", "checkpoint").status == 0
    assert desk.give("audit", "verify").status == 0
    tamper(desk, statement)
    found = desk.give("--json", "audit", "verify")
    assert found.status == 1
    assert found.document["fault"]["fault"] == fault


def test_30_a_reordered_audit_log_is_found(desk: Any) -> None:
    entries(desk, 5)
    swap = ("UPDATE audit SET seq = 99 WHERE seq = 2", "UPDATE audit SET seq = 2 WHERE seq = 3")
    tamper(desk, *swap, "UPDATE audit SET seq = 3 WHERE seq = 99")
    found = desk.give("--json", "audit", "verify")
    assert (found.status, found.document["fault"]["fault"]) == (1, "reordered")


def test_30_a_chain_written_anew_with_sound_hashes_is_found_by_a_checkpoint_elsewhere(
    desk: Any, tmp_path: Path
) -> None:
    entries(desk, 4)
    elsewhere = tmp_path / "elsewhere.jsonl"
    assert desk.give("audit", "checkpoint", "--to", str(elsewhere)).status == 0
    forge(desk)
    (desk.place.root / "checkpoints.jsonl").unlink()  # whoever forges the chain forges what lies beside it
    assert desk.give("audit", "verify").status == 0
    found = desk.give("--json", "audit", "verify", "--checkpoint-file", str(elsewhere))
    assert (found.status, found.document["fault"]["fault"]) == (1, "replaced")


def test_30_entries_of_a_clock_that_was_set_back_are_told(desk: Any) -> None:
    entries(desk, 3)
    desk.write(ops.audit(desk.now - timedelta(hours=2), "mallory", "approved", "r-9", reason="long ago"))
    entries(desk, 2, first=4)
    found = desk.give("--json", "audit", "verify")
    assert [step["seq"] for step in found.document["clock"]] == [4]
    assert found.document["valid"], "the chain itself is sound"
    assert "the clock was set back" in found.err


def test_30_an_entry_cannot_claim_to_be_older_than_the_checkpoint_before_it(desk: Any) -> None:
    entries(desk, 2)
    assert desk.give("audit", "checkpoint").status == 0  # by the machine's clock, long after the entries
    entries(desk, 1, first=3)
    found = desk.give("--json", "audit", "verify")
    assert [step["seq"] for step in found.document["clock"]] == [3]


def test_30_with_a_key_only_signed_checkpoints_count(desk: Any, tmp_path: Path) -> None:
    signing, file = key(tmp_path), tmp_path / "points.jsonl"
    settings = (desk.root / "opconsole.toml").read_text()
    desk.settings(f'{settings}\n[audit]\nsigning_key = "{signing}"\ncheckpoint_file = "{file}"\n')
    entries(desk, 3)
    made = desk.give("--json", "audit", "checkpoint")
    assert (made.status, made.document["signed"]) == (0, True)
    assert desk.give("audit", "verify").out.count("signed checkpoints") == 1
    line = json.loads(file.read_text())
    for forged in (
        {name: value for name, value in line.items() if name != "signature"},
        {**line, "seq": 2},
        {**line, "at": "2020-01-01T00:00:00.000Z"},
        {**line, "signature": "-----BEGIN SSH SIGNATURE-----\nAAAA\n-----END SSH SIGNATURE-----\n"},
    ):
        file.write_text(json.dumps(forged) + "\n")
        found = desk.give("--json", "audit", "verify")
        assert found.status == 1
        assert "not signed by anybody allowed to" in found.document["forged"][0]
    stranger = key(tmp_path, "stranger")
    facts = {name: value for name, value in line.items() if name != "signature"}
    signed = subprocess.run(
        ["ssh-keygen", "-Y", "sign", "-q", "-f", str(stranger), "-n", "audit-checkpoint@opconsole"],
        input=json.dumps(facts, sort_keys=True, separators=(",", ":")),
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    file.write_text(json.dumps({**line, "signature": signed}) + "\n")
    assert desk.give("audit", "verify").status == 1
    file.write_text(json.dumps(line) + "\n")
    assert desk.give("audit", "verify").status == 0


def test_30_signers_that_everybody_may_write_prove_nothing(desk: Any, tmp_path: Path) -> None:
    signing = key(tmp_path)
    signers = tmp_path / "signers"
    signers.write_text(f"ops {signing.with_suffix('.pub').read_text()}")
    entries(desk, 1)
    settings = (desk.root / "opconsole.toml").read_text()
    desk.settings(f'{settings}\n[audit]\nsigning_key = "{signing}"\n')
    assert desk.give("audit", "checkpoint").status == 0
    assert desk.give("audit", "verify", "--signers", str(signers)).status == 0
    signers.chmod(0o666)
    refused = desk.give("audit", "verify", "--signers", str(signers))
    assert refused.status == 2
    assert "anybody may write it" in refused.err


def test_30_checkpoints_are_pushed_to_a_git_remote_that_only_grows(desk: Any, tmp_path: Path) -> None:
    if shutil.which("git") is None:
        pytest.skip("git is not installed here")
    remote = tmp_path / "audit.git"
    quiet = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull, "PATH": os.environ["PATH"]}

    def git(*words: str) -> str:
        return subprocess.run(
            ["git", "-C", str(remote), *words], check=True, capture_output=True, text=True, env=quiet
        ).stdout

    remote.mkdir()
    git("init", "-q", "--bare", ".")
    settings = (desk.root / "opconsole.toml").read_text()
    desk.settings(f'{settings}\n[audit]\ncheckpoint_git = "{remote}"\n')
    for first in (1, 3):
        entries(desk, 2, first=first)
        made = desk.give("audit", "checkpoint")
        assert made.status == 0, made.err
    branch = f"opconsole-audit/{desk.place.id}"
    assert git("rev-list", "--count", branch).strip() == "2"
    assert len(git("show", f"{branch}:checkpoints.jsonl").splitlines()) == 2
    tamper(desk, "DELETE FROM audit WHERE seq > 2")
    (desk.place.root / "checkpoints.jsonl").unlink()
    found = desk.give("--json", "audit", "verify")
    assert (found.status, found.document["fault"]["fault"]) == (1, "truncated")
    shutil.rmtree(remote)
    without = desk.give("audit", "verify")
    assert without.status == 0
    assert "no checkpoints from" in without.err
    assert desk.give("audit", "checkpoint").status == 1


async def test_30_the_worker_makes_checkpoints_by_itself_and_says_what_keeps_it_from_it(
    project: Any, deploy: Callable[..., dict[str, object]], tmp_path: Path
) -> None:
    elsewhere = tmp_path / "away" / "points.jsonl"
    project.more = f'[audit]\ncheckpoint_file = "{elsewhere}"\ncheckpoint_every = 1000\n'
    project.settings()
    project.queue(deploy("DEV", "development"))
    async with project.hosted() as driver:
        await driver.go()
        service = driver.engine._checkpoints
        await service.look()
        await service.look()
        told = [event.detail["text"] for event in driver.events("alert")]
        assert len(told) == 1, "it is told once"
        assert "no audit checkpoint could be made" in str(told[0])
        elsewhere.parent.mkdir()
        await service.look()
        await service.look()
        assert len(elsewhere.read_text().splitlines()) == 1, "nothing new has happened"
        project.queue(deploy("DEV", "development"), deploy("DEV2", "development", "1.1.0"))
        await driver.engine.reload()
        await driver.go()
        await service.look()
        assert len(elsewhere.read_text().splitlines()) == 1, "a day has not passed, nor a thousand entries"
        driver.clock.ahead += timedelta(days=1, seconds=1)
        await service.look()
        assert len(elsewhere.read_text().splitlines()) == 2


async def test_30_requests_decisions_and_effects_are_all_in_the_chain(
    project: Any, cascade: Callable[..., list[dict[str, object]]]
) -> None:
    project.queue(*cascade())
    async with project.hosted() as driver:
        await driver.go()
        await driver.approve("STAGING")
        refused = await driver.approve("PROD", plan="sha256:" + "0" * 64)
        assert not refused.granted
        await driver.approve("PROD")
        rows = driver.reader.audit()
        actions = {row.action for row in rows}
        asked = {"run-created", "approval-requested", "approved", "approve-refused", "run-succeeded"}
        assert asked <= actions
        mine = [row for row in rows if row.subject == driver.run("PROD").id]
        begun = [json.loads(row.detail)["step"] for row in mine if row.action == "effect-begun"]
        ended = [json.loads(row.detail)["state"] for row in mine if row.action == "effect-ended"]
        assert set(driver.effects("PROD")) <= set(begun)
        assert ended == ["succeeded"] * len(begun)


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "  =1", "\r=1", "|calc", "=cmd|' /C calc'!A0", "＝1"]
)
def test_30_an_export_for_a_spreadsheet_holds_no_formula(text: str) -> None:
    assert spreadsheet_cell(text).lstrip()[:1] not in "=+-@|＝\t\r"


def test_30_the_chain_is_exported_whole(desk: Any, tmp_path: Path) -> None:
    desk.write(ops.audit(desk.now, "=HYPERLINK(1)", "approved", "r\n1", reason="\x1b]0;x\x07"))
    entries(desk, 2)
    lines = [json.loads(line) for line in desk.give("audit", "export").out.splitlines()]
    assert [line["seq"] for line in lines] == [1, 2, 3]
    assert lines[0]["actor"] == "=HYPERLINK(1)", "for machines it is what it is"
    table = tmp_path / "audit.csv"
    assert desk.give("audit", "export", "--format", "csv", "--to", str(table)).status == 0
    text = table.read_text()
    assert "'=HYPERLINK(1)" in text
    assert "\x1b" not in text
    assert desk.give("audit", "export", "--to", str(table)).status == 2, "nothing is overwritten"
