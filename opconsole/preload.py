"""Preloading: a worker imports all it may need when it starts.

It lives for weeks; an upgrade of the files beneath it must not let it import a module of another version in
the middle of a deployment.
"""

from __future__ import annotations

import pkgutil
from importlib import import_module

import guardrails
import opconsole
import queues

LEFT_OUT = (
    "opconsole.app",
    "opconsole.cli",  # but for what the others use of it, and its own part, which runs already
    "opconsole.demo",
    "opconsole.doctor",
    "opconsole.journal.alembic",
    "opconsole.web",
)
"""What a worker never needs: what only others may import, or what needs an extra that may be missing."""

READERS = ("sqlglot", "sqlglot.dialects", "tree_sitter", "yaml")
"""Libraries that the guardrails load with the first file that wants them."""


def preload() -> int:
    """Import every module that a worker may need; give how many of ours there are."""
    for name in READERS:
        import_module(name)
    names = [name for package in (guardrails, queues, opconsole) for name in _modules(package.__name__)]
    for name in names:
        import_module(name)
    return len(names)


def _modules(package: str) -> list[str]:
    path = import_module(package).__path__
    found = []
    for module in pkgutil.iter_modules(path, f"{package}."):
        if module.name.startswith(LEFT_OUT) or module.name.endswith(".__main__"):
            continue
        found.append(module.name)
        if module.ispkg:
            found += _modules(module.name)
    return found
