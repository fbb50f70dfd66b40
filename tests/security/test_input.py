"""Queue files, versions, names and paths of people who mean harm: refused by name, and the rest goes on."""

from __future__ import annotations

import json
import os
import stat
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from opconsole.settings import SettingsError
from opconsole.settings.load import parse_settings
from opconsole.sources import BadVersionError, check_version
from queues.queue_file import parse_queue, read_queue
from queues.task_fields import FieldFaultError, read_version

GOOD = {"id": "GOOD", "agent_type": "deployment", "environment": "development", "version": "1.0.0"}


def bad(**changes: object) -> dict[str, object]:
    return {**GOOD, "id": "BAD", **changes}


def validated(desk: Any, *entries: dict[str, object]) -> tuple[Any, list[dict[str, Any]]]:
    """Have the command read a queue of a good task and bad ones; give what it said, and the errors."""
    path = desk.queue(GOOD, *entries)
    said = desk.give("--json", "queue", "validate", str(path))
    assert said.out.isascii(), "nothing in it steers a terminal"
    return said, said.document[0]["errors"]


def refused(desk: Any, entry: dict[str, object], field: str) -> dict[str, Any]:
    """Hold a bad entry to be refused by its field, and the good one to go on."""
    said, errors = validated(desk, entry)
    assert said.status == 2
    assert said.document[0]["tasks"] == 1, "the good task goes on"
    [error] = [error for error in errors if error["field"].split(".")[0] == field]
    assert error["line"] > 1
    assert error["allowed"]
    for line in (["queue", "list"], ["queue", "validate"]):
        text = desk.give(*line)
        for character in "\u202e\u200b\u2066\x1b\x00\r":
            assert character not in text.out + text.err
    return error


@pytest.mark.parametrize(
    "name",
    [
        "prod\u202euction",
        "prod\u200buction",
        "\ufeffproduction",
        "production\u2060",
        "produc\u00adtion",
        "pro\ud83dd",
    ],
)
def test_06_bidi_or_zero_width_characters_in_an_environment_name(desk: Any, name: str) -> None:
    error = refused(desk, bad(environment=name), "environment")
    assert "\\u" in error["found"], "it is shown as what it is"
    plain = name.encode("utf-8", "replace").decode()
    table = f"[projects.a]\npath = 'a'\n[projects.a.environments.\"{plain}\"]\n"
    with pytest.raises(SettingsError) as caught:
        parse_settings(table, file=Path("x"), environ={})
    assert "\u202e" not in str(caught.value)


@pytest.mark.parametrize("version", ["1; rm -rf ~", "$(id)", "`id`", "1|cat", "1 && x", "1\n2", "1'", '1"'])
def test_10_a_version_that_is_a_command(desk: Any, version: str) -> None:
    refused(desk, bad(version=version), "version")
    with pytest.raises(BadVersionError):
        check_version(version)


@pytest.mark.parametrize("version", ["--upload-pack=x", "-x", "-", "+1", "--"])
def test_11_a_version_that_is_an_option(desk: Any, version: str) -> None:
    refused(desk, bad(version=version), "version")
    with pytest.raises(BadVersionError):
        check_version(version)
    said = desk.give("rollback", "shop", "production", "--to", version)
    assert said.status == 2


HOST = """
[projects.a]
path = "a"
[projects.a.environments.production]
target = {{type = "releases", path = "b"}}
[[projects.a.environments.production.health]]
type = "tcp"
port = 1
host = "{host}"
"""


@pytest.mark.parametrize("host", ["-oProxyCommand=x", "--help", "a b", "a;b", "", "a\\nb", "a@b", "a/b"])
def test_12_a_host_that_is_an_option(host: str) -> None:
    with pytest.raises(SettingsError) as caught:
        parse_settings(HOST.format(host=host), file=Path("opconsole.toml"), environ={})
    assert "host" in str(caught.value)


