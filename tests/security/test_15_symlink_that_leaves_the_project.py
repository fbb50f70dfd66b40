"""Attack 15: a symlink in the migrations folder that leaves the project."""

from __future__ import annotations

import shutil

import pytest

PLACES = {
    "a migration": "alembic/versions/0002_make.py",
    "the folder of the migrations": "alembic/versions",
    "the folder above it": "alembic",
    "env.py": "alembic/env.py",
    "alembic.ini": "alembic.ini",
}


@pytest.mark.parametrize("through", ["straight", "through another link", "climbing"])
@pytest.mark.parametrize("what", PLACES)
async def test_what_migrating_reads_and_is_a_link_out_of_the_project_is_refused(  # noqa: PLR0917 - fixtures
    project, deploy, migrations, tmp_path, what, through
):
    migrations()
    outside, link = tmp_path / "outside", project.path / PLACES[what]
    shutil.move(link, outside)
    if through == "straight":
        link.symlink_to(outside)
    elif through == "climbing":
        link.symlink_to(f"{'../' * len(link.parent.parts)}{outside.relative_to('/')}")
    else:
        (project.path / "aside").symlink_to(outside)
        link.symlink_to(project.path / "aside")
    project.queue(deploy("DEV", "development", run_migrations=True))
    async with project.hosted() as driver:
        await driver.go()
        assert driver.state("DEV") == "failed"
        told = driver.run("DEV").reason
        assert PLACES[what] in told or "aside" in told
        assert "link" in told
        assert driver.effects("DEV") == []
        assert not list(driver.place.sources.glob("*")), "nothing of it is taken in"
    assert not project.database("development").exists()
