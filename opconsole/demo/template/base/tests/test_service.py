"""The service as its users meet it: asked over HTTP, on a database that the migrations made."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import unittest
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from credentialmate import requirements  # noqa: E402
from credentialmate.server import Server, Settings  # noqa: E402


class ServiceTest(unittest.TestCase):
    """A service on a free port with a database of its own."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.url = f"sqlite:///{Path(folder.name).resolve() / 'app.db'}"
        variables = dict.fromkeys(requirements.VARIABLES, "http://registry.invalid")
        server = Server(Settings("1.2.3", "test <1>", 0, self.url, variables))
        self.port = server.server_address[1]
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        serving.start()
        self.addCleanup(server.server_close)
        self.addCleanup(serving.join)
        self.addCleanup(server.shutdown)

    def get(self, path: str) -> tuple[int, str]:
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with direct.open(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code, refused.read().decode()

    def migrate(self, *command: str) -> None:
        ini = ROOT / "apps" / "backend-api" / "alembic.ini"
        done = subprocess.run(
            [sys.executable, "-m", "alembic", "-c", str(ini), *command],
            env={**os.environ, "DATABASE_URL": self.url},
            capture_output=True,
            text=True,
            check=False,
        )
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_it_is_healthy_exactly_while_its_migrations_are_in(self) -> None:
        self.assertEqual(self.get("/health")[0], 500)
        self.migrate("upgrade", "head")
        status, body = self.get("/health")
        self.assertEqual(status, 200, body)
        self.assertEqual(json.loads(body)["version"], "1.2.3")
        names = [row["name"] for row in json.loads(self.get("/clinicians")[1])]
        self.assertEqual(names, ["Ana Ruiz", "Jonas Weber", "Priya Nair"])
        self.migrate("downgrade", "base")
        status, body = self.get("/health")
        self.assertEqual(status, 500)
        self.assertIn("the database lacks clinicians.id", json.loads(body)["problems"])

    def test_the_page_names_version_and_environment_as_text(self) -> None:
        status, body = self.get("/")
        self.assertEqual(status, 200)
        self.assertIn("credentialmate 1.2.3", body)
        self.assertIn("test &lt;1&gt;", body)

    def test_an_unknown_page_is_not_found(self) -> None:
        self.assertEqual(self.get("/nothing")[0], 404)

    def test_without_a_database_the_clinicians_say_what_to_do(self) -> None:
        status, body = self.get("/clinicians")
        self.assertEqual(status, 500)
        self.assertIn("run the migrations", body)


if __name__ == "__main__":
    unittest.main()
