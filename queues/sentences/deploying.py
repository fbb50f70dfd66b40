"""Orders that deploy: to one environment, through several, or what another environment serves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

from guardrails.gates import GATES, Asks
from queues.sentences.entries import (
    Migrating,
    deployments,
)
from queues.sentences.known import KnownProject
from queues.sentences.order import Order, here
from queues.sentences.outcome import PlannedTask, RefusedSentenceError, did_you_mean
from queues.sentences.questions import Done, ask, given, migration_notes, one_of, refuse_more, way_through
from queues.sentences.said import (
    Environments,
    Mark,
    Part,
    Path,
    Projects,
    Statement,
    Unknown,
    Verb,
    Version,
)


def deploy(_: Statement, order: Order) -> Done:
    """Deploy a version to one environment or through several."""
    order.refuse_unknown()
    if order.has(Mark.MIGRATIONS):
        raise RefusedSentenceError(
            "are the migrations to run? Say “with migrations”, or leave them out; nothing was added"
        )
    order.refuse_marks(
        (
            Mark.WITH_MIGRATIONS,
            Mark.CHECKS,
            Mark.LATEST,
            Mark.AUTO,
            Mark.DEPLOYMENT,
            Mark.PREVIOUS,
            Mark.FIRST,
        )
    )
    if any(one.source for one in order.parts_of(Environments)):
        raise RefusedSentenceError(
            "“from” an environment is a promotion: say Promote PROJECT from ENVIRONMENT to ENVIRONMENT"
        )
    migrates = order.has(Mark.WITH_MIGRATIONS) or bool(order.statements(Verb.RUN))
    run_parts = [part for one in order.statements(Verb.RUN) for part in one.parts]
    stages = order.statements(Verb.STAGE)
    whole = Order(order.verb, (*order.parts, *run_parts, *_told(stages)), order.companions, order.known)
    whole.refuse_unknown()
    projects, version, path = whole.projects(), whole.version(), whole.path()
    places = whole.places()
    ask(
        order.known,
        {
            "project": not projects,
            "version": version is None,
            "environment": places is None and not stages,
            "migrations": path is not None
            and not migrates
            and not any(Mark.WITH_MIGRATIONS in one.parts for one in stages),
        },
        projects,
        latest=order.has(Mark.LATEST) or order.has(Mark.PREVIOUS),
    )
    version = given(version)
    tasks: list[PlannedTask] = []
    for project in projects:
        environments = way_through(project, places, stages)
        _agree(order, project, environments)
        how = _migrating(environments, stages, path, everywhere=migrates)
        tasks += deployments(project, version, environments, how)
    return tasks, _version_notes(projects, version) + migration_notes(tasks, order.known)


def promote(_: Statement, order: Order) -> Done:
    """Deploy the version that one environment runs to another."""
    refuse_more(order, (Mark.WITH_MIGRATIONS,))
    project = order.project()
    source, target = _from_and_to(order)
    missing = {"project": project is None, "from": source is None, "environment": target is None}
    ask(order.known, missing, one_of(project))
    project, source, target = given(project), given(source), given(target)
    return promotion(
        project,
        source,
        target,
        version=order.version(),
        path=order.path(),
        migrates=order.has(Mark.WITH_MIGRATIONS),
    )


def promotion(
    project: KnownProject,
    source: str,
    target: str,
    *,
    version: str | None = None,
    path: str | None = None,
    migrates: bool = False,
) -> Done:
    """Give the deployment of what *source* serves to *target*, with migrations where *source* had them.

    Raises RefusedSentenceError where that leads nowhere, or backwards.
    """
    here(project, source)
    here(project, target)
    way = project.in_order((source, target))
    if source == target or way != (source, target):
        raise RefusedSentenceError(
            f"a promotion goes forward, from {way[0]} to {way[-1]}; from {source} to {target} is none. "
            "To go back to an earlier version say Roll back ENVIRONMENT"
            if source != target
            else f"{source} cannot be promoted to itself; nothing was added"
        )
    serving = project.serving.get(source)
    if serving is None:
        raise RefusedSentenceError(
            f"{source} of {project.name} runs no version on record, so there is nothing to promote; "
            f"deploy one there first, or say Deploy {project.name} version … to {target}"
        )
    if version is not None and version != serving.version:
        raise RefusedSentenceError(
            f"{source} runs {serving.version}, not {version}: promote what runs there, or say "
            f"Deploy {project.name} version {version} to {target}; nothing was added"
        )
    how = Migrating(migrates or serving.migrations_path is not None, path or serving.migrations_path)
    tasks = deployments(project, serving.version, [target], {target: how})
    return tasks, (f"{source} runs {serving.version}.",)


def _told(stages: Sequence[Statement]) -> list[Part]:
    """Give what the lines of a cascade say that holds for all of it."""
    parts: list[Part] = []
    for stage in stages:
        for part in stage.parts:
            if isinstance(part, Environments):
                raise RefusedSentenceError(
                    f"the line of {stage.environment} names another environment; nothing was added"
                )
            if isinstance(part, Mark) and part not in (
                Mark.AUTO,
                Mark.WITH_MIGRATIONS,
                Mark.APPROVAL,
                Mark.CHECKS,
            ):
                raise RefusedSentenceError(
                    f"{part.value!a} is not understood in the line of {stage.environment}"
                )
            if isinstance(part, Version | Path | Projects | Unknown):
                parts.append(part)
    return parts


def _agree(order: Order, project: KnownProject, way: Sequence[str]) -> None:
    """Refuse what goes with a deployment and does not agree with it, or with the gates."""
    autos = [one.environment for one in order.statements(Verb.STAGE) if Mark.AUTO in one.parts]
    autos += way if order.has(Mark.AUTO) else []
    for name in autos:
        if GATES[project.environments[name]].approval is Asks.ALWAYS:
            raise RefusedSentenceError(
                f"{name} is never deployed to by itself: leave “auto” out, and it asks for approval; "
                "nothing was added"
            )
    for one in order.companions:
        if one.verb is Verb.CASE:
            raise RefusedSentenceError(f"{one.label!a} belongs to a provisioning; nothing was added")
        if one.verb is Verb.DEPLOY:
            _agrees(one.parts, project, way[:1], order)
        elif one.verb is Verb.RUN:
            _agrees(one.parts, project, way, order)
        elif one.verb is Verb.WAIT:
            _agrees(one.parts, project, [name for name in way if _asks(project, name)], order)
        elif one.verb is Verb.IF_DEPLOY:
            following = [after for before, after in pairwise(way) if before == one.environment]
            _agrees(one.parts, project, following, order)


def _agrees(parts: Sequence[Part], project: KnownProject, allowed: Sequence[str], order: Order) -> None:
    for part in parts:
        if isinstance(part, Environments) and set(part.names or project.environments) <= set(allowed):
            continue
        if isinstance(part, Projects) and part.names == (project.name,):
            continue
        if isinstance(part, Version) and part.text == order.version():
            continue
        if isinstance(part, Path) or part in (Mark.FIRST, Mark.MIGRATIONS, Mark.DATABASE):
            continue
        said = (
            " and ".join(part.names) if isinstance(part, Environments) else str(getattr(part, "text", part))
        )
        raise RefusedSentenceError(
            f"the sentence contradicts itself: {said or 'all environments'} does not go with "
            "the order of its other lines; nothing was added"
        )


def _asks(project: KnownProject, name: str) -> bool:
    return GATES[project.environments[name]].approval is not Asks.NEVER


def _migrating(
    way: Sequence[str], stages: Sequence[Statement], path: str | None, *, everywhere: bool
) -> Mapping[str, Migrating]:
    own = {one.environment for one in stages if Mark.WITH_MIGRATIONS in one.parts}
    return {name: Migrating(everywhere or name in own, path) for name in way}


def _from_and_to(order: Order) -> tuple[str | None, str | None]:
    """Give the environments of a promotion: from which, to which."""
    sources = [name for one in order.parts_of(Environments) if one.source for name in one.names]
    others = [name for one in order.parts_of(Environments) if not one.source for name in one.names]
    if (
        any(not one.names for one in order.parts_of(Environments))
        or len(sources) > 1
        or len(sources + others) > 2
    ):
        raise RefusedSentenceError("a promotion is from one environment to one other; nothing was added")
    if sources:
        return sources[0], others[0] if others else None
    return (others[0], others[1]) if len(others) == 2 else (None, others[0] if others else None)


def _version_notes(projects: Sequence[KnownProject], version: str) -> tuple[str, ...]:
    """Say where no tag names the version: only development may build it without one."""
    return tuple(
        f"No tag of {one.name} names {version}, and only development builds a version without one"
        f"{did_you_mean(version, one.versions) or '.'}"
        for one in projects
        if one.versions is not None and version not in one.versions
    )
