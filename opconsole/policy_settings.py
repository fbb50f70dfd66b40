"""Puts a policy back into settings: what a workspace is judged by while a change waits for approval."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from pydantic import TypeAdapter

from guardrails.environments import GateKind
from opconsole.policy import NOT_POLICY, Document
from opconsole.settings import (
    ApprovalRules,
    Database,
    Downgrade,
    Environment,
    Freeze,
    Limits,
    Settings,
    Target,
)
from opconsole.settings.model import Project, Sandboxed

_TARGET: TypeAdapter[Any] = TypeAdapter(Target)
_PATH_OF_NO_FILE = "nowhere"
"""Stands for signers whose file the settings no longer name; their lines are the policy's."""


def settings_by(settings: Settings, policy: Document) -> Settings:
    """Give *settings* with all that bears on deciding as *policy* has it.

    An environment that the policy does not know is not there.
    """
    approvals = _map(policy, "approvals")
    signed = bool(approvals.get("signed"))
    file = settings.approvals.allowed_signers or _PATH_OF_NO_FILE
    freezes = tuple(Freeze.model_validate(one) for one in cast("list[object]", policy.get("freezes") or []))
    return settings.model_copy(
        update={
            "policy": settings.policy.model_copy(update=dict(_map(policy, "limits"))),
            "approvals": settings.approvals.model_copy(
                update={
                    "break_glass_wait": approvals.get("break_glass_wait"),
                    "senior_over": approvals.get("senior_over"),
                    "allowed_signers": file if signed else None,
                    "freezes": freezes,
                }
            ),
            "projects": {
                name: _project(name, project, policy) for name, project in settings.projects.items()
            },
        }
    )


def _project(name: str, project: Project, whole: Document) -> Project:
    policy, provisioning = _map(whole, "environments"), _map(_map(whole, "provisioning"), name)
    known = {
        place: (environment, _map(policy, f"{name}:{place}"))
        for place, environment in project.environments.items()
        if f"{name}:{place}" in policy
    }
    update: dict[str, object] = {
        "environments": {place: _environment(one, by) for place, (one, by) in known.items()}
    }
    if provisioning:  # its environments have rules of their own by now: the project's are for what is none
        update["approvals"] = ApprovalRules.model_validate(
            {name: provisioning.get(name) for name in ApprovalRules.model_fields}
        )
    by = [document for _, document in known.values()]
    if project.migrations is not None and any(one.get("downgrade") == "required" for one in by):
        update["migrations"] = project.migrations.model_copy(update={"downgrade": Downgrade.REQUIRED})
    order = list(Sandboxed)
    kept = [Sandboxed(str(one["sandbox"])) for one in by if "sandbox" in one]
    if kept:
        update["sandbox"] = max((*kept, project.sandbox), key=order.index)
    excluded = [set(cast("list[str]", one.get("scan_exclude") or [])) for one in by]
    if excluded:
        known_globs = set.intersection(set(project.scan.exclude), *excluded)
        globs = tuple(glob for glob in project.scan.exclude if glob in known_globs)
        update["scan"] = project.scan.model_copy(update={"exclude": globs})
    return project.model_copy(update=update)


def _environment(environment: Environment, by: Document) -> Environment:
    rules = {name: by.get(name) for name in ApprovalRules.model_fields}
    own = environment.target.model_dump(mode="json", include=NOT_POLICY)
    target = dict(_map(by, "target"))
    if target.get("type") == environment.target.type:
        target = {**own, **target}
    database = by.get("database")
    return environment.model_copy(
        update={
            "gate": GateKind(str(by["gate"])),
            "requires_approval": bool(by.get("requires_approval")),
            "auto_rollback": None if by.get("auto_rollback") else False,
            "approvers": (),
            "expires_after": None,
            "approvals": ApprovalRules.model_validate(rules),
            "limits": Limits.model_validate(
                {name: by.get(f"{name}_limit") for name in ("deployment", "migration", "rollback")}
            ),
            "target": _TARGET.validate_python(target),
            "database": Database.model_validate(database) if database else None,
        }
    )


def _map(document: Document, name: str) -> Document:
    found = document.get(name)
    return cast("Document", found) if isinstance(found, Mapping) else {}
