"""Tells whether a bucket's lifecycle configuration lets every object expire, whatever wrote it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from enum import Enum

Value = object
"""A value as far as the source tells it: dict, list, str, int, bool, None, or UNKNOWN."""


class Unknown(Enum):
    """A value that the source does not tell."""

    UNKNOWN = "unknown"


UNKNOWN = Unknown.UNKNOWN


def expires_everything(config: Value) -> str:
    """Say when every object expires (``after 7 days``); empty: not all of them do, or nobody can tell.

    Takes the API's shape (boto3, SDKs, command line) and CloudFormation's.
    """
    if isinstance(config, str):
        try:
            config = json.loads(config)
        except (ValueError, RecursionError):
            return ""
    if not isinstance(config, Mapping):
        return ""
    rules = next((config[key] for key in ("Rules", "rules", "Rule") if key in config), None)
    if not isinstance(rules, Sequence) or isinstance(rules, str):
        return ""
    return next((when for rule in rules if (when := _rule(rule))), "")


def limits(scope: Value) -> bool:
    """Say whether a filter limits a lifecycle rule; what cannot be told is taken to limit it."""
    if scope is None or scope == "":
        return False
    if isinstance(scope, Mapping):
        return any(limits(value) for value in scope.values())
    return True


def _rule(rule: Value) -> str:  # noqa: PLR0911 (one line a kind)
    if not isinstance(rule, Mapping):
        return ""
    rule = {str(key).lower(): value for key, value in rule.items()}
    if rule.get("status") not in ("Enabled", None):
        return ""
    scopes = ("prefix", "filter", "tagfilters", "objectsizegreaterthan", "objectsizelessthan")
    if any(limits(rule.get(key)) for key in scopes):
        return ""
    if "expirationindays" in rule or "expirationdate" in rule:
        return _when(rule.get("expirationindays"))
    expiration = rule.get("expiration")
    if not isinstance(expiration, Mapping):
        return ""
    if "Days" in expiration:
        return _when(expiration["Days"])
    return "at a date" if "Date" in expiration else ""


def _when(days: Value) -> str:
    if isinstance(days, str) and days.isdigit():
        days = int(days)
    if isinstance(days, int) and not isinstance(days, bool):
        return "after 1 day" if days == 1 else f"after {days} days"
    return "at a date"
