"""The `releases` target: releases side by side in one folder, and a link `current` to the one that serves.

    <path>/releases/<version>-<n>/    each with .opconsole-release.json
    <path>/shared/                    what outlives releases; the programs find it by OPCONSOLE_SHARED_DIR
    <path>/current                    a link, replaced at once

Settings: `path`, `restart` (a program), `stop` (a program, optional), `keep` (releases kept, default 5).
"""

from __future__ import annotations

import errno
import os
import secrets
import tarfile
import tempfile
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import ParamSpec, TypeVar

from opconsole.artifacts import LEFTOVER_AGE
from opconsole.steps import Step, StepContext, StepFailed, StepKind, program_failed
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
from opconsole.targets.record import RELEASE_FILE, Placed, RecordFile, read_placed
from opconsole.threads import to_the_end
from opconsole.trees import UnsafeTreeError, copy_tree, remove_tree, sync_folder, unpack_tar

KEEP = 5
FILE_LIMIT = 600.0
"""Seconds that placing or switching may take."""

_PLACING = ".placing-"
_GONE = ".gone-"

_P = ParamSpec("_P")
_T = TypeVar("_T")


class ReleasesTarget:
    """Releases in a folder of this machine."""

    def __init__(
        self,
        path: Path,
        use: TargetUse,
        *,
        restart: Sequence[str] | None,
        stop: Sequence[str] | None = None,
        keep: int = KEEP,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """*path* is absolute. Without *restart* nothing is restarted: files that a server reads anew."""
        self.path = Path(os.path.realpath(path))
        self._use = use
        self._restart = tuple(restart) if restart else None
        self._stop = tuple(stop) if stop else None
        self._keep = keep
        self._now = now
        self._record = RecordFile(self.path, place=f"{use.project} {use.environment}")
        self._identity = f"releases:{self.path}@{machine_id()}"

    # -- what it is --------------------------------------------------------------------------------------

    def identity(self) -> str:
        """Name the folder and the machine."""
        return self._identity

    def probes(self) -> bool:
        """Always: the link and the release's file tell."""
        return True

    async def probe(self, context: StepContext) -> TargetState:
        """Read what `current` names. A link that we did not make is not known."""
        del context  # nothing is run
        return await _in_thread(self._probe)

    def next_release_name(self, version: str) -> str:
        """Count up from the releases that are there and those that were pruned."""
        issued = self._record.read().issued.get(version, 0)
        return release_name(version, _names(self._releases), issued)

    # -- what it does ------------------------------------------------------------------------------------

    def place(self, release: Release) -> list[Step]:
        """Copy or unpack the artifact beside the other releases."""
        check_release(release)

        async def act(context: StepContext) -> str:
            told = await _in_thread(self._place, release)
            context.note(told)
            return told

        # Repeatable: a release appears under its name at once and whole, and one that is there with the
        # same digest is taken as it is. Interrupted copies lie under other names.
        return [
            Step("place", StepKind.REPEATABLE, f"Place release {release.name}", None, FILE_LIMIT, act, True)
        ]

    def switch(
        self, release: Release, *, previous_version: str | None = None, restoring: bool = False
    ) -> list[Step]:
        """Let `current` name the release, then restart; going back is the same."""
        del previous_version
        check_release(release)

        async def act(context: StepContext) -> str:
            told = await _in_thread(self._switch, release)
            context.note(told)
            return told

        verb = "Restore" if restoring else "Switch to"
        # Probe: after a crash the link names either the old release or this one, and the probe tells which.
        steps = [Step("switch", StepKind.PROBE, f"{verb} release {release.name}", None, FILE_LIMIT, act)]
        if self._restart is not None:
            # Repeatable: restarting what was just restarted ends in the same service.
            steps.append(self._program_step("restart", "Restart", self._restart, release))
        return steps

    def stop(self) -> list[Step]:
        """Stop the release that serves now, where a `stop` program is set."""
        # Repeatable: stopping what has stopped changes nothing, by what stopping means.
        return [] if self._stop is None else [self._program_step("stop", "Stop", self._stop, None)]

    async def prune(self, protect: Collection[str]) -> list[str]:
        """Keep the newest releases, what serves, and *protect*; remove the others that we placed."""
        return await _in_thread(self._prune, frozenset(protect))

    async def clear_holder(self) -> None:
        """Let go of the target, if this run holds it."""
        await _in_thread(self._clear_holder)

    # -- in a thread -------------------------------------------------------------------------------------

    @property
    def _releases(self) -> Path:
        return self.path / "releases"

    def _probe(self) -> TargetState:
        held = None
        try:
            if (holder := self._record.read().holder) is not None:
                held = f"run {holder.run} of journal {holder.journal_id}, fence {holder.fence}"
            name = self._current()
        except StepFailed as error:
            return TargetState(known=False, holder=held, detail=error.reason)
        if name is None:
            return TargetState(known=True, holder=held, detail="nothing has been released here yet")
        placed = read_placed(self._releases / name)
        if placed is None:
            detail = f"release {name} lost its {RELEASE_FILE}; place and switch to a release again"
            return TargetState(known=False, release=name, holder=held, detail=detail)
        return TargetState(
            True, name, placed.version, placed.commit, placed.digest, held, f"release {name} serves"
        )

    def _current(self) -> str | None:
        link = self.path / "current"
        try:
            leads = str(link.readlink())
        except FileNotFoundError:
            return None
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            raise StepFailed(f"{link} is not a link, so opconsole did not make it; move it away") from error
        folder, _, name = leads.rpartition("/")
        if folder != "releases" or name not in _names(self._releases):
            raise StepFailed(f"{link} leads to {leads!a}, which is not a release that opconsole placed there")
        return name

    def _place(self, release: Release) -> str:
        final = self._releases / release.name
        self._releases.mkdir(mode=0o755, parents=True, exist_ok=True)
        (self.path / "shared").mkdir(mode=0o755, exist_ok=True)
        with self._record.locked():
            # The number is used up from here on, even if this release is pruned one day.
            record = self._record.claim(self._use.holder)
            version, number = check_release(release)
            if record.issued.get(version, 0) < number:
                self._record.write(replace(record, issued={**record.issued, version: number}))
        if final.exists():
            return _already_there(release, final)
        fresh = Path(tempfile.mkdtemp(prefix=_PLACING, dir=self._releases))
        try:
            tree = fresh / "tree"
            _bring(release, fresh, tree)
            if os.path.lexists(tree / RELEASE_FILE):
                raise StepFailed(
                    f"the artifact holds a {RELEASE_FILE}; that name is opconsole's own, rename it"
                )
            placed_at = self._now().isoformat(timespec="seconds")
            Placed(release.version, release.commit, release.artifact_digest, placed_at).write(tree)
            try:
                tree.rename(final)
            except OSError as error:
                if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
                    raise
                return _already_there(release, final)
            sync_folder(self._releases)
        finally:
            remove_tree(fresh)
        return f"placed release {release.name} in {final}"

    def _switch(self, release: Release) -> str:
        with self._record.locked():
            self._record.claim(self._use.holder)
            _already_there(release, self._releases / release.name)
            link = self.path / "current"
            if os.path.lexists(link) and not link.is_symlink():
                raise StepFailed(f"{link} is not a link, so opconsole did not make it; move it away")
            if link.is_symlink() and str(link.readlink()) == f"releases/{release.name}":
                return f"current names release {release.name} already"
            fresh = self.path / f".current-{secrets.token_hex(8)}"
            fresh.symlink_to(f"releases/{release.name}")
            try:
                fresh.replace(link)
            except OSError:
                fresh.unlink()
                raise
            sync_folder(self.path)
        return f"current names release {release.name}"

    def _claim_and_find(self, release: Release | None) -> tuple[str, str]:
        """Give release name and version that a program is run for, while the target is ours."""
        with self._record.locked():
            self._record.claim(self._use.holder)
            if release is not None:
                return release.name, release.version
            name = self._current()
            placed = read_placed(self._releases / name) if name else None
            return name or "", placed.version if placed else ""

    def _prune(self, protect: frozenset[str]) -> list[str]:
        if not self._releases.is_dir():
            return []
        gone: list[Path] = []
        removed: list[str] = []
        with self._record.locked():
            # A run of another workspace may be about to go back to an old release: then nothing is pruned.
            self._record.check(self._use.holder)
            serving = self._current()
            placed = {name: read_placed(self._releases / name) for name in _names(self._releases)}
            ours = sorted((found.placed_at, name) for name, found in placed.items() if found is not None)
            newest = {name for _, name in ours[-self._keep :]}
            for _, name in ours:
                if name not in newest and name not in protect and name != serving:
                    away = self._releases / f"{_GONE}{name}-{secrets.token_hex(4)}"
                    gone.append((self._releases / name).rename(away))
                    removed.append(name)
        left_over = [entry for entry in self._releases.iterdir() if _is_left_over(entry)]
        for entry in {*gone, *left_over}:
            remove_tree(entry)
        return removed

    def _clear_holder(self) -> None:
        if self.path.is_dir():
            with self._record.locked():
                self._record.release(self._use.holder)

    # -- programs ----------------------------------------------------------------------------------------

    def _program_step(self, name: str, title: str, argv: tuple[str, ...], release: Release | None) -> Step:
        async def act(context: StepContext) -> str:
            serving, version = await _in_thread(self._claim_and_find, release)
            variables = {
                **program_variables(self._use, version=version, release=serving),
                "OPCONSOLE_RELEASE_DIR": str(self._releases / serving) if serving else "",
                "OPCONSOLE_TARGET_DIR": str(self.path),
                "OPCONSOLE_SHARED_DIR": str(self.path / "shared"),
            }
            result = await context.program(argv, cwd=self.path, variables=variables, limit=self._use.limit)
            if not result.ok:
                raise program_failed(name, result)
            return f"the {name} program ended well"

        return Step(name, StepKind.REPEATABLE, title, argv, self._use.limit, act)


def make_releases_target(settings: Mapping[str, object], use: TargetUse) -> Target:
    """Make a `releases` target from its part of the settings."""
    options = Options("releases", settings, ("path", "restart", "stop", "keep"))
    return ReleasesTarget(
        options.folder("path"),
        use,
        restart=options.program("restart"),
        stop=options.program("stop"),
        keep=options.count("keep", KEEP),
    )


def _already_there(release: Release, folder: Path) -> str:
    placed = read_placed(folder)
    if placed is None:
        raise StepFailed(f"{folder} is no release that opconsole placed; move it away, or deploy again")
    if placed.digest != release.artifact_digest or placed.commit != release.commit:
        raise StepFailed(
            f"release {release.name} is at the target with another content "
            f"(commit {placed.commit[:12]}, {placed.digest[:19]}…); deploy under a new release"
        )
    return f"release {release.name} is in place already"


def _bring(release: Release, scratch: Path, tree: Path) -> None:
    """Make *tree* from the artifact, and prove that it was the artifact that the plan names."""
    if release.artifact.is_dir():
        digest = copy_tree(release.artifact, tree, durable=True)
    else:
        # Hashed while it is copied, and unpacked from the copy: what was verified is what is placed.
        copy = scratch / release.artifact.name
        if copy == tree:
            copy = scratch / "file" / release.artifact.name
            copy.parent.mkdir()
        digest = copy_tree(release.artifact, copy, durable=True)
    if digest != release.artifact_digest:
        raise StepFailed(
            f"the artifact at {release.artifact} is not what the plan names (found {digest}, "
            f"planned {release.artifact_digest}); find out who changed it, and build again"
        )
    if release.artifact.is_dir():
        return
    if tarfile.is_tarfile(copy):
        with copy.open("rb") as stream:
            unpack_tar(stream, tree, durable=True)
    else:
        tree.mkdir(mode=0o755)
        copy.rename(tree / copy.name)


def _names(releases: Path) -> list[str]:
    if not releases.is_dir():
        return []
    return sorted(
        e.name for e in os.scandir(releases) if e.is_dir(follow_symlinks=False) and e.name[0] != "."
    )


def _is_left_over(entry: Path) -> bool:
    if not entry.name.startswith((_PLACING, _GONE)):
        return False
    return entry.name.startswith(_GONE) or time.time() - entry.lstat().st_mtime > LEFTOVER_AGE


async def _in_thread(function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
    """Do blocking file work off the event loop; what the file system says becomes the step's reason."""
    try:
        return await to_the_end(function, *args, **kwargs)
    except UnsafeTreeError as error:
        raise StepFailed(f"the artifact must not be placed: {error}") from error
    except tarfile.TarError as error:
        raise StepFailed(f"the artifact is a damaged archive: {error}") from error
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        raise StepFailed(f"the target could not be changed: {error.strerror or error}{where}") from error
