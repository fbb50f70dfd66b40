"""Work queue files: what is usable, and what is said about the rest."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from guardrails.environments import GateKind
from queues import queue_parser
from queues.queue_file import QueueFile, QueueFileError, load_queue, parse_queue, project_of, read_queue
from queues.queue_parser import MAX_BYTES
from queues.tasks import FileStatus, MigrationAction, TaskKind


@pytest.fixture(params=["with care", "as a large file"], scope="module", autouse=True)
def _way(request: pytest.FixtureRequest) -> Iterator[None]:
    """Run every test twice: a large file is read in another way, and must come out the same."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(queue_parser, "LARGE", 0 if request.param == "as a large file" else MAX_BYTES)
        yield


DEPLOY = {"id": "A", "agent_type": "deployment", "environment": "staging", "version": "1.2.3"}


def parse(*entries: object, **members: object) -> QueueFile:
    document = {"project": "shop", "features": list(entries), **members}
    return parse_text(json.dumps(document, indent=2))


def parse_text(text: str) -> QueueFile:
    return parse_queue(text.encode(), name="work_queue_shop.json")


def only_error(queue: QueueFile) -> QueueFileError:
    assert len(queue.errors) == 1, queue.errors
    return queue.errors[0]


def test_the_guides_cascade_is_read() -> None:
    queue = parse(
        {**DEPLOY, "id": "DEV", "environment": "dev", "version": "v2.1.0", "run_migrations": True},
        {
            **DEPLOY,
            "id": "PROD",
            "environment": "Production",
            "depends_on": ["DEV"],
            "requires_approval": True,
        },
    )
    assert queue.errors == ()
    dev, prod = queue.tasks
    assert (dev.key, dev.kind, dev.environment, dev.version) == (
        "shop:DEV",
        TaskKind.DEPLOYMENT,
        "development",
        "2.1.0",
    )
    assert (dev.run_migrations, dev.priority, dev.status, dev.position) == (True, 2, FileStatus.PENDING, 0)
    assert (prod.environment, prod.depends_on, prod.requires_approval) == ("production", ("shop:DEV",), True)
    assert prod.raw["depends_on"] == ["DEV"]
    assert queue.digest.startswith("sha256:")


def test_fields_as_found_in_the_wild_are_read() -> None:
    queue = parse(
        {
            "id": "M",
            "agent": "migration",
            "environment": "stage",
            "action": "validate",
            "status": None,
            "priority": "P0",
            "requires_approval": ["ann", "bob"],
            "dependencies": ["other:X-1", "O"],
            "max_iterations": None,
            "tests": None,
        },
        {"id": "O", "status": "completed", "agent_type": "bugfix", "version": 7, "depends_on": "nonsense"},
        {"id": "Z", "status": "whatever"},
        {"id": "P", "agent_type": "provisioning", "resource": "bucket", "business_case": {"why": "logs"}},
    )
    assert queue.errors == ()
    migration, other, unknown, provisioning = queue.tasks
    assert migration.action is MigrationAction.VALIDATE
    assert (migration.priority, migration.approvers, migration.requires_approval) == (0, ("ann", "bob"), True)
    assert migration.depends_on == ("other:X-1", "shop:O")
    assert (other.kind, other.status) == (TaskKind.OTHER, FileStatus.COMPLETED)
    assert unknown.kind is TaskKind.OTHER
    assert provisioning.business_case == {"why": "logs"}
    assert queue.complete_word == "completed"


def test_dependencies_of_both_spellings_all_count() -> None:
    queue = parse({"id": "X"}, {"id": "Y"}, {**DEPLOY, "depends_on": ["X"], "dependencies": ["Y", "X"]})
    assert queue.tasks[-1].depends_on == ("shop:X", "shop:Y")


