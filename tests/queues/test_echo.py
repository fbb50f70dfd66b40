"""The write-back: only five fields of our own tasks change, and nobody's edit is lost."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from queues import rewrite
from queues.echo import (
    DuplicateTaskError,
    EchoUpdate,
    QueueWriteError,
    append_tasks,
    create_queue,
    write_echo,
)
from queues.json_text import apply, dump, read_object, set_members
from queues.queue_file import read_queue

GUIDE = """{
  "project": "shop",
  "features": [
    {
      "id": "A",
      "description": "caf\\u00e9 \\/ 1",
      "status": "pending",
      "agent_type": "deployment",
      "environment": "staging",
      "version": "1.2.3",
      "weight":   1.50,
      "big": 1e3
    },
    { "id": "B", "status": "completed", "agent_type": "bugfix" }
  ],
  "summary": { "n" : 2 }
}
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "work_queue_shop.json"
    path.write_bytes(GUIDE.encode())
    path.chmod(0o640)
    return path


def started(task_id: str = "A") -> EchoUpdate:
    return EchoUpdate(task_id, "in_progress", attempts=1, last_attempt="2025-01-01T00:00:00Z")


def test_only_the_fields_of_the_echo_change(path: Path) -> None:
    result = write_echo(path, [started()])
    assert (result.echoed, result.refused, result.written) == (("A",), (), True)
    expected = GUIDE.replace('"pending"', '"in_progress"').replace(
        '"big": 1e3\n',
        '"big": 1e3,\n      "attempts": 1,\n      "last_attempt": "2025-01-01T00:00:00Z"\n',
    )
    assert path.read_text() == expected
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert sorted(one.name for one in path.parent.iterdir()) == [f".{path.name}.lock", path.name]


def test_the_same_echo_again_changes_nothing(path: Path) -> None:
    write_echo(path, [started()])
    before = path.stat()
    result = write_echo(path, [started()])
    assert (result.echoed, result.written) == (("A",), False)
    assert path.stat().st_ino == before.st_ino


def test_line_ends_bom_and_a_missing_last_newline_stay(path: Path) -> None:
    text = "\ufeff" + GUIDE.rstrip("\n").replace("\n", "\r\n").replace("features", "tasks")
    path.write_bytes(text.encode())
    write_echo(path, [EchoUpdate("A", "blocked", error="bad\nnews é", attempts=2)])
    expected = text.replace('"pending"', '"blocked"').replace(
        '"big": 1e3\r\n', '"big": 1e3,\r\n      "error": "bad\\nnews \\u00e9",\r\n      "attempts": 2\r\n'
    )
    assert path.read_bytes().decode() == expected


def test_a_file_with_letters_beyond_ascii_gets_them_as_they_are(path: Path) -> None:
    path.write_bytes(GUIDE.replace('"n"', '"é"').encode())
    write_echo(path, [EchoUpdate("A", "blocked", error="für \ud800")])
    assert '"error": "f\\u00fcr \\ud800"' in path.read_text()
    write_echo(path, [EchoUpdate("A", "blocked", error="für")])
    assert '"error": "für"' in path.read_text()


def test_complete_is_spelled_as_the_file_does(path: Path) -> None:
    done = EchoUpdate("A", "complete", completed_at="2025-01-01T00:00:00Z")
    write_echo(path, [done])
    assert '"status": "completed",\n      "agent_type": "deployment"' in path.read_text()
    path.write_text(GUIDE.replace("completed", "parked"))
    write_echo(path, [done])
    assert '"status": "complete",' in path.read_text()
    path.write_text(GUIDE.replace("completed", "complete").replace("pending", "completed"))
    write_echo(path, [done])
    assert '"status": "completed",\n      "agent_type": "deployment"' in path.read_text()


def test_an_error_that_is_over_becomes_null_and_none_is_added(path: Path) -> None:
    write_echo(path, [EchoUpdate("A", "pending")])
    assert path.read_text() == GUIDE
    path.write_text(GUIDE.replace('"big": 1e3', '"error": "old",  "completed_at" :"then"'))
    write_echo(path, [EchoUpdate("A", "pending")])
    assert path.read_text() == GUIDE.replace('"big": 1e3', '"error": null,  "completed_at" :null')


