"""Loading a workspace's settings: ``opconsole.toml`` under ``OPCONSOLE_…`` variables, all faults at once."""

from __future__ import annotations

import os
import stat
import tomllib
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from guardrails.trusted import distrust
from opconsole.settings.errors import SettingsError, SettingsFault, printable
from opconsole.settings.explain import Origin, explain
from opconsole.settings.files import read_checked
from opconsole.settings.locate import key_lines
from opconsole.settings.model import Settings
from opconsole.settings.variables import read_overrides

SETTINGS_FILE = "opconsole.toml"
"""The file that makes a folder a workspace."""

MAX_SETTINGS_BYTES = 1024 * 1024
"""No workspace needs more; a larger file is another file by mistake."""


def load_settings(workspace: Path, *, environ: Mapping[str, str] | None = None) -> Settings:
    """Load the settings of *workspace*, a folder with ``opconsole.toml``.

    *environ* is where the ``OPCONSOLE_…`` variables are looked up; None: the process's own environment.
    Raises SettingsError with every fault: file, line, key, what was found and what is allowed.
    """
    path = workspace / SETTINGS_FILE
    text = read_settings_file(path)
    return parse_settings(text, file=path, environ=os.environ if environ is None else environ)


def parse_settings(text: str, *, file: Path, environ: Mapping[str, str]) -> Settings:
    """Read settings from *text*; *file* is only named in errors. Raises SettingsError."""
    name = printable(str(file), limit=500)
    content = _toml(text, name)
    overrides = read_overrides(Settings, environ, content)
    sources = (_Values(Settings, overrides.values), _Values(Settings, content))
    try:
        # A keyword of pydantic-settings' own __init__, which type checkers do not see in a subclass.
        settings = Settings(_build_sources=(sources, {}))  # type: ignore[call-arg]
    except ValidationError as error:
        origin = Origin(name, key_lines(text), overrides.names)
        faults = explain(error, Settings, origin)
        raise SettingsError([*faults, *overrides.faults]) from None
    if overrides.faults:
        raise SettingsError(overrides.faults)
    return settings


def read_settings_file(path: Path) -> str:
    """Read the file, which nobody but its owner and group may be able to change. Raises SettingsError."""
    name = printable(str(path), limit=500)
    try:
        folder = Path(os.path.realpath(path)).parent.stat()
        content = read_checked(path, partial(_check_trust, folder, name), limit=MAX_SETTINGS_BYTES)
    except FileNotFoundError:
        raise _file_fault(name, "there are no settings here; run: opconsole init") from None
    except OSError as error:
        raise _file_fault(name, f"the settings cannot be read: {error.strerror}") from error
    if len(content) > MAX_SETTINGS_BYTES:
        raise _file_fault(name, f"the settings are larger than {MAX_SETTINGS_BYTES} bytes")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise _file_fault(name, "the settings are not UTF-8 text", line=line) from error


class _Values(PydanticBaseSettingsSource):
    """Values that have been read already, as a source for pydantic-settings, which merges its sources."""

    def __init__(self, settings_cls: type[BaseSettings], values: dict[str, object]) -> None:
        super().__init__(settings_cls)
        self._values = values

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        return self._values.get(field_name), field_name, False

    def __call__(self) -> dict[str, Any]:
        return self._values


def _check_trust(folder: os.stat_result, name: str, facts: os.stat_result) -> None:
    if not stat.S_ISREG(facts.st_mode):
        raise _file_fault(name, "the settings are not a file")
    doubt = distrust(facts, folder, user=os.geteuid())
    if doubt is not None:
        message = f"the settings cannot be trusted; {doubt.remedy}"
        raise _file_fault(name, message, found=doubt.found, allowed=doubt.allowed)


def _toml(text: str, name: str) -> dict[str, object]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        message, line = _without_place(str(error), text)
        raise _file_fault(name, f"this is not TOML: {printable(message, 200)}", line=line) from error
    except RecursionError:
        raise _file_fault(name, "the settings are nested too deeply") from None


def _without_place(message: str, text: str) -> tuple[str, int]:
    """Take "(at line 3, column 7)" off a message of tomllib; it has no other way to tell."""
    plain, mark, place = message.rpartition(" (at ")
    number = place.removeprefix("line ").partition(",")[0]
    if mark and number.isdigit():
        return plain, int(number)
    return plain or message, max(1, len(text.splitlines()))


def _file_fault(
    name: str, message: str, *, line: int | None = None, found: str = "", allowed: str = ""
) -> SettingsError:
    return SettingsError([SettingsFault(name, line, "", found, allowed, message)])
