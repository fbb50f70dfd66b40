"""The policy in force: what of the settings bears on deciding, compared field by field when it changes.

What tightens holds at once. What loosens waits for an approval under the old policy; until then everything
is judged by the old one. A field that is not known here counts as loosening. So does what comes to a place
that another project or environment has, by looser rules than hold there: a new name is no way around a gate.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import cast

from guardrails.environments import GateKind
from opconsole.plans import canonical, differences
from opconsole.settings import Settings, rules_of
from opconsole.settings.approvals import Approvals
from opconsole.settings.aws import AwsSection, aws_over
from opconsole.settings.model import STRICTNESS, Environment, Project, Sandboxed
from opconsole.signing import Signers
from opconsole.workspace import AWS

Document = Mapping[str, object]
Looser = Callable[[object, object], bool]
Find = Callable[[str], str]
"""Gives for a path of the settings the one name of what lies there."""

NOT_POLICY = {"variables", "venv", "keep"}
"""Keys of a target that say nothing about where releases go."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """How a policy differs from the one in force."""

    merged: Document
    """What holds now: the old policy with all that does not loosen it."""
    changes: tuple[str, ...]
    """Sentences: what holds at once."""
    loosens: tuple[str, ...]
    """Sentences: what waits for approval."""
    places: frozenset[str]
    """The environments, ``project:environment``, that the loosening is about; empty: all of them."""


def policy_document(settings: Settings, signers: Signers) -> dict[str, object]:
    """Give what of the settings bears on deciding, without any secret's value."""
    return {
        "limits": settings.policy.model_dump(mode="json"),
        "approvals": {
            "break_glass_wait": settings.approvals.break_glass_wait,
            "senior_over": settings.approvals.senior_over,
            "signed": settings.approvals.allowed_signers is not None,
        },
        "signers": list(signers.allowed),
        "revoked": list(signers.revoked),
        "freezes": [one.model_dump(mode="json") for one in settings.approvals.freezes],
        "environments": {
            f"{name}:{place}": _environment(settings, name, place)
            for name, project in settings.projects.items()
            for place in project.environments
        },
        "provisioning": {
            name: {
                **_rules(rules_of(settings, name, AWS)),
                "reach": _accounts(aws_over(settings.aws, one.aws)),
            }
            for name, one in settings.projects.items()
        },
    }


def _environment(settings: Settings, name: str, place: str) -> dict[str, object]:
    project = settings.projects[name]
    environment, rules = project.environments[place], rules_of(settings, name, place)
    return {
        "gate": environment.gate.value,
        "requires_approval": environment.requires_approval,
        "auto_rollback": environment.auto_rollback is not False,
        **_rules(rules),
        "deployment_limit": environment.limits.deployment or settings.policy.deployment_limit,
        "migration_limit": environment.limits.migration or settings.policy.migration_limit,
        "rollback_limit": environment.limits.rollback or settings.policy.rollback_limit,
        "downgrade": _downgrade(project),
        "scan_exclude": list(project.scan.exclude),
        "sandbox": project.sandbox.value,
        "target": environment.target.model_dump(mode="json", exclude=NOT_POLICY, exclude_none=True),
        "database": _database(environment),
    }


def _rules(rules: Approvals) -> dict[str, object]:
    return {
        "approvers": list(rules.approvers),
        "quorum": rules.quorum,
        "four_eyes": rules.four_eyes,
        "seniors": list(rules.seniors),
        "wait": rules.wait,
        "expires_after": rules.expires_after,
    }


def _accounts(aws: AwsSection) -> list[str]:
    """Name the AWS accounts that provisioning reaches, by what the settings say of them.

    An account is one place whatever its region. Neither key names it for sure: both do.
    """
    named = {aws.account} if aws.account else set()
    if aws.role:
        named.add(aws.role.split(":")[4])
    reached = {f"account {number}" for number in named}
    if not aws.role:  # whoever assumes a role reaches the role's account alone
        reached.add(f"credentials {aws.profile or 'of the environment'}")
    return sorted(f"{one} at {aws.endpoint}" if aws.endpoint else one for one in reached)


def _downgrade(project: Project) -> str:
    return project.migrations.downgrade.value if project.migrations else "required"


def _database(environment: Environment) -> object:
    return environment.database.model_dump(mode="json") if environment.database else None


# -- comparing -------------------------------------------------------------------------------------------