def test_tasks_that_cannot_be_written_are_reported_and_the_others_written(path: Path) -> None:
    result = write_echo(path, [started(), started("B"), started("gone")])
    assert result.echoed == ("A",)
    reasons = dict(result.refused)
    assert "kind" in reasons["B"]
    assert "no such task" in reasons["gone"]
    path.write_text(GUIDE.replace('"big": 1e3', '"status": "parked"'))
    result = write_echo(path, [started()])
    assert "duplicate keys" in dict(result.refused)["A"]


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", '{"features": 1}', '{"features": [], "features": []}', "\x00", '{"tasks": []} x'],
)
def test_a_file_that_somebody_broke_is_reported_and_left_alone(path: Path, content: str) -> None:
    path.write_text(content)
    result = write_echo(path, [started()])
    assert result.problem
    assert result.echoed == ()
    assert path.read_text() == content
    with pytest.raises(QueueWriteError):
        append_tasks(path, [{"id": "N"}])
    assert path.read_text() == content


def test_a_file_that_is_gone_or_writable_by_all_is_reported(path: Path) -> None:
    path.chmod(0o666)
    assert "anybody" in (write_echo(path, [started()]).problem or "")
    path.unlink()
    assert "No such file" in (write_echo(path, [started()]).problem or "")
    assert not path.exists()


def between(monkeypatch: pytest.MonkeyPatch, edits: list[Callable[[], object]], works: bool = True) -> None:
    """Let somebody else save the file in the last moment before ours is put in place."""
    real = rewrite.exchange

    def exchange(one: Path, other: Path) -> bool:
        if edits:
            edits.pop(0)()
        return real(one, other) if works else False

    monkeypatch.setattr(rewrite, "exchange", exchange)


@pytest.mark.parametrize("works", [True, False])
@pytest.mark.parametrize("in_place", [True, False])
def test_an_edit_made_between_reading_and_writing_survives(
    path: Path, monkeypatch: pytest.MonkeyPatch, works: bool, in_place: bool
) -> None:
    def save() -> None:
        theirs = GUIDE.replace('"n" : 2', '"n" : 3')
        if in_place:
            path.write_text(theirs)
        else:
            other = path.with_name("other")
            other.write_text(theirs)
            other.replace(path)

    between(monkeypatch, [save], works)
    result = write_echo(path, [started()])
    assert result.merges == 1
    assert result.kept == ()
    text = path.read_text()
    assert '"n" : 3' in text
    assert '"in_progress"' in text
    assert sorted(one.name for one in path.parent.iterdir()) == [f".{path.name}.lock", path.name]


