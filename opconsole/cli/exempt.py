"""The command ``exempt``: writes an exemption into a project's folder, after its diff was seen."""

from __future__ import annotations

import asyncio
import os
import re
from datetime import UTC, date, datetime
from pathlib import Path

from guardrails.environments import GateKind, resolve_environment
from guardrails.findings import Finding, Verdict
from opconsole.checkouts import checkout_of
from opconsole.cli.asking import ask_on_terminal
from opconsole.cli.output import CommandContext, ExitStatus, UsageError, counted, interactive, plain
from opconsole.exempting import (
    Checkout,
    ExemptionError,
    Proposal,
    Spot,
    Wish,
    propose,
    read_day,
    recheck,
    write,
)
from opconsole.workspace import Workspace

PLACE = re.compile(r"(.+):([1-9][0-9]{0,8})")


def exempt_finding(
    context: CommandContext,
    place: str,
    rule: str,
    wish: tuple[str, str | None],
    *,
    project: str | None,
    environment: str | None,
    yes: bool,
) -> int:
    """Show what would be written, ask, and write it. *wish* is the reason and the last day."""
    match = PLACE.fullmatch(place)
    if match is None:
        raise UsageError(f"{plain(place)} is no place; write it as PATH:LINE, as `check` prints it")
    workspace, line = context.workspace(), int(match[2])
    name, path = _in_project(workspace, Path(match[1]), project)
    try:
        checkout = checkout_of(workspace, name, _environment(workspace, name, environment))
        until = read_day(wish[1] or "")
        proposal = _proposal(checkout, path, line, rule, Wish(wish[0], until))
    except ExemptionError as error:
        raise UsageError(plain(str(error))) from error
    _show(context, proposal)
    if not yes and not interactive(context):
        context.warn("nothing was written: --yes writes it")
        if context.json:
            context.document(_document(proposal, written=False))
        return ExitStatus.USAGE
    if not yes and not _confirmed(proposal):
        context.say("nothing was written")
        return ExitStatus.FAILED
    try:
        write(proposal)
    except ExemptionError as error:
        context.warn(plain(str(error)))
        return ExitStatus.FAILED
    if context.json:
        context.document(_document(proposal, written=True))
        return ExitStatus.DONE
    context.say(plain(f"written into {proposal.name}, line {proposal.line}"))
    context.say("Commit it, and let the task name a version of that commit: a run takes its files from one.")
    return ExitStatus.DONE


def _proposal(checkout: Checkout, path: str, line: int, rule: str, wish: Wish) -> Proposal:
    finding = _finding(recheck(checkout, path).findings, path, line, rule)
    spot = Spot(path, line, rule, finding.statement, seen=None)
    return propose(checkout, spot, wish, today=_today())


def _finding(findings: tuple[Finding, ...], path: str, line: int, rule: str) -> Finding:
    """Give the finding at the place. Raises ExemptionError, which names those that there are."""
    of_rule = [finding for finding in findings if finding.rule == rule]
    here = [finding for finding in of_rule if finding.line == line]
    if here:
        return next((one for one in here if one.verdict is not Verdict.EXEMPT), here[0])
    there = ", ".join(f"{one.rule} at line {one.line}" for one in (of_rule or findings)[:10])
    raise ExemptionError(f"{path}:{line} holds no {rule}; found: {there or 'nothing in this file'}")


def _in_project(workspace: Workspace, path: Path, project: str | None) -> tuple[str, str]:
    """Give the project that a file belongs to, and its path there. Raises UsageError."""
    names = [project] if project is not None else list(workspace.settings.projects)
    found: dict[str, str] = {}
    for name in names:
        folder = workspace.project_path(name).resolve()
        for candidate in (Path.cwd() / path, workspace.root / path, folder / path):
            file = Path(os.path.abspath(candidate))  # noqa: PTH100 - links are for the exemption to judge
            if file.is_file() and file.is_relative_to(folder):
                found.setdefault(name, str(file.relative_to(folder)))
    if len(found) == 1:
        return next(iter(found.items()))
    if found:
        raise UsageError(f"{plain(str(path))} is in several projects: --project {', '.join(found)}")
    raise UsageError(f"{plain(str(path))} is no file of {plain(', '.join(names)) or 'a project'}")


def _environment(workspace: Workspace, project: str, environment: str | None) -> str:
    """Give the environment to judge for: the one named, else the project's first behind a production gate."""
    gates = workspace.environments(project)
    if environment is not None:
        return resolve_environment(environment, gates)
    production = [name for name, gate in gates.items() if gate is GateKind.PRODUCTION]
    if not production:
        raise UsageError(f"{project} has no production; name one: --environment {', '.join(gates)}")
    return production[0]


def _show(context: CommandContext, proposal: Proposal) -> None:
    for line in proposal.diff:
        context.say(plain(line.expandtabs(4)))
    if proposal.exempted > 1:
        context.say(f"{counted(proposal.exempted, 'finding')} of this rule stand there; all become exempt")


def _confirmed(proposal: Proposal) -> bool:
    try:
        answer = asyncio.run(ask_on_terminal(f"Write this into {plain(proposal.name)}? [y/N] "))
    except EOFError:
        return False
    return answer.strip().lower() in {"y", "yes"}


def _document(proposal: Proposal, *, written: bool) -> dict[str, object]:
    return {
        "written": written,
        "file": str(proposal.file),
        "line": proposal.line,
        "exempted": proposal.exempted,
        "diff": list(proposal.diff),
    }


def _today() -> date:
    return datetime.now(UTC).date()
