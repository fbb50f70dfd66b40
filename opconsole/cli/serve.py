"""The command ``serve``: the console in a browser of this machine."""

from __future__ import annotations

import asyncio
import signal
import sys
from importlib.util import find_spec

from opconsole.cli.console import console_on
from opconsole.cli.output import CommandContext, ExitStatus, UsageError, plain

LOOPBACK = {"127.0.0.1": "127.0.0.1", "localhost": "127.0.0.1", "::1": "::1"}
"""Where it may be served, by the names that people give it."""


def serve_console(context: CommandContext, *, host: str, port: int, write: bool) -> int:
    """Serve the console until Ctrl-C."""
    workspace = context.workspace()
    address = LOOPBACK.get(host)
    if address is None:
        raise UsageError(
            f"--host {plain(host)}: the console is served on loopback alone; allowed: {', '.join(LOOPBACK)}. "
            f"From another machine: ssh -L {port or 8000}:127.0.0.1:{port or 8000} to this one"
        )
    if find_spec("textual_serve") is None:
        raise UsageError("the extra web is missing; install it: pip install 'opconsole[web]'")
    if write and workspace.settings.console.read_only:
        raise UsageError("--write: [console] read_only = true in the settings; this workspace is shown only")
    from opconsole.web import Door, serve  # noqa: PLC0415 (an extra's libraries)

    try:
        door = Door.open(address, port)
    except OSError as error:
        raise UsageError(
            f"port {port} of {address} cannot be had ({error.strerror}); --port 0 takes a free one"
        ) from error
    argv = [sys.executable, "-P", "-m", "opconsole", "-C", str(workspace.root), "serve-page"]

    def said() -> None:
        if context.json:
            context.document({"url": door.url, "host": door.host, "port": door.port, "read_only": not write})
        context.say(f"the console of {plain(workspace.name)} is at {door.url}")
        how = "everything can be changed there" if write else "it is read-only; --write allows changes"
        context.say(f"{how}. Whoever has this address can open it; Ctrl-C ends it")
        context.stdout.flush()

    ended_by = asyncio.run(serve(door, [*argv, *(["--write"] if write else [])], workspace.name, said))
    return ExitStatus.STOPPED if ended_by == signal.SIGINT else ExitStatus.DONE


def be_page(context: CommandContext, *, write: bool) -> int:
    """Be the console of one page: textual-serve has our streams in its hands."""
    if "TEXTUAL_DRIVER" not in context.environ:
        raise UsageError("this is how opconsole serve starts a page's console; it is not for people")
    return console_on(context, context.workspace(), read_only=not write)
