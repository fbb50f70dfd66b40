"""The web service: a page, a health check and the clinicians, on one loopback port."""

from __future__ import annotations

import html
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from credentialmate import database, requirements

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>credentialmate {version}</title></head>
<body><h1>credentialmate {version}</h1><p>Environment: <strong>{environment}</strong></p>
<ul><li><a href="/health">health</a></li><li><a href="/clinicians">clinicians</a></li></ul></body></html>
"""


@dataclass(frozen=True)
class Settings:
    """What the service is told: its version, its environment's name, its port and its database."""

    version: str
    environment: str
    port: int
    database_url: str
    variables: Mapping[str, str]

    @classmethod
    def read(cls, release: Path, environ: Mapping[str, str]) -> Settings:
        """Read the settings of the release in ``release`` from the process's environment."""
        version_file = release / "VERSION"
        version = version_file.read_text(encoding="utf-8").strip() if version_file.exists() else "0.0.0+local"
        return cls(
            version=version,
            environment=environ.get("ENVIRONMENT_NAME", "local"),
            port=int(environ["PORT"]),
            database_url=environ["DATABASE_URL"],
            variables=environ,
        )


class Server(ThreadingHTTPServer):
    """The HTTP server; it carries the settings that its requests are answered from."""

    daemon_threads = True
    allow_reuse_port = False  # a second service on one port must fail, not share it

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        super().__init__(("127.0.0.1", settings.port), Handler)


class Handler(BaseHTTPRequestHandler):
    """Answers the three pages."""

    server: Server
    timeout = 10

    def do_GET(self) -> None:
        """Answer a request, or say that there is no such page."""
        settings = self.server.settings
        match self.path.split("?", 1)[0]:
            case "/":
                page = PAGE.format(
                    version=html.escape(settings.version), environment=html.escape(settings.environment)
                )
                self._send(HTTPStatus.OK, "text/html; charset=utf-8", page)
            case "/health":
                self._send_json(*health(settings))
            case "/clinicians":
                self._send_json(*clinicians(settings))
            case _:
                self._send_json(HTTPStatus.NOT_FOUND, {"error": "no such page"})

    def log_message(self, format: str, *args: object) -> None:
        """Write one line a request to the service's log."""
        print(self.log_date_time_string(), format % args, file=sys.stderr, flush=True)

    def _send_json(self, status: HTTPStatus, answer: object) -> None:
        self._send(status, "application/json", json.dumps(answer))

    def _send(self, status: HTTPStatus, kind: str, text: str) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def health(settings: Settings) -> tuple[HTTPStatus, dict[str, object]]:
    """Say whether this release can do its work here; if not, with the reason."""
    answer: dict[str, object] = {"status": "ok", "version": settings.version, "revision": None}
    problems = [f"{name} is not set" for name in requirements.VARIABLES if not settings.variables.get(name)]
    try:
        with database.reading(database.database_path(settings.database_url)) as connection:
            answer["revision"] = database.revision(connection)
            problems += [
                f"the database lacks {column}"
                for column in database.missing_columns(connection, requirements.COLUMNS)
            ]
    except database.DatabaseProblem as problem:
        problems.append(str(problem))
    if not problems:
        return HTTPStatus.OK, answer
    return HTTPStatus.INTERNAL_SERVER_ERROR, answer | {"status": "failing", "problems": problems}


def clinicians(settings: Settings) -> tuple[HTTPStatus, object]:
    """List the clinicians."""
    try:
        with database.reading(database.database_path(settings.database_url)) as connection:
            return HTTPStatus.OK, database.clinicians(connection)
    except database.DatabaseProblem as problem:
        return HTTPStatus.INTERNAL_SERVER_ERROR, {"error": str(problem)}
