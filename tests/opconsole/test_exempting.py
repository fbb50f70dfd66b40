"""An exemption is written where the guardrails read it, as a comment beside its finding, and nowhere else."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from guardrails.environments import GateKind
from guardrails.findings import Finding, Verdict
from opconsole.client import Client
from opconsole.exempting import (
    Checkout,
    ExemptionError,
    Proposal,
    Spot,
    Wish,
    propose,
    read_day,
    recheck,
    write,
)
from opconsole.journal import ops
from opconsole.journal.records import Run
from opconsole.journal.writer import write_once
from opconsole.workspace import Workspace
from queues.states import RunState

TODAY = date(2026, 3, 2)
MIGRATION = '''"""Clean up."""

from alembic import op

revision = "2"
down_revision = "1"


def upgrade():
    op.create_table("users_archive")
    op.execute(
        """
        DROP TABLE users
        """
    )


def downgrade():
    op.drop_table("users_archive")
    op.create_table("users")
'''
SQL = "CREATE TABLE a (id int);\n\nDROP TABLE old_users;\n"
JS = """import {S3Client, DeleteBucketCommand} from "@aws-sdk/client-s3";
const client = new S3Client({});
if (old) {
\tawait client.send(new DeleteBucketCommand({Bucket: "logs"}));
}
"""
SHELL = "#!/bin/sh\nset -e\nif true; then\n  aws s3 rb \\\n    --force s3://logs\nfi\n"


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    (tmp_path / "shop").mkdir()
    return Checkout(tmp_path / "shop", "production", GateKind.PRODUCTION)


def put(checkout: Checkout, name: str, text: str) -> Path:
    file = checkout.folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(text.encode())
    return file


def finding(checkout: Checkout, name: str, rule: str) -> Finding:
    return next(one for one in recheck(checkout, name).findings if one.rule == rule)


def spot(checkout: Checkout, name: str, rule: str) -> Spot:
    """Give the spot of a finding in the file as it is now, which a run is taken to have seen."""
    found = finding(checkout, name, rule)
    rows = (checkout.folder / name).read_text(encoding="utf-8-sig").splitlines()
    return Spot(name, found.line, rule, found.statement, rows[found.line - 1])


def proposed(
    checkout: Checkout, name: str, rule: str, reason: str = "archived", until: date | None = None
) -> Proposal:
    return propose(checkout, spot(checkout, name, rule), Wish(reason, until), today=TODAY)


@pytest.mark.parametrize(
    ("name", "text", "rule", "added"),
    [
        (
            "versions/2.py",
            MIGRATION,
            "drop-table",
            [
                '     op.create_table("users_archive")',
                "+    # safety-exception: drop-table until 2126-12-31: archived",
                "     op.execute(",
            ],
        ),
        (
            "a.sql",
            SQL,
            "drop-table",
            [" ", "+-- safety-exception: drop-table until 2126-12-31: archived", " DROP TABLE old_users;"],
        ),
        (
            "a.ts",
            JS,
            "delete-bucket",
            [
                " if (old) {",
                "+\t// safety-exception: delete-bucket until 2126-12-31: archived",
                ' \tawait client.send(new DeleteBucketCommand({Bucket: "logs"}));',
            ],
        ),
        (
            "clean.sh",
            SHELL,
            "delete-bucket",
            [
                " if true; then",
                "+  # safety-exception: delete-bucket until 2126-12-31: archived",
                "   aws s3 rb \\",
            ],
        ),
    ],
    ids=["python", "sql", "typescript", "shell"],
)
def test_the_comment_goes_above_the_statement_in_the_words_of_its_language(
    checkout: Checkout, name: str, text: str, rule: str, added: list[str]
) -> None:
    file = put(checkout, name, text)
    proposal = proposed(checkout, name, rule, until=date(2126, 12, 31))
    assert proposal.diff[:2] == (f"--- a/{name}", f"+++ b/{name}")
    place = next(number for number, row in enumerate(proposal.diff) if row == added[1])
    assert list(proposal.diff[place - 1 : place + 2]) == added
    assert sum(row.startswith(("+", "-")) for row in proposal.diff) == 3
    assert file.read_bytes() == text.encode(), "nothing is written before somebody says so"
    write(proposal)
    assert finding(checkout, name, rule).verdict is Verdict.EXEMPT
    assert finding(checkout, name, rule).reason == "archived"
    assert [one.name for one in file.parent.iterdir()] == [file.name]


def test_line_ends_the_mark_of_coding_and_the_mode_of_the_file_stay(checkout: Checkout) -> None:
    file = put(checkout, "a.sql", "\ufeff" + SQL.replace("\n", "\r\n"))
    file.chmod(0o640)
    write(proposed(checkout, "a.sql", "drop-table"))
    assert file.read_bytes().decode() == (
        "\ufeffCREATE TABLE a (id int);\r\n\r\n"
        "-- safety-exception: drop-table: archived\r\nDROP TABLE old_users;\r\n"
    )
    assert file.stat().st_mode & 0o777 == 0o640


def test_a_statement_on_the_first_line_and_one_without_a_line_end_can_be_exempted(checkout: Checkout) -> None:
    file = put(checkout, "a.sql", "DROP TABLE a")
    write(proposed(checkout, "a.sql", "drop-table"))
    assert file.read_text() == "-- safety-exception: drop-table: archived\nDROP TABLE a"


def test_two_rules_about_one_statement_are_both_exempted(checkout: Checkout) -> None:
    text = "-- safety-exception: drop-column: unused\nALTER TABLE a DROP COLUMN b; DROP TABLE c;\n"
    file = put(checkout, "a.sql", text)
    write(proposed(checkout, "a.sql", "drop-table"))
    verdicts = {one.rule: one.verdict for one in recheck(checkout, "a.sql").findings}
    assert verdicts["drop-table"] is verdicts["drop-column"] is Verdict.EXEMPT, file.read_text()


def test_lines_put_in_above_it_do_not_lose_the_finding(checkout: Checkout) -> None:
    put(checkout, "a.sql", SQL)
    before = spot(checkout, "a.sql", "drop-table")
    put(checkout, "a.sql", "-- a note\n" + SQL)
    assert propose(checkout, before, Wish("archived"), today=TODAY).line == 4


def test_a_file_that_reads_otherwise_now_is_refused(checkout: Checkout) -> None:
    put(checkout, "a.sql", SQL)
    before = spot(checkout, "a.sql", "drop-table")
    put(checkout, "a.sql", SQL.replace("old_users", "users"))
    with pytest.raises(ExemptionError, match="does not read any more"):
        propose(checkout, before, Wish("archived"), today=TODAY)
    put(checkout, "a.sql", SQL)
    write(propose(checkout, before, Wish("archived"), today=TODAY))
    with pytest.raises(ExemptionError, match="exempt in the project's folder already"):
        propose(checkout, before, Wish("archived"), today=TODAY)


def test_a_file_that_changes_after_the_diff_was_shown_is_not_overwritten(checkout: Checkout) -> None:
    file = put(checkout, "a.sql", SQL)
    proposal = proposed(checkout, "a.sql", "drop-table")
    file.write_text(SQL + "SELECT 1;\n")
    with pytest.raises(ExemptionError, match="changed meanwhile"):
        write(proposal)
    assert file.read_text() == SQL + "SELECT 1;\n"
    file.unlink()
    with pytest.raises(ExemptionError, match="cannot be written"):
        write(proposal)


@pytest.mark.parametrize(
    ("reason", "complaint"),
    [
        ("", "a reason is needed"),
        ("  ", "a reason is needed"),
        ("fine\nDROP TABLE users;", "line break"),
        ("fine\rDROP", "line break"),
        ("fine\u2028deleteAll()", "line break"),
        ("fine\x1b[2J", "line break"),
        ("fine\u202eeht", "line break"),
        ("x" * 301, "301 characters"),
        ("fine \\", "read as something else"),
        ("not before until 2126-01-01", "read as something else"),
        ("fine */", "read as something else"),
    ],
)
def test_a_reason_that_would_not_stay_a_reason_is_refused(
    checkout: Checkout, reason: str, complaint: str
) -> None:
    put(checkout, "a.sql", SQL)
    with pytest.raises(ExemptionError, match=complaint):
        proposed(checkout, "a.sql", "drop-table", reason)


def test_a_day_is_a_day_to_come(checkout: Checkout) -> None:
    put(checkout, "a.sql", SQL)
    assert read_day(" ") is None
    assert read_day("2027-01-31") == date(2027, 1, 31)
    with pytest.raises(ExemptionError, match="is no day"):
        read_day("31.1.2027")
    with pytest.raises(ExemptionError, match="has passed"):
        proposed(checkout, "a.sql", "drop-table", until=date(2026, 3, 1))


@pytest.mark.parametrize("path", ["../outside.sql", "/etc/passwd", "link.sql", "gone.sql", ".", "a\0b", ""])
def test_a_path_that_is_no_file_of_the_project_is_refused(checkout: Checkout, path: str) -> None:
    outside = checkout.folder.parent / "outside.sql"
    outside.write_text(SQL)
    (checkout.folder / "link.sql").symlink_to(outside)
    with pytest.raises(ExemptionError):
        propose(checkout, Spot(path, 3, "drop-table", "DROP TABLE old_users", None), Wish("x"), today=TODAY)
    assert outside.read_text() == SQL


@pytest.mark.parametrize("rule", ["unparsable", "bad-exemption"])
def test_what_cannot_be_exempted_is_said_so(checkout: Checkout, rule: str) -> None:
    put(checkout, "a.sql", SQL)
    with pytest.raises(ExemptionError, match="cannot be exempted"):
        propose(checkout, Spot("a.sql", 1, rule, "", None), Wish("x"), today=TODAY)


def test_a_file_without_comments_or_in_another_coding_is_left_to_hands(checkout: Checkout) -> None:
    put(checkout, "a.json", "{}")
    (checkout.folder / "b.sql").write_bytes(SQL.encode("utf-16"))
    for name, complaint in (("a.json", "knows no comments"), ("b.sql", "no text in UTF-8")):
        with pytest.raises(ExemptionError, match=complaint):
            propose(checkout, Spot(name, 3, "drop-table", "", None), Wish("x"), today=TODAY)


def test_a_command_that_goes_on_over_lines_is_not_cut_by_a_comment(checkout: Checkout) -> None:
    put(checkout, "a.sh", "true && \\\n  aws s3 rb --force s3://logs\n")
    try:
        proposal = proposed(checkout, "a.sh", "delete-bucket")
    except ExemptionError:
        return
    assert b"\\\n  #" not in proposal.after
    write(proposal)
    assert finding(checkout, "a.sh", "delete-bucket").verdict is Verdict.EXEMPT


async def test_the_client_knows_the_projects_folder_and_a_read_only_one_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPCONSOLE_STATE_DIR", str(tmp_path / "state"))
    root = tmp_path / "root"
    (root / "shop").mkdir(parents=True)
    root.chmod(0o755)
    (root / "opconsole.toml").write_text(SETTINGS)
    (root / "opconsole.toml").chmod(0o644)
    client = Client.open(Workspace.open(root))
    try:
        write_once(client.place, ops.insert_run(RUN))
        checkout = await client.checkout(RUN.id)
        assert checkout == Checkout(root / "shop", "prod", GateKind.PRODUCTION, "tsql")
        assert await client.checkout("r-9") is None
        file = put(checkout, "a.sql", SQL)
        proposal = proposed(checkout, "a.sql", "drop-table")
        client.read_only = True
        assert not (await client.exempt(proposal)).granted
        assert file.read_text() == SQL
        client.read_only = False
        assert (await client.exempt(proposal)).granted
        again = await client.exempt(proposal)
        assert (again.granted, "changed meanwhile" in again.text) == (False, True)
    finally:
        client.close()


SETTINGS = """
[projects.shop]
path = "shop"
migrations = {path = "versions", dialect = "mssql"}
[projects.shop.environments.prod]
gate = "production"
target = {type = "releases", path = "deployed/prod"}
"""
RUN = Run(
    id="r-1",
    project="shop",
    task="T",
    kind="deployment",
    action="deploy",
    environment="prod",
    version="1.0",
    attempt=1,
    state=RunState.BLOCKED,
    epoch=1,
    requested_by="alice",
    created_at=datetime(2026, 3, 1, tzinfo=UTC),
)
