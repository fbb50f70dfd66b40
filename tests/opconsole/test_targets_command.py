from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path

import pytest

from opconsole.programs import Ending, ProgramResult
from opconsole.steps import NO_VARIABLES, StepFailed, StepInterrupted, StepKind, WithoutRun
from opconsole.targets import (
    CommandTarget,
    Holder,
    Release,
    ReleasesTarget,
    TargetSettingsError,
    TargetUse,
    make_target,
    registry,
)
from opconsole.targets.base import machine_id
from opconsole.targets.command import parse_probe

USE = TargetUse("shop", "production", Holder("journal-a", "run-1", 7), variables={"REGION": "eu"})
RELEASE = Release("2.1.0-3", "2.1.0", "c" * 40, Path("/store/app.tar"), "sha256:0")
SHOW = "import json, os, sys; json.dump(dict(os.environ, SAID=sys.argv[1]), open('shown.json', 'w'))"


class Subprocesses(WithoutRun):
    """A StepContext that runs programs plainly, for tests."""

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


def python(code: str, *arguments: str) -> list[str]:
    return [sys.executable, "-c", code, *arguments]


def target_in(folder: Path, *, probe: str | None = None, stop: str | None = None) -> CommandTarget:
    return CommandTarget(
        folder,
        USE,
        deploy=python(SHOW, "deploy"),
        rollback=python(SHOW, "rollback"),
        stop=stop and python(stop),
        probe=probe and python(probe),
        known_releases=["2.1.0-1", "2.1.0-2", "2.0.0-9"],
    )


@pytest.mark.parametrize(("restoring", "said"), [(False, "deploy"), (True, "rollback")])
async def test_the_users_program_is_told_what_to_bring_there(
    tmp_path: Path, restoring: bool, said: str
) -> None:
    target = target_in(tmp_path)
    assert target.place(RELEASE) == []
    (step,) = target.switch(RELEASE, previous_version="2.0.0", restoring=restoring)
    await step.act(Subprocesses())
    shown = json.loads((tmp_path / "shown.json").read_text())
    wanted = {
        "SAID": said,
        "REGION": "eu",
        "OPCONSOLE_PROJECT": "shop",
        "OPCONSOLE_ENVIRONMENT": "production",
        "OPCONSOLE_VERSION": "2.1.0",
        "OPCONSOLE_COMMIT": "c" * 40,
        "OPCONSOLE_RELEASE": "2.1.0-3",
        "OPCONSOLE_ARTIFACT": "/store/app.tar",
        "OPCONSOLE_PREVIOUS_VERSION": "2.0.0",
        "OPCONSOLE_RUN": "run-1",
        "OPCONSOLE_FENCE": "7",
    }
    assert {name: shown.get(name) for name in wanted} == wanted
    assert step.name == said


def test_without_a_probe_a_crash_while_deploying_is_for_a_person(tmp_path: Path) -> None:
    assert target_in(tmp_path).switch(RELEASE)[0].kind is StepKind.UNSAFE
    assert target_in(tmp_path, probe="0").switch(RELEASE)[0].kind is StepKind.PROBE


class Crashing(Subprocesses):
    """Runs programs, and says of the first deployments that their shim was lost."""

    def __init__(self, *does: str) -> None:
        self._does = list(does)
        """What each lost one did before: "nothing" or "all"."""
        self.deployments = 0

    async def program(
        self,
        argv: Sequence[str],
        *,
        cwd: Path,
        variables: Mapping[str, str] = NO_VARIABLES,
        limit: float | None = None,
    ) -> ProgramResult:
        self.deployments += 1
        lost = self._does.pop(0) if self._does else None
        now = datetime.now(UTC)
        result = ProgramResult(Ending.INTERRUPTED, None, None, now, now, "lost")
        if lost != "nothing":
            done = await super().program(argv, cwd=cwd, variables=variables, limit=limit)
            result = done if lost is None else result
        return result


DEPLOY = "import os; open('runs', 'w').write(os.environ['OPCONSOLE_VERSION'])"
PROBE = "import os; print(open('runs').read() if os.path.exists('runs') else '{\"version\": null}')"


def probed_target(folder: Path, probe: str = PROBE) -> CommandTarget:
    return CommandTarget(
        folder, USE, deploy=python(DEPLOY), rollback=python(DEPLOY), probe=python(probe), known_releases=[]
    )


