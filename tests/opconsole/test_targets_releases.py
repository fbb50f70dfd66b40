from __future__ import annotations

import asyncio
import fcntl
import json
import os
import sys
import tarfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from opconsole.artifacts import ArtifactStore
from opconsole.programs import Ending, ProgramResult
from opconsole.steps import NO_VARIABLES, Step, StepFailed, StepKind
from opconsole.targets import Holder, Release, ReleasesTarget, TargetUse
from opconsole.targets.record import LOCK_NAME, RECORD_NAME, RecordFile
from opconsole.trees import copy_tree, tree_digest

COMMIT = "c" * 40
SHOW = "import json, os; json.dump(dict(os.environ, CWD=os.getcwd()), open('shown.json', 'w'))"


class Subprocesses:
    """A StepContext that runs programs plainly, for tests."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)

    async def program(
        self,
        argv: Sequence[str],
        *,
        cwd: Path,
        variables: Mapping[str, str] = NO_VARIABLES,
        limit: float | None = None,
    ) -> ProgramResult:
        return (await self.capture(argv, cwd=cwd, variables=variables, limit=limit))[0]

    async def capture(
        self,
        argv: Sequence[str],
        *,
        cwd: Path,
        variables: Mapping[str, str] = NO_VARIABLES,
        limit: float | None = None,
    ) -> tuple[ProgramResult, str]:
        started = datetime.now(UTC)
        process = await asyncio.create_subprocess_exec(
            *argv, cwd=cwd, env=dict(variables), stdout=asyncio.subprocess.PIPE
        )
        output, _ = await process.communicate()
        status = process.returncode
        result = ProgramResult(
            Ending.EXITED, status, None, started, datetime.now(UTC), f"exited with status {status}"
        )
        return result, output.decode()


class Clock:
    """Each look is a minute later."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.now += timedelta(minutes=1)
        return self.now


OURS = TargetUse("shop", "staging", Holder("journal-a", "run-1", 7), variables={"PORT": "8080"})

MakeTarget = Callable[..., ReleasesTarget]
MakeRelease = Callable[..., Release]


@pytest.fixture
def context() -> Subprocesses:
    return Subprocesses()


@pytest.fixture
def target_at(tmp_path: Path) -> MakeTarget:
    clock = Clock()

    def make(
        use: TargetUse = OURS, restart: str | None = None, stop: str | None = None, keep: int = 5
    ) -> ReleasesTarget:
        return ReleasesTarget(
            tmp_path / "srv",
            use,
            restart=restart and [sys.executable, "-c", restart],
            stop=stop and [sys.executable, "-c", stop],
            keep=keep,
            now=clock,
        )

    return make


@pytest.fixture
def release_of(tmp_path: Path) -> MakeRelease:
    def make(name: str, text: str = "hello") -> Release:
        folder = tmp_path / f"built-{name}"
        folder.mkdir(exist_ok=True)
        (folder / "app.py").write_text(text)
        return Release(name, name.rpartition("-")[0], COMMIT, folder, tree_digest(folder))

    return make


async def run(steps: Sequence[Step], context: Subprocesses) -> list[str | None]:
    return [await step.act(context) for step in steps]


async def deploy(target: ReleasesTarget, release: Release, context: Subprocesses) -> None:
    await run([*target.place(release), *target.switch(release)], context)


def served(tmp_path: Path) -> str:
    return (tmp_path / "srv" / "current" / "app.py").read_text()


# -- the layout ------------------------------------------------------------------------------------------


async def test_a_placed_release_serves_only_after_the_switch(
    target_at: MakeTarget, release_of: MakeRelease, context: Subprocesses, tmp_path: Path
) -> None:
    target, release = target_at(), release_of("2.1.0-1")
    await run(target.place(release), context)
    assert not (tmp_path / "srv" / "current").exists()
    assert (tmp_path / "srv" / "shared").is_dir()
    written = json.loads((tmp_path / "srv/releases/2.1.0-1/.opconsole-release.json").read_text())
    assert written == {
        "version": "2.1.0",
        "commit": COMMIT,
        "digest": release.artifact_digest,
        "placed_at": "2026-01-01T00:01:00+00:00",
    }
    await run(target.switch(release), context)
    assert (tmp_path / "srv" / "current").readlink() == Path("releases/2.1.0-1")
    assert served(tmp_path) == "hello"


