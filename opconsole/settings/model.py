"""The settings as one model: what ``opconsole.toml`` may say, field by field; ``example.toml`` shows all.

Nothing here reads a file or a variable; ``load_settings`` does. Models are frozen and refuse unknown keys.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Self

from pydantic import Field, ValidationInfo, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from guardrails.environments import ALIASES, STANDARD, GateKind
from guardrails.gates import GATES
from opconsole.settings.approvals import ApprovalRules, Approvals, frozen_nowhere
from opconsole.settings.aws import PLACE, AwsSection
from opconsole.settings.errors import Wrong, custom_error, raise_all
from opconsole.settings.notifications import Notifications
from opconsole.settings.targets import Health, Section, Target
from opconsole.settings.types import (
    ActionName,
    Commands,
    Count,
    EnvironmentName,
    Flag,
    GitRemote,
    Globs,
    Inside,
    KeyNames,
    Line,
    Names,
    Place,
    Positive,
    ProjectName,
    Seconds,
    SettingsValue,
    ThemeName,
    VariableName,
    Variables,
    Wait,
    WebAddress,
)

STRICTNESS = (GateKind.DEVELOPMENT, GateKind.STAGING, GateKind.PRODUCTION)
"""The gates from the loosest to the strictest."""


class Source(StrEnum):
    """What a project's checkout is."""

    AUTO = "auto"  # git where there is a repository, else a plain folder
    GIT = "git"  # versions are tags, exports come from commits
    FOLDER = "folder"  # the tree's digest stands for the commit


class Sandboxed(StrEnum):
    """Whether a project's tests and builds run in bubblewrap; from the loosest to the strictest."""

    OFF = "off"  # also: false
    WHERE_POSSIBLE = "where-possible"  # also: true; elsewhere they run without, and the log says so
    REQUIRED = "required"  # where it cannot be had, the run fails


class MigrateWhen(StrEnum):
    """When migrations run in a deployment."""

    AFTER_DEPLOY = "after-deploy"  # the guide's order
    BEFORE_SWITCH = "before-switch"  # before new code serves


class Downgrade(StrEnum):
    """Whether migrations must be reversible."""

    REQUIRED = "required"
    NOT_REQUIRED = "not-required"  # shown in every report


class Dialect(StrEnum):
    """The database that a project's migrations are written for."""

    POSTGRESQL = "postgresql"
    SQLITE = "sqlite"
    MYSQL = "mysql"
    MARIADB = "mariadb"
    MSSQL = "mssql"
    ORACLE = "oracle"

    @property
    def grammar(self) -> str:
        """The guardrails' name for its SQL."""
        return {"postgresql": "postgres", "mariadb": "mysql", "mssql": "tsql"}.get(self.value, self.value)


class WorkspaceSection(Section):
    """``[workspace]``: the workspace as a whole."""

    name: Line | None = None
    """Shown in the console's title. Default: the folder's name."""
    queues: Inside = "tasks"
    """Folder of the ``work_queue_<project>.json`` files, below the workspace."""
    reports: Inside = "reports"
    """Folder of the reports of runs that ended, as Markdown, below the workspace."""
    max_parallel: Positive = 4
    """Runs that may be at work at once in the whole workspace; waiting ones do not count."""


class Policy(Section):
    """``[policy]``: limits that hold wherever an environment has none of its own."""

    max_iterations: Positive = 10
    """Attempts at one task over all time, where the task names no number."""
    retries: Count = 2
    """Further tries of a step that declares itself retryable, within its run."""
    deployment_limit: Seconds = 1800
    """Seconds for placing a release on its target."""
    migration_limit: Seconds = 600
    """Seconds for the migrations of one run."""
    rollback_limit: Seconds = 300
    """Seconds for each step of a rollback."""
    test_limit: Seconds = 1800
    """Seconds for each of a project's test programs."""
    build_limit: Seconds = 1800
    """Seconds for each of a project's build programs."""
    scan_limit: Seconds = 1800
    """Seconds for reading an export for SQL and S3 calls."""
    smoke_limit: Seconds = 300
    """Seconds for each of a project's smoke programs."""


