"""The commands that look after the journal."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from opconsole.journal import ops
from opconsole.journal.database import connect
from queues.states import RunState


def test_a_sound_journal_is_called_sound(desk) -> None:
    run = desk.run("DEPLOY-DEV", "development", RunState.SUCCEEDED)
    desk.write(ops.audit(desk.now, "ana", "x", run.id))
    for option in ([], ["--quick"]):
        found = desk.give("journal", "check", *option)
        assert (found.status, found.err) == (0, "")
        assert "the journal is sound" in found.out


def test_every_fault_is_named_by_where_it_was_found(desk) -> None:
    run = desk.run("DEPLOY-DEV", "development", RunState.SUCCEEDED)
    desk.release(run)  # its copies were never stored
    desk.write(*ops.take_lock(run, {}, desk.now), ops.audit(desk.now, "ana", "x", run.id))
    connection = connect(desk.place.database, mode="rw", timeout=5)
    connection.execute("UPDATE audit SET actor = 'mallory'")
    connection.execute("PRAGMA foreign_keys=OFF")
    connection.execute("INSERT INTO artifacts VALUES ('p', '1', 'c', 's', 'a', '2026', 'r-none')")
    connection.close()
    found = desk.give("journal", "check", "--json")
    assert found.status == 1
    assert found.document["sound"] is False
    assert [fault["check"] for fault in found.document["faults"]] == [
        "database",
        "audit",
        "rows",
        "copies",
        "copies",
    ]
    told = desk.give("journal", "check")
    assert "rows: run r-deploy-dev-1 is succeeded, yet it holds development of shop" in told.err
    assert "docs/service.md" in told.err


def test_a_damaged_file_is_a_fault_and_no_crash(desk) -> None:
    for number in range(200):
        desk.run(f"T{number}", "development", RunState.SUCCEEDED, reason="x" * 500)
    desk.close()
    desk._writer = None
    connection = connect(desk.place.database, mode="rw", timeout=5)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    with open(desk.place.root / ("journal" + ".sqlite3"), "r+b") as file:  # noqa: PTH123 - nobody has it open
        file.seek(8 * 4096)
        file.write(b"\xff" * 4096 * 8)
    found = desk.give("journal", "check")
    assert found.status == 1
    assert found.err.startswith("database: ")


def test_without_a_journal_there_is_nothing_to_check(desk) -> None:
    found = desk.give("journal", "check")
    assert found.status == 2
    assert "there is no journal yet" in found.err


def test_prune_says_before_what_would_go_and_afterwards_what_went(desk) -> None:
    desk.settings((desk.root / "opconsole.toml").read_text() + "[journal]\nkeep_days = 30\nkeep_runs = 1\n")
    long_ago = datetime.now(UTC) - timedelta(days=90)
    for attempt in (1, 2):
        run = desk.run("DEPLOY-DEV", "development", RunState.FAILED, attempt=attempt)
        desk.write(ops.update_run(run.id, 1, finished_at=long_ago), ops.event(long_ago, "run", "shop"))
        (desk.place.runs / run.id).mkdir()
        (desk.place.runs / run.id / "log").write_text("it failed")
    would = desk.give("journal", "prune", "--dry-run", "--json")
    assert (would.status, would.document["runs"]) == (0, ["r-deploy-dev-1"])
    assert would.document["rows"] == {"events": 1}
    assert "1 events" in desk.give("journal", "prune", "--dry-run").out
    desk.close()
    desk._writer = None
    done = desk.give("journal", "prune")
    assert done.status == 0, done.err
    assert done.out == "removed the folders of 1 runs, 0 exports, 0 artifacts and 1 old rows\n"
    assert [folder.name for folder in desk.place.runs.iterdir()] == ["r-deploy-dev-2"]
    assert "pruned" in desk.give("audit", "show").out
    desk.give("journal", "prune")  # the event that was the newest before, and stayed
    assert "nothing is old enough" in desk.give("journal", "prune").out


def test_what_has_not_left_the_outbox_is_listed_with_the_reason(desk) -> None:
    assert "Nothing waits" in desk.give("journal", "outbox").out
    desk.write(ops.send("echo", "shop", {"task": "DEPLOY-DEV", "status": "complete"}, desk.now))
    assert desk.give("journal", "outbox").status == 0
    desk.write(ops.end_outbox(1, None, "the disk is full"))
    found = desk.give("journal", "outbox")
    assert found.status == 1
    assert "DEPLOY-DEV" in found.out
    assert "the disk is full" in found.out
    (row,) = desk.give("journal", "outbox", "--json").document
    assert (row["kind"], row["of"], row["attempts"], row["error"]) == (
        "echo",
        "DEPLOY-DEV",
        1,
        "the disk is full",
    )
    warned = desk.give("status").err
    assert "1 message could not be delivered" in warned
    assert "journal outbox` says why" in warned