@pytest.mark.parametrize("remote", ["-oProxyCommand=x", "--upload-pack=x", "ext::sh -c id"])
def test_12_a_git_remote_that_is_an_option_or_a_command(desk: Any, remote: str, tmp_path: Path) -> None:
    from opconsole.journal import ops  # noqa: PLC0415

    desk.write(ops.audit(desk.now, "ana", "approved", "r-1"))
    said = desk.give("audit", "checkpoint", f"--git={remote}")
    assert said.status == 1
    assert not list(tmp_path.glob("*owned*"))
    with pytest.raises(SettingsError):
        parse_settings(f'[audit]\ncheckpoint_git = "{remote}"\n', file=Path("x"), environ={})


@pytest.mark.parametrize("text", ["a\nb", "a\x00b", "a\rb", "a\tb", " a", "a\u2028b", "a\x85b"])
def test_13_newline_or_nul_in_a_name_header_or_commit_trailer(desk: Any, text: str) -> None:
    for field in ("id", "version", "environment", "completion_promise", "migrations_path"):
        if (field, text) not in {("completion_promise", " a"), ("migrations_path", " a")}:
            refused(desk, bad(**{field: text}), field)
    refused(desk, bad(requires_approval=[text]), "requires_approval")
    shown = json.dumps(text)
    for line in (
        f"[workspace]\nname = {shown}",
        f"[projects.a]\npath = {shown}",
        f"[approvals]\napprovers = [{shown}]",
    ):
        if text != " a":
            with pytest.raises(SettingsError):
                parse_settings(line, file=Path("x"), environ={})
    with pytest.raises(SettingsError):
        parse_settings(
            HOST.format(host="h").replace(
                'type = "tcp"\nport = 1\nhost = "h"',
                f'type = "http"\nurl = {json.dumps("http://x/" + text + "b")}',
            ),
            file=Path("x"),
            environ={},
        )


@pytest.mark.parametrize("path", ["../../etc", "/etc", "~/x", "a/../../etc", "..", "-x", "a\\..\\b", "a/.."])
def test_14_a_migrations_path_that_leaves_the_project(desk: Any, path: str) -> None:
    refused(desk, bad(migrations_path=path), "migrations_path")
    with pytest.raises(SettingsError):
        parse_settings(
            f'[projects.a]\npath="a"\n[projects.a.migrations]\ndialect="sqlite"\npath={json.dumps(path)}\n',
            file=Path("x"),
            environ={},
        )


async def test_14_our_own_folder_in_a_project_is_not_followed_out_of_it(
    project: Any, deploy: Callable[..., dict[str, object]], tmp_path: Path
) -> None:
    away = tmp_path / "away"
    away.mkdir()
    project.path.joinpath(".aibrain").symlink_to(away)
    project.queue(deploy("DEV", "development"))
    async with project.hosted() as driver:
        await driver.go()
        assert driver.state("DEV") == "succeeded", "the run itself is none of its business"
        [told] = {str(event.detail["text"]) for event in driver.events("alert")}
        assert "is a link" in told
    assert list(away.iterdir()) == []


def test_20_a_queue_file_that_others_may_write(desk: Any) -> None:
    path = desk.queue(GOOD)
    path.chmod(0o666)
    said = desk.give("--json", "queue", "validate")
    assert said.status == 2
    assert "others cannot write" in said.document[0]["errors"][0]["allowed"]
    assert said.document[0]["tasks"] == 0
    path.chmod(0o644)
    path.parent.chmod(0o777)
    said = desk.give("--json", "queue", "validate")
    assert "folder" in said.document[0]["errors"][0]["found"], (
        "whoever may write the folder may replace the file"
    )
    path.parent.chmod(0o1777)
    assert desk.give("queue", "validate").status == 0, "a sticky folder lets nobody replace another's file"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to another user")