BAD_FIELDS = [
    ("version", "1; rm -rf ~"),
    ("version", "--upload-pack=x"),
    ("version", "v-x"),
    ("version", "1..2"),
    ("version", "1.lock"),
    ("version", "1.2\n"),
    ("version", "１.２"),
    ("version", ""),
    ("version", 1.5),
    ("version", None),
    ("version", ["1"]),
    ("environment", "prod\u0075ctiоn"),  # with a Cyrillic o
    ("environment", "sta\u200bging"),
    ("environment", "qa"),
    ("environment", {}),
    ("environment", None),
    ("migrations_path", "../../etc"),
    ("migrations_path", "/etc"),
    ("migrations_path", "a/../b"),
    ("migrations_path", "a\0b"),
    ("migrations_path", "~root"),
    ("migrations_path", "a\\..\\b"),
    ("status", "done"),
    ("status", True),
    ("priority", True),
    ("priority", -1),
    ("priority", "P4"),
    ("priority", 1.0),
    ("max_iterations", 0),
    ("max_iterations", True),
    ("max_iterations", "3"),
    ("requires_approval", "yes"),
    ("requires_approval", ["ann", 3]),
    ("requires_approval", ["a\u202eb"]),
    ("run_migrations", 1),
    ("description", 5),
    ("completion_promise", "a\nb"),
    ("depends_on", "X"),
    ("depends_on", ["A"]),
    ("depends_on", ["shop:A"]),
    ("depends_on", ["missing"]),
    ("depends_on", ["a:b:c"]),
    ("depends_on", [None]),
    ("dependencies", [[]]),
    ("agent_type", "Deployment"),
    ("id", ""),
    ("id", 12),
    ("id", "a:b"),
    ("id", "a\nb"),
    ("id", "a\0"),
    ("id", "a\u202e"),
    ("id", "a\u200b"),
    ("id", "a\u3164"),
    ("id", " a"),
    ("id", "--help"),
    ("id", "x" * 129),
]


@pytest.mark.parametrize(("field", "value"), BAD_FIELDS)
def test_a_bad_field_is_one_error_and_the_other_task_stays_usable(field: str, value: object) -> None:
    queue = parse({**DEPLOY, field: value}, {**DEPLOY, "id": "GOOD"})
    error = only_error(queue)
    assert error.field == field
    assert error.task == (None if field == "id" else "A")
    assert error.found
    assert error.allowed
    assert (error.found + error.allowed + error.message).isascii()
    assert (error.found + error.allowed + error.message).isprintable()
    assert [task.id for task in queue.tasks] == ["GOOD"]


def test_every_fault_of_a_task_is_told_with_its_line() -> None:
    text = """{
  "project": "shop",
  "features": [
    {
      "id": "A",
      "agent_type": "deployment",
      "environment": "qa",
      "version": "; ls",
      "depends_on": [
        "B",
        "gone"
      ]
    },
    {"id": "B"}
  ]
}"""
    errors = parse_text(text).errors
    assert [(error.line, error.field) for error in errors] == [(7, "environment"), (8, "version")]
    errors = parse_text(text.replace("qa", "dev").replace("; ls", "1")).errors
    assert [(error.line, error.field, error.found) for error in errors] == [(11, "depends_on", '"gone"')]


def test_a_missing_field_is_told_on_the_line_of_its_task() -> None:
    error = only_error(parse_text('{"project": "shop",\n"tasks": [\n{"id": "A", "agent_type": "rollback"}]}'))
    assert (error.line, error.field, error.found) == (3, "environment", "null")


def test_environments_of_the_workspace_are_known() -> None:
    text = json.dumps({"project": "shop", "features": [{**DEPLOY, "environment": "eu-prod"}]})
    more = {"eu-prod": GateKind.PRODUCTION}
    queue = parse_queue(text.encode(), name="q.json", environments=more)
    assert queue.tasks[0].environment == "eu-prod"
    kelvin = text.replace("eu-prod", "\u212aiosk")
    queue = parse_queue(kelvin.encode(), name="q.json", environments={"kiosk": GateKind.PRODUCTION})
    assert only_error(queue).field == "environment"


def test_the_second_of_a_duplicate_id_is_refused_and_both_lines_are_named() -> None:
    queue = parse_text('{"project": "shop", "features": [\n{"id": "A"},\n{"id": "B"},\n{"id": "A"}]}')
    error = only_error(queue)
    assert (error.line, error.task, error.field) == (4, "A", "id")
    assert "line 4" in error.message
    assert "line 2" in error.message
    assert [task.position for task in queue.tasks] == [0, 1]