async def test_a_lost_deploy_that_had_come_to_its_end_is_gone_on_with(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("2.0.0")
    context = Crashing("all")
    (step,) = probed_target(tmp_path).switch(RELEASE, previous_version="2.0.0")
    told = await step.act(context)
    assert told is not None
    assert "version 2.1.0 runs there" in told
    assert context.deployments == 1


async def test_a_lost_deploy_that_had_changed_nothing_is_run_once_more(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("2.0.0")
    context = Crashing("nothing")
    (step,) = probed_target(tmp_path).switch(RELEASE, previous_version="2.0.0")
    await step.act(context)
    assert context.deployments == 2
    assert (tmp_path / "runs").read_text() == "2.1.0"
    (tmp_path / "runs").write_text("2.0.0")
    with pytest.raises(StepInterrupted, match="twice"):
        await step.act(Crashing("nothing", "nothing"))


@pytest.mark.parametrize(
    ("before", "probe"),
    [
        ("2.1.0", PROBE),  # the same version again: the probe cannot tell before from after
        ("2.0.0", "raise SystemExit(3)"),
        ("2.0.0", "import time; print(time.time_ns())"),  # neither before nor after
    ],
)
async def test_a_lost_deploy_that_the_probe_cannot_judge_is_for_a_person(
    tmp_path: Path, before: str, probe: str
) -> None:
    (tmp_path / "runs").write_text(before)
    context = Crashing("nothing")
    (step,) = probed_target(tmp_path, probe).switch(RELEASE, previous_version=before)
    with pytest.raises(StepInterrupted, match="does not tell"):
        await step.act(context)
    assert context.deployments == 1


async def test_a_target_that_cannot_be_probed_says_so(tmp_path: Path) -> None:
    target = target_in(tmp_path)
    state = await target.probe(Subprocesses())
    assert not target.probes()
    assert not state.known
    assert "cannot be probed" in state.detail


async def test_a_probe_tells_what_runs(tmp_path: Path) -> None:
    target = target_in(
        tmp_path, probe="""print('{"release": "2.0.0-1", "version": "2.0.0", "commit": "abc"}')"""
    )
    state = await target.probe(Subprocesses())
    assert target.probes()
    assert (state.known, state.release, state.version, state.commit) == (True, "2.0.0-1", "2.0.0", "abc")


async def test_a_probe_that_fails_knows_nothing(tmp_path: Path) -> None:
    state = await target_in(tmp_path, probe="print('2.0.0'); raise SystemExit(2)").probe(Subprocesses())
    assert (state.known, state.version) == (False, None)
    assert "exited with status 2" in state.detail


@pytest.mark.parametrize(
    ("output", "known", "version"),
    [
        ("2.0.0\n", True, "2.0.0"),
        ("", True, None),
        ('{"version": null}', True, None),
        ('{"version": "2.0.0", "more": 1}', True, "2.0.0"),
        ("{}", False, None),
        ('{"version": 2}', False, None),
        ("{broken", False, None),
        ("2.0.0\nand more", False, None),
        ("\x1b]52;c;x\x07", False, None),
        ("x" * 201, False, None),
        ('{"a":' * 50_000, False, None),
    ],
)
def test_a_probes_answer_is_taken_only_if_it_is_clear(output: str, known: bool, version: str | None) -> None:
    state = parse_probe(output)
    assert (state.known, state.version) == (known, version)


async def test_a_deploy_that_fails_ends_with_its_reason(tmp_path: Path) -> None:
    target = CommandTarget(tmp_path, USE, deploy=python("raise SystemExit(4)"), rollback=python("0"))
    with pytest.raises(StepFailed, match="the deploy program failed: exited with status 4"):
        await target.switch(RELEASE)[0].act(Subprocesses())


async def test_stop_runs_where_there_is_one(tmp_path: Path) -> None:
    assert target_in(tmp_path).stop() == []
    (step,) = target_in(tmp_path, stop="open('stopped', 'w')").stop()
    await step.act(Subprocesses())
    assert (tmp_path / "stopped").exists()


def test_release_names_count_up_from_those_on_record(tmp_path: Path) -> None:
    assert target_in(tmp_path).next_release_name("2.1.0") == "2.1.0-3"
    assert target_in(tmp_path).next_release_name("3.0.0") == "3.0.0-1"


# -- by type name ----------------------------------------------------------------------------------------


def test_the_built_in_types_are_made_from_settings(tmp_path: Path) -> None:
    releases = make_target("releases", {"path": str(tmp_path), "restart": ["bin/restart"], "keep": 3}, USE)
    assert isinstance(releases, ReleasesTarget)
    settings = {"path": str(tmp_path), "deploy": ["d"], "rollback": ["r"], "probe": ["p"], "name": "cluster"}
    command = make_target("command", settings, USE)
    assert command.identity() == f"command:cluster:{tmp_path}@{machine_id()}"
    assert command.probes()


@pytest.mark.parametrize(
    ("kind", "settings", "told"),
    [
        ("relases", {}, "'type'.*one of releases, command"),
        ("releases", {"path": "srv"}, "'path'.*'srv'.*an absolute path"),
        ("releases", {"path": "/srv", "restart": "systemctl restart x"}, "'restart'.*a list"),
        ("releases", {"path": "/srv", "restart": []}, "'restart'.*a list"),
        ("releases", {"path": "/srv", "restart": ["a", 1]}, "'restart'.*found 1"),
        ("releases", {"path": "/srv", "keep": 0}, "'keep'.*at least 1"),
        ("releases", {"path": "/srv", "keep": True}, "'keep'.*at least 1"),
        ("releases", {"path": "/srv", "kep": 1}, "'kep'.*an unknown key.*keep, path"),
        ("command", {"path": "/srv", "deploy": ["d"]}, "'rollback'.*nothing"),
        ("command", {"path": "/srv", "deploy": ["d"], "rollback": ["r"], "name": "a\nb"}, "'name'.*one line"),
    ],
)
def test_wrong_settings_are_named_by_their_key(kind: str, settings: Mapping[str, object], told: str) -> None:
    with pytest.raises(TargetSettingsError, match=told):
        make_target(kind, settings, USE)


def test_a_package_can_register_a_type_but_not_replace_a_built_in_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "other_targets.py").write_text(
        "def make(settings, use):\n    from opconsole.targets import CommandTarget\n"
        "    from pathlib import Path\n"
        "    return CommandTarget(Path('/'), use, deploy=[settings['ship']], rollback=['r'])\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    offered = EntryPoints(
        EntryPoint(name, "other_targets:make", registry.GROUP)
        for name in ("ship", "releases", "twice", "twice")
    )
    monkeypatch.setattr(registry, "entry_points", offered.select)
    assert '"truck"' in make_target("ship", {"ship": "truck"}, USE).identity()
    assert isinstance(make_target("releases", {"path": str(tmp_path)}, USE), ReleasesTarget)
    assert registry.target_types() == ("releases", "command", "ship", "twice")
    with pytest.raises(TargetSettingsError, match="several packages"):
        make_target("twice", {}, USE)
