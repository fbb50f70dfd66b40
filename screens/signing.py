"""Signing an approval from the console: unseen where the agent can, else with ssh-keygen on the terminal."""

from __future__ import annotations

import asyncio

from textual.app import SuspendNotSupported

from opconsole.signing import SigningError
from screens.desk import Desk


async def signature_for(desk: Desk, about: str, reason: str) -> str:
    """Give the signature of a run's, or a policy's, approval; empty where there is none, as was told."""
    try:
        return await asyncio.to_thread(desk.console.sign, about, reason, ask=False)
    except SigningError:
        pass  # it may only have wanted to ask for a passphrase or a touch
    try:
        with desk.app.suspend():
            return desk.console.sign(about, reason, ask=True)
    except SigningError as error:
        desk.tell(f"{error}.", wrong=True, title="Not signed")
    except SuspendNotSupported:
        text = "ssh-keygen needs a terminal to ask on. Give your agent the key, or use opconsole approve."
        desk.tell(text, wrong=True, title="Not signed")
    return ""
