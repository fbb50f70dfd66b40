"""Settings load from one file under variables, and every fault is named with its place and its remedy."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Mapping
from pathlib import Path

import pytest
from pydantic import ValidationError

from guardrails.environments import GateKind
from opconsole.settings import (
    CommandTarget,
    Downgrade,
    ExtensionTarget,
    HttpCheck,
    Policy,
    ReleasesTarget,
    SecretFile,
    SecretRef,
    Settings,
    SettingsError,
    SettingsFault,
    load_settings,
)

PROJECT = """
    [projects.web]
    path = "web"
"""
ENVIRONMENT = """
    [projects.web.environments.development.target]
    type = "releases"
    path = "deployed"
"""


def written(folder: Path, text: str) -> Path:
    (folder / "opconsole.toml").write_text(textwrap.dedent(text), encoding="utf-8")
    (folder / "opconsole.toml").chmod(0o644)
    return folder


def load(folder: Path, text: str, environ: Mapping[str, str] | None = None) -> Settings:
    return load_settings(written(folder, text), environ=environ or {})


def faults(folder: Path, text: str, environ: Mapping[str, str] | None = None) -> tuple[SettingsFault, ...]:
    with pytest.raises(SettingsError) as caught:
        load(folder, text, environ)
    return caught.value.faults


def only(found: tuple[SettingsFault, ...]) -> SettingsFault:
    assert len(found) == 1, found
    return found[0]


def test_an_empty_file_gives_the_default_policy(tmp_path: Path) -> None:
    settings = load(tmp_path, "")
    assert settings.workspace.queues == "tasks"
    assert settings.policy == Policy(
        max_iterations=10, retries=2, deployment_limit=1800, migration_limit=600, rollback_limit=300
    )
    assert settings.approvals.break_glass_wait == 300
    assert settings.projects == {}


def test_one_program_and_a_list_of_programs_are_read_alike(tmp_path: Path) -> None:
    one = load(tmp_path, PROJECT + '    test = ["python", "-m", "pytest"]')
    many = load(tmp_path, PROJECT + '    test = [["python", "-m", "pytest"]]')
    assert one.projects["web"].test == many.projects["web"].test == (("python", "-m", "pytest"),)


@pytest.mark.parametrize(
    ("test", "key"),
    [
        ('"make test"', "projects.web.test"),
        ("[[]]", "projects.web.test[0]"),
        ('[["make"], []]', "projects.web.test[1]"),
        ('[""]', "projects.web.test[0]"),
        ('["a\\u0000b"]', "projects.web.test[0][0]"),
        ('["make", 3]', "projects.web.test[0]"),
    ],
)
def test_a_program_is_a_list_of_arguments_never_a_line_for_a_shell(
    tmp_path: Path, test: str, key: str
) -> None:
    fault = faults(tmp_path, PROJECT + f"    test = {test}")[0]
    assert (fault.key, fault.line) == (key, 4)


def test_values_are_text_or_references(tmp_path: Path) -> None:
    settings = load(
        tmp_path,
        PROJECT
        + """
    [projects.web.variables]
    LEVEL = "info"
    API_TOKEN = "env:TOKEN"
    KEY_FILE = "as-file:keyring:team/me"
    SITE = "text:file:///not/a/reference"
    PUBLIC_KEY_TOKEN = "text:none"
    """,
    )
    assert settings.projects["web"].variables == {
        "LEVEL": "info",
        "API_TOKEN": SecretRef.parse("env:TOKEN"),
        "KEY_FILE": SecretFile(SecretRef.parse("keyring:team/me")),
        "SITE": "file:///not/a/reference",
        "PUBLIC_KEY_TOKEN": "none",
    }


@pytest.mark.parametrize(
    "line",
    [
        'DB_PASSWORD = "hunter2"',
        'api_key = "hunter2"',
        'URL = "postgresql://me:hunter2@db/x"',
        'TOKEN = "command:hunter2"',
        'NAME = "env:hunter2 with blanks"',
        "SECRET = ['hunter2']",
    ],
)
def test_a_secret_in_the_settings_is_refused_and_not_repeated(tmp_path: Path, line: str) -> None:
    found = faults(tmp_path, PROJECT + f"    [projects.web.variables]\n    {line}")
    fault = only(found)
    assert fault.line == 5
    assert fault.found == "(not shown)"
    assert "hunter2" not in str(SettingsError(found))
    assert "env:NAME" in fault.allowed or fault.allowed.startswith("command:[")


def test_a_database_url_with_a_password_is_refused_and_a_plain_one_is_not(tmp_path: Path) -> None:
    database = PROJECT + ENVIRONMENT + "    [projects.web.environments.development.database]\n"
    good = load(tmp_path, database + '    url = "sqlite:///shared/db.sqlite"')
    stored = good.projects["web"].environments["development"].database
    assert stored is not None
    assert (stored.url, stored.variable) == ("sqlite:///shared/db.sqlite", "DATABASE_URL")
    fault = only(faults(tmp_path, database + '    url = "postgresql://u:hunter2@h/d"'))
    assert fault.key == "projects.web.environments.development.database.url"
    assert "hunter2" not in str(fault)


def test_an_environment_has_the_gate_of_its_name(tmp_path: Path) -> None:
    text = PROJECT + ENVIRONMENT + ENVIRONMENT.replace("development", "prod")
    environments = load(tmp_path, text).projects["web"].environments
    assert {name: one.gate for name, one in environments.items()} == {
        "development": GateKind.DEVELOPMENT,
        "production": GateKind.PRODUCTION,
    }


def test_any_other_environment_names_its_gate(tmp_path: Path) -> None:
    fault = only(faults(tmp_path, PROJECT + ENVIRONMENT.replace("development", "canary")))
    assert fault.key == "projects.web.environments.canary.gate"
    assert fault.allowed == "development, staging, production"
    assert fault.line == 5


@pytest.mark.parametrize(
    ("name", "gate", "allowed"),
    [
        ("production", "staging", "production"),
        ("prod", "development", "production"),
        ("stage", "development", "staging or production"),
    ],
)
def test_a_standard_name_cannot_have_a_looser_gate(
    tmp_path: Path, name: str, gate: str, allowed: str
) -> None:
    table = f'    [projects.web.environments.{name}]\n    gate = "{gate}"\n'
    fault = only(faults(tmp_path, PROJECT + table + ENVIRONMENT.replace("development", name)))
    assert (fault.key, fault.line) == (f"projects.web.environments.{name}.gate", 5)
    assert fault.allowed == allowed


def test_a_capital_letter_does_not_slip_a_name_past_its_gate(tmp_path: Path) -> None:
    table = '    [projects.web.environments.Prod]\n    gate = "development"\n'
    fault = only(faults(tmp_path, PROJECT + table + ENVIRONMENT.replace("development", "Prod")))
    assert fault.key == "projects.web.environments.Prod"


def test_a_stricter_gate_is_welcome(tmp_path: Path) -> None:
    text = PROJECT + '    [projects.web.environments.development]\n    gate = "production"\n' + ENVIRONMENT
    assert load(tmp_path, text).projects["web"].environments["development"].gate is GateKind.PRODUCTION


def test_production_never_rolls_back_by_itself(tmp_path: Path) -> None:
    text = (
        PROJECT
        + "    [projects.web.environments.production]\n    auto_rollback = true\n"
        + ENVIRONMENT.replace("development", "production")
    )
    fault = only(faults(tmp_path, text))
    assert (fault.key, fault.line, fault.found) == (
        "projects.web.environments.production.auto_rollback",
        5,
        "true",
    )


def test_an_alias_and_its_environment_are_one(tmp_path: Path) -> None:
    fault = only(faults(tmp_path, PROJECT + ENVIRONMENT + ENVIRONMENT.replace("development", "dev")))
    assert fault.key == "projects.web.environments.dev"
    assert fault.message == "development and dev are the same environment"
    assert fault.line == 9


@pytest.mark.parametrize(
    "name", ["pro\u202educt", "prod\u0443ction", "a b", "-x", "", "a" * 65, "x/../y", "a\\nb"]
)
def test_a_name_that_could_deceive_is_refused_and_shown_harmlessly(tmp_path: Path, name: str) -> None:
    table = f'    [projects.web.environments."{name}"]\n    gate = "staging"\n'
    environment = PROJECT + table + ENVIRONMENT.replace("development", f'"{name}"')
    found = faults(tmp_path, environment)
    assert found[0].line == 4
    assert all(part.isprintable() for part in str(SettingsError(found)).splitlines())
    project = faults(tmp_path, f'[projects."{name}"]\npath = "x"')
    assert project[0].line == 1


def test_projects_differ_by_more_than_case(tmp_path: Path) -> None:
    fault = only(faults(tmp_path, PROJECT + '    [projects.WEB]\n    path = "y"'))
    assert (fault.key, fault.line) == ("projects.WEB", 4)


@pytest.mark.parametrize("path", ["/etc", "../x", "a/../../b", "~/x", "-x", "a\\\\b", "", "a\\u0000"])
def test_a_path_below_the_project_cannot_leave_it(tmp_path: Path, path: str) -> None:
    text = PROJECT + f'    [projects.web.migrations]\n    dialect = "sqlite"\n    path = "{path}"'
    fault = only(faults(tmp_path, text))
    assert (fault.key, fault.line) == ("projects.web.migrations.path", 6)


def test_unknown_keys_are_named_with_the_likely_one(tmp_path: Path) -> None:
    fault = only(faults(tmp_path, PROJECT + '    tset = ["make"]'))
    assert fault == SettingsFault(
        file=str(tmp_path / "opconsole.toml"),
        line=4,
        key="projects.web.tset",
        found="tset",
        allowed="path, source, venv, test, build, artifact, sandbox, smoke, migrate, variables, migrations, "
        "scan, approvals, aws, environments",
        message="unknown key; did you mean test?",
    )
    assert str(fault).startswith(f"{tmp_path}/opconsole.toml:4: projects.web.tset: unknown key")


def test_all_faults_are_named_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    found = faults(
        tmp_path,
        """\
        [workspace]
        max_parallel = "4"
        queues = "../x"
        [policy]
        retries = -1
        migration_limit = inf
        [projects.one]
        migrate = "later"
        [projects.two]
        path = "two"
        [projects.two.environments.dev]
        requires_approval = "yes"
        target = {type = "releases", path = "x", keep = 1}
        [[projects.two.environments.dev.health]]
        type = "http"
        url = "ftp://x"
        [[projects.two.environments.dev.health]]
        type = "tcp"
        port = 70000
        """,
        {"OPCONSOLE_POLICY__SCAN_LIMIT": "soon"},
    )
    assert [(fault.line, fault.key) for fault in found] == [
        (2, "workspace.max_parallel"),
        (3, "workspace.queues"),
        (5, "policy.retries"),
        (6, "policy.migration_limit"),
        (7, "projects.one.path"),
        (8, "projects.one.migrate"),
        (12, "projects.two.environments.dev.requires_approval"),
        (13, "projects.two.environments.dev.target.keep"),
        (16, "projects.two.environments.dev.health[0].url"),
        (19, "projects.two.environments.dev.health[1].port"),
        (None, "policy.scan_limit"),
    ]
    assert all(fault.found and fault.allowed and fault.message for fault in found)
    assert found[-1].file == "OPCONSOLE_POLICY__SCAN_LIMIT"


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ('["[key]"]', "[key]"),
        ('"[key]" = 1', "[key]"),
        ('"type=x" = 1', "type=x"),
        ('[projects.one]\npath = "."\n"[key]" = 1', "projects.one.[key]"),
        ('[projects."[key]"]\npath = "."', "projects.[key]"),
        ('[projects]\n"[key]" = 1', "projects.[key]"),
    ],
)
def test_21_a_key_that_looks_like_a_mark_of_the_library_s_own_is_named_as_any_other(
    tmp_path: Path, text: str, key: str
) -> None:
    assert {fault.key for fault in faults(tmp_path, text)} == {key}


@pytest.mark.parametrize(
    ("text", "line"),
    [("[workspace\n", 1), ("[policy]\n\nretries = \n", 3), ("a = 1\na = 2\n", 2), ('x = """\n\n', 2)],
)
def test_a_syntax_error_names_its_line(tmp_path: Path, text: str, line: int) -> None:
    fault = only(faults(tmp_path, text))
    assert fault.line == line
    assert "TOML" in fault.message
    assert "line" not in fault.message


