"""What a digest promises, for documents of any shape: one change changes it and is told, order does not."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from opconsole.plans import canonical, differences, entry_digest, seal
from queues.tasks import Task, TaskKind

# Few names and values, so that two documents are often nearly the same.
NAMES = st.sampled_from(["a", "b", "ä", "a.b", "format", ""]) | st.text(max_size=3)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-2, 2)
    | st.sampled_from([0.0, 1.0, 1.5, 10**20, 1e20])
    | st.sampled_from(["", "1", "null", "true", "\u202e", "e\u0301", "\u00e9"])
    | st.text(max_size=4)
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)
DOCUMENTS = st.dictionaries(NAMES, VALUES, max_size=4)


def same(one: object, other: object) -> bool:
    """Say whether two JSON values are the same, by their very types: 1 is neither true nor 1.0."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(same(one[name], other[name]) for name in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and one == other


def turned(value: Any) -> Any:
    """Give the same document with the keys of all its tables in the other order."""
    if isinstance(value, dict):
        return {name: turned(value[name]) for name in reversed(list(value))}
    return [turned(item) for item in value] if isinstance(value, list) else value


@given(DOCUMENTS)
def test_neither_the_order_of_keys_nor_a_way_through_the_journal_changes_a_digest(
    document: dict[str, Any],
) -> None:
    plan = seal(document)
    assert seal(turned(document)).digest == plan.digest
    assert seal(json.loads(json.dumps(document))).digest == plan.digest
    assert differences(document, turned(document)) == []


@given(DOCUMENTS, DOCUMENTS)
def test_two_documents_have_one_digest_exactly_when_they_are_the_same(
    one: dict[str, Any], other: dict[str, Any]
) -> None:
    assert (seal(one).digest == seal(other).digest) is same(one, other)
    assert (canonical(one) == canonical(other)) is same(one, other)


@given(DOCUMENTS, DOCUMENTS)
def test_where_the_digest_is_another_the_difference_is_told(
    one: dict[str, Any], other: dict[str, Any]
) -> None:
    assert bool(differences(one, other)) is not same(one, other)


@st.composite
def changed(draw: st.DrawFn, value: Any) -> Any:
    """Change one place of a value: another leaf, one more, one less, or another order of a list."""
    if isinstance(value, dict) and value and draw(st.booleans()):
        name = draw(st.sampled_from(sorted(value)))
        return {**value, name: draw(changed(value[name]))}
    if isinstance(value, list) and value and draw(st.booleans()):
        at = draw(st.integers(0, len(value) - 1))
        return [*value[:at], draw(changed(value[at])), *value[at + 1 :]]
    if isinstance(value, dict):
        if value and draw(st.booleans()):
            gone = draw(st.sampled_from(sorted(value)))
            return {name: one for name, one in value.items() if name != gone}
        return {**value, draw(NAMES): draw(VALUES)}
    if isinstance(value, list):
        return draw(st.sampled_from([value[::-1], value[1:], [*value, None], [*value, *value]]))
    return draw(LEAVES)


@given(st.data(), DOCUMENTS)
def test_any_single_change_changes_the_digest_and_is_told(
    data: st.DataObject, before: dict[str, Any]
) -> None:
    after = data.draw(changed(before))
    assume(not same(before, after))
    assert seal(before).digest != seal(after).digest
    told = differences(before, after)
    assert told
    assert not any("was nothing, is now nothing" in sentence for sentence in told)


ECHOES = st.dictionaries(
    st.sampled_from(["status", "error", "attempts", "last_attempt", "completed_at"]), VALUES, max_size=5
)


@given(st.dictionaries(NAMES, VALUES, max_size=4), ECHOES, ECHOES, NAMES, VALUES)
def test_an_entry_s_digest_is_of_all_that_a_person_wrote_and_of_nothing_that_is_echoed(
    asked: dict[str, Any], one: dict[str, Any], other: dict[str, Any], name: str, value: Any
) -> None:
    def digest(raw: dict[str, Any]) -> str:
        return entry_digest(Task(project="p", id="A", kind=TaskKind.DEPLOYMENT, raw=raw))

    assert digest({**asked, **one}) == digest({**other, **asked})
    edited = {**asked, name: value}
    assert (digest({**edited, **one}) == digest({**asked, **one})) is same(edited, asked)
