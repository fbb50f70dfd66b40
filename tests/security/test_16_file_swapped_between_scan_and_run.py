"""Attack 16: a file swapped between scan and run."""

from __future__ import annotations

import pytest


async def test_what_was_scanned_is_what_runs_whatever_the_checkout_says_since(in_git, deploy):
    in_git.smoke = '["sh", "smoke.sh"]'
    in_git.settings()
    in_git.queue(deploy("PROD", "production"))
    async with in_git.hosted() as driver:
        await driver.go()
        in_git.write("smoke.sh", f"touch {in_git.root}/swapped\n")
        in_git.write("app.txt", "swapped\n")
        assert (await driver.approve("PROD")).granted
        assert driver.state("PROD") == "succeeded", driver.run("PROD").reason
    assert not (in_git.root / "swapped").exists()
    served = in_git.target("production") / "current" / "app.txt"
    assert served.read_text() == "first\n"


def rewritten(copy):
    (copy / "app.txt").write_text("swapped\n")


def added(copy):
    (copy / "sitecustomize.py").write_text("swapped\n")


def taken_away(copy):
    (copy / "app.txt").unlink()


def renamed(copy):
    (copy / "app.txt").rename(copy / "App.txt")


def made_a_program(copy):
    (copy / "app.txt").chmod(0o755)


def made_a_link(copy):
    (copy / "kept").write_text((copy / "app.txt").read_text())
    (copy / "app.txt").unlink()
    (copy / "app.txt").symlink_to("kept")


@pytest.mark.parametrize("swap", [rewritten, added, taken_away, renamed, made_a_program, made_a_link])
@pytest.mark.parametrize("store", ["sources", "artifacts"])
async def test_a_file_swapped_in_the_private_copy_stops_the_run(project, deploy, store, swap):
    project.queue(deploy("PROD", "production"))
    async with project.hosted() as driver:
        await driver.go()
        run = driver.run("PROD")
        digest = run.source_digest if store == "sources" else run.artifact_digest
        copy = getattr(driver.host, store)._store.path(digest)
        for folder in (copy, *(path for path in copy.rglob("*") if path.is_dir())):
            folder.chmod(0o755)
        (copy / "app.txt").chmod(0o644)
        swap(copy)
        await driver.approve("PROD")
        assert driver.state("PROD") == "failed"
        assert digest[:19] in driver.run("PROD").reason
        assert driver.effects("PROD") == []


async def test_a_program_of_the_workspace_swapped_after_the_approval_was_asked_is_asked_about(
    project, deploy
):
    project.queue(deploy("PROD", "production"))
    async with project.hosted() as driver:
        await driver.go()
        (project.bin / "restart.sh").write_text(f"touch {project.root}/swapped\n")
        refused = await driver.approve("PROD")
        assert not refused.granted
        assert "restart.sh" in refused.text
        assert driver.effects("PROD") == []
    assert not (project.root / "swapped").exists()
