"""A secret in base64, URL-encoded, over several lines or split across chunks; and in nothing that is kept."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import re
import shlex
import sys
import urllib.parse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from opconsole.programs import Program, run_program

SECRET = "s3cr3t/va\"lue+with?si'gns ü"
LONG = "Zq8-" * 30
KEY = "-----BEGIN KEY-----\nMIIEowIBAAKCAQEA1\nq83vEjRWeJCrze8SNFZ4\n-----END KEY-----\n"
URL = "postgresql://app:hunter2%2Fpw@db.internal/app"

LOWER = re.sub("%..", lambda one: one[0].lower(), urllib.parse.quote(SECRET))

SPELLINGS: dict[str, tuple[str, str]] = {
    "plain": (SECRET, SECRET),
    "base64": (SECRET, base64.b64encode(SECRET.encode()).decode()),
    "base64, one byte before it": (SECRET, base64.b64encode(f"u{SECRET}x".encode()).decode()),
    "base64, two bytes before it": (SECRET, base64.b64encode(f"u:{SECRET}xy".encode()).decode()),
    "base64 for URLs": (SECRET, base64.urlsafe_b64encode(SECRET.encode()).decode()),
    "base64 in lines of 76": (LONG, base64.encodebytes(LONG.encode()).decode()),
    "URL-encoded": (SECRET, urllib.parse.quote(SECRET, safe="")),
    "a form's": (SECRET, urllib.parse.quote_plus(SECRET)),
    "URL-encoded in lower case": (
        SECRET,
        LOWER,
    ),
    "hexadecimal": (SECRET, SECRET.encode().hex()),
    "hexadecimal in capitals": (SECRET, SECRET.encode().hex().upper()),
    "JSON": (SECRET, json.dumps(SECRET)),
    "JSON beyond ASCII": (SECRET, json.dumps(SECRET, ensure_ascii=False)),
    "quoted for a shell": (SECRET, shlex.quote(SECRET)),
    "Python's": (SECRET, repr(SECRET)),
    "several lines": (KEY, KEY),
    "one of its lines": (KEY, "q83vEjRWeJCrze8SNFZ4"),
    "the password of a URL": (URL, "the password is hunter2/pw"),
    "the password of a URL as it stands there": (URL, "hunter2%2Fpw"),
}

# What a reader of the log could still put together: long pieces of the spelling.
PIECE = 12


async def logged(tmp_path: Path, secret: str, spelled: str, *, chunk: int) -> str:
    """Have a program print a spelling in chunks; give the text that came into its log."""
    data = f"before {spelled} after\n".encode()
    script = (
        "import os, sys, time\n"
        f"data = {data!r}\n"
        f"for at in range(0, len(data), {chunk}):\n"
        f"    os.write(1, data[at:at + {chunk}]); time.sleep(0.001)\n"
    )
    program = Program(
        (sys.executable, "-I", "-c", script), tmp_path, {"PATH": os.defpath}, limit=30, secrets=(secret,)
    )
    folder = tmp_path / f"step-{chunk}"
    assert (await run_program(program, folder=folder, log=tmp_path / f"log-{chunk}")).ok
    rows = (tmp_path / f"log-{chunk}").read_text().splitlines()
    return "".join(row[27:] + ("\n" if row[25] == "o" else "") for row in rows if row[25] in "oO")


@pytest.mark.parametrize("name", SPELLINGS)
async def test_27_a_secret_is_masked_in_every_spelling_whole_and_in_chunks(tmp_path: Path, name: str) -> None:
    secret, spelled = SPELLINGS[name]
    whole, split = await asyncio.gather(
        logged(tmp_path, secret, spelled, chunk=65536), logged(tmp_path, secret, spelled, chunk=5)
    )
    for text in (whole, split):
        assert "***" in text
        assert text.startswith("before ")
        for line in spelled.splitlines():
            pieces = {line[at : at + PIECE] for at in range(max(1, len(line) - PIECE + 1))}
            left = [piece for piece in pieces if len(piece) >= 6 and piece in text]
            assert not left or name == "the password of a URL", f"{left[:2]} of {name} in {text!r}"
    assert "hunter2" not in whole + split


@pytest.fixture
def leaky(project: Any) -> Any:
    """A project all of whose programs print a secret in every way, and fail with it in their last line."""
    # From a file outside: what the sources hold is in the journal's copy of them, and nobody's secret.
    said = project.root / "spellings"
    said.write_text("\n".join(form for secret, form in SPELLINGS.values() if secret == SECRET))
    tell = f"printf '%s\\n' \"$TOKEN\"; printf '%s\\n' \"$TOKEN\" >&2; env; cat {said}; echo\n"
    project.write("test.sh", tell)
    project.write("build.sh", f"{tell}mkdir dist && cp app.txt dist/\n")
    (project.bin / "restart.sh").write_text(f"{tell}test -e {project.root}/fail && exit 7\nexit 0\n")
    (project.bin / "health.sh").write_text(f"{tell}exit 0\n")
    (project.bin / "token").write_text(
        f"#!/bin/sh\necho told >> {project.root}/asked\ncat {project.root}/vault\n"
    )
    (project.bin / "token").chmod(0o755)
    (project.root / "vault").write_text(f"{SECRET}\n")
    (project.root / "vault").chmod(0o600)
    for name in ("development", "staging", "production"):
        project.extra[name] = 'database = { url = "env:DATABASE", variable = "DATABASE_URL" }'
    project.project_lines = """variables = { TOKEN = 'command:["bin/token"]' }"""
    project.environ["DATABASE"] = URL
    project.settings()
    return project


def kept(*roots: Path) -> Iterator[tuple[Path, bytes]]:
    for root in roots:
        for path in root.rglob("*"):
            if path.is_file() and not path.is_symlink():
                yield path, path.read_bytes()


async def test_27_no_secret_is_in_anything_that_a_run_leaves_behind_or_a_command_prints(
    leaky: Any, cascade: Callable[..., list[dict[str, object]]], command: Any
) -> None:
    leaky.queue(*cascade())
    async with leaky.hosted() as driver:
        await driver.go()
        assert driver.state("DEV") == "succeeded", driver.log("DEV")
        (leaky.root / "fail").touch()
        await driver.approve("STAGING")
        assert driver.state("STAGING") not in ("succeeded", "waiting")
        state, ids = driver.place.root, [driver.run(task).id for task in ("DEV", "STAGING")]
    assert (leaky.root / "asked").read_text().count("told") >= 4, "it is fetched for each step anew"
    secrets = [
        SECRET.encode(),
        b"hunter2",
        *(form.encode() for name, (secret, form) in SPELLINGS.items() if secret == SECRET),
    ]
    for path, content in kept(state, leaky.root / "targets", leaky.root / "tasks", leaky.path / ".aibrain"):
        for secret in secrets:
            assert secret not in content, f"{path} holds it"
    for line in (
        ["status"], ["history"], ["approvals"], ["audit", "show"], ["audit", "export"], ["queue", "list"],
        *(["report", one] for one in ids), *(["logs", one] for one in ids), ["doctor"],
    ):  # fmt: skip
        for options in ([], ["--json"]):
            said = await asyncio.to_thread(command, leaky.root, *options, *line, DATABASE=URL)
            for secret in secrets:
                text = secret.decode()
                assert text not in said.out + said.err, line
                assert json.dumps(text)[1:-1] not in said.out + said.err, line
