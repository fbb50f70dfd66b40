"""References to secrets resolve to values that nothing prints, and every refusal says what to do."""

from __future__ import annotations

import json
import os
import pickle
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import keyring
import keyring.backend
import keyring.errors
import pytest

from opconsole.settings import (
    RefKind,
    Secret,
    SecretError,
    SecretFile,
    SecretRef,
    resolve,
    resolve_all,
)
from opconsole.settings.secret_command import SecretCommandError, output_of
from opconsole.settings.secrets import parse_value

VALUE = "hunter2 ü"


class MemoryKeyring(keyring.backend.KeyringBackend):
    """A real keyring backend that keeps its entries in memory."""

    priority = 1  # type: ignore[assignment]

    def __init__(self) -> None:
        super().__init__()
        self.entries: dict[tuple[str, str], str] = {}

    def set_password(self, service: str, username: str, password: str) -> None:
        self.entries[service, username] = password

    def get_password(self, service: str, username: str) -> str | None:
        if service == "locked":
            raise keyring.errors.KeyringLocked("it is locked")
        return self.entries.get((service, username))


@pytest.fixture
def memory_keyring() -> Iterator[MemoryKeyring]:
    before = keyring.get_keyring()
    backend = MemoryKeyring()
    keyring.set_keyring(backend)
    yield backend
    keyring.set_keyring(before)


def secret_file(path: Path, content: bytes, mode: int = 0o600) -> Path:
    path.write_bytes(content)
    path.chmod(mode)
    return path


def refused(reference: str, workspace: Path, **environ: str) -> str:
    with pytest.raises(SecretError) as caught:
        resolve(SecretRef.parse(reference), environ=environ, workspace=workspace)
    assert caught.value.reference == reference
    assert caught.value.fix
    assert VALUE not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    "text", ["env:NAME", "file:a/b.txt", "file:/run/x", "keyring:my/service/me", 'command:["a", "b"]']
)
def test_a_reference_is_written_as_it_was_read(text: str) -> None:
    assert str(SecretRef.parse(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "hunter2",
        "env:",
        "env:A B",
        "env:1A",
        "file:",
        "file:a\nb",
        "keyring:x",
        "keyring:/x",
        "vault:x",
        "command:x",
        "command:echo hunter2 | cat",
        'command:"x"',
        "command:[]",
        'command:[""]',
        'command:["a", 1]',
    ],
)
def test_what_is_no_reference_is_told_the_forms(text: str) -> None:
    with pytest.raises(SecretError, match="write "):
        SecretRef.parse(text)


def test_text_that_is_no_reference_is_not_repeated() -> None:
    with pytest.raises(SecretError) as caught:
        SecretRef.parse(VALUE)
    assert VALUE not in str(caught.value)


def test_a_variable_is_resolved_from_the_environment_given(tmp_path: Path) -> None:
    ref = SecretRef(RefKind.ENV, "TOKEN")
    assert resolve(ref, environ={"TOKEN": VALUE}, workspace=tmp_path).reveal() == VALUE
    assert "not set" in refused("env:TOKEN", tmp_path)
    assert "empty" in refused("env:TOKEN", tmp_path, TOKEN="")


@pytest.mark.parametrize("ending", ["", "\n", "\r\n"])
def test_a_file_is_read_without_its_last_line_end(tmp_path: Path, ending: str) -> None:
    secret_file(tmp_path / "key", f"{VALUE}{ending}".encode())
    ref = SecretRef.parse("file:key")
    assert resolve(ref, environ={}, workspace=tmp_path).reveal() == VALUE


def test_only_one_line_end_is_taken_off(tmp_path: Path) -> None:
    secret_file(tmp_path / "key", b"a\n\n")
    assert resolve(SecretRef.parse("file:key"), environ={}, workspace=tmp_path).reveal() == "a\n"


def test_a_file_may_lie_in_the_home_folder_or_anywhere(tmp_path: Path) -> None:
    path = secret_file(tmp_path / "key", VALUE.encode())
    home = {"HOME": str(tmp_path)}
    elsewhere = tmp_path / "workspace"
    assert resolve(SecretRef.parse("file:~/key"), environ=home, workspace=elsewhere).reveal() == VALUE
    assert resolve(SecretRef.parse(f"file:{path}"), environ={}, workspace=elsewhere).reveal() == VALUE


@pytest.mark.parametrize("mode", [0o604, 0o644, 0o602])
def test_a_file_that_everybody_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    secret_file(tmp_path / "key", VALUE.encode(), mode)
    assert "chmod 600" in refused("file:key", tmp_path)


@pytest.mark.parametrize("content", [b"", b"\n", b"hunter2 \xff", b"a\0b", b"x" * 70_000])
def test_a_file_that_holds_no_secret_is_refused(tmp_path: Path, content: bytes) -> None:
    secret_file(tmp_path / "key", content)
    assert "hunter2" not in refused("file:key", tmp_path)