def compare(old: Document, new: Document, find: Find = os.path.normpath) -> Comparison:
    """Compare a policy with the one in force; *find* tells whether two paths are one place."""
    told = _Told()
    merged: dict[str, object] = {}
    for name in ("limits", "approvals"):
        table = _LIMITS if name == "limits" else _APPROVALS
        merged[name] = told.fields("", _map(old, name), _map(new, name), table)
    merged["signers"] = _signers(told, old, new)
    merged["revoked"] = told.whole("revoked", _list(old, "revoked"), _list(new, "revoked"), shrinking=True)
    merged["freezes"] = told.whole("freezes", _list(old, "freezes"), _list(new, "freezes"), shrinking=True)
    merged["environments"] = _environments(told, _map(old, "environments"), _map(new, "environments"), find)
    merged["provisioning"] = _provisioning(told, _map(old, "provisioning"), _map(new, "provisioning"))
    for name in sorted({*old, *new} - set(merged)):
        merged[name] = told.field("", name, (old.get(name), new.get(name)), _always)
    places = frozenset() if "" in told.places else frozenset(told.places)
    return Comparison(merged, tuple(told.changes), tuple(told.loosens), places)


def _signers(told: _Told, old: Document, new: Document) -> object:
    before, after = _list(old, "signers"), _list(new, "signers")
    if not _map(old, "approvals").get("signed"):
        return after  # there were none: that approvals must be signed now is told where it stands
    if not set(map(str, before)) & set(map(str, after)):
        # Nobody would be left who could approve anything, this change included.
        told.say_looser("", "signers: none of those before is left")
        return before
    return told.whole("signers", before, after, shrinking=False)


def _environments(told: _Told, old: Document, new: Document, find: Find) -> dict[str, object]:
    """Compare environments; one that was taken out is remembered, so that it cannot come back looser."""
    merged: dict[str, object] = {}
    for place in sorted({*old, *new}):
        before, after = _map(old, place), _map(new, place)
        others = {name: _map(old, name) for name in old if name != place}
        borrowed = sorted(
            name
            for name, one in others.items()
            if _reach(one, find) & _reach(after, find) - _reach(before, find)
        )
        if place not in new:
            merged[place] = before
        elif place not in old:
            if borrowed:
                told.say_looser(place, f"{place} is new and reaches what {', '.join(borrowed)} reaches")
            else:
                told.changes.append(f"{place} is new")
                merged[place] = after
        elif _asks_nobody(before) and not borrowed:
            told.fields(place, before, after, None)
            merged[place] = after
        else:
            merged[place] = told.fields(place, before, after, _ENVIRONMENT)
    return merged


def _provisioning(told: _Told, old: Document, new: Document) -> dict[str, object]:
    """Compare who decides about what is provisioned, also with those who decide about the same account."""
    merged: dict[str, object] = {}
    for name, before, after in _pairs(old, new):
        place = f"{name}:{AWS}"
        fields = told.fields(place, before, after, _ENVIRONMENT) if after else dict(before)
        comes_to = {*_items(after.get("reach"))} - {*_items(before.get("reach"))}
        for other, there, _ in _pairs(old, {}):
            if other != name and comes_to & {*_items(there.get("reach"))}:
                fields = told.hold(place, fields, f"{other}:{AWS}", there)
        merged[name] = fields
    return merged


def _pairs(old: Document, new: Document) -> Iterator[tuple[str, Document, Document]]:
    """Give each name with what was and what is; one that was not there yet, or is gone, has nothing there."""
    for name in sorted({*old, *new}):
        yield name, _map(old, name), _map(new, name)


def _asks_nobody(environment: Document) -> bool:
    """Say whether an environment lets anything happen by itself: then there is nobody to approve a change."""
    return environment.get("gate") == GateKind.DEVELOPMENT.value and not environment.get("requires_approval")


def _reach(environment: Document, find: Find) -> set[str]:
    """Give what runs of an environment get their hands on."""
    target, database = _map(environment, "target"), _map(environment, "database")
    reached = {f"database {canonical(database.get('url'))}"} if database else set()
    if "host" in target:  # on another machine, where nothing can be looked up
        where = target.get("path")
        reached.add(f"host {target['host']} {os.path.normpath(str(where)) if where else ''}")
    elif "path" in target:
        reached.add(f"path {find(str(target['path']))}")
    elif "deploy" in target:
        reached.add(f"program {canonical(target['deploy'])}")
    elif target:
        reached.add(canonical(target))
    return reached


