"""The commands `metrics` and `history`: figures for people, JSON and Prometheus; the words of the filter."""

from __future__ import annotations

import math
import re
from datetime import timedelta
from typing import Any

import pytest

from opconsole.journal import ops
from opconsole.journal.records import Phase, StepRow, StepState
from queues.states import RunState

NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\\\|\\"|\\n)*)"(,|$)')
SAMPLE = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)")
SUFFIXES = {"counter": ("",), "gauge": ("",), "summary": ("", "_sum", "_count")}

Labels = frozenset[tuple[str, str]]


def parse(text: str) -> dict[str, dict[Labels, float]]:
    """Read Prometheus' text format as strictly as it is written down; give the samples by name and labels."""
    assert text.endswith("\n")
    assert "\r" not in text
    samples: dict[str, dict[Labels, float]] = {}
    family, kind, seen, helped = "", "", set(), set()
    for line in text[:-1].split("\n"):
        if line.startswith("# HELP "):
            family, _, told = line.removeprefix("# HELP ").partition(" ")
            assert NAME.fullmatch(family)
            assert told
            assert family not in helped, "each family once, all its lines together"
            helped.add(family)
            kind = ""
        elif line.startswith("# TYPE "):
            name, kind = line.removeprefix("# TYPE ").split(" ")
            assert name == family
            assert kind in SUFFIXES
        else:
            match = SAMPLE.fullmatch(line)
            assert match, line
            name, inside, value = match.groups()
            assert kind, "its type stands before it"
            assert name in {family + suffix for suffix in SUFFIXES[kind]}
            labels = _labels(inside or "")
            assert (name, labels) not in seen, "no sample twice"
            seen.add((name, labels))
            number = float(value)
            assert math.isfinite(number)
            assert kind != "counter" or (name.endswith("_total") and number >= 0)
            samples.setdefault(name, {})[labels] = number
    return samples


def _labels(inside: str) -> Labels:
    found: list[tuple[str, str]] = []
    place = 0
    while place < len(inside):
        match = LABEL.match(inside, place)
        assert match, inside
        value = re.sub(r"\\(.)", lambda one: {"n": "\n"}.get(one[1], one[1]), match[2])
        found.append((match[1], value))
        place = match.end()
    assert len({name for name, _ in found}) == len(found)
    return frozenset(found)


@pytest.fixture
def busy(desk: Any) -> Any:
    """Give a workspace in which something has happened."""
    blocked = {"files": [{"findings": [{"rule": "drop-table", "verdict": "block"}]}]}
    for task, environment, state, more in (
        ("DEV", "development", RunState.SUCCEEDED, {}),
        ("STAGE", "staging", RunState.ROLLED_BACK, {"reason": "health check failed"}),
        ("PROD-1", "production", RunState.BLOCKED, {"report": blocked}),
        ("PROD-2", "production", RunState.SUCCEEDED, {}),
    ):
        run = desk.run(task, environment, state)
        if more:
            desk.write(ops.update_run(run.id, 1, **more))
        step = StepRow(run.id, 0, Phase.EFFECT, "place", "Place", "repeatable", StepState.PENDING)
        end = desk.now + timedelta(seconds=12.5)
        desk.write(
            ops.plan_step(step),
            ops.start_step(run.id, 0, desk.now),
            ops.end_step(run.id, 0, StepState.SUCCEEDED, end),
        )
    return desk


def test_people_get_a_table_with_each_environment_and_all(busy: Any) -> None:
    told = busy.give("metrics")
    assert told.status == 0
    lines = told.out.splitlines()
    assert [line.split()[:2] for line in lines[2:6]] == [
        ["shop", "development"],
        ["shop", "staging"],
        ["shop", "production"],
        ["all", "-"],
    ]
    assert "1 SQL, 0 S3" in lines[4]
    assert "1 auto, 0 manual" in lines[3]


