"""The page of a rule, made from the rule itself: what it is about, why, how not to do it, and how to.

The manual's page of all rules is written by ``python -m guardrails.explain > docs/rules.md``.
"""

from __future__ import annotations

import difflib
import inspect
import sys
from collections.abc import Iterable, Iterator

from guardrails.environments import GateKind
from guardrails.findings import Severity, Verdict
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
        *_page(rule, 1),
        "## To exempt one\n\nPut a comment on the statement or on the line above it, "
        f"with the reason:\n\n    safety-exception: {rule.name} - why it is safe here",
        f"Source: {rule.source}",
    ]
    return "\n\n".join(parts)


def manual() -> str:
    """Give the manual's page of all rules, as Markdown."""
    rules = sorted(all_rules(), key=lambda rule: (_SEVERITIES.index(rule.severity), rule.name))
    rows = [
        f"| [{rule.name}](#{rule.name}) | {rule.severity.value} | {where_it_blocks(rule)} | {_cell(rule)} |"
        for rule in rules
    ]
    parts = [
        "# The rules",
        "What `opconsole check` and every deployment look for. Each rule is shown with code that it finds "
        "and code that it leaves alone; these examples are its tests, too. "
        "How to exempt a statement: [Check](check.md#exempt-one-statement).",
        "\n".join(["| rule | severity | by default | what would happen |", "|---|---|---|---|", *rows]),
    ]
    for rule in rules:
        parts += [*_page(rule, 2), f"Source: {rule.source}"]
    return "\n\n".join(parts) + "\n"


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


_SEVERITIES = tuple(Severity)


def _page(rule: Rule, level: int) -> Iterator[str]:
    """Give the parts of a rule's page that both the terminal (level 1) and the manual show."""
    prose = _sentence if level == 1 else _escaped
    title, below = "#" * level, "#" * (level + 1)
    yield f"{title} {rule.name}"
    yield f"{rule.pattern} · {rule.severity.value} · {where_it_blocks(rule)}"
    yield f"{below} What\n\n{prose(rule.message)}"
    why = _why(rule)
    if why:
        yield f"{below} Why\n\n{prose(why)}"
    yield f"{below} The safe way\n\n{prose(rule.fix)}"
    for heading, examples in (("It finds", rule.bad), ("It leaves alone", rule.good)):
        shown = _chosen(examples)
        if shown:
            yield "\n\n".join([f"{below} {heading}", *map(_block, shown)])


def _cell(rule: Rule) -> str:
    return _escaped(rule.message).removesuffix(".").replace("|", "\\|")


def _why(rule: Rule) -> str:
    module = sys.modules.get(f"guardrails.rules.{rule.name.replace('-', '_')}")
    return inspect.cleandoc(module.__doc__) if module is not None and module.__doc__ else ""


def _escaped(text: str) -> str:
    """Give a sentence whose angle brackets a browser shows."""
    return _sentence(text if "`" in text else text.replace("<", "&lt;"))


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _chosen(examples: Iterable[Example]) -> list[Example]:
    """Take short ones, and of each language one before a second."""
    short = [example for example in examples if len(example.code) <= _LONGEST]
    first = {example.language: example for example in reversed(short)}
    rest = [example for example in short if example not in first.values()]
    ordered = sorted(first.values(), key=short.index)
    return (ordered + rest)[:_SHOWN]


_FENCES = {Language.MIGRATION: "python", Language.TERRAFORM: "hcl", Language.CLOUDFORMATION: "yaml"}


def _block(example: Example) -> str:
    fence = "`" * 3
    language = _FENCES.get(example.language, example.language.value)
    if example.language is Language.CLOUDFORMATION and example.code.startswith("{"):
        language = "json"
    return f"{fence}{language}\n{example.code.strip()}\n{fence}"


if __name__ == "__main__":
    sys.stdout.write(manual())