def test_20_a_queue_file_of_another_user(desk: Any) -> None:
    path = desk.queue(GOOD)
    os.chown(path, 12345, -1)
    said = desk.give("--json", "queue", "validate")
    assert said.status == 2
    assert "12345" in said.document[0]["errors"][0]["found"]
    os.chown(path.parent, 12345, -1)
    assert desk.give("queue", "validate").status == 0, "whose folder it is may write what is in it"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to another user")
def test_20_settings_of_another_user(desk: Any) -> None:
    os.chown(desk.root / "opconsole.toml", 12345, -1)
    said = desk.give("status")
    assert said.status == 2
    assert "12345" in said.err


async def test_20_nothing_of_a_queue_file_that_others_may_write_is_run(
    project: Any, deploy: Callable[..., dict[str, object]]
) -> None:
    project.queue(deploy("DEV", "development"))
    project.queue_file().chmod(0o666)
    async with project.hosted() as driver:
        await driver.go()
        assert driver.state("DEV") == "no run"
        project.queue_file().chmod(0o644)
        await driver.engine.reload()
        await driver.go()
        assert driver.state("DEV") == "succeeded"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('{"id": "BAD", "id": "BAD2", "agent_type": "deployment"}', "a duplicate key"),
        ('{"id": "BAD", "agent_type": "deployment", "environment": "development", "version": NaN}', "NaN"),
        (
            '{"id": "BAD", "agent_type": "deployment", "more": ' + "[" * 100 + "]" * 100 + "}",
            "nested too deeply",
        ),
        ('{"id": "BAD", "agent_type": "deployment", "priority": 1e999}', "1e999"),
    ],
)
def test_21_duplicate_keys_nan_and_deep_nesting(desk: Any, text: str, found: str) -> None:
    path = desk.root / "tasks" / "work_queue_shop.json"
    path.write_text('{"project": "shop", "features": [\n' + json.dumps(GOOD) + ",\n" + text + "]}")
    said = desk.give("--json", "queue", "validate", str(path))
    assert (said.status, said.document[0]["tasks"]) == (2, 1)
    assert any(found in error["found"] and error["line"] == 3 for error in said.document[0]["errors"])


def test_21_nesting_without_end_does_not_end_the_reader(desk: Any) -> None:
    path = desk.root / "tasks" / "work_queue_shop.json"
    path.write_text("[" * 1_000_000)
    said = desk.give("--json", "queue", "validate", str(path))
    assert said.status == 2
    assert "nested too deeply" in said.document[0]["errors"][0]["found"]


def test_21_a_gigabyte_of_json(desk: Any, tmp_path: Path) -> None:
    path = desk.root / "tasks" / "work_queue_shop.json"
    with path.open("wb") as file:
        file.truncate(1024**3)
    tracemalloc.start()
    try:
        errors = read_queue(path).errors
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert errors[0].allowed.startswith("at most")
    assert peak < 4 * 1024 * 1024, "it was not read"
    said = desk.give("--json", "queue", "validate", str(path))
    assert (said.status, said.document[0]["tasks"]) == (2, 0)


def test_22_dependency_cycle_duplicate_id_and_dependency_on_itself_or_on_nothing(desk: Any) -> None:
    path = desk.queue(
        GOOD,
        bad(id="A", depends_on=["B"]),
        bad(id="B", depends_on=["A"]),
        bad(id="SELF", depends_on=["SELF"]),
        bad(id="LOST", depends_on=["NOWHERE"]),
        bad(id="GOOD"),
    )
    said = desk.give("--json", "queue", "validate", str(path))
    assert said.status == 2
    told = {(error["task"], error["field"]) for error in said.document[0]["errors"]}
    assert {("A", "depends_on"), ("B", "depends_on"), ("SELF", "depends_on"), ("LOST", "depends_on")} <= told
    assert ("GOOD", "id") in told
    assert desk.give("--json", "queue", "graph", str(path)).document["cycles"] == [["A", "B"]]


