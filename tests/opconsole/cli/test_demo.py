"""`opconsole demo` tells where the demo is before and after, and its hints work as they are printed."""

from __future__ import annotations

import io
import json
import os
import shlex
import sys
from pathlib import Path

import pytest

from opconsole.cli import console, demo
from opconsole.cli.main import run_command
from opconsole.demo.make import make_demo
from opconsole.demo.services import stop_demo

ENVIRON = {"PATH": os.environ["PATH"], "OPCONSOLE_PROGRAM": "./opconsole.sh"}


def give(*line: str) -> tuple[int, str]:
    out = io.StringIO()
    status = run_command(list(line), stdout=out, stderr=out, environ=ENVIRON)
    return status, out.getvalue()


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("OPCONSOLE_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "a demo"


def test_leaving_the_console_says_where_the_demo_is_and_how_to_come_back(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo, "interactive", lambda _: True)
    monkeypatch.setattr(console, "open_console_on", lambda *_, **__: 0)
    status, told = give("demo", "--dir", "a demo")
    assert status == 0
    assert told.splitlines()[0] == f"making the demo workspace in {place} …"
    assert f"./opconsole.sh -C '{place}'\n" in told
    assert f"./opconsole.sh demo --stop '{place}'\n" in told
    assert give("demo", "--dir", "a demo")[1].startswith(f"opening the demo workspace in {place} …")


def test_the_hints_of_a_demo_without_a_screen_can_be_typed_as_they_stand(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_demo(place, python=Path(sys.executable), git=None)
    settings = place / "opconsole.toml"
    settings.write_text(settings.read_text().replace('"unittest"', '"no-such-module"'))
    try:
        status, told = give("demo", "--dir", str(place), "--headless")
    finally:
        stop_demo(place)
    assert status == 0
    hints = [line[line.index("./opconsole.sh") :] for line in told.splitlines() if "./opconsole.sh" in line]
    lines = [shlex.split(hint.removesuffix(" shows what happened")) for hint in hints]
    assert any(line[-3:] == ["run", "--project", "credentialmate"] for line in lines)
    added = next(line for line in lines if "add" in line)
    monkeypatch.chdir("/")
    assert Path(added[-1]).is_absolute()
    assert give(*added[1:])[0] == 0
    assert any("logs" in line and give(*line[1:])[0] == 0 for line in lines)
    assert json.loads(give(*next(line for line in lines if "approvals" in line)[1:], "--json")[1]) == []


def test_help_names_the_default_folder(capsys: pytest.CaptureFixture[str]) -> None:
    give("demo", "--help")
    assert "~/.local/share/opconsole" in " ".join(capsys.readouterr().out.split())