async def test_the_probe_tells_nothing_then_what_serves_and_who_holds(
    target_at: MakeTarget, release_of: MakeRelease, context: Subprocesses
) -> None:
    target, release = target_at(), release_of("2.1.0-1")
    empty = await target.probe(context)
    assert (empty.known, empty.release, empty.holder) == (True, None, None)
    await deploy(target, release, context)
    state = await target.probe(context)
    assert (state.known, state.release, state.version, state.commit, state.artifact_digest) == (
        True,
        "2.1.0-1",
        "2.1.0",
        COMMIT,
        release.artifact_digest,
    )
    assert state.holder == "run run-1 of journal journal-a, fence 7"
    await target.clear_holder()
    assert (await target.probe(context)).holder is None


async def test_going_back_is_a_switch_to_the_earlier_release(
    target_at: MakeTarget, release_of: MakeRelease, context: Subprocesses, tmp_path: Path
) -> None:
    target = target_at()
    await deploy(target, release_of("1.0.0-1", "old"), context)
    await deploy(target, release_of("2.0.0-1", "new"), context)
    assert served(tmp_path) == "new"
    await run(target.switch(release_of("1.0.0-1", "old"), restoring=True), context)
    assert served(tmp_path) == "old"


async def test_placing_and_switching_twice_is_doing_it_once(
    target_at: MakeTarget, release_of: MakeRelease, context: Subprocesses, tmp_path: Path
) -> None:
    target, release = target_at(), release_of("2.1.0-1")
    await deploy(target, release, context)
    await deploy(target, release, context)
    assert context.notes[2:] == [
        "release 2.1.0-1 is in place already",
        "current names release 2.1.0-1 already",
    ]
    assert [p.name for p in (tmp_path / "srv" / "releases").iterdir()] == ["2.1.0-1"]


async def test_a_release_name_with_another_content_is_refused(
    target_at: MakeTarget, release_of: MakeRelease, context: Subprocesses
) -> None:
    target = target_at()
    await run(target.place(release_of("2.1.0-1")), context)
    with pytest.raises(StepFailed, match="with another content"):
        await run(target.place(release_of("2.1.0-1", "other")), context)
    with pytest.raises(StepFailed, match="with another content"):
        await run(target.switch(replace(release_of("2.1.0-1"), commit="d" * 40)), context)


async def test_an_artifact_that_is_not_what_the_plan_names_is_never_placed(
    target_at: MakeTarget, release_of: MakeRelease, context: Subprocesses, tmp_path: Path
) -> None:
    release = release_of("2.1.0-1")
    (release.artifact / "app.py").write_text("evil")
    with pytest.raises(StepFailed, match="is not what the plan names"):
        await run(target_at().place(release), context)
    assert list((tmp_path / "srv" / "releases").iterdir()) == []


async def test_a_tar_is_unpacked_and_any_other_file_is_placed_as_it_is(
    target_at: MakeTarget, context: Subprocesses, tmp_path: Path
) -> None:
    (tmp_path / "app.py").write_text("from tar")
    with tarfile.open(tmp_path / "tree", "w:gz") as tar:
        tar.add(tmp_path / "app.py", arcname="app.py")
    store = ArtifactStore(tmp_path / "store")
    target = target_at()
    for name, path, inside in (("1.0.0-1", "tree", "app.py"), ("2.0.0-1", "app.py", "app.py")):
        artifact = await store.put(tmp_path / path)
        await run(target.place(Release(name, name[:5], COMMIT, artifact.path, artifact.digest)), context)
        assert (tmp_path / "srv" / "releases" / name / inside).read_text() == "from tar"


async def test_a_hostile_tar_is_refused_and_leaves_nothing(
    target_at: MakeTarget, context: Subprocesses, tmp_path: Path
) -> None:
    with tarfile.open(tmp_path / "evil.tar", "w") as tar:
        tar.addfile(tarfile.TarInfo("../../evil"))
    release = Release("1.0.0-1", "1.0.0", COMMIT, tmp_path / "evil.tar", tree_digest(tmp_path / "evil.tar"))
    with pytest.raises(StepFailed, match="must not be placed"):
        await run(target_at().place(release), context)
    assert list((tmp_path / "srv" / "releases").iterdir()) == []


