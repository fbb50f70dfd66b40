"""Retention: which old logs, copies and rows nothing needs any more. It decides; `housekeeping` does.

Never offered: rows of runs, approvals, releases and audit. "The first time", history and proof rest on them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from opconsole.journal.upkeep import OldRows, ReleaseFacts, RunFacts
from opconsole.settings.model import Journal


@dataclass(frozen=True, slots=True)
class Clearance:
    """What may go."""

    before: datetime
    """Only what ended before this moment."""
    runs: tuple[str, ...]
    """Runs whose folder may go: log, records of steps, working copy."""
    sources: frozenset[str]
    """Clean exports that must stay, by digest."""
    artifacts: frozenset[str]
    """Artifacts that must stay, by digest."""
    rows: tuple[OldRows, ...] = ()
    """Old rows that may go."""


def clearance(
    settings: Journal,
    now: datetime,
    *,
    runs: Sequence[RunFacts],
    releases: Sequence[ReleaseFacts],
    asked_about: Collection[str],
    rows: Sequence[OldRows] = (),
) -> Clearance:
    """Decide what may go. *runs* are oldest first, *releases* newest first."""
    before = now - timedelta(days=settings.keep_days)
    kept_releases = _kept_releases(settings, before, runs, releases)
    needed = {release.run for release in kept_releases} | set(asked_about)
    newest: Counter[tuple[str, str]] = Counter()
    old: list[RunFacts] = []
    for run in reversed(runs):
        place = (run.project, run.environment)
        newest[place] += 1
        over = run.state.final and run.finished_at is not None and run.finished_at < before
        if over and newest[place] > settings.keep_runs and run.id not in needed:
            old.append(run)
    gone = {run.id for run in old}
    kept = [run for run in runs if run.id not in gone]
    return Clearance(
        before=before,
        runs=tuple(run.id for run in reversed(old)),
        sources=_digests(
            [run.source_digest for run in kept], [release.source_digest for release in kept_releases]
        ),
        artifacts=_digests(
            [run.artifact_digest for run in kept], [release.artifact_digest for release in kept_releases]
        ),
        rows=tuple(rows),
    )


def _kept_releases(
    settings: Journal, before: datetime, runs: Sequence[RunFacts], releases: Sequence[ReleaseFacts]
) -> list[ReleaseFacts]:
    """Give the releases that serve, or that somebody may want to go back to."""
    in_use = {
        (run.project, run.environment, name)
        for run in runs
        if not run.state.final
        for name in (run.release, run.previous_release)
    }
    newest: Counter[tuple[str, str]] = Counter()
    kept = []
    for release in releases:
        place = (release.project, release.environment)
        newest[place] += 1
        wanted = release.current or (*place, release.name) in in_use or release.placed_at >= before
        if wanted or newest[place] <= settings.keep_releases:
            kept.append(release)
    return kept


def _digests(*lists: Sequence[str | None]) -> frozenset[str]:
    return frozenset(digest for one in lists for digest in one if digest)