def test_a_duplicate_key_refuses_its_task_and_is_named_with_its_line() -> None:
    queue = parse_text(
        '{"project": "shop", "features": [\n{"id": "A",\n"status": "pending",\n'
        '"status": "blocked"},\n{"id": "B"}]}'
    )
    error = only_error(queue)
    assert (error.line, error.task, error.field) == (4, "A", "status")
    assert [task.id for task in queue.tasks] == ["B"]


def test_a_duplicate_key_deep_in_a_task_is_found() -> None:
    queue = parse_text('{"project": "shop", "features": [{"id": "A",\n"x": [{"y": 1,\n"y": 2}]}]}')
    assert (only_error(queue).line, only_error(queue).field) == (3, "x.y")


def test_a_duplicate_key_that_decides_what_the_file_is_refuses_the_file() -> None:
    queue = parse_text('{"project": "shop", "features": [],\n"features": [{"id": "A"}]}')
    assert (only_error(queue).field, only_error(queue).line) == ("features", 2)
    assert queue.tasks == ()
    queue = parse_text('{"project": "shop", "features": [{"id": "A"}], "project": "shop"}')
    assert only_error(queue).field == "project"
    assert queue.tasks == ()


def test_a_duplicate_key_elsewhere_is_an_error_and_the_tasks_stay() -> None:
    queue = parse_text('{"project": "shop", "summary": 1, "summary": 2, "features": [{"id": "A"}]}')
    assert only_error(queue).field == "summary"
    assert len(queue.tasks) == 1


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999"])
def test_a_number_that_json_does_not_have_refuses_its_task(number: str) -> None:
    queue = parse_text(
        '{"project": "shop", "features": [{"id": "A",\n"x": NUMBER}, {"id": "B"}]}'.replace("NUMBER", number)
    )
    error = only_error(queue)
    assert (error.line, error.task, error.field, error.found) == (2, "A", "x", number)
    assert [task.id for task in queue.tasks] == ["B"]


def test_nan_in_a_field_we_know_is_one_error() -> None:
    text = json.dumps({"project": "shop", "features": [DEPLOY]}).replace('"1.2.3"', "NaN")
    assert only_error(parse_text(text)).field == "version"


def test_nesting_is_bounded() -> None:
    def nested(levels: int) -> str:
        inner = "[" * levels + "]" * levels
        return '{"project": "shop", "features": [{"id": "A", "x": INNER}, {"id": "B"}]}'.replace(
            "INNER", inner
        )

    assert parse_text(nested(61)).errors == ()
    queue = parse_text(nested(62))
    assert "deep" in only_error(queue).found
    assert [task.id for task in queue.tasks] == ["B"]
    queue = parse_text(nested(100_000))
    assert "deep" in only_error(queue).found
    assert queue.tasks == ()


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("[]", "file"),
        ("", "file"),
        ("NaN", "file"),
        ('{"project": "shop"}', "features"),
        ('{"project": "shop", "features": {}}', "features"),
        ('{"project": "shop", "tasks": 3}', "tasks"),
        ('{"project": "elsewhere", "features": []}', "project"),
        ('{"project": 3, "features": []}', "project"),
        ('{"project": "shop", "features": [] "x": 1}', "file"),
        ('{"project": "shop", "features": [%s]}' % ("9" * 5000), "file"),
        ('{"project": "shop", "features": [1]}', "features"),
        ('{"project": "shop", "features": [{}]}', "id"),
    ],
)
def test_a_file_of_another_shape_is_an_error(text: str, field: str) -> None:
    queue = parse_text(text)
    assert only_error(queue).field == field
    assert queue.tasks == ()


def test_a_syntax_error_is_told_with_line_and_column() -> None:
    error = only_error(parse_text('{"project": "shop",\n "features": [}'))
    assert error.line == 2
    assert "column 15" in error.found


