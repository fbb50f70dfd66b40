"""The page of a rule, made from the rule itself: what it is about, why, how not to do it, and how to."""

from __future__ import annotations

import difflib
import inspect
import sys
from collections.abc import Iterable

from guardrails.environments import GateKind
from guardrails.findings import Verdict
from guardrails.rules import Rule, all_rules, rules_by_name
from guardrails.rules.base import Example, Language

_SHOWN = 4
"""Examples of each kind; a rule has far more of them, for its test."""
_LONGEST = 400


class UnknownRuleError(KeyError):
    """A name that no rule has; the message names the nearest ones."""

    def __init__(self, name: str) -> None:
        self.name = name
        near = difflib.get_close_matches(name.lower().replace("_", "-"), rules_by_name(), n=3)
        hint = f"did you mean {' or '.join(near)}?" if near else "--list-rules names them all"
        self.message = f"there is no rule {name!a}; {hint}"
        super().__init__(self.message)

    def __str__(self) -> str:
        return self.message


def rule_page(name: str) -> str:
    """Give a rule's page as Markdown, which also reads well on a terminal. Raises UnknownRuleError."""
    rule = rules_by_name().get(name)
    if rule is None:
        raise UnknownRuleError(name)
    parts = [
        f"# {rule.name}",
        f"{rule.pattern} · {rule.severity.value} · {where_it_blocks(rule)}",
        "## What\n\n" + _sentence(rule.message),
    ]
    why = _why(rule)
    if why:
        parts.append(f"## Why\n\n{why}")
    parts.append("## The safe way\n\n" + _sentence(rule.fix))
    for title, examples in (("It finds", rule.bad), ("It leaves alone", rule.good)):
        shown = _chosen(examples)
        if shown:
            parts.append("\n\n".join([f"## {title}", *map(_block, shown)]))
    parts.append(
        "## To exempt one\n\nPut a comment on the statement or on the line above it, "
        f"with the reason:\n\n    safety-exception: {rule.name} - why it is safe here"
    )
    parts.append(f"Source: {rule.source}")
    return "\n\n".join(parts)


def rule_list() -> str:
    """Give a table of all rules: name, severity, where it blocks, and what would happen."""
    rows = [(rule.name, rule.severity.value, where_it_blocks(rule), rule.message) for rule in all_rules()]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    return "\n".join(
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[3]])
        for row in rows
    )


def rule_objects() -> list[dict[str, object]]:
    """Give all rules for machines."""
    return [
        {
            "rule": rule.name,
            "severity": rule.severity.value,
            "blocks": [gate.value for gate in GateKind if rule.verdict(gate) is Verdict.BLOCK],
            "message": rule.message,
            "fix": rule.fix,
            "source": rule.source,
        }
        for rule in all_rules()
    ]


def where_it_blocks(rule: Rule) -> str:
    """Say in which environments the rule blocks by default."""
    gates = [gate.value for gate in GateKind if rule.verdict(gate) is Verdict.BLOCK]
    if len(gates) == len(GateKind):
        return "blocks everywhere"
    return f"blocks in {' and '.join(gates)}" if gates else "warns"


def _why(rule: Rule) -> str:
    module = sys.modules.get(f"guardrails.rules.{rule.name.replace('-', '_')}")
    return inspect.cleandoc(module.__doc__) if module is not None and module.__doc__ else ""


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _chosen(examples: Iterable[Example]) -> list[Example]:
    """Take short ones, and of each language one before a second."""
    short = [example for example in examples if len(example.code) <= _LONGEST]
    first = {example.language: example for example in reversed(short)}
    rest = [example for example in short if example not in first.values()]
    ordered = sorted(first.values(), key=short.index)
    return (ordered + rest)[:_SHOWN]


_FENCES = {Language.MIGRATION: "python"}


def _block(example: Example) -> str:
    fence = "`" * 3
    language = _FENCES.get(example.language, example.language.value)
    return f"{fence}{language}\n{example.code.strip()}\n{fence}"
