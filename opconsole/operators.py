"""The name that a person asks under."""

from __future__ import annotations

import getpass
import os
from collections.abc import Mapping


def operator_name(environ: Mapping[str, str] | None = None) -> str:
    """Give the name that this person asks under: a label for people, no proof of who it is."""
    named = (os.environ if environ is None else environ).get("OPCONSOLE_OPERATOR", "").strip()
    if named and named.isprintable():
        return named[:256]
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return f"uid {os.getuid()}"
