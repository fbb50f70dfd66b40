"""The `command` target: the user's own programs deploy, roll back, stop and tell what runs.

Settings: `deploy` and `rollback` (programs), `stop` and `probe` (programs, optional), `path` (the absolute
folder that they run in), `name` (optional; what the target is called where two of them share a folder).

The programs get the variables of `base.program_variables`, OPCONSOLE_ARTIFACT, OPCONSOLE_COMMIT and
OPCONSOLE_PREVIOUS_VERSION. `probe` prints one JSON object ``{"release": …, "version": …, "commit": …}``
(any of them may be absent or null), or just the version; nothing at all means that nothing is deployed.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from opconsole.programs import Ending
from opconsole.steps import Step, StepContext, StepInterrupted, StepKind, describe_result, program_failed
from opconsole.targets.base import (
    Release,
    Target,
    TargetState,
    TargetUse,
    check_release,
    machine_id,
    program_variables,
    release_name,
)
from opconsole.targets.options import Options

PROBE_LIMIT = 60.0
"""Seconds that the probe program may take."""


class CommandTarget:
    """Releases go where the user's programs bring them; no more is promised than they keep."""

    def __init__(
        self,
        path: Path,
        use: TargetUse,
        *,
        deploy: Sequence[str],
        rollback: Sequence[str],
        stop: Sequence[str] | None = None,
        probe: Sequence[str] | None = None,
        name: str | None = None,
        known_releases: Collection[str] = (),
    ) -> None:
        """*known_releases* are the releases on record for this target: nothing else counts them."""
        self._path = path
        self._use = use
        self._deploy = tuple(deploy)
        self._rollback = tuple(rollback)
        self._stop = tuple(stop) if stop else None
        self._probe = tuple(probe) if probe else None
        self._known_releases = tuple(known_releases)
        self._identity = f"command:{name or json.dumps(list(self._deploy))}:{path}@{machine_id()}"

    def identity(self) -> str:
        """Name the target, or its deploy program, the folder and the machine that it runs on."""
        return self._identity

    def probes(self) -> bool:
        """Tell whether there is a probe program."""
        return self._probe is not None

    async def probe(self, context: StepContext) -> TargetState:
        """Run the probe program; not known without one, if it fails, or if its answer makes no sense."""
        if self._probe is None:
            return TargetState(known=False, detail="this target has no `probe` program and cannot be probed")
        result, output = await context.capture(
            self._probe,
            cwd=self._path,
            variables=program_variables(self._use, version="", release=""),
            limit=min(PROBE_LIMIT, self._use.limit),
        )
        if not result.ok:
            return TargetState(known=False, detail=f"the probe program failed: {describe_result(result)}")
        return parse_probe(output)

    def next_release_name(self, version: str) -> str:
        """Count up from the releases on record."""
        return release_name(version, self._known_releases)

    def place(self, release: Release) -> list[Step]:
        """Nothing: the deploy program brings the files and makes them serve."""
        check_release(release)
        return []

    def switch(
        self, release: Release, *, previous_version: str | None = None, restoring: bool = False
    ) -> list[Step]:
        """Run `deploy`, or `rollback` when going back to an earlier release."""
        check_release(release)
        variables = {
            **program_variables(self._use, version=release.version, release=release.name),
            "OPCONSOLE_ARTIFACT": str(release.artifact),
            "OPCONSOLE_COMMIT": release.commit,
            "OPCONSOLE_PREVIOUS_VERSION": previous_version or "",
        }
        # Nobody but the target can tell how far the user's program came: it is asked, or a person is.
        kind = StepKind.PROBE if self._probe is not None else StepKind.UNSAFE
        name, argv = ("rollback", self._rollback) if restoring else ("deploy", self._deploy)
        title = f"{'Roll back to' if restoring else 'Deploy'} release {release.name}"

        async def act(context: StepContext) -> str:
            before = None
            if self._probe is not None:
                before = await context.once("serves", lambda: self._serves(context))
            result = await context.program(argv, cwd=self._path, variables=variables, limit=self._use.limit)
            if result.ending is Ending.INTERRUPTED:
                state = await self.probe(context)
                if _is_after(state, release, previous_version):
                    return f"the {name} program ended without a record; by the probe, {state.detail}"
                if before is None or _words(state) != before or _is_after_version(state, release):
                    raise StepInterrupted(
                        f"the {name} program ended without a record, and the probe does not tell whether it "
                        f"came to its end: {state.detail}"
                    )
                context.note(f"the {name} program ended without a record; {state.detail}, so it is run again")
                result = await context.program(
                    argv, cwd=self._path, variables=variables, limit=self._use.limit
                )
                if result.ending is Ending.INTERRUPTED:
                    raise StepInterrupted(f"the {name} program ended without a record twice")
            if not result.ok:
                raise program_failed(name, result)
            return f"the {name} program ended well"

        return [Step(name, kind, title, argv, self._use.limit, act)]

    async def _serves(self, context: StepContext) -> str | None:
        """Say what serves before anything is changed, so that the same answer later means: still before."""
        return _words(await self.probe(context))

    def stop(self) -> list[Step]:
        """Run `stop`, where there is one."""
        if self._stop is None:
            return []
        variables = program_variables(self._use, version="", release="")
        # Repeatable: stopping what has stopped changes nothing, by what stopping means.
        return [self._program_step("stop", StepKind.REPEATABLE, "Stop", self._stop, variables)]

    async def prune(self, protect: Collection[str]) -> list[str]:
        """Nothing: what lies at the target is the programs' affair."""
        del protect
        return []

    async def clear_holder(self) -> None:
        """Nothing: the programs get the fence, and no more is promised."""

    def _program_step(
        self, name: str, kind: StepKind, title: str, argv: tuple[str, ...], variables: Mapping[str, str]
    ) -> Step:
        async def act(context: StepContext) -> str:
            result = await context.program(argv, cwd=self._path, variables=variables, limit=self._use.limit)
            if not result.ok:
                raise program_failed(name, result)
            return f"the {name} program ended well"

        return Step(name, kind, title, argv, self._use.limit, act)