class Audit(Section):
    """``[audit]``: where the audit chain's checkpoints are kept, so that what is cut off its end shows."""

    checkpoint_file: Place | None = None
    """File to which checkpoints are appended; on another machine's disk it proves most."""
    checkpoint_git: GitRemote | None = None
    """Git remote to which checkpoints are pushed, as a URL or a path; its branch only grows."""
    checkpoint_every: Positive = 1000
    """Entries after which the worker makes a checkpoint."""
    checkpoint_after: Seconds = 86400
    """Seconds after which it makes one anyway, if there are new entries."""
    signing_key: Place | None = None
    """SSH key that signs them: a private key without a passphrase, or a public one that an agent has."""
    signers: Place | None = None
    """File of allowed signers (``man ssh-keygen``) whose signatures count. Default: the signing key alone."""


class ConsoleSection(Section):
    """``[console]``: how the console behaves for whoever opens it here."""

    read_only: Flag = False
    """True: it opens read-only and stays so, as with ``--read-only``: it shows all and changes nothing."""
    theme: ThemeName | None = None
    """The colours it opens in: high-contrast, colour-blind-safe, or one of those that ``:theme`` lists."""
    keys: Mapping[ActionName, KeyNames] = Field(default_factory=dict)
    """Other keys for actions, by the action's name: one key or a list. The help (?) shows names and keys."""


class Journal(Section):
    """``[journal]``: how long old runs keep their logs and copies. Their rows and the audit stay for ever."""

    keep_days: Positive = 90
    """Days for which everything stays: logs, steps' records, exports, artifacts, events, requests."""
    keep_runs: Count = 20
    """Newest runs of a project in each environment that stay whole, however old."""
    keep_releases: Positive = 10
    """Newest releases of each environment whose artifact and export stay, so that one can go back to them."""


class Migrations(Section):
    """``[projects.P.migrations]``: the project's Alembic migrations."""

    path: Inside
    """Folder of the revision files, relative to the project."""
    config: Inside | None = None
    """The ``alembic.ini``, relative to the project. Default: the nearest one above *path*."""
    dialect: Dialect
    """The database they are written for: the guardrails read their SQL in its grammar."""
    downgrade: Downgrade = Downgrade.REQUIRED
    """Whether production refuses a migration that cannot be taken back."""
    lock_timeout: Wait = 30
    """Seconds that a statement of a migration waits for a lock before it fails; 0: what the server says."""
    statement_timeout: Wait | None = None
    """Seconds that one statement may take; 0: what the server says. Default: the migration limit."""
    client_check: Wait = 2
    """Seconds between the server's looks whether a migration's program is still there; 0: none."""


class Scan(Section):
    """``[projects.P.scan]``: what the SQL and S3 scan reads."""

    exclude: Globs = ("tests/**",)
    """Globs of files that are not read, relative to the project. A list here replaces the default."""


class Database(Section):
    """``[….database]``: the database of one environment."""

    url: SettingsValue
    """Its URL; one with a password only as a reference."""
    variable: VariableName = "DATABASE_URL"
    """The variable from which Alembic's ``env.py`` and the service read the URL."""


class Limits(Section):
    """``[….limits]``: one environment's own limits in seconds; absent ones are the policy's."""

    deployment: Seconds | None = None
    """In place of ``policy.deployment_limit``."""
    migration: Seconds | None = None
    """In place of ``policy.migration_limit``."""
    rollback: Seconds | None = None
    """In place of ``policy.rollback_limit``."""


