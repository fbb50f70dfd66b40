"""However words are shuffled, dropped or put in, no task comes of what a sentence does not say."""

from __future__ import annotations

import re
from importlib.resources import files
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lark.exceptions import GrammarError

from guardrails.environments import ALIASES, STANDARD, GateKind
from queues.sentences.guards import GUARDS
from queues.sentences.interpret import completed, interpret
from queues.sentences.known import Known, KnownProject, Serving
from queues.sentences.outcome import Result
from queues.sentences.parsing import build

PROJECTS = ("karematch", "credentialmate")
KNOWN = Known({name: KnownProject(name, STANDARD) for name in PROJECTS})
ORDERS = (
    "Deploy karematch version 1.2.3 to development",
    "Deploy version 2.0.0 to production environment for karematch with migrations",
    "Deploy credentialmate 2.1.0 to dev, staging and production with migrations from db/versions",
    "Deploy karematch 1.2.3 across all environments",
    "Run database migrations for credentialmate staging",
    "Validate all Alembic migrations in credentialmate for production environment",
    "Roll back karematch production to version 1.9.5",
    "Rollback karematch staging",
)
SPOKEN = """
    deploy roll back run validate migrate promote the version environment with migrations to for
    in from and then karematch credentialmate 1.2.3 2.0.0 v9 dev staging prod all environments first auto
    path db/versions
    , . : ; ( ) - 1. if succeeds I approve wait approval health checks previous latest path: tag: nonsense
"""
WORDS = [*SPOKEN.split(), "\n"]


def said(text: str) -> set[str]:
    return set(re.findall(r"[0-9a-z.]+", text.lower()))


def check_that_nothing_is_invented(text: str) -> None:
    outcome = interpret(text, KNOWN)
    words = {word.strip(".") for word in said(text)}
    every = bool(words & {"all", "every", "each"})
    for task in outcome.tasks:
        assert task.project in words or every, text
        version, environment = task.entry.get("version"), str(task.entry["environment"])
        assert version is None or {str(version), f"v{version}"} & words, text
        names = {environment, *(alias for alias, name in ALIASES.items() if name == environment)}
        assert names & words or every, text
        assert "approved" not in task.entry, text
    assert (outcome.result is Result.TASKS) or not outcome.tasks
    assert bool(outcome.missing) == (outcome.result is Result.ASK)
    assert outcome.message or outcome.tasks


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(WORDS), max_size=14))
def test_any_words_in_any_order_invent_nothing(words: list[str]) -> None:
    check_that_nothing_is_invented(" ".join(words))


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_shuffled_order_invents_nothing(data: st.DataObject) -> None:
    words = data.draw(st.sampled_from(ORDERS)).split()
    check_that_nothing_is_invented(" ".join(data.draw(st.permutations(words))))


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_word_put_in_or_left_out_invents_nothing(data: st.DataObject) -> None:
    words = data.draw(st.sampled_from(ORDERS)).split()
    place = data.draw(st.integers(0, len(words) - 1))
    if data.draw(st.booleans()):
        words.insert(place, data.draw(st.sampled_from(WORDS)))
    else:
        del words[place]
    check_that_nothing_is_invented(" ".join(words))


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=200))
def test_no_text_at_all_is_too_much(text: str) -> None:
    check_that_nothing_is_invented(text)


@pytest.mark.parametrize("order", ORDERS)
def test_a_guard_word_put_in_anywhere_leaves_no_task(order: str) -> None:
    words = order.split()
    for guard, place in product(sorted(GUARDS), range(len(words) + 1)):
        if guard == "at" and words[place : place + 1] and words[place][0] in "v12":
            continue  # "at version 1.2.3" is no time
        text = " ".join([*words[:place], guard, *words[place:]])
        outcome = interpret(text, KNOWN)
        assert outcome.tasks == (), text
        assert outcome.result in (Result.ASK, Result.REFUSE), text


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(ORDERS), st.text("abcdefghijklmnopqrstuvwxyz", min_size=4, max_size=9), st.data())
def test_a_word_that_is_not_understood_is_never_dropped(order: str, word: str, data: st.DataObject) -> None:
    words = order.split()
    words.insert(data.draw(st.integers(1, len(words))), f"zz{word}zz")
    assert interpret(" ".join(words), KNOWN).tasks == ()