def test_a_file_that_is_not_text_names_its_line(tmp_path: Path) -> None:
    (tmp_path / "opconsole.toml").write_bytes(b"[policy]\n# \xff\n")
    with pytest.raises(SettingsError, match=r"opconsole.toml:2: the settings are not UTF-8"):
        load_settings(tmp_path, environ={})


def test_nesting_without_end_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError):
        load(tmp_path, "x = " + "[" * 200_000)


def test_missing_settings_say_how_to_get_some(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="opconsole init"):
        load_settings(tmp_path, environ={})


def test_settings_that_everybody_may_change_are_refused(tmp_path: Path) -> None:
    (written(tmp_path, "") / "opconsole.toml").chmod(0o646)
    with pytest.raises(SettingsError, match="chmod o-w"):
        load_settings(tmp_path, environ={})


def test_settings_that_everybody_may_replace_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "open"
    folder.mkdir()
    written(folder, "")
    folder.chmod(0o777)
    with pytest.raises(SettingsError, match="chmod o-w on the folder"):
        load_settings(folder, environ={})
    folder.chmod(0o1777)
    load_settings(folder, environ={})


def test_a_pipe_in_place_of_the_settings_hangs_nothing(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "opconsole.toml", 0o600)
    with pytest.raises(SettingsError, match="not a file"):
        load_settings(tmp_path, environ={})


