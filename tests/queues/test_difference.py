"""How two versions of a queue file differ."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from queues.difference import ABSENT, FieldChange, difference
from queues.queue_file import parse_queue
from queues.tasks import Task


def tasks(*entries: dict[str, Any]) -> tuple[Task, ...]:
    data = json.dumps({"project": "shop", "features": list(entries)}).encode()
    file = parse_queue(data, name="work_queue_shop.json")
    assert file.errors == ()
    return file.tasks


def entry(name: str, **fields: Any) -> dict[str, Any]:
    return {"id": name, "agent_type": "deployment", "environment": "staging", "version": "1.0.0", **fields}


def test_it_names_what_came_what_went_and_what_was_edited() -> None:
    before = tasks(entry("A"), entry("B"), entry("C", status="pending"))
    after = tasks(entry("D"), entry("C", status="pending"), entry("A", version="1.1.0", priority=1))
    found = difference(before, after)
    assert [task.id for task in found.added] == ["D"]
    assert [task.id for task in found.removed] == ["B"]
    [edit] = found.edited
    assert edit.after.id == "A"
    assert edit.fields == (
        FieldChange("version", "1.0.0", "1.1.0"),
        FieldChange("priority", ABSENT, 1),
    )


def test_a_field_that_went_is_told_apart_from_one_that_is_null() -> None:
    [edit] = difference(tasks(entry("A", note=None, more=1)), tasks(entry("A", note=None))).edited
    assert edit.fields == (FieldChange("more", 1, ABSENT),)


def test_what_opconsole_writes_itself_is_no_edit_and_neither_is_another_order() -> None:
    before = tasks(entry("A"), entry("B"))
    after = tasks(entry("B"), entry("A", attempts=3, error="no", last_attempt="now", completed_at=None))
    assert not difference(before, after)


def test_true_and_one_are_different_words_in_a_file() -> None:
    [edit] = difference(tasks(entry("A", mark=True)), tasks(entry("A", mark=1))).edited
    assert edit.fields == (FieldChange("mark", True, 1),)


def test_an_edited_status_is_told() -> None:
    [edit] = difference(tasks(entry("A", status="pending")), tasks(entry("A", status="complete"))).edited
    assert [one.field for one in edit.fields] == ["status"]


queue = st.dictionaries(
    st.sampled_from("ABCDEF"), st.dictionaries(st.sampled_from(["x", "y"]), st.integers(0, 2))
)


@given(queue, queue)
def test_the_difference_leads_from_one_version_to_the_other(
    before: dict[str, dict[str, int]], after: dict[str, dict[str, int]]
) -> None:
    found = difference(
        tasks(*(entry(name, **fields) for name, fields in before.items())),
        tasks(*(entry(name, **fields) for name, fields in after.items())),
    )
    made = {name: dict(fields) for name, fields in before.items()}
    for task in found.removed:
        del made[task.id]
    for task in found.added:
        made[task.id] = {name: task.raw[name] for name in ("x", "y") if name in task.raw}  # type: ignore[misc]
    for edit in found.edited:
        for change in edit.fields:
            if change.after is ABSENT:
                del made[edit.after.id][change.field]
            else:
                made[edit.after.id][change.field] = change.after  # type: ignore[assignment]
    assert made == after