def test_bytes_that_are_not_utf8_are_told_with_their_line() -> None:
    queue = parse_queue(b'{"project": "shop",\n\n"features": ["\xff"]}', name="q.json")
    assert (only_error(queue).line, only_error(queue).found) == (3, "the byte 0xff")


def test_a_bom_is_accepted_and_remembered() -> None:
    queue = parse_queue(b'\xef\xbb\xbf{"project": "shop",\n"features": [{"id": ""}]}', name="q.json")
    assert queue.bom
    assert only_error(queue).line == 2


def test_more_bytes_or_containers_than_a_queue_has_are_refused() -> None:
    assert "64 MiB" in only_error(parse_queue(b" " * (MAX_BYTES + 1), name="q.json")).found
    assert only_error(parse_queue(b"[" * 4_100_000, name="q.json")).field == "file"


def test_the_project_comes_from_the_name_where_the_file_says_none() -> None:
    assert parse_text('{"features": []}').project == "shop"
    assert parse_queue(b'{"project": "p", "tasks": []}', name="any.json").list_key == "tasks"
    assert only_error(parse_queue(b'{"features": []}', name="any.json")).field == "project"
    assert project_of("/a/b/work_queue_my-shop.json") == "my-shop"


def test_a_file_that_others_may_write_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "work_queue_shop.json"
    path.write_text('{"project": "shop", "features": [{"id": "A"}]}')
    path.chmod(0o644)
    assert len(read_queue(path).tasks) == 1
    path.chmod(0o666)
    assert "anybody may write" in only_error(read_queue(path)).found
    assert read_queue(path).tasks == ()


async def test_what_is_no_file_is_refused_without_hanging(tmp_path: Path) -> None:
    pipe = tmp_path / "work_queue_shop.json"
    os.mkfifo(pipe)
    for path in (pipe, tmp_path, tmp_path / "missing.json"):
        assert only_error(read_queue(path)).field == "file"
        assert only_error(await load_queue(path)).field == "file"


async def test_loading_gives_what_reading_gives(tmp_path: Path) -> None:
    path = tmp_path / "work_queue_shop.json"
    features = [{**DEPLOY, "id": f"T{number}"} for number in range(3000)]
    path.write_text(json.dumps({"project": "shop", "features": features}))
    path.chmod(0o600)
    queue = await load_queue(path)
    assert queue == read_queue(path)
    assert len(queue.tasks) == 3000


def test_many_faults_are_counted_beyond_a_bound() -> None:
    queue = parse(*[{} for _ in range(10_050)])
    assert len(queue.errors) == 10_001
    assert "50 more" in queue.errors[-1].message


def test_thousands_of_faults_in_one_large_task_are_told_without_reading_it_for_each() -> None:
    missing = [f"gone-{number}" for number in range(9_000)]
    lines = parse({**DEPLOY, "filler": list(range(20_000)), "depends_on": missing}).errors
    assert len(lines) == 9_000
    assert lines[-1].line - lines[0].line == 8_999


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-2, 5)
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["A", "prod", "P1"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
names = st.sampled_from(
    [
        "id",
        "agent_type",
        "agent",
        "status",
        "environment",
        "version",
        "depends_on",
        "dependencies",
        "priority",
        "max_iterations",
        "requires_approval",
        "run_migrations",
        "migrations_path",
        "action",
        "description",
        "x",
    ]
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # a busy machine is no fault of it
@given(
    st.lists(st.dictionaries(names, anything, max_size=6).map(lambda entry: {**DEPLOY, **entry}) | anything)
)
def test_whatever_stands_in_a_list_each_entry_is_a_task_or_has_an_error(entries: list[object]) -> None:
    queue = parse(*entries)
    assert len(queue.tasks) <= len(entries)
    assert bool(queue.errors) == (len(queue.tasks) < len(entries))
    for error in queue.errors:
        assert (error.message + error.found + error.field).isascii()
        assert "unreadable entry" not in error.found


@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_no_bytes_make_it_crash(data: bytes) -> None:
    assert parse_queue(data, name="q.json").errors
