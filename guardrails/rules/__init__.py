"""The rules: each module of this folder holds one as RULE, so that a new rule touches one new file."""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module

from guardrails.rules.base import Blocks, Rule


@cache
def all_rules() -> tuple[Rule, ...]:
    """Give every rule, by name."""
    names = (module.name for module in pkgutil.iter_modules(__path__) if module.name != "base")
    rules = [import_module(f"{__name__}.{name}").RULE for name in names]
    return tuple(sorted(rules, key=lambda rule: rule.name))


@cache
def rules_by_name() -> dict[str, Rule]:
    """Give the rules under their names."""
    return {rule.name: rule for rule in all_rules()}


def rule_named(name: str) -> Rule:
    """Give the rule of that name; KeyError for a name that no rule has."""
    return rules_by_name()[name]


__all__ = ["Blocks", "Rule", "all_rules", "rule_named", "rules_by_name"]
