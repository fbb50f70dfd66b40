"""The command ``init``: a commented settings file and an empty queue, and nothing ever overwritten."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from opconsole.cli.output import CommandContext, ExitStatus, UsageError, plain
from opconsole.workspace import init_workspace, workspace_files


def init_command(context: CommandContext, directory: Path | None, adopt: str | None) -> int:
    """Make a workspace of a folder; with *adopt*, give a workspace that was moved the journal of that id."""
    folder = context.directory / directory if directory is not None else context.directory
    if adopt is not None:
        return _adopt(context, folder, adopt)
    try:
        written = init_workspace(folder)
    except OSError as error:
        raise UsageError(
            f"{plain(str(error.filename or folder))}: {error.strerror}; nothing more was written"
        ) from error
    kept = [path for path in workspace_files(folder) if path not in written and path.exists()]
    for path in written:
        context.say(f"wrote {plain(str(path))}")
    for path in kept:
        context.say(f"kept {plain(str(path))}, which was there before")
    if written:
        context.say("Next: describe your environments in opconsole.toml, then `opconsole queue validate`")
    if context.json:
        context.document(
            {
                "workspace": str(folder.resolve()),
                "written": [str(path) for path in written],
                "kept": [str(path) for path in kept],
            }
        )
    return ExitStatus.DONE


def write_unit(context: CommandContext, directory: Path | None, *, system: bool) -> int:
    """Write the systemd unit of the workspace's worker into the workspace; say how to put it in place."""
    # Imported here: only this option needs the unit, the settings and who the person is.
    from opconsole.operators import operator_name  # noqa: PLC0415
    from opconsole.settings import SETTINGS_FILE  # noqa: PLC0415
    from opconsole.systemd import Manager, Unit, unit_name, unit_text  # noqa: PLC0415
    from opconsole.workspace import Workspace, find_workspace  # noqa: PLC0415

    start = context.directory / directory if directory is not None else context.directory
    root = find_workspace(start)
    if root is None:
        raise UsageError(
            f"{plain(str(start))} is no workspace: it has no {SETTINGS_FILE}; opconsole init first"
        )
    workspace = Workspace.open(root, environ=context.environ)
    unit = Unit(
        workspace=workspace.root,
        title=workspace.name,
        python=Path(sys.executable).absolute(),
        user=operator_name({}),
        path=context.environ.get("PATH", os.defpath).split(os.pathsep),
        variables={name: context.environ[name] for name in _PASSED_ON if context.environ.get(name)},
    )
    manager = Manager.SYSTEM if system else Manager.USER
    file = workspace.root / unit_name(workspace.name)
    try:
        text = unit_text(unit, manager, file.name)
        with file.open("x", encoding="utf-8") as opened:
            opened.write(text)
    except FileExistsError:
        raise UsageError(f"{plain(str(file))} exists already; move it away to have it written anew") from None
    except (OSError, ValueError) as error:
        raise UsageError(f"{plain(str(file))} cannot be written: {plain(str(error))}") from error
    context.say(f"wrote {plain(str(file))}; its first lines say how to put it in place")
    if context.json:
        context.document({"workspace": str(workspace.root), "unit": str(file), "manager": manager.value})
    return ExitStatus.DONE


_PASSED_ON = ("OPCONSOLE_STATE_DIR", "OPCONSOLE_OPERATOR")
"""Variables without which the worker would look for another journal, or work under another name."""


def _adopt(context: CommandContext, folder: Path, journal: str) -> int:
    # Imported here: only a move needs the journal's place.
    from opconsole.journal.location import adopt  # noqa: PLC0415
    from opconsole.settings import SETTINGS_FILE  # noqa: PLC0415

    if not (folder / SETTINGS_FILE).is_file():
        raise UsageError(f"{plain(str(folder))} is no workspace: it has no {SETTINGS_FILE}")
    place = adopt(folder, journal)
    context.say(f"{plain(str(folder.resolve()))} has the journal {place.id} again")
    if context.json:
        context.document({"workspace": str(folder.resolve()), "journal": place.id})
    return ExitStatus.DONE