def test_a_missing_file_a_folder_and_a_pipe_are_refused(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir(mode=0o700)
    os.mkfifo(tmp_path / "pipe", 0o600)
    assert "No such file" in refused("file:missing", tmp_path)
    assert "not a file" in refused("file:folder", tmp_path)
    assert "not a file" in refused("file:pipe", tmp_path)


def test_the_keyring_is_asked_for_service_and_user(tmp_path: Path, memory_keyring: MemoryKeyring) -> None:
    memory_keyring.set_password("team/db", "me", VALUE)
    ref = SecretRef.parse("keyring:team/db/me")
    assert resolve(ref, environ={}, workspace=tmp_path).reveal() == VALUE
    assert "no such entry" in refused("keyring:team/db/you", tmp_path)
    assert "it is locked" in refused("keyring:locked/me", tmp_path)


def test_a_secret_never_shows_itself() -> None:
    secret = Secret(VALUE, SecretRef.parse("env:TOKEN"))
    assert VALUE not in f"{secret} {secret!r} {secret!s:>40} {[secret]} {(secret,)}"
    assert repr(secret) == "Secret(env:TOKEN)"
    assert not hasattr(secret, "__dict__")
    with pytest.raises(TypeError, match="not written"):
        pickle.dumps(secret)


def test_secrets_compare_by_value() -> None:
    ref = SecretRef.parse("env:TOKEN")
    assert Secret("ä", ref) == Secret("ä", SecretRef.parse("env:OTHER"))
    assert Secret("a", ref) != Secret("b", ref)
    assert Secret("a", ref) != "a"


def test_variables_are_resolved_together_with_the_secrets_to_mask(tmp_path: Path) -> None:
    values = {"LEVEL": "info", "TOKEN": SecretRef.parse("env:T")}
    resolved = resolve_all(values, environ={"T": VALUE}, workspace=tmp_path)
    assert resolved.variables == {"LEVEL": "info", "TOKEN": VALUE}
    assert [secret.reveal() for secret in resolved.secrets] == [VALUE]
    assert VALUE not in repr(resolved)


def test_a_secret_may_be_handed_over_in_a_file_and_only_its_place_is_a_variable(tmp_path: Path) -> None:
    value = parse_value("as-file:env:T")
    assert value == SecretFile(SecretRef.parse("env:T"))
    assert parse_value(str(value)) == value
    resolved = resolve_all({"T_FILE": value, "LEVEL": "info"}, environ={"T": VALUE}, workspace=tmp_path)
    assert (resolved.variables, resolved.files) == ({"LEVEL": "info"}, {"T_FILE": VALUE})
    assert [secret.reveal() for secret in resolved.secrets] == [VALUE]
    assert VALUE not in repr(resolved)


@pytest.mark.parametrize(
    ("secret", "content"), [("one line", "one line"), ("-A-\nq83\n-Z-", "-A-\nq83\n-Z-\n"), ("a\n", "a\n")]
)
def test_a_file_with_a_key_of_several_lines_ends_its_last_one(
    tmp_path: Path, secret: str, content: str
) -> None:
    values = {"K": parse_value("as-file:env:T")}
    assert resolve_all(values, environ={"T": secret}, workspace=tmp_path).files == {"K": content}


@pytest.mark.parametrize("text", ["as-file:", "as-file:hunter2", "as-file:text:a", "as-file:as-file:env:T"])
def test_what_is_handed_over_in_a_file_is_a_reference(text: str) -> None:
    with pytest.raises(SecretError, match="write ") as caught:
        parse_value(text)
    assert "hunter2" not in str(caught.value)


def printing(script: str) -> str:
    return "command:" + json.dumps([sys.executable, "-c", script])


def test_a_program_prints_the_secret_and_no_shell_reads_its_arguments(tmp_path: Path) -> None:
    ref = SecretRef.parse('command:["printf", "%s\\\\n", "$(id) ; x"]')
    assert resolve(ref, environ={"PATH": os.defpath}, workspace=tmp_path).reveal() == "$(id) ; x"
    (tmp_path / "tell").write_text("#!/bin/sh\ncat secret\n")
    (tmp_path / "tell").chmod(0o755)
    (tmp_path / "secret").write_text(VALUE)
    assert resolve(SecretRef.parse('command:["./tell"]'), environ={}, workspace=tmp_path).reveal() == VALUE


def test_a_program_that_gives_no_secret_is_named_and_nothing_of_its_output(tmp_path: Path) -> None:
    loud = f"import sys; print({VALUE!r}); print({VALUE!r}, file=sys.stderr); sys.exit(3)"
    assert "ended with status 3" in refused(printing(loud), tmp_path)
    assert "is empty" in refused(printing("pass"), tmp_path)
    assert "holds more than" in refused(printing("while True: print('x' * 65536)"), tmp_path)
    assert "not found on PATH" in refused('command:["no-such-program"]', tmp_path, PATH=os.defpath)
    assert "could not be run" in refused('command:["./no-such-program"]', tmp_path)


def test_a_program_that_takes_too_long_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    script = "import subprocess, sys; subprocess.run(['sleep', '987654'])"
    with pytest.raises(SecretCommandError, match=r"took longer than 0\.5 s"):
        output_of([sys.executable, "-c", script], environ={}, workspace=tmp_path, most=10, limit=0.5)
    deadline = time.monotonic() + 20
    while [path for path in Path("/proc").glob("[0-9]*/cmdline") if b"987654" in _bytes(path)]:
        assert time.monotonic() < deadline, "what the program started goes on"
        time.sleep(0.02)


def test_a_program_gets_what_its_sign_in_needs_and_nothing_that_changes_what_it_is(tmp_path: Path) -> None:
    stray = {"LD_PRELOAD": "x.so", "PYTHONPATH": "/x", "GIT_DIR": "/x", "BASH_ENV": "/x", "ENV": "/x"}
    given = {"PATH": os.defpath, "HOME": "/h", "VAULT_TOKEN": "t", **stray}
    ref = SecretRef.parse('command:["env"]')
    said = resolve(ref, environ=given, workspace=tmp_path).reveal()
    assert "VAULT_TOKEN=t" in said
    assert not set(stray) & {line.partition("=")[0] for line in said.splitlines()}


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
