"""Metrics in Prometheus' text exposition format, for node_exporter's textfile collector or any scraper."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from guardrails.sanitise import sanitise
from opconsole.metrics import Figures, Metrics, Spread

Labels = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Family:
    """One metric with what stands above its samples."""

    name: str
    kind: str
    help: str
    samples: tuple[tuple[str, Labels, float], ...]
    """What is put behind the name, the labels and the value."""


def exposition(metrics: Metrics) -> str:
    """Write metrics as text: each family once, with its help and type, a line a sample."""
    out = []
    for one in _families(metrics):
        out += [f"# HELP {one.name} {_help(one.help)}", f"# TYPE {one.name} {one.kind}"]
        out += [
            f"{one.name}{suffix}{_labels(labels)} {_value(value)}" for suffix, labels, value in one.samples
        ]
    return "\n".join(out) + "\n"


def _families(metrics: Metrics) -> Iterator[_Family]:
    places = [(_place(one), one) for one in metrics.places]
    yield _Family(
        "opconsole_deployments_total",
        "counter",
        "Deployment runs that ended, by outcome.",
        tuple(
            ("", {**at, "outcome": outcome}, getattr(one.deployments, outcome))
            for at, one in places
            for outcome in ("succeeded", "failed", "blocked", "rejected", "cancelled")
        ),
    )
    yield _Family(
        "opconsole_rollbacks_total",
        "counter",
        "Rollbacks that were carried out, by the gate's rule (automatic) or by a person's decision (manual).",
        tuple(
            ("", {**at, "kind": kind}, number)
            for at, one in places
            for kind, number in (("automatic", one.automatic_rollbacks), ("manual", one.manual_rollbacks))
        ),
    )
    yield _Family(
        "opconsole_migrations_total",
        "counter",
        "Database migrations that were run.",
        tuple(("", at, one.migrations) for at, one in places),
    )
    yield _Family(
        "opconsole_violations_blocked_total",
        "counter",
        "Findings of the guardrails that stopped a run, by what they are about.",
        tuple(
            ("", {**at, "family": name.value}, number)
            for at, one in places
            for name, number in one.blocked.items()
        ),
    )
    yield _Family(
        "opconsole_deployment_duration_seconds",
        "summary",
        "Time at work of successful deployments, without waiting for a person.",
        tuple(sample for at, one in places for sample in _summary(at, one.working)),
    )
    yield _Family(
        "opconsole_deployment_wait_seconds",
        "summary",
        "Time that successful deployments waited for a person's approval.",
        tuple(sample for at, one in places for sample in _summary(at, one.waiting)),
    )
    yield _Family(
        "opconsole_lead_time_seconds",
        "summary",
        "Time from a version's first success in development to its first in production.",
        tuple(
            sample for project, one in metrics.lead.items() for sample in _summary({"project": project}, one)
        ),
    )


def _place(figures: Figures) -> Labels:
    return {"project": figures.project or "", "environment": figures.environment or ""}


def _summary(labels: Labels, spread: Spread | None) -> Iterator[tuple[str, Labels, float]]:
    if spread is not None:
        yield "", {**labels, "quantile": "0.5"}, spread.median
        yield "", {**labels, "quantile": "0.9"}, spread.p90
        yield "_sum", labels, spread.sum
        yield "_count", labels, spread.count


def _labels(labels: Labels) -> str:
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items()) + "}"


def _escaped(text: str) -> str:
    clean = sanitise(text, single_line=True)
    return clean.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def _help(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n")


def _value(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(float(value))
