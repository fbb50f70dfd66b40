"""Every sentence of the corpus comes to its tasks, its question or its refusal; the guide's among them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from time import process_time
from typing import Any

import pytest
import yaml

from guardrails.environments import STANDARD
from queues.queue_file import parse_queue
from queues.sentences.interpret import interpret
from queues.sentences.known import Known, KnownProject, Serving
from queues.sentences.outcome import Outcome, PlannedTask, Result

CORPUS = Path(__file__).with_name("corpus.yaml")
KAREMATCH = KnownProject(
    "karematch",
    STANDARD,
    migrates=True,
    versions=("2.0.0", "1.2.3", "2026.11", "42", "1.9.5"),
    serving={"staging": Serving("1.2.3", "db/versions")},
)
CREDENTIALMATE = KnownProject("credentialmate", STANDARD, serving={"development": Serving("2.1.0")})
BOTH = Known({"karematch": KAREMATCH, "credentialmate": CREDENTIALMATE})
ALONE = Known({"karematch": KAREMATCH})


@dataclass(frozen=True)
class Example:
    text: str
    group: Any

    @property
    def known(self) -> Known:
        return ALONE if self.group.get("alone") else BOTH

    @property
    def outcome(self) -> Outcome:
        return interpret(self.text, self.known)


def examples() -> Iterator[Example]:
    for group in yaml.safe_load(CORPUS.read_text(encoding="utf-8")):
        for text in group["say"]:
            yield Example(text, group)


EXAMPLES = tuple(examples())


def line_of(task: PlannedTask) -> str:
    """Write a task as the corpus does."""
    entry = dict(task.entry)
    kind = str(entry["agent_type"]) + (f":{entry['action']}" if "action" in entry else "")
    words = [kind, task.project, str(entry.get("environment", "-")), str(entry.get("version", "-"))]
    words += ["migrations"] if entry.get("run_migrations") else []
    words += [f"path={entry['migrations_path']}"] if "migrations_path" in entry else []
    words += [f"after={one}" for one in entry.get("depends_on", [])]  # type: ignore[attr-defined]
    words += [f"resource={json.dumps(entry['resource'])}"] if "resource" in entry else []
    words += [f"case={entry['business_case']['monthly_usd']}"] if "business_case" in entry else []  # type: ignore[index]
    words += ["approval"] if entry.get("requires_approval") else []
    return " ".join(words)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda one: one.text[:60] or "nothing")
def test_a_sentence_comes_to_what_the_corpus_says(example: Example) -> None:
    outcome, group = example.outcome, example.group
    if "tasks" in group:
        assert (outcome.result, outcome.missing) == (Result.TASKS, ()), outcome.message
        assert [line_of(task) for task in outcome.tasks] == group["tasks"]
    else:
        assert outcome.tasks == ()
    if "ask" in group:
        assert (outcome.result, list(outcome.missing)) == (Result.ASK, group["ask"]), outcome.message
    if "refuse" in group:
        assert outcome.result is Result.REFUSE, outcome
        assert group["refuse"] in outcome.message
    assert group.get("says", "") in outcome.message


def test_the_corpus_is_large_and_read_in_a_few_seconds() -> None:
    assert len({one.text for one in EXAMPLES}) >= 250
    interpret("Deploy", BOTH)
    begun = process_time()
    for example in EXAMPLES:
        assert example.outcome.result
    assert process_time() - begun < 5


def test_the_tasks_of_every_sentence_could_stand_in_a_queue_file() -> None:
    for example in EXAMPLES:
        for project in ("karematch", "credentialmate"):
            entries = [dict(task.entry) for task in example.outcome.tasks if task.project == project]
            if entries:
                text = json.dumps({"project": project, "features": entries})
                parsed = parse_queue(text.encode(), name=f"work_queue_{project}.json")
                assert (len(parsed.tasks), parsed.errors) == (len(entries), ()), example.text


def test_the_cascade_of_the_guide_is_the_queue_of_the_guide() -> None:
    cascade = next(one for one in EXAMPLES if "across all" in one.text and one.group.get("guide"))
    common: dict[str, object] = {
        "status": "pending",
        "agent_type": "deployment",
        "version": "2.1.0",
        "run_migrations": True,
        "migrations_path": "apps/backend-api/alembic/versions",
        "completion_promise": "DEPLOYMENT_COMPLETE",
        "max_iterations": 10,
    }
    text = "Deploy v2.1.0 to {} with migrations"
    assert [dict(task.entry) for task in cascade.outcome.tasks] == [
        {
            "id": "DEPLOY-DEV-001",
            "description": text.format("development"),
            "environment": "development",
            **common,
        },
        {
            "id": "DEPLOY-STAGING-001",
            "description": text.format("staging") + " (after dev succeeds)",
            "environment": "staging",
            **common,
            "depends_on": ["DEPLOY-DEV-001"],
        },
        {
            "id": "DEPLOY-PROD-001",
            "description": text.format("production") + " (after staging succeeds)",
            "environment": "production",
            **common,
            "depends_on": ["DEPLOY-STAGING-001"],
            "requires_approval": True,
        },
    ]
