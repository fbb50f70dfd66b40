"""Completion offers what the grammar takes at the cursor, and what is known, and nothing that was said."""

from __future__ import annotations

import pytest

from guardrails.environments import STANDARD
from queues.sentences.completing import complete
from queues.sentences.interpret import interpret
from queues.sentences.known import Known, KnownProject
from queues.sentences.outcome import Result

KNOWN = Known(
    {
        "karematch": KnownProject("karematch", STANDARD, versions=("2.0.0", "1.2.3")),
        "credentialmate": KnownProject("credentialmate", STANDARD, versions=("3.0.0",)),
    }
)


def offered(text: str, known: Known = KNOWN) -> tuple[str, ...]:
    return complete(text, len(text), known).candidates


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", "deploy"),
        ("de", "deploy"),
        ("ro", "rollback"),
        ("Deploy ", "karematch"),
        ("Deploy ka", "karematch"),
        ("deploy karematch ", "2.0.0"),
        ("deploy karematch 1", "1.2.3"),
        ("deploy karematch 1.2.3 ", "to"),
        ("deploy karematch 1.2.3 to ", "staging"),
        ("deploy karematch 1.2.3 to prod", "production"),
        ("deploy karematch 1.2.3 to dev, ", "staging"),
        ("deploy karematch 1.2.3 to dev and st", "staging"),
        ("deploy karematch 1.2.3 to dev w", "with migrations"),
        ("deploy 1.2.3 to dev for ", "credentialmate"),
        ("Promote karematch from ", "development"),
        ("Provision ", "S3 bucket"),
        ("Deploy karematch\nVersion: ", "2.0.0"),
    ],
)
def test_what_may_come_next_is_offered(text: str, wanted: str) -> None:
    assert wanted in offered(text)


@pytest.mark.parametrize(
    ("text", "unwanted"),
    [
        ("deploy karematch ", "3.0.0"),
        ("deploy karematch ", "karematch"),
        ("deploy karematch 1.2.3 to dev, ", "development"),
        ("deploy karematch 1.2.3 ", "2.0.0"),
        ("deploy karematch 1.2.3 to dev ", "deploy"),
    ],
)
def test_what_was_said_or_cannot_come_is_not_offered(text: str, unwanted: str) -> None:
    assert unwanted not in offered(text)


def test_nothing_is_offered_behind_what_is_not_understood() -> None:
    assert offered("deploy karematch 1.2.3 to dev tomorrow ") == ()


def test_the_word_at_the_cursor_is_replaced_and_the_rest_stays() -> None:
    text = "Deploy kare to staging"
    done = complete(text, len("Deploy kare"), KNOWN)
    assert done.candidates == ("karematch",)
    assert done.applied(text, "karematch") == "Deploy karematch to staging"


def test_an_order_can_be_made_of_the_first_candidates_alone() -> None:
    text = ""
    for begin in ("dep", "kare", "1", "to", "prod"):
        text += begin
        done = complete(text, len(text), KNOWN)
        text = done.applied(text, done.candidates[0]) + " "
    assert text == "deploy karematch 1.2.3 to production "
    assert interpret(text, KNOWN).result is Result.TASKS
