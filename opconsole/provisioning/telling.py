"""What a person is told of a provisioning plan: as lines of text, from the plan's own document.

The terminal, the dialog and the report say the same, for they all say this.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

Said = tuple[str, str]
"""A label and what stands behind it; a label of nothing goes on with the one before."""


def is_provisioning(plan: Mapping[str, object]) -> bool:
    """Say whether a plan provisions a resource."""
    return isinstance(plan.get("provisioning"), Mapping)


def sentences(plan: Mapping[str, object]) -> list[Said]:
    """Give what a person decides on: resource, case, cost, account, changes. Of another plan: nothing."""
    found = _map(plan, "provisioning")
    if not found:
        return []
    return [*_resource(found), *_case(_map(found, "business_case")), *_cost(found), *_place(found)]


def prompt(plan: Mapping[str, object], preflight: Sequence[tuple[bool, str]]) -> str:
    """Give the approval prompt of a provisioning, in the form of the guide's own; it is not sanitised."""
    ruler = "=" * 60
    found = _map(plan, "provisioning")
    resource, cost = _map(found, "resource"), _map(found, "cost")
    lines = [ruler, "PROVISIONING APPROVAL REQUIRED", ruler]
    lines += [f"Resource: {_text(resource, 'type')} {_text(resource, 'name')}"]
    lines += [f"Project: {_text(plan, 'project')}"]
    lines += [f"Account: {_text(found, 'account')} ({_text(found, 'region')})"]
    lines += [f"Cost: ${_text(cost, 'monthly_usd')}/month (estimate)", ruler, ""]
    lines += ["⚠️ WARNING: What is provisioned costs money and is never deleted by opconsole", ruler, ""]
    if preflight:
        lines.append("Pre-flight validation:")
        lines += [f"{'✅' if passed else '❌'} {text}" for passed, text in preflight]
        lines.append("")
    lines.append("Proceed with provisioning? [Y/N]")
    return "\n".join(lines)


def _resource(found: Mapping[str, object]) -> Iterator[Said]:
    resource = _map(found, "resource")
    yield "Resource", f"{_text(resource, 'type')} {_text(resource, 'name')}: {_text(resource, 'purpose')}"
    properties = _map(resource, "properties")
    plain = {name: value for name, value in properties.items() if not isinstance(value, list | dict)}
    told = ", ".join(f"{name} {value}" for name, value in plain.items())
    if told:
        yield "", told
    for statement in _list(properties, "statements"):
        if isinstance(statement, Mapping):
            actions, places = _list(statement, "actions"), _list(statement, "resources")
            words = f"{', '.join(map(str, actions))} on {', '.join(map(str, places))}"
            yield "", f"{_text(statement, 'effect')} {words}"


def _case(case: Mapping[str, object]) -> Iterator[Said]:
    yield "Why", _text(case, "justification")
    yield from _listed("Instead of", _list(case, "alternatives"))
    yield from _listed("Risks", _list(case, "risk_assessment"))


def _cost(found: Mapping[str, object]) -> Iterator[Said]:
    cost, case = _map(found, "cost"), _map(found, "business_case")
    told = f"${_text(cost, 'monthly_usd')} a month, with prices as of {_text(cost, 'prices_as_of')}"
    yield "Cost", f"{told}; the case says {_text(case, 'cost_estimate')}"
    for line in _list(cost, "lines"):
        if isinstance(line, Mapping):
            yield "", f"${_text(line, 'monthly_usd')}  {_text(line, 'what')}"
    yield from _listed("Assumed", _list(cost, "assumptions"))
    yield from _listed("Unknown", _list(cost, "unknown"))


def _place(found: Mapping[str, object]) -> Iterator[Said]:
    yield (
        "Account",
        f"{_text(found, 'account')}, region {_text(found, 'region')}, stack {_text(found, 'stack')}",
    )
    changes = [one for one in _list(_map(found, "change_set"), "changes") if isinstance(one, list)]
    yield from _listed("Changes", [f"{one[0]} {one[1]} ({one[2]})" for one in changes if len(one) > 2])


def _listed(label: str, items: Sequence[object]) -> Iterator[Said]:
    for index, item in enumerate(items):
        yield (label if index == 0 else ""), str(item)


def _map(of: Mapping[str, object], name: str) -> Mapping[str, object]:
    value = of.get(name)
    return value if isinstance(value, Mapping) else {}


def _list(of: Mapping[str, object], name: str) -> list[object]:
    value = of.get(name)
    return list(value) if isinstance(value, list | tuple) else []


def _text(of: Mapping[str, object], name: str) -> str:
    value = of.get(name)
    return "" if value is None else str(value)
