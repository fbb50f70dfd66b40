"""Attack 17: a migration edited after its approval."""

from __future__ import annotations

import sqlite3

from opconsole.journal.records import ApprovalState, RequestKind
from opconsole.plans import differences


async def test_in_development_an_edited_migration_voids_the_approval(project, deploy, migrations):
    migration = migrations()
    project.queue(deploy("DEV", "development", run_migrations=True, requires_approval=True))
    async with project.hosted() as driver:
        await driver.go()
        assert driver.state("DEV") == "waiting", driver.run("DEV").reason
        await driver.ask(RequestKind.FREEZE, reason="hold it between approval and effects")
        assert (await driver.approve("DEV", reason="", environment="")).granted
        migration.write_text(migration.read_text().replace('"t0002"', '"stolen"'))
        await driver.ask(RequestKind.UNFREEZE, reason="go on")
        await driver.idle()
        assert driver.effects("DEV") == []
        first, second = driver.reader.approvals_of(driver.run("DEV").id)
        assert (first.state, second.state) == (ApprovalState.VOID, ApprovalState.WAITING)
        [told] = driver.events("plan-changed")
        assert any(sentence.startswith("commit: was") for sentence in told.detail["changes"])
        changed = differences(first.plan, second.plan)
        assert any(sentence.startswith("migrations.files[1].sha256: was") for sentence in changed)
    assert not project.database("development").exists()


async def test_in_production_the_version_is_refused(in_git, deploy, migrations):
    migration = migrations()
    in_git.git("add", "-A")
    in_git.git("commit", "-qm", "migrations")
    in_git.git("tag", "v1.1.0")
    in_git.queue(deploy("PROD", "production", "1.1.0", run_migrations=True))
    async with in_git.hosted() as driver:
        await driver.go()
        assert driver.state("PROD") == "waiting", driver.run("PROD").reason
        migration.write_text(migration.read_text().replace('"t0002"', '"stolen"'))
        in_git.git("commit", "-qam", "edited")
        in_git.git("tag", "-f", "v1.1.0")
        await driver.approve("PROD")
        assert driver.state("PROD") == "failed"
        assert "is on record with commit" in driver.run("PROD").reason
        assert driver.effects("PROD") == []
    assert not in_git.database("production").exists()


async def test_an_edit_that_is_not_committed_changes_nothing_of_what_runs(in_git, deploy, migrations):
    migration = migrations()
    in_git.git("add", "-A")
    in_git.git("commit", "-qm", "migrations")
    in_git.git("tag", "v1.1.0")
    in_git.queue(deploy("PROD", "production", "1.1.0", run_migrations=True))
    async with in_git.hosted() as driver:
        await driver.go()
        migration.write_text(migration.read_text().replace('"t0002"', '"stolen"'))
        assert (await driver.approve("PROD")).granted
        assert driver.state("PROD") == "succeeded", driver.run("PROD").reason
    with sqlite3.connect(in_git.database("production")) as database:
        names = {name for (name,) in database.execute("select name from sqlite_master")}
    database.close()
    assert "t0002" in names
    assert "stolen" not in names