def test_json_has_the_figures_of_the_policy(busy: Any) -> None:
    found = busy.give("metrics", "--json").document
    assert found["all"]["deployments"]["total"] == 4
    assert found["all"]["deployments"]["success_rate"] == 0.6667
    assert found["all"]["duration"] == {"count": 2, "sum": 25.0, "median": 12.5, "p90": 12.5}
    assert found["all"]["violations_blocked"] == {"sql": 1, "s3": 0, "other": 0}
    production = busy.give("metrics", "--environment", "prod", "--format", "json").document
    assert [one["environment"] for one in production["environments"]] == ["production"]


def test_prometheus_can_scrape_what_is_printed(busy: Any) -> None:
    samples = parse(busy.give("metrics", "--format", "prometheus").out)

    def at(name: str, **labels: str) -> float:
        return samples[name][frozenset({"project": "shop", **labels}.items())]

    assert at("opconsole_deployments_total", environment="production", outcome="succeeded") == 1
    assert at("opconsole_deployments_total", environment="production", outcome="blocked") == 1
    assert at("opconsole_rollbacks_total", environment="staging", kind="automatic") == 1
    assert at("opconsole_violations_blocked_total", environment="production", family="sql") == 1
    assert at("opconsole_deployment_duration_seconds", environment="development", quantile="0.9") == 12.5
    assert at("opconsole_deployment_duration_seconds_sum", environment="development") == 12.5
    assert at("opconsole_deployment_duration_seconds_count", environment="development") == 1
    assert at("opconsole_lead_time_seconds_count") == 1


def test_what_is_quoted_in_a_label_stays_one_label(busy: Any) -> None:
    busy.run("ODD", 'a"b\\c\nd', RunState.SUCCEEDED, project="gone")
    samples = parse(busy.give("metrics", "--format", "prometheus").out)
    odd = [dict(labels) for labels in samples["opconsole_migrations_total"]]
    assert {"project": "gone"}.items() <= odd[0].items()
    assert odd[0]["environment"].startswith('a"b\\c')


def test_a_workspace_in_which_nothing_has_run_has_empty_metrics(desk: Any) -> None:
    assert "Nothing has ended" in desk.give("metrics").out
    assert desk.give("metrics", "--json").document["all"]["deployments"]["total"] == 0
    assert parse(desk.give("metrics", "--format", "prometheus").out) == {}


def test_what_metrics_cannot_do_is_said(busy: Any) -> None:
    for arguments, told in (
        (("--since", "soon"), "write 2026-03-01"),
        (("--format", "xml"), "text, json, prometheus"),
        (("--project", "shap"), "shap"),
        (("--environment", "moon"), "development"),
    ):
        answered = busy.give("metrics", *arguments)
        assert answered.status == 2
        assert told in answered.err


def test_runs_that_ended_before_the_span_do_not_count(busy: Any) -> None:
    assert (
        busy.give("metrics", "--since", "2026-03-02", "--json").document["all"]["deployments"]["total"] == 0
    )


def test_history_is_filtered_by_the_words_of_the_screen(busy: Any) -> None:
    def tasks(*words: str) -> list[str]:
        return [run["task"] for run in busy.give("history", "--json", *words).document]

    assert tasks() == ["PROD-2", "PROD-1", "STAGE", "DEV"]
    assert tasks("state:blocked", "env:prod", "2.1") == ["PROD-1"]
    assert tasks("health check") == ["STAGE"]
    assert tasks("not:env:prod", "not:health check") == ["DEV"]
    assert tasks("--environment", "prod", "--limit", "1", "state:blocked,failed") == ["PROD-1"]


def test_history_tells_the_time_at_work_beside_the_whole_time(busy: Any) -> None:
    (run,) = busy.give("history", "--json", "task:DEV").document
    assert (run["duration"], run["worked"], run["waited"]) == (90.0, 12.5, 0.0)
    assert "AT WORK" in busy.give("history").out
    assert "took 90.0 s: 12.5 s at work" in busy.give("report", "DEV").out


def test_a_filter_word_that_cannot_be_used_is_named(busy: Any) -> None:
    answered = busy.give("history", "state:faild")
    assert answered.status == 2
    assert "did you mean failed" in answered.err
    assert busy.give("history", "nothing-like-this").out.strip() == "No run matches all of these words."
