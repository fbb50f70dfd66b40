"""Write the demo's opconsole.toml: settings that a reader can learn from, with this machine's paths."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class DemoEnvironment:
    """One of the demo's three environments: a folder that releases go to, and a port."""

    name: str
    port: int
    target: Path

    @property
    def url(self) -> str:
        """Where its service answers, once something is deployed."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def shared(self) -> Path:
        """What its releases share: the database, the service's log and its note."""
        return self.target / "shared"

    @property
    def database(self) -> Path:
        """Its SQLite database; the first migration creates it."""
        return self.shared / "app.db"


def settings_text(project: str, source: str, venv: Path, environments: Sequence[DemoEnvironment]) -> str:
    """Write the settings of a workspace with one project and its environments."""
    values = {"project": project, "source": _string(source), "venv": _string(venv)}
    return "\n".join([_PROJECT.format(**values), *(_environment_text(values, one) for one in environments)])


def _environment_text(values: dict[str, str], environment: DemoEnvironment) -> str:
    return _ENVIRONMENT.format(
        **values,
        name=environment.name,
        url=_string(environment.url),
        health=_string(f"{environment.url}/health"),
        target=_string(f"targets/{environment.name}"),
        database=_string(f"sqlite:///{environment.database}"),
        port=_string(environment.port),
        name_value=_string(environment.name),
    )


def _string(value: object) -> str:
    # A JSON string is a TOML basic string, as long as nothing is escaped as a surrogate pair.
    return json.dumps(str(value), ensure_ascii=False)


_PROJECT = """\
# The settings of the demo workspace. Everything here is what a workspace of your own would say.
[workspace]
name = "demo"
queues = "tasks"

[projects.{project}]
path = "projects/{project}"
source = {source}
# The demo borrows opconsole's own Python; a project of yours names its own, relative to its checkout.
venv = {venv}
test = ["python", "-m", "unittest", "discover", "-s", "tests", "-v"]
build = ["python", "build.py"]
artifact = "dist/{project}"
smoke = ["python", "smoke.py"]

[projects.{project}.migrations]
path = "apps/backend-api/alembic/versions"
config = "apps/backend-api/alembic.ini"
dialect = "sqlite"
"""

_ENVIRONMENT = """\
[projects.{project}.environments.{name}]
url = {url}

[projects.{project}.environments.{name}.target]
type = "releases"
path = {target}
restart = ["python", "current/service.py", "restart"]
stop = ["python", "current/service.py", "stop"]
keep = 5
venv = {venv}

[projects.{project}.environments.{name}.database]
url = {database}
variable = "DATABASE_URL"

[[projects.{project}.environments.{name}.health]]
type = "http"
url = {health}
status = 200
version_key = "version"
expect_version = true
interval = 0.2
timeout = 2
passes = 2
within = 15

[projects.{project}.environments.{name}.variables]
PORT = {port}
ENVIRONMENT_NAME = {name_value}
"""