def test_the_answers_to_the_questions_complete_a_sentence() -> None:
    text = "Deploy"
    for answer in ("credentialmate", "v2.1.0", "prod"):
        outcome = interpret(text, KNOWN)
        text = completed(text, outcome.missing[0], answer)
    (task,) = interpret(text, KNOWN).tasks
    assert (task.project, task.entry["version"], task.entry["environment"]) == (
        "credentialmate",
        "2.1.0",
        "production",
    )


def test_ids_are_new_in_the_queue_and_in_the_journal() -> None:
    taken = frozenset({"DEPLOY-DEV-001", "DEPLOY-PROD-002"})
    known = Known({"karematch": KnownProject("karematch", STANDARD, taken=taken)})
    outcome = interpret("Deploy 1.2.3 to all environments", known)
    assert [task.id for task in outcome.tasks] == [
        "DEPLOY-DEV-003",
        "DEPLOY-STAGING-003",
        "DEPLOY-PROD-003",
    ]
    assert interpret("Deploy 1.2.3 to staging", known).tasks[0].id == "DEPLOY-STAGING-001"


def test_environments_of_ones_own_have_their_place_by_their_gate() -> None:
    environments = {
        "production": GateKind.PRODUCTION,
        "qa": GateKind.STAGING,
        "eu-west": GateKind.PRODUCTION,
        "dev1": GateKind.DEVELOPMENT,
    }
    known = Known({"shop": KnownProject("shop", environments)})
    outcome = interpret("Deploy 1.2.3 to all environments", known)
    assert [(task.id, task.entry.get("depends_on")) for task in outcome.tasks] == [
        ("DEPLOY-DEV1-001", None),
        ("DEPLOY-QA-001", ["DEPLOY-DEV1-001"]),
        ("DEPLOY-PROD-001", ["DEPLOY-QA-001"]),
        ("DEPLOY-EU-WEST-001", ["DEPLOY-PROD-001"]),
    ]
    assert interpret("Deploy 1.2.3 to dev", known).result is Result.REFUSE


def test_a_project_may_be_called_like_a_word_of_the_sentences() -> None:
    known = Known({name: KnownProject(name, STANDARD) for name in ("service", "run", "staging", "api")})
    for name in ("service", '"run"', '"staging"', "api"):
        (task,) = interpret(f"Deploy {name} 1.2.3 to staging", known).tasks
        assert (task.project, task.entry["environment"]) == (name.strip('"'), "staging")


def test_the_default_project_is_the_one_that_is_meant() -> None:
    known = Known(KNOWN.projects, default_project="karematch")
    assert interpret("Roll back staging", known).tasks[0].project == "karematch"
    assert interpret("Roll back staging for credentialmate", known).tasks[0].project == "credentialmate"


def test_a_promotion_takes_the_version_from_where_it_runs() -> None:
    project = KnownProject("shop", STANDARD, serving={"staging": Serving("2.1.0")})
    (task,) = interpret("Promote shop from staging to prod", Known({"shop": project})).tasks
    assert (task.entry["version"], task.entry["run_migrations"]) == ("2.1.0", False)


def test_a_book_and_control_characters_are_refused() -> None:
    assert "allowed: 20,000" in interpret("deploy " * 5000, KNOWN).message
    assert "control characters" in interpret("Deploy karematch\x1b[31m 1.2.3 to dev", KNOWN).message


def test_a_rollback_says_where_the_journal_knows_no_way_back() -> None:
    served = {"staging": ("2.1.0",), "production": ("2.1.0", "2.0.0"), "development": ()}
    known = Known({"shop": KnownProject("shop", STANDARD, served=served)})
    assert (
        "No release before this one is on record in staging" in interpret("Roll back staging", known).message
    )
    assert interpret("Roll back production", known).message == ""
    assert interpret("Roll back production to 2.0.0", known).message == ""
    assert "known: 2.1.0, 2.0.0" in interpret("Roll back production to 1.0.0", known).message
    assert "known: none" in interpret("Roll back dev", known).message


@pytest.mark.parametrize(
    ("rule", "ambiguous"),
    [
        ("fragment: phrases\n", "fragment: phrases | place\n"),
        ("noun: DEPLOYMENT | DATABASE\n", "noun: DEPLOYMENT | DATABASE | _ENVIRONMENT_NOUN\n"),
    ],
)
def test_a_grammar_with_two_readings_of_a_sentence_does_not_build(rule: str, ambiguous: str) -> None:
    text = files("queues.sentences").joinpath("grammar.lark").read_text(encoding="utf-8")
    assert rule in text
    assert build(text)
    with pytest.raises(GrammarError, match=r"collision|conflict"):
        build(text.replace(rule, ambiguous))