async def test_an_artifact_that_brings_our_file_is_refused(
    target_at: MakeTarget, release_of: MakeRelease, context: Subprocesses
) -> None:
    release = release_of("1.0.0-1")
    (release.artifact / ".opconsole-release.json").symlink_to("app.py")
    with pytest.raises(StepFailed, match="opconsole's own"):
        await run(target_at().place(replace(release, artifact_digest=tree_digest(release.artifact))), context)


async def test_a_read_only_stored_artifact_becomes_a_release_that_can_be_written(
    target_at: MakeTarget, release_of: MakeRelease, context: Subprocesses, tmp_path: Path
) -> None:
    release = release_of("1.0.0-1")
    copy_tree(release.artifact, tmp_path / "stored", read_only=True)
    await deploy(target_at(), replace(release, artifact=tmp_path / "stored"), context)
    assert (tmp_path / "srv/releases/1.0.0-1/app.py").stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("name", ["../evil-1", "2.1.0", "2.1.0-0", "2.1.1-1", "2.1.0-1/..", "2.1.0-1\n"])
def test_a_release_name_that_is_not_of_its_version_is_refused(target_at: MakeTarget, name: str) -> None:
    release = Release(name, "2.1.0", COMMIT, Path("/nowhere"), "sha256:0")
    with pytest.raises(ValueError, match="is not a release of"):
        target_at().place(release)
    with pytest.raises(ValueError, match="is not a release of"):
        target_at().switch(release)


async def test_a_current_that_is_a_folder_is_never_replaced(
    target_at: MakeTarget, release_of: MakeRelease, context: Subprocesses, tmp_path: Path
) -> None:
    (tmp_path / "srv" / "current").mkdir(parents=True)
    assert not (await target_at().probe(context)).known
    with pytest.raises(StepFailed, match="is not a link"):
        await deploy(target_at(), release_of("1.0.0-1"), context)


async def test_a_link_that_we_did_not_make_is_not_known(
    target_at: MakeTarget, context: Subprocesses, tmp_path: Path
) -> None:
    (tmp_path / "srv" / "releases").mkdir(parents=True)
    (tmp_path / "srv" / "current").symlink_to("/etc")
    state = await target_at().probe(context)
    assert not state.known
    assert "leads to '/etc'" in state.detail


@pytest.mark.parametrize("text", ["", "[]", "{" * 10_000, '{"version": "\\u001b]52;c;x"}', "null"])
async def test_a_damaged_release_file_is_not_known(
    target_at: MakeTarget, release_of: MakeRelease, context: Subprocesses, tmp_path: Path, text: str
) -> None:
    target = target_at()
    await deploy(target, release_of("1.0.0-1"), context)
    (tmp_path / "srv/releases/1.0.0-1/.opconsole-release.json").write_text(text)
    state = await target.probe(context)
    assert (state.known, state.release, state.version) == (False, "1.0.0-1", None)


async def test_a_place_that_cannot_be_written_ends_with_the_reason(
    target_at: MakeTarget, release_of: MakeRelease, context: Subprocesses, tmp_path: Path
) -> None:
    (tmp_path / "srv").write_text("a file")
    with pytest.raises(StepFailed, match="the target could not be changed: "):
        await run(target_at().place(release_of("1.0.0-1")), context)


# -- names -----------------------------------------------------------------------------------------------


async def test_release_numbers_count_up_and_are_not_reused_after_pruning(
    target_at: MakeTarget, release_of: MakeRelease, context: Subprocesses, tmp_path: Path
) -> None:
    target = target_at(keep=1)
    assert target.next_release_name("2.1.0") == "2.1.0-1"
    for name in ("2.1.0-1", "2.1.0-2", "2.1.0-rc-9", "3.0.0-1"):
        await deploy(target, release_of(name), context)
    assert await target.prune([]) == ["2.1.0-1", "2.1.0-2", "2.1.0-rc-9"]
    assert target.next_release_name("2.1.0") == "2.1.0-3"
    assert target.next_release_name("2.1.0-rc") == "2.1.0-rc-10"


def test_the_identity_names_the_real_folder_and_stays(target_at: MakeTarget, tmp_path: Path) -> None:
    identity = target_at().identity()
    assert identity.startswith(f"releases:{os.path.realpath(tmp_path)}/srv@")
    (tmp_path / "link").symlink_to(tmp_path)
    assert ReleasesTarget(tmp_path / "link" / "srv", OURS, restart=None).identity() == identity


# -- pruning ---------------------------------------------------------------------------------------------


