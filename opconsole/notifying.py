"""Sending notices through Apprise: from the outbox, one channel beside the other, and to try a channel out.

Apprise is imported only when something is to be sent. A channel that fails is tried again and never fatal.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import timedelta

from guardrails.sanitise import sanitise
from opconsole.host import Host
from opconsole.journal.records import OutboxRow
from opconsole.notices import Notice, body_of, quiet_for, title_of
from opconsole.outbox import Delivery, Sent
from opconsole.settings.notifications import Channel, Priority
from opconsole.settings.secrets import SecretError, SecretRef, resolve
from opconsole.withholding import masked, secrets_of
from opconsole.workspace import Workspace

LONGEST_WAIT = 900.0
"""Seconds between two tries at a channel, at most."""

STALE = timedelta(hours=24)
"""After which a notice that could not be sent is news no more, and is given up."""

LOOK_AGAIN = 600.0
"""Seconds after which quiet hours are looked at again, for clocks and settings change."""

TIMEOUT = 20.0
"""Seconds that one channel may take."""


class Notify:
    """The way out for notices."""

    longest_wait = LONGEST_WAIT

    def lane(self, row: OutboxRow) -> str:
        """Each channel by itself: one that hangs keeps no other waiting."""
        return f"channel {row.payload.get('channel')}"

    def send(self, host: Host, rows: Sequence[OutboxRow]) -> Sent:
        """Send what is due, oldest first, up to the first that fails."""
        settings = host.workspace.settings.notifications
        name = str(rows[0].payload.get("channel"))
        channel = settings.channels.get(name)
        if channel is None:
            return Sent(frozenset(row.seq for row in rows))  # taken out of the settings: nobody wants them
        done: set[int] = set()
        wait: float | None = None
        now = host.clock.now()
        for row in rows:
            notice = Notice.from_payload(row.payload)
            if now - row.created_at > STALE and row.error:
                done.add(row.seq)
                continue
            quiet = quiet_for(channel, notice, now.astimezone())
            if quiet > 0:
                wait = min(quiet, LOOK_AGAIN)
                continue
            secrets = secrets_of(host.workspace, host.environ, notice.project, notice.environment)
            body = masked(body_of(notice, settings.templates), secrets)
            error = send(host.workspace, channel, (title_of(notice), body), notice.priority, host.environ)
            if error is not None:
                return Sent(frozenset(done), f"channel {name} of the notifications: {error}")
            done.add(row.seq)
        return Sent(frozenset(done), None, wait)


def send(
    workspace: Workspace,
    channel: Channel,
    text: tuple[str, str],
    priority: Priority,
    environ: Mapping[str, str],
) -> str | None:
    """Send a title and a text to a channel now; give why that failed, None when it was taken. Blocks."""
    if not isinstance(channel.url, SecretRef):
        return "its URL is no reference to a secret"
    try:
        url = resolve(channel.url, environ=environ, workspace=workspace.root).reveal()
    except SecretError as error:
        return str(error)
    # Imported here: Apprise takes a second, and most workspaces never send anything.
    import apprise  # noqa: PLC0415

    kinds = {Priority.P0: apprise.NotifyType.FAILURE, Priority.P1: apprise.NotifyType.WARNING}
    asset = apprise.AppriseAsset(
        app_id="opconsole",
        app_desc="opconsole",
        app_url="",
        async_mode=False,
        http_redirects=False,  # a redirect would carry the token elsewhere
        interpret_escapes=False,
        storage_mode=apprise.PersistentStoreMode.MEMORY,
        service_timeout=TIMEOUT,
    )
    plugin = apprise.Apprise.instantiate(url, asset=asset)
    if plugin is None:
        return f"Apprise does not know the URL that {channel.url} holds; its schema stands before ://"
    title, body = text
    capture = apprise.LogCapture(level=logging.WARNING, fmt="%(message)s")  # type: ignore[no-untyped-call]
    with capture as log:
        taken = plugin.notify(
            title=title,
            body=body,
            notify_type=kinds.get(priority, apprise.NotifyType.INFO),
            body_format=apprise.NotifyFormat.TEXT,
        )
        said = log.getvalue()
    if taken:
        return None
    told = sanitise(" ".join(masked(said, (url,)).split()), single_line=True, limit=300)
    return told or "it did not take the message"


CHANNELS: Mapping[str, Delivery] = {"notify": Notify()}
"""What leaves for channels, by kind."""
