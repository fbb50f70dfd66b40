"""What is counted of runs: deployments, rollbacks, migrations, violations, and how long things take.

One pure function makes the figures of lines read from the journal; `figures` reads these lines. A run counts
in the span in which it ended.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from guardrails.environments import GateKind
from guardrails.families import Family, family
from opconsole.journal.run_lines import BlockingRule, RunLine, RunLines, Span
from opconsole.settings.model import Settings
from queues.states import RunState
from queues.tasks import TaskKind

WEEK = timedelta(days=7)
WEEKS = 12
"""Weeks that are counted one by one: the last ones of the span."""
MOST = 200_000
"""Runs that are counted at most, the newest ones."""


@dataclass(frozen=True, slots=True)
class Spread:
    """Durations in seconds."""

    count: int
    sum: float
    median: float
    p90: float
    """Nine in ten took no longer."""


@dataclass(frozen=True, slots=True)
class Outcomes:
    """How deployments ended. Each attempt counts."""

    succeeded: int = 0
    failed: int = 0
    """Failed or rolled back, also where a person let it stand for a success afterwards (override)."""
    blocked: int = 0
    """Stopped by guardrails."""
    rejected: int = 0
    cancelled: int = 0

    @property
    def total(self) -> int:
        """All that ended."""
        return self.succeeded + self.failed + self.blocked + self.rejected + self.cancelled

    @property
    def success_rate(self) -> float | None:
        """The share of those that succeeded or failed; None where there is none."""
        tried = self.succeeded + self.failed
        return self.succeeded / tried if tried else None


@dataclass(frozen=True, slots=True)
class Figures:
    """What is counted of one environment, one project, or all."""

    project: str | None
    environment: str | None
    deployments: Outcomes
    automatic_rollbacks: int
    """Made by the gate's rule, with nobody asked."""
    manual_rollbacks: int
    """Rollback tasks that succeeded, and stuck runs that a person decided to revert."""
    migrations: int
    """Migrations that were run, also of migration tasks."""
    blocked: Mapping[Family, int]
    """Violations that stopped a run, by what they are about."""
    working: Spread | None
    """Seconds at work of successful deployments, without the waiting; None where there was none."""
    waiting: Spread | None
    """Seconds of waiting for a person's approval, of successful deployments that had to."""
    weeks: tuple[int, ...]
    """Successful deployments in each of the last weeks of the span, the latest one last."""
    per_week: float | None
    """Successful deployments a week over the span; None for a span without a run."""


@dataclass(frozen=True, slots=True)
class Metrics:
    """What is counted over a span of time."""

    since: datetime | None
    until: datetime
    all: Figures
    places: tuple[Figures, ...]
    """By project and environment."""
    lead: Mapping[str, Spread]
    """By project: seconds from a version's first success in development to its first in production."""
    complete: bool = True
    """False: there are more runs than are counted; the oldest ones are missing."""


def measure(
    lines: Iterable[RunLine],
    blocking: Iterable[BlockingRule],
    gates: Mapping[tuple[str, str], GateKind],
    *,
    since: datetime | None,
    until: datetime,
    complete: bool = True,
) -> Metrics:
    """Count. *lines* and *blocking* are of the span; *gates* are of (project, environment)."""
    rules: defaultdict[str, Counter[Family]] = defaultdict(Counter)
    for one in blocking:
        rules[one.run][family(one.rule)] += one.times
    ended = [line for line in lines if line.run.finished_at is not None and line.run.state.final]
    by_place: defaultdict[tuple[str, str], list[RunLine]] = defaultdict(list)
    for line in ended:
        by_place[line.run.project, line.run.environment].append(line)
    begin = since or min((_end(line) for line in ended), default=None)
    span = _Span(begin, until)
    return Metrics(
        since=since,
        until=until,
        all=_figures(None, None, ended, rules, span),
        places=tuple(
            _figures(project, environment, here, rules, span)
            for (project, environment), here in sorted(
                by_place.items(), key=lambda item: _order(item[0], gates)
            )
        ),
        lead=_lead(ended, gates),
        complete=complete,
    )


def figures(
    lines: RunLines,
    gates: Mapping[tuple[str, str], GateKind],
    *,
    now: datetime,
    since: datetime | None = None,
    project: str | None = None,
    environment: str | None = None,
) -> Metrics:
    """Read the span's runs and count. Blocks: call it in a thread."""
    span = Span(project, environment, since)
    read = [line for page in lines.newest(MOST, span=span) for line in page]
    blocking = lines.blocking_rules(MOST, span=span)
    return measure(read, blocking, gates, since=since, until=now, complete=len(read) < MOST)