async def test_pruning_keeps_the_newest_what_serves_and_what_is_protected(
    target_at: MakeTarget, release_of: MakeRelease, context: Subprocesses, tmp_path: Path
) -> None:
    target = target_at(keep=2)
    for number in range(1, 7):
        await run(target.place(release_of(f"1.0.0-{number}")), context)
    await run(target.switch(release_of("1.0.0-1")), context)
    (tmp_path / "srv" / "releases" / "by-hand").mkdir()
    assert await target.prune(["1.0.0-3"]) == ["1.0.0-2", "1.0.0-4"]
    left = sorted(path.name for path in (tmp_path / "srv" / "releases").iterdir())
    assert left == ["1.0.0-1", "1.0.0-3", "1.0.0-5", "1.0.0-6", "by-hand"]


async def test_pruning_removes_old_leftovers_of_a_crash(
    target_at: MakeTarget, release_of: MakeRelease, context: Subprocesses, tmp_path: Path
) -> None:
    target = target_at()
    await deploy(target, release_of("1.0.0-1"), context)
    for name in (".placing-old", ".placing-young", ".gone-1.0.0-0-aa"):
        (tmp_path / "srv" / "releases" / name / "half").mkdir(parents=True)
    os.utime(tmp_path / "srv" / "releases" / ".placing-old", (1, 1))
    assert await target.prune([]) == []
    left = sorted(path.name for path in (tmp_path / "srv" / "releases").iterdir())
    assert left == [".placing-young", "1.0.0-1"]


async def test_nothing_is_pruned_while_another_workspace_holds_the_target(
    target_at: MakeTarget, release_of: MakeRelease, context: Subprocesses
) -> None:
    target = target_at(keep=1)
    await deploy(target, release_of("1.0.0-1"), context)
    await deploy(target, release_of("1.0.0-2"), context)
    with pytest.raises(StepFailed, match="held by run"):
        await target_at(replace(OURS, holder=Holder("journal-b", "run-9", 1)), keep=1).prune([])


# -- who holds the target --------------------------------------------------------------------------------


async def test_32_two_clones_of_a_workspace_exclude_each_other(
    target_at: MakeTarget, release_of: MakeRelease, context: Subprocesses, tmp_path: Path
) -> None:
    ours, theirs = target_at(), target_at(replace(OURS, holder=Holder("journal-b", "run-9", 99)))
    await deploy(ours, release_of("1.0.0-1"), context)
    with pytest.raises(StepFailed, match=r"held by run 'run-1' of another workspace .*'journal-a'"):
        await run(theirs.place(release_of("2.0.0-1")), context)
    with pytest.raises(StepFailed, match="of another workspace"):
        await run(theirs.switch(release_of("1.0.0-1")), context)
    await theirs.clear_holder()
    assert (await ours.probe(context)).holder is not None
    await ours.clear_holder()
    await deploy(theirs, release_of("2.0.0-1"), context)


async def test_a_newer_fence_takes_over_and_the_older_one_is_refused(
    target_at: MakeTarget, release_of: MakeRelease, context: Subprocesses
) -> None:
    older, newer = target_at(), target_at(replace(OURS, holder=Holder("journal-a", "run-2", 8)))
    await deploy(older, release_of("1.0.0-1"), context)
    await deploy(newer, release_of("2.0.0-1"), context)
    with pytest.raises(StepFailed, match=r"run 'run-1' no longer holds .*\(fence 8, ours 7\)"):
        await run(older.switch(release_of("1.0.0-1")), context)


async def test_a_run_without_its_environments_lock_changes_nothing_but_can_let_go(
    target_at: MakeTarget, release_of: MakeRelease, context: Subprocesses
) -> None:
    without = target_at(replace(OURS, holder=Holder("journal-a", "run-1", 0)))
    with pytest.raises(StepFailed, match="does not hold its environment's lock"):
        await run(without.place(release_of("1.0.0-1")), context)
    await deploy(target_at(), release_of("1.0.0-1"), context)
    with pytest.raises(StepFailed, match="no longer holds"):
        await run(without.switch(release_of("1.0.0-1")), context)
    await without.clear_holder()
    assert (await without.probe(context)).holder is None