def test_settings_are_frozen(tmp_path: Path) -> None:
    settings = load(tmp_path, "")
    with pytest.raises(ValidationError):
        settings.policy.retries = 5  # type: ignore[misc]


def test_targets_have_the_keys_of_their_type(tmp_path: Path) -> None:
    text = PROJECT + ENVIRONMENT
    target = load(tmp_path, text).projects["web"].environments["development"].target
    assert target == ReleasesTarget(path="deployed")
    command = text.replace('"releases"', '"command"').replace('path = "deployed"', "")
    found = faults(tmp_path, command)
    assert [fault.key.rpartition(".")[2] for fault in found] == ["deploy", "rollback"]
    target = (
        load(tmp_path, command + '    deploy = ["d"]\n    rollback = ["r"]')
        .projects["web"]
        .environments["development"]
        .target
    )
    assert target == CommandTarget(deploy=("d",), rollback=("r",))


def test_a_target_without_a_type_is_told_the_types(tmp_path: Path) -> None:
    fault = only(faults(tmp_path, PROJECT + '    environments.dev.target.path = "x"'))
    assert fault.key == "projects.web.environments.dev.target.type"
    assert fault.line == 4
    assert "releases, command" in fault.allowed


def test_a_further_type_of_target_needs_its_entry_point(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = PROJECT + ENVIRONMENT.replace('"releases"', '"balloon"') + "    height = 3\n"
    fault = only(faults(tmp_path, text))
    assert (fault.key.rpartition(".")[2], fault.found, fault.allowed) == (
        "type",
        '"balloon"',
        "releases, command",
    )
    package = tmp_path / "site" / "balloons-1.dist-info"
    package.mkdir(parents=True)
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: balloons\nVersion: 1\n")
    (package / "entry_points.txt").write_text("[opconsole.targets]\nballoon = balloons:Target\n")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    target = load(tmp_path, text).projects["web"].environments["development"].target
    assert isinstance(target, ExtensionTarget)
    assert (target.type, target.options) == ("balloon", {"path": "deployed", "height": 3})


def test_a_health_check_that_cannot_pass_in_time_is_refused(tmp_path: Path) -> None:
    check = '    [[projects.web.environments.dev.health]]\n    type = "tcp"\n    port = 1\n'
    text = PROJECT + ENVIRONMENT.replace("development", "dev") + check
    fault = only(faults(tmp_path, text + "    passes = 5\n    interval = 20"))
    assert (fault.key, fault.line) == ("projects.web.environments.dev.health[0]", 8)
    assert "do not fit into 60 s" in fault.message


def test_variables_override_the_file(tmp_path: Path) -> None:
    settings = load(
        tmp_path,
        PROJECT + ENVIRONMENT.replace("development", "prod") + "    [policy]\n    retries = 1",
        {
            "OPCONSOLE_POLICY__RETRIES": "0",
            "OPCONSOLE_WORKSPACE__NAME": "true",
            "OPCONSOLE_APPROVALS__APPROVERS": '["ada", "grace"]',
            "OPCONSOLE_PROJECTS__WEB__TEST": '["make", "test"]',
            "OPCONSOLE_PROJECTS__WEB__MIGRATIONS": '{path = "m", dialect = "sqlite"}',
            "OPCONSOLE_PROJECTS__WEB__MIGRATIONS__DOWNGRADE": "not-required",
            "OPCONSOLE_PROJECTS__WEB__VARIABLES__Level": "3",
            "OPCONSOLE_PROJECTS__WEB__ENVIRONMENTS__PRODUCTION__REQUIRES_APPROVAL": "true",
            "OPCONSOLE_PROJECTS__WEB__ENVIRONMENTS__PROD__TARGET__PATH": "/srv/web",
            "OPCONSOLE_PROJECTS__WEB__ENVIRONMENTS__PROD__HEALTH": '[{type = "http", url = "http://h/"}]',
            "OPCONSOLE_STATE_DIR": "/var/lib",
            "OPCONSOLE_WORKSPACE": "/elsewhere",
        },
    )
    web = settings.projects["web"]
    production = web.environments["production"]
    assert settings.policy.retries == 0
    assert settings.workspace.name == "true"
    assert settings.approvals.approvers == ("ada", "grace")
    assert web.test == (("make", "test"),)
    assert web.migrations is not None
    assert web.migrations.downgrade is Downgrade.NOT_REQUIRED
    assert web.variables == {"Level": "3"}
    assert production.requires_approval
    assert production.target == ReleasesTarget(path="/srv/web")
    assert production.health == (HttpCheck(url="http://h/"),)


def test_a_variable_finds_a_project_with_a_dash_and_capitals(tmp_path: Path) -> None:
    settings = load(tmp_path, '[projects.Web-App]\npath = "x"', {"OPCONSOLE_PROJECTS__WEB_APP__PATH": "y"})
    assert {name: one.path for name, one in settings.projects.items()} == {"Web-App": "y"}


def test_the_process_environment_is_the_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPCONSOLE_POLICY__RETRIES", "7")
    assert load_settings(written(tmp_path, "")).policy.retries == 7
    assert Settings().policy.retries == 2


@pytest.mark.parametrize(
    ("variable", "value", "key", "allowed"),
    [
        ("OPCONSOLE_POLICY__RETRYS", "1", "policy.retrys", "retries"),
        ("OPCONSOLE_POLICIES__RETRIES", "1", "policies", "policy"),
        ("OPCONSOLE_POLICY__RETRIES", "many", "policy.retries", "whole number"),
        ("OPCONSOLE_POLICY__RETRIES", "1\nx = 2", "policy.retries", "whole number"),
        ("OPCONSOLE_PROJECTS__NEW__SOURCE", "git", "projects.new.path", "text"),
        ("OPCONSOLE_POLICY__RETRIES__X", "1", "policy.retries.x", ""),
        ("OPCONSOLE_", "1", None, None),
        ("OPCONSOLE___", "1", "", "policy"),
    ],
)
def test_a_faulty_variable_is_named_in_place_of_the_file(
    tmp_path: Path, variable: str, value: str, key: str | None, allowed: str | None
) -> None:
    if key is None or allowed is None:
        load(tmp_path, "", {variable: value})
        return
    fault = only(faults(tmp_path, "", {variable: value}))
    assert (fault.file, fault.line, fault.key) == (variable, None, key)
    assert allowed in fault.allowed


def test_two_variables_for_one_key_are_refused(tmp_path: Path) -> None:
    fault = only(faults(tmp_path, "", {"OPCONSOLE_POLICY__RETRIES": "1", "OPCONSOLE_POLICY__retries": "2"}))
    assert fault.file == "OPCONSOLE_POLICY__retries"
    assert fault.found == "OPCONSOLE_POLICY__RETRIES"


AWS_FAULTS = [
    ('region = "moon 1"', "this is no AWS region", "eu-central-1"),
    ('account = "12"', "this is no AWS account", "twelve digits"),
    ('role = "provisioner"', "this is no role's ARN", "arn:aws:iam::"),
]


@pytest.mark.parametrize(("line", "message", "allowed"), AWS_FAULTS)
def test_faults_of_aws_say_in_words_what_is_allowed(
    tmp_path: Path, line: str, message: str, allowed: str
) -> None:
    fault = only(faults(tmp_path, f"[aws]\n{line}\n"))
    assert (fault.line, fault.message) == (2, message)
    assert allowed in fault.allowed


@pytest.mark.parametrize(
    ("line", "allowed"),
    [('environments = ["prodution"]', "production, aws"), ('projects = ["shpo"]', "shop")],
)
def test_a_freeze_of_what_is_not_there_is_a_fault_and_does_not_freeze_nothing_in_silence(
    tmp_path: Path, line: str, allowed: str
) -> None:
    text = f"""
        [projects.shop]
        path = "shop"
        [projects.shop.environments.production.target]
        type = "releases"
        path = "deployed"
        [[approvals.freezes]]
        name = "weekend"
        days = ["saturday"]
        {line}
    """
    fault = only(faults(tmp_path, text))
    assert (fault.line, fault.allowed) == (10, allowed)
    assert fault.message.startswith("there is no such ")
