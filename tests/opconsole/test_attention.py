"""When the console calls the person before it, and how."""

from __future__ import annotations

from typing import Any

import pytest

from opconsole.attention import MOST, call, desktop_sequence, standing
from opconsole.desktop_sign import DesktopSign
from opconsole.views import Snapshot, TaskView


def task(name: str, state: str, run: str | None = "r-1") -> TaskView:
    fields: dict[str, Any] = dict.fromkeys(TaskView.__dataclass_fields__)
    given = {"project": "shop", "task": name, "environment": "staging", "state": state, "run": run}
    return TaskView(**{**fields, **given})


def snapshot(*tasks: TaskView) -> Snapshot:
    return Snapshot("shop", tasks, (), running=0, waiting=0, failed_today=0, worker_alive=True)


def test_nothing_is_called_at_the_start_nor_while_all_stays_as_it_is() -> None:
    now = snapshot(task("A", "waiting"), task("B", "failed"))
    assert call(None, now) is None
    assert call(standing(now), now) is None


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("waiting", "A waits for approval in staging"),
        ("failed", "A failed in staging"),
        ("halted", "A waits for your decision in staging"),
        ("interrupted", "A waits for your decision in staging"),
        ("blocked", "A is blocked in staging"),
        ("rolled_back", "A was rolled back in staging"),
        ("running", None),
        ("succeeded", None),
    ],
)
def test_what_begins_to_wait_or_fails_is_called(state: str, said: str | None) -> None:
    before = standing(snapshot(task("A", "running")))
    assert call(before, snapshot(task("A", state))) == said


def test_another_attempt_that_fails_is_called_again_and_a_task_without_a_run_never() -> None:
    before = standing(snapshot(task("A", "failed")))
    assert call(before, snapshot(task("A", "failed", "r-2"))) == "A failed in staging"
    assert call(before, snapshot(task("A", "failed"), task("B", "blocked", None))) is None


def test_of_many_some_are_named_and_the_rest_counted() -> None:
    many = [task(f"T{n}", "failed") for n in range(MOST + 2)]
    text = call(standing(snapshot()), snapshot(*many))
    assert text is not None
    assert text.endswith("T2 failed in staging and 2 more")


@pytest.mark.parametrize("sign", [DesktopSign.OSC9, DesktopSign.OSC777])
def test_nothing_in_a_name_can_end_the_sequence_or_begin_another(sign: DesktopSign) -> None:
    sequence = desktop_sequence(sign, "A\x1b\\\x07\x9c\x1b]52;c;AAAA\x07;title;text")
    body = sequence.removeprefix("\x1b]").removesuffix("\x1b\\")
    assert "\x1b" not in body
    assert "\x07" not in body
    assert body.count(";") == (1 if sign is DesktopSign.OSC9 else 3)
    assert desktop_sequence(DesktopSign.OFF, "A") == ""
