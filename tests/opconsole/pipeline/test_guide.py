"""The guide's queue examples, word for word, run to their ends: only the project behind them is ours."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

EXAMPLES = Path(__file__).parent / "guide_examples"


def example(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((EXAMPLES / f"{name}.json").read_text("utf-8"))
    return found


@pytest.fixture
def guide(project: Any, migrations: Any) -> Any:
    """Give the project the folder of migrations that the examples name, and versions that they deploy."""
    migrations()

    def adapted(folder: str, tags: tuple[str, ...] = ()) -> Any:
        place = project.path / Path(folder).parent
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(project.path / "alembic", place)
        shutil.move(project.path / "alembic.ini", place.parent / "alembic.ini")
        if tags:
            if shutil.which("git") is None:
                pytest.skip("git is not installed here")
            project.git("init", "-q", "-b", "main")
            project.write(".gitignore", ".aibrain/\n")
            project.git("add", "-A")
            project.git("commit", "-qm", "first")
            for tag in tags:
                project.git("tag", tag)
        return project

    return adapted


def revision(path: Path) -> str:
    with closing(sqlite3.connect(path)) as connection:
        [(found,)] = connection.execute("SELECT version_num FROM alembic_version").fetchall()
    return str(found)


async def test_the_work_queue_deployment_asks_once_and_deploys_with_its_migrations(guide: Any) -> None:
    project = guide("backend/alembic/versions", ("v1.2.3",))
    project.queue(*example("work_queue_deployment")["features"])
    async with project.hosted() as driver:
        await driver.go(max_attempts=50)
        assert driver.state("DEPLOY-001") == "waiting", driver.run("DEPLOY-001").reason
        assert driver.approval("DEPLOY-001").why == ("first time in staging",)
        await driver.approve("DEPLOY-001")
        assert driver.state("DEPLOY-001") == "succeeded", driver.run("DEPLOY-001").reason
        assert [event.detail["text"] for event in driver.events("promise")] == ["DEPLOYMENT_COMPLETE"]
    assert project.current("staging") == "1.2.3-1"
    assert revision(project.database("staging")) == "0002"
    assert project.entry("DEPLOY-001")["status"] == "complete"
    assert project.deployments()[-1]["version"] == "1.2.3"


async def test_the_migration_only_task_runs_the_migrations_and_deploys_nothing(guide: Any) -> None:
    project = guide("apps/backend-api/alembic/versions")
    project.queue(example("migration_only"))
    async with project.hosted() as driver:
        await driver.go(max_attempts=50)
        assert driver.approval("MIGRATE-001").why == ("first time in staging",)
        await driver.approve("MIGRATE-001")
        assert driver.state("MIGRATE-001") == "succeeded", driver.run("MIGRATE-001").reason
        assert driver.effects("MIGRATE-001") == ["migrate"]
        assert [event.detail["text"] for event in driver.events("promise")] == ["MIGRATIONS_COMPLETE"]
    assert revision(project.database("staging")) == "0002"
    assert project.current("staging") == ""


async def test_the_full_cascade_deploys_environment_after_environment(guide: Any) -> None:
    project = guide("apps/backend-api/alembic/versions", ("v2.1.0",))
    project.queue(*example("full_cascade")["features"])
    dev, staging, prod = "DEPLOY-DEV-001", "DEPLOY-STAGING-001", "DEPLOY-PROD-001"
    async with project.hosted() as driver:
        await driver.go(max_attempts=50)
        assert (driver.state(dev), driver.state(staging)) == ("succeeded", "waiting")
        assert driver.state(prod) == "no run"
        await driver.approve(staging)
        assert (driver.state(staging), driver.state(prod)) == ("succeeded", "waiting")
        assert driver.approval(prod).why == ("production always needs approval", "the task requires approval")
        ticks = [text for passed, text in driver.run(prod).preflight if passed]
        assert ticks == [
            "All tests passed",
            "Migrations validated (reversible)",
            "No SQL safety violations",
            "No S3 safety violations",
            "Build successful",
        ]
        await driver.approve(prod)
        assert driver.state(prod) == "succeeded", driver.run(prod).reason
        assert driver.run(prod).reason == "deployed; manual verification required"
    for environment in ("development", "staging", "production"):
        assert project.current(environment) == "2.1.0-1"
        assert revision(project.database(environment)) == "0002"


async def test_the_cascade_halts_and_reports_at_the_first_failure(guide: Any) -> None:
    project = guide("apps/backend-api/alembic/versions")
    project.write("app.txt", "sick\n")
    project.git("init", "-q", "-b", "main")
    project.write(".gitignore", ".aibrain/\n")
    project.git("add", "-A")
    project.git("commit", "-qm", "first")
    project.git("tag", "v2.1.0")
    project.queue(*example("full_cascade")["features"])
    async with project.hosted() as driver:
        await driver.go(max_attempts=50)
        assert driver.state("DEPLOY-DEV-001") in ("failed", "rolled_back", "halted")
        assert driver.state("DEPLOY-STAGING-001") == "no run"
        assert driver.state("DEPLOY-PROD-001") == "no run"
    assert project.entry("DEPLOY-STAGING-001")["status"] == "pending"
