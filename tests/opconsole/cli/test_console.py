"""`opconsole` alone: what it says where there is no terminal, and of keys that it cannot use."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from opconsole.app import read_keys
from opconsole.cli.console import key_places
from opconsole.cli.main import run_command
from opconsole.settings import SettingsError
from opconsole.workspace import Workspace

SETTINGS = """
[console]
read_only = true

[console.keys]
filter = "F"
sort = ["ctrl+b", "x"]
filtre = "y"
"""


def test_keys_that_cannot_be_used_are_named_by_file_line_and_what_is_allowed(tmp_path: Path) -> None:
    workspace = made(tmp_path, SETTINGS)
    keys, notes = read_keys(workspace.settings.console.keys, key_places(workspace))
    assert keys.changed == {"filter": ("F",)}
    assert [note.partition(": ")[0] for note in notes] == ["opconsole.toml:7", "opconsole.toml:8"]
    assert "console.keys.sort: terminals and tmux keep this key for themselves; found: ctrl+b" in notes[0]
    assert "console.keys.filtre: no action has this name; found: y; allowed: filter" in notes[1]
    assert workspace.settings.console.read_only


def test_a_key_that_is_no_text_is_a_fault_of_the_settings(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"opconsole.toml:2: console.keys.filter"):
        made(tmp_path, "[console.keys]\nfilter = 3\n")


def test_read_only_belongs_to_the_console_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status = run_command(["--read-only", "status"], stdout=sys.stdout, stderr=sys.stderr, environ={})
    assert status == 2
    assert "--read-only is for the console alone" in capsys.readouterr().err


def made(folder: Path, text: str) -> Workspace:
    (folder / "opconsole.toml").write_text(text)
    return Workspace.open(folder, environ={})
