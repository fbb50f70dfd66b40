"""A real service on a port: health over HTTP, a port that is in use, a service that dies."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import urllib.request

import pytest

SERVICE = """\
import http.server, os, pathlib, signal, sys, time

port, shared = int(sys.argv[1]), pathlib.Path(os.environ["OPCONSOLE_SHARED_DIR"])
text = pathlib.Path("current/app.txt").read_text()
version = os.environ["OPCONSOLE_VERSION"]
note = shared / "pid"
if note.exists():
    try:
        os.kill(int(note.read_text()), signal.SIGKILL)
    except ProcessLookupError:
        pass

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(500 if "sick" in text else 200)
        self.end_headers()
        self.wfile.write(b'{"version": "%s"}' % version.encode())
    def log_message(self, *_):
        pass

deadline = time.monotonic() + 3
while True:
    try:
        server = http.server.HTTPServer(("127.0.0.1", port), Handler)
        break
    except OSError as taken:
        if time.monotonic() > deadline or "impatient" in text:
            sys.exit(f"port {port}: {taken}")
        time.sleep(0.02)
child = os.fork()
if child:
    note.write_text(str(child))
    os._exit(0)
os.setsid()
if "dies" in text:
    os._exit(1)
nowhere = os.open(os.devnull, os.O_RDWR)
for descriptor in (0, 1, 2):
    os.dup2(nowhere, descriptor)
server.serve_forever()
"""


@pytest.fixture
def port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@pytest.fixture
def service(project, port):
    """Let development run a web service; what still serves at the end is killed."""
    (project.bin / "service.py").write_text(SERVICE)
    project.restart = f'["{sys.executable}", "{project.bin}/service.py", "{port}"]'
    project.health = None
    project.more = f"""
[[projects.app.environments.development.health]]
type = "http"
url = "http://127.0.0.1:{port}/health"
version_key = "version"
expect_version = true
interval = 0.05
passes = 2
timeout = 1
within = 2
"""
    project.settings()
    yield project
    note = project.target("development") / "shared" / "pid"
    if note.exists():
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(note.read_text()), signal.SIGKILL)


def _answer(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as answer:
        return answer.read().decode()


async def _second(project, deploy, driver, text):
    project.write("app.txt", text)
    project.queue(deploy("TWO", "development", "1.1.0"))
    await driver.engine.reload()
    await driver.go()
    return driver.run("TWO")


async def test_the_service_answers_with_the_version_that_was_deployed(service, deploy, port):
    service.queue(deploy("ONE", "development"))
    async with service.hosted() as driver:
        await driver.go()
        assert driver.state("ONE") == "succeeded", driver.run("ONE").reason
        assert "1.0.0" in _answer(port)
        run = await _second(service, deploy, driver, "second\n")
        assert run.state == "succeeded", run.reason
        assert "1.1.0" in _answer(port)


@pytest.mark.parametrize(("text", "said"), [("sick\n", "500"), ("dies\n", "refused")])
async def test_a_release_that_does_not_serve_gives_way_to_the_one_before(service, deploy, port, text, said):
    service.queue(deploy("ONE", "development"))
    async with service.hosted() as driver:
        await driver.go()
        run = await _second(service, deploy, driver, text)
        assert run.state == "rolled_back", run.reason
        assert run.reason.startswith("health check failed")
        assert said in run.reason.lower()
    assert "1.0.0" in _answer(port)


async def test_a_port_that_is_in_use_is_the_reason_in_the_log(service, deploy, port):
    service.write("app.txt", "impatient\n")
    service.queue(deploy("ONE", "development"))
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
        other.listen()
        async with service.hosted() as driver:
            await driver.go()
            run = driver.run("ONE")
            assert run.state == "halted"
            assert "the restart program failed" in run.reason
            assert "Address already in use" in driver.log("ONE")


async def test_another_service_on_the_port_does_not_pass_for_the_release(service, deploy, port):
    service.queue(deploy("ONE", "development"))
    async with service.hosted() as driver:
        await driver.go()
        # The restart leaves the old one where it is: it goes on answering with the old version.
        (service.bin / "service.py").write_text("pass\n")
        service.project_lines = ""
        run = await _second(service, deploy, driver, "second\n")
        assert run.state == "rolled_back", run.reason
        assert "version" in run.reason
    assert "1.0.0" in _answer(port)