def test_a_file_broken_between_reading_and_writing_is_put_back(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    between(monkeypatch, [lambda: path.write_text('{"half')])
    result = write_echo(path, [started()])
    assert result.problem
    assert path.read_text() == '{"half'


def test_an_edit_on_top_of_our_displaced_file_is_kept_beside(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs, later = GUIDE.replace(": 2", ": 3"), GUIDE.replace(": 2", ": 4")
    between(
        monkeypatch, [lambda: path.write_text(theirs), lambda: path.write_text(later)]
    )  # the second comes while the first is being put back
    result = write_echo(path, [started()])
    assert '"n" : 3' in path.read_text()
    assert [one.read_text() for one in result.kept] == [later]


def test_a_file_saved_again_and_again_is_given_up_with_the_last_edit_in_place(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = iter(range(1000))
    save = lambda: path.write_text(GUIDE.replace(": 2", f": {next(count)}"))  # noqa: E731
    monkeypatch.setattr(rewrite, "MAX_TRIES", 3)
    real = rewrite.exchange
    turns = iter(range(1000))

    def exchange(one: Path, other: Path) -> bool:
        if next(turns) % 2 == 0:
            save()
        return real(one, other)

    monkeypatch.setattr(rewrite, "exchange", exchange)
    with pytest.raises(QueueWriteError, match="3 times"):
        write_echo(path, [started()])
    assert path.read_text() == GUIDE.replace(": 2", ": 2")


def test_a_real_exchange_is_used_where_the_system_has_one(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_text("1")
    other.write_text("2")
    if rewrite.exchange(one, other):
        assert (one.read_text(), other.read_text()) == ("2", "1")
    else:
        assert (one.read_text(), other.read_text()) == ("1", "2")


def test_two_writers_and_an_editor_lose_nothing(path: Path) -> None:
    entries = [{"id": f"T{n}", "agent_type": "rollback", "environment": "dev"} for n in range(2)]
    append_tasks(path, entries)
    failures: list[BaseException] = []

    def write(task_id: str) -> None:
        try:
            for attempt in range(1, 21):
                result = write_echo(path, [EchoUpdate(task_id, "in_progress", attempts=attempt)])
                assert result.echoed == (task_id,), result
        except BaseException as error:  # noqa: BLE001 - shown by the test itself
            failures.append(error)

    def extend() -> None:
        try:
            for number in range(20):
                append_tasks(path, [{"id": f"N{number}"}])
        except BaseException as error:  # noqa: BLE001 - shown by the test itself
            failures.append(error)

    threads = [threading.Thread(target=write, args=(f"T{n}",)) for n in range(2)]
    threads.append(threading.Thread(target=extend))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    queue = read_queue(path)
    assert queue.errors == ()
    assert [task.raw["attempts"] for task in queue.tasks if task.id in ("T0", "T1")] == [20, 20]
    assert sum(task.id.startswith("N") for task in queue.tasks) == 20


def test_a_lock_held_by_another_program_is_not_waited_for_without_end(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rewrite, "LOCK_SECONDS", 0.05)
    program = (
        "import fcntl, os, sys; f = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT);"
        "fcntl.flock(f, fcntl.LOCK_EX); print('held', flush=True); sys.stdin.read()"
    )
    lock = str(path.with_name(f".{path.name}.lock"))
    with subprocess.Popen(
        [sys.executable, "-c", program, lock], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(QueueWriteError, match="lock"):
            write_echo(path, [started()])
    assert path.read_text() == GUIDE


def test_without_room_for_the_new_file_the_old_one_stays(path: Path) -> None:
    program = (
        "import resource, sys; from pathlib import Path; from queues.echo import *;"
        "from queues.echo import EchoUpdate, QueueWriteError, write_echo\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))\n"
        "try: write_echo(Path(sys.argv[1]), [EchoUpdate('A', 'in_progress')])\n"
        "except QueueWriteError as error: print(error.reason)"
    )
    root = str(Path(rewrite.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-c", program, str(path)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": root},
    )
    assert done.stdout == "File too large\n"
    assert path.read_text() == GUIDE
    assert sorted(one.name for one in path.parent.iterdir()) == [f".{path.name}.lock", path.name]


def test_a_link_stays_a_link(path: Path, tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    link = tmp_path / "sub" / path.name
    link.symlink_to(path)
    assert write_echo(link, [started()]).written
    assert link.is_symlink()
    assert "in_progress" in path.read_text()


def test_added_tasks_are_laid_out_as_the_others_are(path: Path) -> None:
    append_tasks(path, [{"id": "C", "depends_on": ["A"]}])
    assert path.read_text() == GUIDE.replace(
        '"bugfix" }\n', '"bugfix" },\n    {"id": "C", "depends_on": ["A"]}\n'
    )
    lines = GUIDE.replace('    { "id": "B", "status": "completed", "agent_type": "bugfix" }', "").replace(
        "    },\n\n", "    }\n"
    )
    path.write_text(lines)
    append_tasks(path, [{"id": "C", "depends_on": ["A"]}])
    assert path.read_text() == lines.replace(
        "    }\n  ],", '    },\n    {\n      "id": "C",\n      "depends_on": ["A"]\n    }\n  ],'
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('{"features":[]}', '{"features":[{"id":"C","n":1}]}'),
        ('{"features": []}', '{"features": [{"id": "C", "n": 1}]}'),
        ('{"tasks": [{"id": "A"}]}', '{"tasks": [{"id": "A"}, {"id": "C", "n": 1}]}'),
        (
            '{\r\n\t"tasks": [ ]\r\n}',
            '{\r\n\t"tasks": [\r\n\t\t{\r\n\t\t\t"id": "C",\r\n\t\t\t"n": 1\r\n\t\t}\r\n\t]\r\n}',
        ),
    ],
)
def test_the_first_task_takes_the_style_of_the_file(path: Path, before: str, after: str) -> None:
    path.write_bytes(before.encode())
    append_tasks(path, [{"id": "C", "n": 1}])
    assert path.read_bytes().decode() == after


def test_entries_without_a_usable_id_are_stepped_over(path: Path) -> None:
    path.write_text('{"tasks": [1, {"id": []}, {"id": 7}, {"id": "A", "agent": "rollback"}]}')
    append_tasks(path, [{"id": "7"}])
    assert write_echo(path, [EchoUpdate("7", "pending"), started()]).echoed == ("A",)


def test_a_duplicate_id_is_not_added(path: Path) -> None:
    for entries in ([{"id": "A"}], [{"id": "N"}, {"id": "N"}]):
        with pytest.raises(DuplicateTaskError):
            append_tasks(path, entries)
    with pytest.raises(ValueError, match="id"):
        append_tasks(path, [{"id": "a\nb"}])
    with pytest.raises(ValueError, match="JSON"):
        append_tasks(path, [{"id": "N", "x": float("nan")}])
    assert path.read_text() == GUIDE


def test_a_new_queue_is_empty_and_never_overwrites(tmp_path: Path) -> None:
    path = tmp_path / "work_queue_new.json"
    create_queue(path, "new")
    queue = read_queue(path)
    assert (queue.project, queue.tasks, queue.errors) == ("new", (), ())
    append_tasks(path, [{"id": "A"}])
    with pytest.raises(QueueWriteError, match="exists"):
        create_queue(path, "new")
    assert len(read_queue(path).tasks) == 1


# Random documents, randomly laid out -------------------------------------------------------------------

space = st.sampled_from(["", " ", "\n", "\r\n  ", "\t", "  \n "])
number = st.sampled_from(
    ["0", "-0", "1.50", "1e3", "1E+2", "-12", "3.000", "1e999", "123456789012345678901234567890"]
)
string = st.one_of(
    st.text(max_size=6)
    .filter(lambda text: not any("\ud800" <= c <= "\udfff" for c in text))
    .map(lambda text: json.dumps(text, ensure_ascii=False)),
    st.text(max_size=6).map(json.dumps),
    st.sampled_from(['"\\/"', '"\\u0041"', '"{"', '"]"', '"\\"}"']),
)
scalar = number | string | st.sampled_from(["true", "false", "null"])


def laid_out(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    padded = st.tuples(space, inner, space).map("".join)
    keyed = st.tuples(space, string, space, st.just(":"), padded).map("".join)
    return st.one_of(
        st.lists(padded, max_size=3).map(lambda parts: "[" + ",".join(parts) + "]"),
        st.lists(keyed, max_size=3).map(lambda parts: "{" + ",".join(parts) + "}"),
    )


value = st.recursive(scalar, laid_out, max_leaves=6)


@st.composite
def entries(draw: st.DrawFn) -> tuple[str, str, str, str]:
    """An entry with a status: what is before it, the status, what follows, and its last bytes."""
    extra = [
        f'"x{n}"{draw(space)}:{draw(space)}{draw(value)}{draw(space)}' for n in range(draw(st.integers(0, 4)))
    ]
    known = ['"id": "A"', '"agent_type":"deployment"', *extra]
    known = draw(st.permutations(known))
    cut = draw(st.integers(0, len(known)))
    head = (
        "{"
        + draw(space)
        + "".join(f"{part},{draw(space)}" for part in known[:cut])
        + '"status"'
        + draw(space)
        + ":"
    )
    tail = "".join(f"{draw(space)},{part}" for part in known[cut:])
    return head + draw(space), '"pending"', tail, draw(space) + "}"


@settings(max_examples=150, deadline=None)
@given(
    entries(),
    st.lists(value, max_size=2),
    space,
    space,
    st.booleans(),
    st.sampled_from(["features", "tasks"]),
)
def test_in_any_document_everything_but_the_echo_stays_byte_for_byte(  # noqa: PLR0917 - hypothesis fills them
    tmp_path_factory: pytest.TempPathFactory,
    entry: tuple[str, str, str, str],
    others: list[str],
    gap: str,
    end: str,
    bom: bool,
    key: str,
) -> None:
    head, status, tail, close = entry
    before = ("\ufeff" if bom else "") + f'{gap}{{"k":{gap}1.0,"{key}"{gap}:['
    before += "".join(f"{other}{gap}," for other in others)
    after = f'{end}],{gap}"z": 1e2}}{end}'
    path = tmp_path_factory.mktemp("q") / "work_queue_shop.json"
    path.write_bytes((before + head + status + tail + close + after).encode())
    path.chmod(0o644)
    assert write_echo(path, [EchoUpdate("A", "blocked", error="x")]).echoed == ("A",)
    text = path.read_bytes().decode()
    first = before + head + '"blocked"' + tail
    assert text.startswith(first.rstrip(" \t\r\n"))
    assert text.endswith(close + after)
    inserted = text[len(first.rstrip(" \t\r\n")) : len(text) - len(close + after)].strip()
    assert inserted.startswith(",")
    assert json.loads("{" + inserted[1:] + "}") == {"error": "x"}
    json.loads(text.removeprefix("\ufeff"))


@given(
    st.dictionaries(
        st.text(max_size=4), st.none() | st.booleans() | st.integers() | st.text(max_size=4), min_size=1
    )
)
def test_set_members_says_what_it_was_told(values: dict[str, Any]) -> None:
    text = '{"a": 1, "b" : "x"}'
    changed = json.loads(apply(text, set_members(text, read_object(text), values)))
    assert changed == {"a": 1, "b": "x", **values}
    assert json.loads(dump(values)) == values
