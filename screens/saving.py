"""Writes something into a new file that the person names, and says what came of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

from screens.desk import Desk, describe
from screens.dialogs.save import SaveDialog


async def save_as(
    desk: Desk, title: str, text: str, name: str, write: Callable[[Path], Awaitable[str]]
) -> None:
    """Ask for a file, let *write* write it, and tell what it says. In a worker only."""
    file = await desk.show(SaveDialog(desk.waits, title, text, Path.home() / name))
    if file is None:
        return
    try:
        told = await write(file)
    except FileExistsError:
        desk.tell(f"{file} is there already and stays as it is; choose another name.", wrong=True)
    except OSError as error:
        desk.tell(f"{file} cannot be written: {error.strerror or error}.", wrong=True)
    except Exception as error:  # noqa: BLE001 (a fault of the console must not end the screen)
        desk.tell(f"{describe(error)}. Nothing was written.", wrong=True)
    else:
        desk.tell(f"Wrote {told} to {file}.")
