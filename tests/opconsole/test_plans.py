from __future__ import annotations

import pytest

from opconsole.plans import differences, entry_digest, seal
from queues.tasks import Task, TaskKind


def test_equal_documents_have_one_digest_whatever_the_order_of_their_keys() -> None:
    assert seal({"a": 1, "b": [2, "ü"]}).digest == seal({"b": [2, "ü"], "a": 1}).digest


def test_any_change_changes_the_digest() -> None:
    assert seal({"a": 1}).digest != seal({"a": 2}).digest


def test_the_digest_is_sha_256_over_canonical_json() -> None:
    # echo -n '{"a":1}' | sha256sum
    assert seal({"a": 1}).digest == "sha256:015abd7f5cc57a2dd94b7590f04ad8084273905ee33ec5cebeae62276a97f862"


def test_a_number_that_json_does_not_know_cannot_be_planned() -> None:
    with pytest.raises(ValueError, match="Out of range"):
        seal({"a": float("nan")})


def test_differences_name_the_place_and_both_values() -> None:
    old = {"version": {"to": "1.0"}, "migrations": {"files": [{"sha256": "a"}]}, "gone": 1}
    new = {"version": {"to": "1.1"}, "migrations": {"files": [{"sha256": "b"}]}}
    assert differences(old, new) == [
        "gone: was 1, is now nothing",
        'migrations.files[0].sha256: was "a", is now "b"',
        'version.to: was "1.0", is now "1.1"',
    ]


def test_a_plan_that_an_older_version_made_is_told_as_that_first_and_then_by_what_it_did_not_cover() -> None:
    old, new = {"version": "1.0"}, {"version": "1.0", "format": 2, "preflight": {"sandbox": "off"}}
    assert differences(old, new) == [
        "the plan was made by another version of opconsole, which covers other things",
        'preflight: was nothing, is now {"sandbox":"off"}',
    ]


def test_what_opconsole_echoes_into_an_entry_does_not_change_what_was_asked() -> None:
    def entry(**raw: object) -> Task:
        return Task(project="p", id="A", kind=TaskKind.DEPLOYMENT, raw=raw)

    asked = entry(id="A", version="1")
    assert entry_digest(asked) == entry_digest(entry(id="A", version="1", status="in_progress", attempts=3))
    assert entry_digest(asked) != entry_digest(entry(id="A", version="2"))
