"""Attack 15: a symlink in the migrations folder that leaves the project."""

from __future__ import annotations


async def test_a_migration_that_is_a_link_out_of_the_project_is_refused(
    project, deploy, migrations, tmp_path
):
    migrations()
    outside = tmp_path / "outside.py"
    outside.write_text((project.path / "alembic/versions/0002_make.py").read_text())
    link = project.path / "alembic/versions/0002_make.py"
    link.unlink()
    link.symlink_to(outside)
    project.queue(deploy("DEV", "development", run_migrations=True))
    async with project.hosted() as driver:
        await driver.go()
        assert driver.state("DEV") == "failed"
        assert "0002_make.py" in driver.run("DEV").reason
        assert "link" in driver.run("DEV").reason
        assert driver.effects("DEV") == []
    assert not project.database("development").exists()
