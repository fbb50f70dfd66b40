"""Answers a request where nobody hosts the engine: whoever asks does, holding the host lock for a moment."""

from __future__ import annotations

from opconsole.answers import Then
from opconsole.clock import Clock
from opconsole.console import Answer
from opconsole.deliveries import FILES
from opconsole.host import open_host
from opconsole.housekeeping import Housekeeper
from opconsole.journal import ops
from opconsole.journal.location import JournalPlace
from opconsole.journal.records import RequestKind, RequestRow
from opconsole.outbox import Outbox
from opconsole.recovery import interrupt_left_behind
from opconsole.requests import Answerer
from opconsole.workspace import Workspace


async def answer_alone(
    workspace: Workspace, place: JournalPlace, request: RequestRow, clock: Clock
) -> Answer:
    """Answer a request; no effect is begun. The caller holds the host lock."""
    async with open_host(workspace, place, operator=request.created_by, clock=clock) as host:
        if request.kind in (RequestKind.DECIDE, RequestKind.CANCEL):
            await interrupt_left_behind(host, str(request.payload.get("run", "")))
        await host.journal.commit(ops.insert_request(request))
        reply = await Answerer(host).answer(request)
        if any(one.then is Then.PRUNE for one in reply.follow_ups):  # it touches nothing that runs
            return Answer(granted=True, text=str(await Housekeeper(host).clear(request.created_by)))
        await Outbox(host, FILES).deliver()
        return Answer(granted=reply.granted, text=reply.text)