def parse_probe(output: str) -> TargetState:
    """Read what a probe program printed."""
    text = output.strip()
    found: object = {"version": text or None}
    if text.startswith("{"):
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            return _unclear(text)
    if not isinstance(found, dict):
        return _unclear(text)
    values = [found.get(key) for key in ("release", "version", "commit")]
    if not all(value is None or _is_plain(value) for value in values):
        return _unclear(text)
    release, version, commit = values
    if text.startswith("{") and not {"release", "version", "commit"} & found.keys():
        return _unclear(text)
    told = f"version {version} runs there" if version else "nothing is deployed there"
    return TargetState(True, release, version, commit, detail=told)


def _words(state: TargetState) -> str | None:
    return json.dumps([state.release, state.version, state.commit]) if state.known else None


def _is_after(state: TargetState, release: Release, previous_version: str | None) -> bool:
    """Say whether the probe's answer can only mean the new release."""
    if not state.known:
        return False
    if state.release is not None:
        return state.release == release.name
    return state.version == release.version != previous_version


def _is_after_version(state: TargetState, release: Release) -> bool:
    """Say whether it may mean the new release: the same version was there before, too."""
    return state.release is None and state.version == release.version


def make_command_target(settings: Mapping[str, object], use: TargetUse) -> Target:
    """Make a `command` target from its part of the settings; `known_releases` comes from the journal."""
    options = Options(
        "command", settings, ("path", "name", "deploy", "rollback", "stop", "probe", "known_releases")
    )
    return CommandTarget(
        options.folder("path"),
        use,
        deploy=options.required_program("deploy"),
        rollback=options.required_program("rollback"),
        stop=options.program("stop"),
        probe=options.program("probe"),
        name=options.text("name"),
        known_releases=options.names("known_releases"),
    )


def _is_plain(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= 200 and value.isprintable()


def _unclear(text: str) -> TargetState:
    return TargetState(
        known=False,
        detail=f"the probe program printed {text[:80]!a}; allowed: one line with the version, or JSON with "
        "release, version and commit",
    )
