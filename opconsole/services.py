"""Services: what goes on beside the scheduling while an engine is hosted.

Requests are answered, the outbox is delivered, queue files are watched and leases renewed; what fails of it
ends whoever hosts, for a worker that answers nobody must not look alive.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from watchfiles import awatch

from opconsole.host import Host
from opconsole.journal import ops
from opconsole.journal.errors import JournalBusyError, JournalFullError
from opconsole.journal.wake import changes

FULL_WAIT = 2.0
"""Seconds before something is tried again that a full or busy journal refused."""

RENEWAL = ops.LEASE_SECONDS / 3
"""Seconds between two renewals of the leases that are held here."""

Doing = Callable[[], Awaitable[None]]


class Services:
    """The services of one engine."""

    def __init__(
        self,
        host: Host,
        *,
        answer: Doing,
        reload: Doing,
        others: Sequence[Doing],
        periodic: Sequence[tuple[float, Doing]],
    ) -> None:
        """*answer* answers requests, *reload* reads the queue files; *periodic* looks have their seconds."""
        self._host = host
        self._answer = answer
        self._reload = reload
        self._others = others
        self._periodic = periodic

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Let them go on for as long as this lasts; one that fails cancels the task that is within."""
        every: list[Doing] = [partial(_every, self._host, seconds, look) for seconds, look in self._periodic]
        services = [
            asyncio.ensure_future(self._enduring(service))
            for service in (
                self._answer_requests,
                self._watch_files,
                self._renew,
                *self._others,
                *every,
            )
        ]
        owner = asyncio.current_task()

        def failed(service: asyncio.Task[None]) -> None:
            if not service.cancelled() and service.exception() is not None and owner is not None:
                owner.cancel(f"a service of the engine failed: {service.exception()}")

        for service in services:
            service.add_done_callback(failed)
        try:
            yield
        finally:
            for service in services:
                service.remove_done_callback(failed)
                service.cancel()
            results = await asyncio.gather(*services, return_exceptions=True)
        faults = [fault for fault in results if isinstance(fault, Exception)]
        if faults:
            raise faults[0]

    async def _enduring(self, service: Doing) -> None:
        """Keep a service going through a full disk: what it could not write, it tries again."""
        while True:
            try:
                return await service()
            except (JournalFullError, JournalBusyError):
                await self._host.clock.sleep(FULL_WAIT)

    async def _answer_requests(self) -> None:
        async with contextlib.aclosing(changes(self._host.place)) as news:  # type: ignore[type-var]
            async for _ in news:
                await self._answer()

    async def _watch_files(self) -> None:
        workspace = self._host.workspace
        folder = workspace.root / workspace.settings.workspace.queues
        place = folder if await asyncio.to_thread(folder.is_dir) else workspace.root
        async for changed in awatch(place, recursive=False, step=100):
            if any(Path(path).name.startswith("work_queue_") for _, path in changed):
                await self._reload()

    async def _renew(self) -> None:
        """Renew the leases of the runs that are being worked on here."""
        while True:
            await asyncio.sleep(RENEWAL)  # not the engine's clock: leases go by the database's
            if self._host.at_work:
                await self._host.journal.commit(*(ops.renew_lease(run) for run in self._host.at_work))


async def _every(host: Host, seconds: float, look: Doing) -> None:
    while True:
        await look()
        await host.clock.sleep(seconds)