async def test_22_a_task_beside_a_cycle_and_lost_dependencies_is_still_run(
    project: Any, deploy: Callable[..., dict[str, object]]
) -> None:
    project.queue(
        deploy("A", "development", depends_on=["B"]),
        deploy("B", "development", depends_on=["A"]),
        deploy("LOST", "development", depends_on=["NOWHERE"]),
        deploy("GOOD", "development"),
    )
    async with project.hosted() as driver:
        await driver.go()
        assert [driver.state(task) for task in ("A", "B", "LOST", "GOOD")] == ["no run"] * 3 + ["succeeded"]


SQL = {
    "in a DO block": ("DO $$ BEGIN DROP TABLE users; END $$;", "drop-table"),
    "in EXECUTE in a DO block": ("DO $a$ BEGIN EXECUTE 'DROP TABLE ' || 'users'; END $a$;", "drop-table"),
    "in a nested dollar quote": ("DO $a$ BEGIN EXECUTE $b$DROP TABLE users$b$; END $a$;", "drop-table"),
    "behind a nested comment": ("/* /* */ SELECT 1; */ DROP TABLE users;", "drop-table"),
    "between comments": ("DROP/**/TABLE/* x */users;", "drop-table"),
    "behind a line comment": ("-- fine\nDROP TABLE users;", "drop-table"),
    "behind a quote in a comment": ("-- it's fine\nDROP TABLE users; -- '", "drop-table"),
    "in a function": ("CREATE FUNCTION f() AS $$TRUNCATE a$$ LANGUAGE sql; SELECT f()", "truncate"),
    "as psql's shell": ("\\! dropdb production\n", "unanalysable"),
    "behind COPY data": ("COPY a FROM stdin;\n1\n\\.\nDROP TABLE users;", "drop-table"),
    "with a byte order mark": ("\ufeffDROP TABLE users;", "drop-table"),
    "as a tautology": ("DELETE FROM users WHERE 1=1;", "delete-all"),
}  # fmt: skip


@pytest.mark.parametrize("name", SQL)
def test_26_sql_hidden_in_comments_do_blocks_and_dollar_quotes(desk: Any, tmp_path: Path, name: str) -> None:
    text, rule = SQL[name]
    (tmp_path / "a.sql").write_text(text)
    said = desk.give("--json", "check", str(tmp_path / "a.sql"), "--dialect", "postgresql", inside=False)
    findings = said.document["files"][0]["findings"] if said.document["files"] else []
    assert findings, "it is never passed over"
    assert (said.status, said.document["verdict"]) == (4, "block")
    assert rule in {finding["rule"] for finding in findings if finding["verdict"] == "block"}


def test_26_sql_in_mysql_s_executable_comments(desk: Any, tmp_path: Path) -> None:
    (tmp_path / "a.sql").write_text("/*!40000 DROP TABLE users */;\n/*!DROP DATABASE x*/;")
    said = desk.give("--json", "check", str(tmp_path / "a.sql"), "--dialect", "mysql", inside=False)
    assert said.status == 4
    rules = {finding["rule"] for finding in said.document["files"][0]["findings"]}
    assert {"drop-table", "drop-database"} <= rules


HOSTILE_BUILDS = {
    "a link out of it": "mkdir dist; ln -s /etc/passwd dist/passwd",
    "a link that climbs out": "mkdir dist; ln -s ../../../../etc dist/etc",
    "a link through a link": "mkdir -p dist/a; ln -s .. dist/a/up; ln -s a/up/../away dist/out",
    "a setuid file": "mkdir dist; cp /bin/sh dist/sh; chmod 4755 dist/sh",
    "a setgid file": "mkdir dist; cp /bin/sh dist/sh; chmod 2755 dist/sh",
    "a pipe": "mkdir dist; mkfifo dist/pipe",
    "a name that steers": "mkdir dist; touch \"dist/$(printf 'a\\033[2Jb')\"",
    "a link itself": "mkdir real; ln -s real dist",
}