class Environment(Section):
    """``[projects.P.environments.E]``: one place where a project runs."""

    gate: GateKind
    """Whose rules hold here. Default: the environment's own name, where it is one of the three."""
    url: WebAddress | None = None
    """Where a person finds the service; shown in the status, asked by nobody."""
    requires_approval: Flag = False
    """True: every run asks, whatever the gate says. False takes no approval away."""
    approvers: Names = ()
    """Who may approve here; empty: those of the tables above."""
    auto_rollback: Flag | None = None
    """False: after a failure a person decides, as in production. Default: the gate's rule."""
    expires_after: Seconds | None = None
    """Seconds after which an unanswered request for approval counts as rejected. Default: never."""
    approvals: ApprovalRules = ApprovalRules()
    """How deciding differs here."""
    target: Target
    """Where releases go."""
    database: Database | None = None
    """Absent: there is none, and no migration can run here."""
    health: tuple[Health, ...] = ()
    """Checks that must all pass after a deployment, in this order."""
    limits: Limits = Limits()
    """Time limits of its own."""
    variables: Variables = Field(default_factory=dict)
    """Variables of the smoke tests, migrations and target programs; they win over the project's."""

    @field_validator("health", mode="before")
    @classmethod
    def _a_list_becomes_a_tuple(cls, value: object) -> object:
        return tuple(value) if isinstance(value, list) else value

    @model_validator(mode="after")
    def _says_who_once(self) -> Self:
        wrongs = [
            Wrong(
                ("approvals", name), value, f"one of {name} and approvals.{name}", f"{name} stands here twice"
            )
            for name in ("approvers", "expires_after")
            if getattr(self, name) and (value := getattr(self.approvals, name)) is not None
        ]
        raise_all(wrongs)
        return self

    @field_validator("auto_rollback")
    @classmethod
    def _a_rollback_by_itself_is_only_taken_away(
        cls, value: bool | None, info: ValidationInfo
    ) -> bool | None:
        gate = info.data.get("gate")
        if value and isinstance(gate, GateKind) and not GATES[gate].auto_rollback:
            raise custom_error(f"{gate.value} never rolls back by itself", allowed="false, or no key")
        return value


class Project(Section):
    """``[projects.P]``: something that is deployed."""

    path: Place
    """The project's folder, relative to the workspace."""
    source: Source = Source.AUTO
    """What the folder is: a git repository or a plain folder."""
    venv: Place | None = None
    """Virtual environment whose programs lead PATH for test, build, smoke, Alembic; below the project."""
    test: Commands = ()
    """Programs that must succeed before anything is deployed, run in the clean export."""
    build: Commands = ()
    """Programs that make the artifact, run in the clean export after the tests."""
    artifact: Inside | None = None
    """File or folder that the build makes, relative to the project. Default: the clean export itself."""
    sandbox: Sandboxed = Sandboxed.OFF
    """Whether tests, builds and, before the gate, Alembic run in bubblewrap: read-only, without network."""
    smoke: Commands = ()
    """Programs run against the environment once it is healthy."""
    migrate: MigrateWhen = MigrateWhen.AFTER_DEPLOY
    """When migrations run."""
    variables: Variables = Field(default_factory=dict)
    """Variables of all of the project's programs, in every environment."""
    migrations: Migrations | None = None
    """Absent: the project has no migrations."""
    scan: Scan = Scan()
    """What the guardrails read."""
    approvals: ApprovalRules = ApprovalRules()
    """How deciding differs in this project."""
    aws: AwsSection | None = None
    """Where this project's resources are provisioned, over the workspace's ``[aws]``."""
    environments: Mapping[EnvironmentName, Environment] = Field(default_factory=dict)
    """By name; ``dev``, ``stage`` and ``prod`` are read as the names they stand for."""

    @field_validator("sandbox", mode="before")
    @classmethod
    def _yes_and_no_have_a_meaning(cls, value: object) -> object:
        yes, no = Sandboxed.WHERE_POSSIBLE, Sandboxed.OFF
        meant = {True: yes, False: no, "true": yes, "false": no}
        return meant.get(value, value) if isinstance(value, bool | str) else value

    @field_validator("environments", mode="before")
    @classmethod
    def _names_are_resolved(cls, value: object) -> object:
        return _resolved(value) if isinstance(value, dict) else value

    @field_validator("environments")
    @classmethod
    def _a_standard_name_keeps_its_gate(
        cls, environments: Mapping[str, Environment]
    ) -> Mapping[str, Environment]:
        raise_all(_loosened(environments))
        # Only now, for faults are named by the keys that the file has.
        return {canonical_environment(name): one for name, one in environments.items()}


