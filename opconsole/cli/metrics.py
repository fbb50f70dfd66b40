"""The command ``metrics``: what is counted, for people, as JSON, and for Prometheus."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime

from guardrails.families import Family
from opconsole.cli.history import named_environment
from opconsole.cli.output import CommandContext, ExitStatus, UsageError, duration_text, plain, table
from opconsole.clock import iso
from opconsole.journal.run_lines import RunLines
from opconsole.metrics import Figures, Metrics, Spread, figures, gates_of, measure
from opconsole.prometheus import exposition
from opconsole.reading import open_reading
from opconsole.run_filter import FilterError, read_moment

FORMS = ("text", "json", "prometheus")


def show_metrics(
    context: CommandContext, project: str | None, environment: str | None, since: str | None, form: str
) -> int:
    """Count the runs of a span and print the figures."""
    if form not in FORMS:
        raise UsageError(f"{form!a} is no format; allowed: {', '.join(FORMS)}")
    if context.json and form == "prometheus":
        raise UsageError("--json and --format prometheus are two formats; name one")
    workspace, now = context.workspace(), datetime.now(UTC)
    if project is not None:
        workspace.project(project)
    place = named_environment(workspace, project, environment)
    try:
        begin = None if since is None else read_moment(since, now)
    except FilterError as error:
        raise UsageError(f"--since: {plain(str(error))}") from error
    gates = gates_of(workspace.settings)
    with closing(open_reading(workspace)) as reading:
        if reading.reader is None:
            found = measure((), (), gates, since=begin, until=now)
        else:
            lines = RunLines(reading.reader.engine)
            found = figures(lines, gates, now=now, since=begin, project=project, environment=place)
    if context.json or form == "json":
        context.document(metrics_json(found))
    elif form == "prometheus":
        context.stdout.write(exposition(found))
    else:
        for line in _lines(context, found):
            context.say(line)
    if not found.complete:
        context.warn("there are more runs than are counted: the oldest are missing; use --since")
    return ExitStatus.DONE


def metrics_json(metrics: Metrics) -> dict[str, object]:
    """Give metrics as JSON; durations in seconds."""
    return {
        "since": iso(metrics.since),
        "until": iso(metrics.until),
        "complete": metrics.complete,
        "all": _figures_json(metrics.all),
        "environments": [_figures_json(one) for one in metrics.places],
        "lead_time": {project: _spread_json(one) for project, one in metrics.lead.items()},
    }


def _figures_json(one: Figures) -> dict[str, object]:
    done = one.deployments
    return {
        "project": one.project,
        "environment": one.environment,
        "deployments": {
            "total": done.total,
            "succeeded": done.succeeded,
            "failed": done.failed,
            "blocked": done.blocked,
            "rejected": done.rejected,
            "cancelled": done.cancelled,
            "success_rate": None if done.success_rate is None else round(done.success_rate, 4),
            "per_week": one.per_week,
            "weeks": list(one.weeks),
        },
        "rollbacks": {"automatic": one.automatic_rollbacks, "manual": one.manual_rollbacks},
        "migrations": one.migrations,
        "violations_blocked": {name.value: number for name, number in one.blocked.items()},
        "duration": _spread_json(one.working),
        "waiting": _spread_json(one.waiting),
    }


def _spread_json(one: Spread | None) -> dict[str, object] | None:
    if one is None:
        return None
    return {"count": one.count, "sum": one.sum, "median": one.median, "p90": one.p90}


def _lines(context: CommandContext, metrics: Metrics) -> Iterator[str]:
    if not metrics.places:
        yield f"Nothing has ended in that time; `{context.command('run --project P')}` starts a queue."
        return
    yield f"since {(iso(metrics.since) or 'the beginning')[:16]}, until {(iso(metrics.until) or '')[:16]}Z"
    rows = [_row(one) for one in metrics.places]
    if len(rows) > 1:
        rows.append(_row(metrics.all))
    yield table(_HEADINGS, rows, context.width)
    for project, one in metrics.lead.items():
        median, p90 = duration_text(one.median), duration_text(one.p90)
        yield (
            f"{plain(project)}: from development to production in {median} (median); nine in ten in {p90}; "
            f"{one.count} versions"
        )


def _row(one: Figures) -> tuple[str, ...]:
    done, rate = one.deployments, one.deployments.success_rate
    stopped = done.blocked + done.rejected + done.cancelled
    return (
        plain(one.project or "all"),
        plain(one.environment or "-"),
        str(done.total),
        str(done.succeeded),
        str(done.failed),
        str(stopped),
        "-" if rate is None else f"{rate:.0%}",
        duration_text(one.working.median) if one.working else "-",
        duration_text(one.working.p90) if one.working else "-",
        duration_text(one.waiting.median) if one.waiting else "-",
        "-" if one.per_week is None else f"{one.per_week:.1f}",
        f"{one.automatic_rollbacks} auto, {one.manual_rollbacks} manual",
        str(one.migrations),
        f"{one.blocked[Family.SQL]} SQL, {one.blocked[Family.S3]} S3",
    )


_HEADINGS = (
    "PROJECT",
    "ENVIRONMENT",
    "DEPLOYMENTS",
    "SUCCEEDED",
    "FAILED",
    "STOPPED",
    "RATE",
    "MEDIAN",
    "P90",
    "WAITED",
    "A WEEK",
    "ROLLBACKS",
    "MIGRATIONS",
    "BLOCKED",
)
