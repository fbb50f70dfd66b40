"""The record of a provisioned resource: template, case, cost, decision and outputs, committed to git.

It lies in the infrastructure repository in a folder of its own, `<project>/<name>/`. Writing the same record
again changes nothing and makes no commit, so a crash in the middle is mended by doing it again.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from guardrails.sanitise import sanitise
from opconsole.git import Git, GitError
from opconsole.provisioning.case import BusinessCase
from opconsole.provisioning.cost import CostEstimate
from opconsole.provisioning.resources import Resource
from opconsole.trees import UnsafeTreeError, inside

RECORD_LIMIT = 60.0
"""Seconds for writing and committing a record."""


class RecordError(Exception):
    """The record cannot be kept; says where and what to do."""


@dataclass(frozen=True, slots=True)
class Decision:
    """Who approved, when and why."""

    by: str
    at: str
    reason: str
    digest: str


@dataclass(frozen=True, slots=True)
class Record:
    """All that is kept of a provisioned resource."""

    project: str
    task: str
    run: str
    """Empty: nothing was run yet."""
    resource: Resource
    case: BusinessCase
    cost: CostEstimate
    template: str
    """As it was sent."""
    account: str = ""
    region: str = ""
    stack: str = ""
    decisions: Sequence[Decision] = ()
    outputs: Mapping[str, str] = field(default_factory=dict)
    verified: Sequence[str] = ()
    """What was read back and holds."""


def markdown(record: Record) -> str:
    """Write the record for people; without decisions and outputs it is the request that waits for them."""
    resource, case, cost = record.resource, record.case, record.cost
    lines = [
        f"# {resource.type.words} {resource.name}",
        "",
        _plain(resource.purpose),
        "",
        "## Business case",
        "",
    ]
    lines += [f"- Justification: {_plain(case.justification)}"]
    lines += [f"- Cost estimate: {_plain(case.cost_estimate)}", "- Alternatives considered:"]
    lines += [f"  {number}. {_plain(one)}" for number, one in enumerate(case.alternatives, 1)]
    lines += ["- Risk assessment:", *(f"  - {_plain(one)}" for one in case.risks), ""]
    lines += ["## Cost", "", "| what | US dollars a month |", "|---|---:|"]
    lines += [f"| {line.what} | {line.monthly} |" for line in cost.lines]
    lines += [f"| **estimate** (prices as of {cost.as_of}) | **{cost.monthly}** |", ""]
    lines += ["Assumed:", "", *(f"- {one}" for one in cost.assumptions), ""]
    lines += [f"Not in the table of prices: {', '.join(cost.unknown)}", ""] if cost.unknown else []
    if record.decisions:
        lines += ["## Decision", ""]
        lines += [
            f"- {_plain(one.by)} approved plan {one.digest} on {one.at}: {_plain(one.reason)}"
            for one in record.decisions
        ]
        lines.append("")
    if record.stack:
        lines += ["## Where it is", ""]
        lines += [f"- account {record.account}, region {record.region}, stack {record.stack}"]
        lines += [f"- {_plain(name)}: {_plain(value)}" for name, value in sorted(record.outputs.items())]
        lines.append("")
    if record.verified:
        lines += ["## Read back", "", *(f"- {_plain(one)}" for one in record.verified), ""]
    done = f"Provisioned by task {record.project}:{record.task}, run {record.run}."
    lines += [done if record.run else f"Asked for by task {record.project}:{record.task}.", ""]
    return "\n".join(lines)


def as_json(record: Record) -> dict[str, object]:
    """Give the record for other programs."""
    return {
        "project": record.project,
        "task": record.task,
        "run": record.run,
        "resource": record.resource.to_json(),
        "business_case": record.case.to_json(),
        "cost": record.cost.to_json(),
        "account": record.account,
        "region": record.region,
        "stack": record.stack,
        "decisions": [
            {"by": one.by, "at": one.at, "reason": one.reason, "plan": one.digest} for one in record.decisions
        ],
        "outputs": dict(record.outputs),
        "verified": list(record.verified),
    }


async def check_repository(repository: Path) -> None:
    """Say before anything changes whether a record can be kept there. Raises RecordError."""
    if not await asyncio.to_thread(repository.is_dir):
        raise RecordError(
            f"the infrastructure repository {repository} is not there; make it (git init {repository}), "
            "or set [aws] repository"
        )
    try:
        await Git(repository).run("rev-parse", "--git-dir")
    except GitError as error:
        raise RecordError(
            f"{repository} is no git repository: run `git init` in it, or set [aws] repository ({error})"
        ) from error


async def commit_record(repository: Path, record: Record) -> str:
    """Write the record's files and commit them; give the commit. Raises RecordError."""
    await check_repository(repository)
    try:
        folder = await asyncio.to_thread(_write, repository, record)
        git = Git(repository)
        await git.run("add", "--", str(folder))
        changed = await git.run("status", "--porcelain", "--", str(folder))
        if changed.strip():
            who = record.decisions[-1].by if record.decisions else "nobody"
            title = f"Provision {record.resource.type.words} {record.resource.name} for {record.project}"
            body = f"Task {record.task}, run {record.run}; approved by {_plain(who)}."
            identity = ("-c", "user.name=opconsole", "-c", "user.email=opconsole@localhost")
            signing = ("-c", "commit.gpgSign=false")
            await git.run(
                *identity, *signing, "commit", "--quiet", "-m", title, "-m", body, "--only", "--", str(folder)
            )
        commit = await git.commit_of("HEAD")
    except (GitError, OSError, UnsafeTreeError) as error:
        raise RecordError(f"the record could not be kept in {repository}: {error}") from error
    return commit or ""


def _write(repository: Path, record: Record) -> Path:
    folder = Path(record.project) / record.resource.name
    place = inside(repository, str(folder))
    place.mkdir(parents=True, exist_ok=True)
    texts = {
        "template.json": record.template,
        "README.md": markdown(record),
        "record.json": json.dumps(as_json(record), indent=2, ensure_ascii=False) + "\n",
    }
    for name, text in texts.items():
        fresh = place / f".{name}.new"
        with fresh.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(place / name)
    return folder


def _plain(text: str) -> str:
    """Give text from outside as one line that is no markup of its own."""
    line = sanitise(text, single_line=True)
    return "".join(f"\\{one}" if one in "\\`*_[]<>|#" else one for one in line)
