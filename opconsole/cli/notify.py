"""The commands ``notify test`` and ``notify channels``: who is told of what, and whether it arrives."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from opconsole.cli.output import CommandContext, ExitStatus, UsageError, plain, table
from opconsole.notifying import send
from opconsole.operators import operator_name
from opconsole.settings.notifications import POLICY, Channel, Happening, Priority

_HINT = "add [notifications.channels.NAME] to opconsole.toml"


def try_channels(context: CommandContext, name: str | None) -> int:
    """Send a message to one channel, or to all; 1 where one does not take it."""
    workspace = context.workspace()
    channels = workspace.settings.notifications.channels
    if name is not None and name not in channels:
        allowed = ", ".join(channels) or f"none yet; {_HINT}"
        raise UsageError(f"there is no channel {name!a}; allowed: {allowed}")
    chosen = {name: channels[name]} if name is not None else dict(channels)
    if not chosen:
        raise UsageError(f"no channel is configured; {_HINT}")
    text = (
        f"[P3] {workspace.name}: a test",
        f"{operator_name(context.environ)} tries out who is told. Nothing has happened.",
    )
    with ThreadPoolExecutor(max_workers=8) as pool:
        tries = {
            one: pool.submit(send, workspace, channel, text, Priority.P3, context.environ)
            for one, channel in chosen.items()
        }
        results = {one: each.result() for one, each in tries.items()}
    if context.json:
        context.document(
            [{"channel": one, "taken": error is None, "error": error} for one, error in results.items()]
        )
    for one, error in results.items() if not context.json else ():
        if error is None:
            context.say(f"{one}: taken")
        else:
            context.warn(plain(f"{one}: {error}"))
    return ExitStatus.DONE if not any(results.values()) else ExitStatus.FAILED


def list_channels(context: CommandContext) -> int:
    """List the channels, and what each is told."""
    channels = context.workspace().settings.notifications.channels
    if context.json:
        context.document(
            [
                {
                    "channel": name,
                    "url": str(channel.url),
                    "events": [event.value for event in _events(name, channel)],
                    "least": channel.least.value,
                    "projects": list(channel.projects),
                    "environments": list(channel.environments),
                    "quiet": channel.quiet,
                }
                for name, channel in channels.items()
            ]
        )
        return ExitStatus.DONE
    if not channels:
        context.say(f"Nobody is told of anything; {_HINT}")
        return ExitStatus.DONE
    rows = [
        (
            name,
            ", ".join(_events(name, channel)),
            channel.least.value,
            ", ".join(channel.projects) or "all",
            ", ".join(channel.environments) or "all",
            channel.quiet or "-",
        )
        for name, channel in channels.items()
    ]
    headings = ("CHANNEL", "EVENTS", "LEAST", "PROJECTS", "ENVIRONMENTS", "QUIET")
    context.say(table(headings, rows, context.width))
    return ExitStatus.DONE


def _events(name: str, channel: Channel) -> tuple[Happening, ...]:
    return channel.events or POLICY.get(name) or tuple(Happening)