@pytest.mark.parametrize("name", HOSTILE_BUILDS)
async def test_29_an_artifact_with_links_setuid_files_or_devices_is_never_deployed(
    project: Any, deploy: Callable[..., dict[str, object]], name: str
) -> None:
    project.write("build.sh", HOSTILE_BUILDS[name] + "\n")
    project.queue(deploy("DEV", "development"))
    async with project.hosted() as driver:
        await driver.go()
        assert driver.state("DEV") == "failed", driver.log("DEV")
        assert driver.effects("DEV") == []
        assert project.current("development") == ""
        assert "\x1b" not in driver.run("DEV").reason


@pytest.mark.parametrize("member", ["../escaped", "/tmp/opconsole-escaped", "a/../../escaped"])
async def test_29_an_archive_that_climbs_out_is_never_placed(
    project: Any, deploy: Callable[..., dict[str, object]], member: str
) -> None:
    make = (
        "import io, os, tarfile\n"
        "os.mkdir('dist')\n"
        "with tarfile.open('dist/app.tar', 'w') as archive:\n"
        f"    entry = tarfile.TarInfo({member!r}); entry.size = 1\n"
        "    archive.addfile(entry, io.BytesIO(b'x'))\n"
    )
    project.write("make.py", make)
    project.write("build.sh", "python3 make.py\n")
    text = (project.root / "opconsole.toml").read_text()
    (project.root / "opconsole.toml").write_text(
        text.replace('artifact = "dist"', 'artifact = "dist/app.tar"')
    )
    project.queue(deploy("DEV", "development"))
    async with project.hosted() as driver:
        await driver.go()
        assert driver.state("DEV") != "succeeded"
        assert project.current("development") == ""
    assert not list(project.root.rglob("escaped"))
    assert not Path("/tmp/opconsole-escaped").exists()


async def test_29_an_artifact_with_a_wrong_digest_is_never_deployed(
    project: Any, cascade: Callable[..., list[dict[str, object]]]
) -> None:
    project.queue(*cascade())
    async with project.hosted() as driver:
        await driver.go()
        digest = driver.run("DEV").artifact_digest.removeprefix("sha256:")
        [stored] = (driver.place.artifacts / digest).rglob("app.txt")
        stored.chmod(stat.S_IRUSR | stat.S_IWUSR)
        stored.write_text("evil\n")
        await driver.approve("STAGING")
        assert driver.state("STAGING") != "succeeded"
        assert "evil" not in "".join(path.read_text() for path in project.target("staging").rglob("app.txt"))


def taken(read: Callable[[str], object], text: str) -> str:
    """Give what a reader takes a text for; nothing where it refuses, in words that can be shown."""
    try:
        return str(read(text))
    except (BadVersionError, FieldFaultError) as error:
        return "" if str(error).isascii() else f"a refusal that steers: {error}"


LETTERS = st.text(alphabet="0123456789abcrv.+-_!~/\\ \n;$'\"\u202e\u0661é", max_size=20)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(LETTERS)
def test_whatever_is_taken_for_a_version_is_safe_as_tag_folder_and_argument(text: str) -> None:
    for version in filter(None, (taken(check_version, text), taken(read_version, text))):
        assert version.isascii()
        assert version[0].isalnum()
        assert not set(version) & set(" \n/\\;$'\"~!")
        assert ".." not in version


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=9),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["id", "version", "environment", "agent_type", "depends_on"])
                | st.text(max_size=3),
                inner,
                max_size=4,
            )
        ),
        max_leaves=12,
    )
)
def test_whatever_an_entry_is_it_is_refused_by_field_or_safe_to_show(entry: object) -> None:
    data = json.dumps({"project": "app", "features": [entry, GOOD]}).encode()
    read = parse_queue(data, name="work_queue_app.json")
    assert [task.id for task in read.tasks if task.kind.ours][-1] == "GOOD"
    for error in read.errors:
        assert error.message.isascii()
        assert error.message.isprintable()
