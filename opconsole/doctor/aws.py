"""AWS: whether what provisioning needs is installed and, only when asked for, whose account it is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from importlib.util import find_spec

from opconsole.doctor import queue_files
from opconsole.doctor.base import ASKING, Check, Patient, Result, fail, ok, warn
from opconsole.provisioning.aws import Aws, AwsAccess, AwsError
from opconsole.settings.aws import AwsSection
from queues.tasks import TaskKind

NEEDED = ("boto3", "cfnlint")
"""The modules of the extra."""


def checks(patient: Patient) -> Iterable[Check]:
    """Give the checks; none where nothing is provisioned."""
    yield Check("aws", partial(look, patient))
    if patient.online and all(find_spec(name) for name in NEEDED):
        for name, section in _sections(patient).items():
            yield Check(name, partial(ask, patient, name, section), ASKING)


def look(patient: Patient) -> Iterator[Result]:
    """See that what is needed is installed, where it is needed."""
    wanted = {
        task.key
        for file in queue_files.read(patient)
        for task in file.tasks
        if task.kind is TaskKind.PROVISIONING
    }
    sections = _sections(patient)
    if not wanted and not sections:
        yield ok("aws", "nothing is provisioned here")
        return
    missing = [name for name in NEEDED if find_spec(name) is None]
    why = f"for {min(wanted)}" if wanted else "for the [aws] of the settings"
    if missing:
        yield fail(
            "aws",
            f"opconsole's extra aws is missing ({', '.join(missing)}), {why}",
            "install it where opconsole and its worker run: pip install 'opconsole[aws]'",
        )
        return
    yield ok("aws", "boto3 and cfn-lint are installed")
    for name, section in sections.items() or [("aws", patient.workspace.settings.aws)]:
        repository = patient.workspace.path(section.repository)
        if wanted and not (repository / ".git").exists():
            yield warn(
                name,
                f"{repository}, which is to keep what is provisioned, is no git repository",
                f"git init {repository}, or set repository in [aws]",
            )
        if not patient.online and section.account is not None:
            yield ok(name, "the account was not asked for; --online asks AWS")


def ask(patient: Patient, name: str, section: AwsSection) -> Iterator[Result]:
    """Ask STS whose account it is."""
    access = AwsAccess(section.region, section.profile, section.role, section.account, section.endpoint)
    try:
        who = Aws(access, patient.environ).identity()
    except AwsError as error:
        found, _, fix = str(error).partition("; ")
        yield fail(name, found, fix or "check the profile, the role and the credentials of the worker")
    else:
        yield ok(name, f"account {who.account}")


def _sections(patient: Patient) -> dict[str, AwsSection]:
    settings = patient.workspace.settings
    found = {
        f"projects.{name}.aws": one.aws for name, one in settings.projects.items() if one.aws is not None
    }
    return ({"aws": settings.aws} if settings.aws != AwsSection() else {}) | found