class _Told:
    """What a comparison has to tell."""

    def __init__(self) -> None:
        self.changes: list[str] = []
        self.loosens: list[str] = []
        self.places: set[str] = set()

    def say_looser(self, place: str, text: str) -> None:
        self.loosens.append(text)
        self.places.add(place)

    def fields(
        self, place: str, old: Document, new: Document, table: Mapping[str, Looser] | None
    ) -> dict[str, object]:
        """Compare the fields of a table; without *table* every change holds at once."""
        merged: dict[str, object] = {}
        for name in sorted({*old, *new}):
            looser = _never if table is None or name not in old else table.get(name, _always)
            merged[name] = self.field(place, name, (old.get(name), new.get(name)), looser)
        return merged

    def field(self, place: str, name: str, values: tuple[object, object], looser: Looser) -> object:
        """Compare one field; give the value that holds. One that a newer opconsole brings holds at once."""
        old, new = values
        if old == new:
            return new
        text = f"{f'{place} ' if place else ''}{'; '.join(differences({name: old}, {name: new}))}"
        if looser(old, new):
            self.say_looser(place, text)
            return old
        self.changes.append(text)
        return new

    def hold(self, place: str, fields: Document, other: str, there: Document) -> dict[str, object]:
        """Hold who comes to a place to what holds *there* already, as far as that is stricter."""
        held = dict(fields)
        for name, looser in _ENVIRONMENT.items():
            known = name in there and name in fields and there[name] != fields[name]
            if known and looser(there[name], fields[name]):
                text = f"{name} {_shown(fields[name])}, where {other} has {_shown(there[name])}"
                self.say_looser(place, f"{place} comes to the AWS account of {other}: {text}")
                self.places.add(other)  # those who decide there decide about this, too
                held[name] = there[name]
        return held

    def whole(self, name: str, old: list[object], new: list[object], *, shrinking: bool) -> list[object]:
        """Compare a list of which a part may go (or come) at once and the other change waits."""
        gone = [one for one in old if one not in new]
        come = [one for one in new if one not in old]
        tightens, loosens = (come, gone) if shrinking else (gone, come)
        words = ("with", "without") if shrinking else ("without", "with")
        self.changes += [f"{name}: {words[0]} {_shown(one)}" for one in tightens]
        for one in loosens:
            self.say_looser("", f"{name}: {words[1]} {_shown(one)}")
        return [*old, *come] if shrinking else [one for one in old if one in new]


def _never(old: object, new: object) -> bool:
    del old, new
    return False


def _always(old: object, new: object) -> bool:
    del old, new
    return True


def _smaller(old: object, new: object) -> bool:
    return _number(new, 0) < _number(old, 0)


def _larger(old: object, new: object) -> bool:
    """None is without a limit."""
    return _number(new, float("inf")) > _number(old, float("inf"))


def _switched_off(old: object, new: object) -> bool:
    return bool(old) and not new


def _switched_on(old: object, new: object) -> bool:
    return bool(new) and not old


def _looser_gate(old: object, new: object) -> bool:
    names = [gate.value for gate in STRICTNESS]
    return old not in names or new not in names or names.index(str(new)) < names.index(str(old))


def _looser_sandbox(old: object, new: object) -> bool:
    names = [one.value for one in Sandboxed]
    return old not in names or new not in names or names.index(str(new)) < names.index(str(old))


def _more_people(old: object, new: object) -> bool:
    """Fewer are stricter; but nobody named lets everybody in, and one alone needs no second person."""
    before, after = set(_items(old)), set(_items(new))
    if not before:
        return False
    return not after or not after <= before or len(after) < 2 <= len(before)


def _other_seniors(old: object, new: object) -> bool:
    before, after = set(_items(old)), set(_items(new))
    return not after or not after <= before


def _more_items(old: object, new: object) -> bool:
    return not set(_items(new)) <= set(_items(old))


_APPROVALS: Mapping[str, Looser] = {
    "break_glass_wait": _smaller,
    "senior_over": _larger,
    "signed": _switched_off,
}
_LIMITS: Mapping[str, Looser] = {
    "max_iterations": _larger,
    "retries": _larger,
    "deployment_limit": _larger,
    "migration_limit": _larger,
    "rollback_limit": _larger,
    "test_limit": _larger,
    "build_limit": _larger,
    "scan_limit": _larger,
    "smoke_limit": _larger,
}
_ENVIRONMENT: Mapping[str, Looser] = {
    "gate": _looser_gate,
    "requires_approval": _switched_off,
    "auto_rollback": _switched_on,
    "approvers": _more_people,
    "quorum": _smaller,
    "four_eyes": _switched_off,
    "seniors": _other_seniors,
    "wait": _smaller,
    "expires_after": _larger,
    "deployment_limit": _larger,
    "migration_limit": _larger,
    "rollback_limit": _larger,
    "downgrade": lambda old, new: new != "required",
    "scan_exclude": _more_items,
    "sandbox": _looser_sandbox,
    "target": _always,
    "database": _always,
    "reach": _never,  # by itself: whom it meets there is looked at
}
"""Whether a change from the old to the new value loosens. Whatever is not named here does."""


def _number(value: object, absent: float) -> float:
    return float(value) if isinstance(value, (int, float)) else absent


def _items(value: object) -> Iterator[str]:
    return (str(one) for one in value) if isinstance(value, list) else iter(())


def _map(document: Document, name: str) -> Document:
    found = document.get(name)
    return cast("Document", found) if isinstance(found, Mapping) else {}


def _list(document: Document, name: str) -> list[object]:
    found = document.get(name)
    return list(found) if isinstance(found, (list, tuple)) else []


def _shown(value: object) -> str:
    text = "nothing" if value is None else canonical(value)
    return text if len(text) <= 120 else text[:119] + "…"
