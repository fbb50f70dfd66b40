"""Which story a run is told by: provisioning has one of its own."""

from __future__ import annotations

from opconsole import resuming
from opconsole.attempt import Attempt
from opconsole.provisioning.story import ProvisioningStory
from queues.scheduler import Outcome
from queues.tasks import TaskKind


async def advance(attempt: Attempt) -> Outcome:
    """Go on with the attempt's run as far as nobody has to decide, whoever worked on it before."""
    if attempt.task.kind is TaskKind.PROVISIONING:
        return await ProvisioningStory(attempt).advance()
    return await resuming.advance(attempt)