async def test_programs_too_run_only_while_the_target_is_ours(
    target_at: MakeTarget, release_of: MakeRelease, context: Subprocesses, tmp_path: Path
) -> None:
    release = release_of("1.0.0-1")
    await deploy(target_at(), release, context)
    theirs = target_at(replace(OURS, holder=Holder("b", "run-9", 9)), restart=SHOW, stop=SHOW)
    for step in (theirs.switch(release)[1], *theirs.stop()):
        with pytest.raises(StepFailed, match="of another workspace"):
            await step.act(context)
    assert not (tmp_path / "srv" / "shown.json").exists()


async def test_a_damaged_record_stops_everything_and_says_how_to_go_on(
    target_at: MakeTarget, release_of: MakeRelease, context: Subprocesses, tmp_path: Path
) -> None:
    await deploy(target_at(), release_of("1.0.0-1"), context)
    (tmp_path / "srv" / RECORD_NAME).write_text('{"holder": {}}')
    with pytest.raises(StepFailed, match="is damaged"):
        await run(target_at().place(release_of("1.0.0-2")), context)
    assert not (await target_at().probe(context)).known


def test_a_lock_that_another_program_keeps_is_named_and_may_be_tried_again(tmp_path: Path) -> None:
    with (tmp_path / LOCK_NAME).open("w") as kept:
        fcntl.flock(kept, fcntl.LOCK_EX)
        with (
            pytest.raises(StepFailed, match=r"keeps .* locked") as caught,
            RecordFile(tmp_path, wait=0).locked(),
        ):
            pass
    assert caught.value.retryable
    with RecordFile(tmp_path, wait=0).locked():
        pass


# -- programs --------------------------------------------------------------------------------------------


async def test_restart_gets_the_documented_variables_and_the_targets_folder(
    target_at: MakeTarget, release_of: MakeRelease, context: Subprocesses, tmp_path: Path
) -> None:
    use = replace(OURS, venv=tmp_path / "venv")
    await deploy(target_at(use, restart=SHOW), release_of("2.1.0-1"), context)
    srv = os.path.realpath(tmp_path / "srv")
    shown = json.loads((tmp_path / "srv" / "shown.json").read_text())
    wanted = {
        "PORT": "8080",
        "OPCONSOLE_PROJECT": "shop",
        "OPCONSOLE_ENVIRONMENT": "staging",
        "OPCONSOLE_VERSION": "2.1.0",
        "OPCONSOLE_RELEASE": "2.1.0-1",
        "OPCONSOLE_RELEASE_DIR": f"{srv}/releases/2.1.0-1",
        "OPCONSOLE_TARGET_DIR": srv,
        "OPCONSOLE_SHARED_DIR": f"{srv}/shared",
        "OPCONSOLE_RUN": "run-1",
        "OPCONSOLE_FENCE": "7",
        "VIRTUAL_ENV": f"{tmp_path}/venv",
        "CWD": srv,
    }
    assert {name: shown.get(name) for name in wanted} == wanted
    assert shown["PATH"].startswith(f"{tmp_path}/venv/bin:")


async def test_stop_is_told_what_serves(
    target_at: MakeTarget, release_of: MakeRelease, context: Subprocesses, tmp_path: Path
) -> None:
    target = target_at(stop=SHOW)
    await deploy(target, release_of("2.1.0-1"), context)
    await run(target.stop(), context)
    assert json.loads((tmp_path / "srv" / "shown.json").read_text())["OPCONSOLE_RELEASE"] == "2.1.0-1"


async def test_a_restart_that_fails_ends_with_its_reason(
    target_at: MakeTarget, release_of: MakeRelease, context: Subprocesses
) -> None:
    with pytest.raises(StepFailed, match="the restart program failed: exited with status 3"):
        await deploy(target_at(restart="raise SystemExit(3)"), release_of("1.0.0-1"), context)


def test_the_steps_say_what_a_crash_in_their_middle_means(
    target_at: MakeTarget, release_of: MakeRelease
) -> None:
    target, release = target_at(restart="0", stop="0"), release_of("1.0.0-1")
    steps = [*target.place(release), *target.switch(release), *target.stop()]
    assert [(step.name, step.kind) for step in steps] == [
        ("place", StepKind.REPEATABLE),
        ("switch", StepKind.PROBE),
        ("restart", StepKind.REPEATABLE),
        ("stop", StepKind.REPEATABLE),
    ]
    assert [step.argv for step in steps] == [
        None,
        None,
        (sys.executable, "-c", "0"),
        (sys.executable, "-c", "0"),
    ]
    assert target_at().stop() == []
    assert len(target_at().switch(release)) == 1
