"""The command ``provision plan``: what a request would come to, without any access to AWS."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from opconsole.cli.output import CommandContext, ExitStatus, UsageError, plain
from opconsole.provisioning.record import Record, markdown
from opconsole.provisioning.request import ProvisioningRequest, RequestError, aws_of, work_out
from opconsole.provisioning.template import stack_name
from opconsole.workspace import Workspace
from queues.queue_file import read_queue
from queues.task_fields import FieldFaultError, TaskReader
from queues.tasks import Task, TaskKind


def provision_plan(context: CommandContext, what: str, project: str | None) -> int:
    """Work a request out and print its cost, its document and its template; nothing is asked of AWS.

    *what* is a task of a queue, or a file (``-``: standard input) with one queue entry as JSON.
    """
    workspace = context.workspace()
    task = _task(workspace, what, project)
    if task.kind is not TaskKind.PROVISIONING:
        raise UsageError(
            f"{task.id} is a {task.kind.value} task; only provisioning has a request to work out"
        )
    try:
        request = work_out(workspace, task)
    except RequestError as error:
        if context.json:
            context.document({"task": task.id, "findings": [one.to_json() for one in error.findings]})
        for one in error.findings:
            context.warn(plain(f"{one.message}: {one.fix}"))
        return ExitStatus.BLOCKED
    if context.json:
        context.document(_document(workspace, task, request))
        return ExitStatus.DONE
    record = Record(task.project, task.id, "", request.resource, request.case, request.cost, "")
    for line in markdown(record).splitlines():
        context.say(line)
    for one in request.findings:
        context.say(plain(f"{one.verdict.value}: {one.message}; {one.fix}"))
    context.say("")
    for line in request.template.splitlines():
        context.say(plain(line, limit=1000))
    return ExitStatus.DONE


def _document(workspace: Workspace, task: Task, request: ProvisioningRequest) -> dict[str, object]:
    return {
        "task": task.id,
        "project": task.project,
        **request.to_json(),
        "template": json.loads(request.template),
        "region": aws_of(workspace, task.project).region,
        "stack": stack_name(request.resource),
        "findings": [one.to_json() for one in request.findings],
    }


def _task(workspace: Workspace, what: str, project: str | None) -> Task:
    if what == "-" or Path(what).is_file():
        return _from_file(workspace, what, project)
    named, _, name = what.rpartition(":")
    projects = [named] if named else ([project] if project else list(workspace.settings.projects))
    found = []
    for one in projects:
        path = workspace.queue_path(one)
        if path.exists():
            queue = read_queue(path, project=one, environments=workspace.environments(one))
            found += [task for task in queue.tasks if task.id == name]
    if len(found) == 1:
        return found[0]
    if found:
        raise UsageError(f"{plain(name)} is in several queues; write {found[0].project}:{plain(name)}")
    raise UsageError(f"{plain(what)} is neither a task of a queue nor a file with a queue entry")


def _from_file(workspace: Workspace, what: str, project: str | None) -> Task:
    projects = list(workspace.settings.projects)
    name = project or (projects[0] if len(projects) == 1 else None)
    if name is None:
        raise UsageError(
            f"whose request is it? --project; allowed: {', '.join(projects) or 'none configured'}"
        )
    try:
        text = sys.stdin.read(1_000_000) if what == "-" else Path(what).read_text("utf-8")
        entry = json.loads(text)
        if not isinstance(entry, dict):
            raise UsageError(f"{plain(what)} holds no object; allowed: one queue entry")
        return TaskReader(name, workspace.environments(name)).read({"id": "REQUEST", **entry}, 0)
    except (OSError, ValueError) as error:
        if isinstance(error, FieldFaultError):
            raise UsageError(f"{plain(what)}: {error}") from error
        raise UsageError(f"{plain(what)} cannot be read: {plain(str(error))}") from error
