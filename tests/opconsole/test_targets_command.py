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
from opconsole.steps import NO_VARIABLES, StepFailed, StepKind
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


class Subprocesses:
    """A StepContext that runs programs plainly, for tests."""

    def note(self, text: str) -> None:
        pass

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