class Settings(BaseSettings):
    """All that ``opconsole.toml`` and the ``OPCONSOLE_…`` variables say. Made by ``load_settings``."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    workspace: WorkspaceSection = WorkspaceSection()
    """The workspace as a whole."""
    policy: Policy = Policy()
    """Limits that hold wherever an environment has none of its own."""
    approvals: Approvals = Approvals()
    """How deciding feels, and who may."""
    audit: Audit = Audit()
    """Where the audit chain's checkpoints are kept."""
    console: ConsoleSection = ConsoleSection()
    """How the console behaves for whoever opens it here."""
    notifications: Notifications = Notifications()
    """Who is told of what."""
    journal: Journal = Journal()
    """How long old runs keep their logs and copies."""
    aws: AwsSection = AwsSection()
    """Where and as whom AWS resources are provisioned."""
    projects: Mapping[ProjectName, Project] = Field(default_factory=dict)
    """What is deployed, by name."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Settings built by hand depend on their arguments alone; ``load_settings`` names its own sources."""
        return (init_settings,)

    @model_validator(mode="after")
    def _projects_differ_by_more_than_case(self) -> Self:
        raise_all(_look_alikes(self.projects))
        return self

    @model_validator(mode="after")
    def _a_quorum_can_be_reached(self) -> Self:
        raise_all(_unreachable(self))
        return self

    @model_validator(mode="after")
    def _a_freeze_holds_somewhere(self) -> Self:
        places = [place for one in self.projects.values() for place in one.environments]
        raise_all(frozen_nowhere(self.approvals.freezes, tuple(self.projects), (*places, PLACE)))
        return self


def canonical_environment(name: str) -> str:
    """Give the name that *name* stands for: its alias resolved, case and outer white space ignored."""
    plain = name.strip().lower()
    return ALIASES.get(plain, plain)


def _resolved(environments: Mapping[str, object]) -> dict[str, object]:
    """Give every environment the name it stands for, and the gate of that name where it has none."""
    names: dict[str, str] = {}
    twice = []
    for key in environments:
        name = canonical_environment(str(key))
        if name in names:
            message = f"{names[name]} and {key} are the same environment"
            twice.append(Wrong((key,), key, f"one table for {name}", message))
        names.setdefault(name, key)
    raise_all(twice)
    return {key: _with_gate(canonical_environment(key), value) for key, value in environments.items()}


def _with_gate(name: str, environment: object) -> object:
    if isinstance(environment, dict) and "gate" not in environment and name in STANDARD:
        return {"gate": STANDARD[name], **environment}
    return environment


def _loosened(environments: Mapping[str, Environment]) -> list[Wrong]:
    wrongs = []
    for name, environment in environments.items():
        own = STANDARD.get(canonical_environment(name))
        if own and STRICTNESS.index(environment.gate) < STRICTNESS.index(own):
            allowed = " or ".join(gate.value for gate in STRICTNESS[STRICTNESS.index(own) :])
            message = f"an environment named {own.value} cannot have a looser gate than its name says"
            wrongs.append(Wrong((name, "gate"), environment.gate.value, allowed, message))
    return wrongs


def _look_alikes(projects: Mapping[str, Project]) -> list[Wrong]:
    seen: dict[str, str] = {}
    wrongs = []
    for name in projects:
        first = seen.setdefault(name.lower(), name)
        if first != name:
            message = f"{first} and {name} differ only in case, which files and variables do not tell apart"
            wrongs.append(Wrong(("projects", name), name, "another name", message))
    return wrongs


def rules_of(settings: Settings, project: str, environment: str) -> Approvals:
    """Give the rules of deciding in an environment: its own, else its project's, else the workspace's.

    A place that is none of the project's environments has its project's rules.
    """
    one = settings.projects[project]
    own = one.environments.get(environment)
    layers = (one.approvals, own.approvals) if own else (one.approvals,)
    merged = {name: value for layer in layers for name, value in layer if value is not None}
    if own and own.approvers:
        merged["approvers"] = own.approvers
    if own and own.expires_after is not None:
        merged["expires_after"] = own.expires_after
    return settings.approvals.model_copy(update=merged)


def _unreachable(settings: Settings) -> list[Wrong]:
    wrongs = []
    for name, project in settings.projects.items():
        for place in project.environments:
            rules = rules_of(settings, name, place)
            people = {*rules.approvers, *rules.seniors}
            if rules.approvers and rules.quorum > len(people):
                message = f"{rules.quorum} people must approve, but only {len(people)} may"
                key = ("projects", name, "environments", place, "approvals", "quorum")
                wrongs.append(Wrong(key, rules.quorum, f"at most {len(people)}, or more approvers", message))
    return wrongs