def gates_of(settings: Settings) -> dict[tuple[str, str], GateKind]:
    """Give the gate of every environment, by project and name."""
    return {
        (project, name): one.gate
        for project, each in settings.projects.items()
        for name, one in each.environments.items()
    }


def spread(seconds: Sequence[float]) -> Spread | None:
    """Give the median and the ninth decile of durations, each one that occurred (nearest rank)."""
    if not seconds:
        return None
    ranked = sorted(seconds)
    return Spread(len(ranked), round(math.fsum(ranked), 3), _rank(ranked, 0.5), _rank(ranked, 0.9))


# -- counting


@dataclass(frozen=True, slots=True)
class _Span:
    begin: datetime | None
    end: datetime


def _figures(
    project: str | None,
    environment: str | None,
    lines: Sequence[RunLine],
    rules: Mapping[str, Counter[Family]],
    span: _Span,
) -> Figures:
    deployments = [line for line in lines if line.run.kind == TaskKind.DEPLOYMENT]
    good = [line for line in deployments if _succeeded(line)]
    blocked: Counter[Family] = Counter()
    for line in lines:
        blocked.update(rules.get(line.run.id, {}))
    back = [line for line in lines if line.run.state is RunState.ROLLED_BACK]
    tasks = [line for line in lines if line.run.kind == TaskKind.ROLLBACK and _succeeded(line)]
    return Figures(
        project=project,
        environment=environment,
        deployments=_outcomes(deployments),
        automatic_rollbacks=sum(not line.reverted for line in back),
        manual_rollbacks=sum(line.reverted for line in back) + len(tasks),
        migrations=sum(line.migrations for line in lines),
        blocked={one: blocked[one] for one in Family},
        working=spread([line.worked for line in good if line.worked is not None]),
        waiting=spread([line.waited for line in good if line.waited > 0]),
        weeks=_weeks(good, span),
        per_week=_per_week(len(good), span),
    )


def _outcomes(lines: Sequence[RunLine]) -> Outcomes:
    states = Counter(line.run.state for line in lines)
    succeeded = sum(_succeeded(line) for line in lines)
    return Outcomes(
        succeeded=succeeded,
        failed=states[RunState.FAILED]
        + states[RunState.ROLLED_BACK]
        + states[RunState.SUCCEEDED]
        - succeeded,
        blocked=states[RunState.BLOCKED],
        rejected=states[RunState.REJECTED],
        cancelled=states[RunState.CANCELLED],
    )


def _succeeded(line: RunLine) -> bool:
    return line.run.state is RunState.SUCCEEDED and not line.run.overridden


def _weeks(lines: Sequence[RunLine], span: _Span) -> tuple[int, ...]:
    if span.begin is None:
        return ()
    count = min(WEEKS, max(1, math.ceil((span.end - span.begin) / WEEK)))
    found = [0] * count
    for line in lines:
        ago = max(0, (span.end - _end(line)) // WEEK)
        if ago < count:
            found[count - 1 - ago] += 1
    return tuple(found)


def _per_week(count: int, span: _Span) -> float | None:
    """Give the mean of a week; a span shorter than one counts as one, or a single day would be inflated."""
    return None if span.begin is None else round(count / max(1.0, (span.end - span.begin) / WEEK), 2)


def _lead(lines: Sequence[RunLine], gates: Mapping[tuple[str, str], GateKind]) -> dict[str, Spread]:
    first: dict[tuple[str, str, GateKind], datetime] = {}
    for line in lines:
        run, kind = line.run, gates.get((line.run.project, line.run.environment))
        if kind is None or run.version is None or run.kind != TaskKind.DEPLOYMENT or not _succeeded(line):
            continue
        key = (run.project, run.version, kind)
        first[key] = min(first.get(key, _end(line)), _end(line))
    found: defaultdict[str, list[float]] = defaultdict(list)
    for (project, version, kind), at in first.items():
        begun = first.get((project, version, GateKind.DEVELOPMENT))
        if kind is GateKind.PRODUCTION and begun is not None and begun <= at:
            found[project].append((at - begun).total_seconds())
    return {project: told for project, each in sorted(found.items()) if (told := spread(each))}


def _end(line: RunLine) -> datetime:
    if line.run.finished_at is None:
        raise ValueError(f"run {line.run.id} has not ended")
    return line.run.finished_at


def _rank(ranked: Sequence[float], share: float) -> float:
    return ranked[max(0, math.ceil(share * len(ranked)) - 1)]


def _order(place: tuple[str, str], gates: Mapping[tuple[str, str], GateKind]) -> tuple[str, int, str]:
    """Put the environments of a project in the order of their gates, towards production."""
    gate = gates.get(place)
    return place[0], list(GateKind).index(gate) if gate is not None else len(GateKind), place[1]
