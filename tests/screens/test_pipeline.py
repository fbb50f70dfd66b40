"""The pipeline: steps to walk and open, each against the last success, the plan and the cascade."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from opconsole.journal.records import StepState
from opconsole.logs import LogLine
from opconsole.programs import Ending, ProgramResult, TraceState
from opconsole.step_facts import ProgramFacts
from opconsole.view_making import ENTRY_CHANGED
from queues.states import RunState
from screens.cascade import SHOWN, Cascades, draw_cascade
from screens.pipeline_text import Opened, Shown, draw_pipeline
from screens.widgets.pipeline import PipelineView

from .samples import NOW, Samples


def text_of(shown: Shown, width: int = 100) -> list[str]:
    return [row.plain for row in draw_pipeline(shown, NOW, width) if not isinstance(row, int)]


def text(pilot: Any) -> str:
    view = pilot.app.operations.query_one(PipelineView)
    return str(view.draw(100))


def facts(name: str = "restart", **changes: Any) -> ProgramFacts:
    result = ProgramResult(Ending.EXITED, 3, None, NOW, NOW + timedelta(seconds=2), "exited with status 3")
    given: dict[str, Any] = {
        "argv": (name, "--token", "***", "two words"),
        "folder": "/srv/app",
        "variables": ("DATABASE_URL", "PATH"),
        "state": TraceState.ENDED,
        "result": result,
    }
    return ProgramFacts(**{**given, **changes})


def test_a_step_stands_against_the_last_success(samples: Samples) -> None:
    usual = {"test": 10.0, "build": 8.0, "place": 60.0, "switch": 2.0}
    task, run = samples.run(samples.task(), RunState.RUNNING, usual_steps=usual)
    rows = text_of(Shown(task, run))
    test, build, place = (
        next(r for r in rows if f" {word}" in r and not r.startswith("▶"))
        for word in ("Run the tests", "Build ", "Place the")
    )
    assert "━━━━━━━━ ▲10 s" in test, "twice as long as usual is told, by a sign as well"
    assert "━━━━━━━━  8.0 s" in build
    assert "━" in place
    assert "─" in place
    assert "60" not in next(row for row in rows if "Take a clean export" in row), "nothing is known of it"


def test_a_step_that_goes_on_says_how_far_it_has_come(samples: Samples) -> None:
    task, run = samples.run(samples.task(), RunState.RUNNING)
    told = replace(
        next(step for step in run.steps if step.state is StepState.RUNNING), detail="2/5 0002 Add users"
    )
    steps = tuple(told if step.position == told.position else step for step in run.steps)
    rows = text_of(Shown(task, replace(run, steps=steps)))
    assert "2/5 0002 Add users" in next(row for row in rows if told.title in row and not row.startswith("▶"))


def test_the_step_that_runs_stands_at_the_top_too(samples: Samples) -> None:
    task, run = samples.run(samples.task(), RunState.RUNNING)
    running = next(step for step in run.steps if step.state is StepState.RUNNING)
    top = text_of(Shown(task, run))[:8]
    assert any(row == f"▶ {running.title}" for row in top), top
    task, run = samples.run(samples.task(), RunState.SUCCEEDED)
    assert not [row for row in text_of(Shown(task, run)) if row.startswith("▶")]


def test_what_an_edit_of_its_entry_means_is_told_where_the_run_is_looked_at(samples: Samples) -> None:
    task, run = samples.run(samples.task(), RunState.WAITING, reason="waits for approval")
    edited = replace(task, reason=f"{ENTRY_CHANGED}; waits for approval")
    assert f"{ENTRY_CHANGED}; waits for approval" in text_of(Shown(edited, run))
    older = replace(edited, state=RunState.PREFLIGHT.value)
    assert "waits for approval" in text_of(Shown(older, run)), "the task is read again in a moment"


def test_an_open_step_tells_its_command_its_end_and_only_the_names_of_variables(samples: Samples) -> None:
    task, run = samples.run(samples.task(), RunState.RUNNING)
    line = LogLine(NOW, "e", "it \x1b[31mfailed\x1b[0m")
    rows = text_of(Shown(task, run, opened={5: Opened((facts(),), (line,))}))
    at = next(n for n, row in enumerate(rows) if "Place the release" in row and not row.startswith("▶"))
    assert [row.strip() for row in rows[at + 1 : at + 7]] == [
        "$ restart --token '***' 'two words'",
        "in /srv/app",
        "exited with status 3 after 2.0 s",
        "knows DATABASE_URL, PATH",
        "¦ it failed",
        "l: the log from here",
    ]


def test_a_step_without_a_program_and_one_to_come_say_so(samples: Samples) -> None:
    task, run = samples.run(samples.task(), RunState.RUNNING)
    rows = "\n".join(
        text_of(Shown(task, run, opened={0: Opened(), 5: Opened(fault="it could not be read: no")}))
    )
    assert "no program of its own" in rows
    assert "it could not be read: no" in rows


async def test_steps_are_walked_and_opened_by_keys_and_the_log_is_gone_to(
    console: Any, make_app: Any, until: Any, samples: Samples
) -> None:
    run_id = "run-deploy-staging-001"
    console.started[run_id, "scan"] = (facts("pytest"),)
    run = console.runs[run_id]
    times = [step.started_at for step in run.steps[:6]]
    stamp = "%Y-%m-%dT%H:%M:%S.120Z"
    run.log.write_text("".join(f"{at.strftime(stamp)} o of step {n}\n" for n, at in enumerate(times)))
    app = make_app(console)
    async with app.run_test(size=(160, 50)) as pilot:
        screen = app.operations
        await until(pilot, lambda: screen.is_mounted and screen.table.selected)
        screen.table.select("credentialmate:DEPLOY-STAGING-001")
        await until(pilot, lambda: screen.situation().run)
        await pilot.press("enter")
        view = screen.query_one(PipelineView)
        assert view.chosen is not None
        assert view.chosen.state is StepState.RUNNING
        await pilot.press("k", "k", "k")
        assert view.chosen.name == "scan"
        await pilot.press("enter")
        await until(pilot, lambda: "$ pytest --token" in text(pilot))
        assert "of step 2" in text(pilot)
        assert "of step 3" not in text(pilot)
        await pilot.press("l")
        log = screen.log_pane.view
        await until(pilot, lambda: log.place == 2)
        assert log.has_focus
        await pilot.press("escape", "tab", "enter")
        await until(pilot, lambda: "$ pytest" not in text(pilot))


async def test_the_plan_is_shown_whole_with_its_digest(console: Any, make_app: Any, until: Any) -> None:
    app = make_app(console)
    async with app.run_test(size=(160, 50)) as pilot:
        screen = app.operations
        await until(pilot, lambda: screen.is_mounted and screen.table.selected)
        screen.table.select("credentialmate:DEPLOY-PROD-001")
        await until(pilot, lambda: screen.situation().run)
        await pilot.press("enter")
        assert "3c5e0d1fabab  p: all of it" in text(pilot)
        await pilot.press("p")
        whole = text(pilot)
        assert "sha256:3c5e0d1f" + "ab" * 28 in whole
        assert "alembic upgrade 77c0" in whole
        assert "↔ backend/alembic/versions/6a02_add_email.py" in whole
        await pilot.press("p")
        assert "alembic upgrade" not in text(pilot)


def test_a_cascade_stands_on_one_axis(samples: Samples, tmp_path: Path) -> None:
    first, _ = samples.run(
        samples.task("DEV"),
        RunState.SUCCEEDED,
        started_at=NOW - timedelta(seconds=100),
        finished_at=NOW - timedelta(seconds=50),
    )
    second, _ = samples.run(
        samples.task("STAGING", depends_on=("credentialmate:DEV",)),
        RunState.RUNNING,
        started_at=NOW - timedelta(seconds=50),
    )
    third = samples.task("PROD", depends_on=("credentialmate:STAGING",), waits_for="STAGING")
    tasks = (first, samples.task("ELSEWHERE"), second, third)
    cascade = Cascades().of(second.key, tasks)
    assert [task.task for task in cascade] == ["DEV", "STAGING", "PROD"]
    rows = [row.plain for row in draw_cascade(second.key, cascade, NOW, 53)]
    assert rows[2:6] == [
        "  ✓ DEV      " + "━" * 20 + " succeeded",
        "› ▶ STAGING  " + "·" * 20 + "━" * 19 + "▶",
        "  · PROD     waits for STAGING",
        rows[5],
    ]
    assert rows[5].endswith("1 m 40 s in all")
    assert not list(draw_cascade("x", cascade[:1], NOW, 50))


def test_a_cascade_is_found_again_when_the_queue_changes(samples: Samples) -> None:
    cascades = Cascades()
    one, two = samples.task("ONE"), samples.task("TWO", depends_on=("credentialmate:ONE",))
    assert len(cascades.of(one.key, (one, two))) == 2
    assert len(cascades.of(one.key, (two, one))) == 2
    three = samples.task("THREE", depends_on=("credentialmate:TWO",))
    assert [task.task for task in cascades.of(one.key, (three, two, one))] == ["THREE", "TWO", "ONE"]
    many = tuple(samples.task(f"T{n}", depends_on=(one.key,)) for n in range(40))
    assert len(cascades.of(one.key, (one, *many))) == SHOWN
    assert cascades.of("credentialmate:GONE", (one, *many)) == ()
