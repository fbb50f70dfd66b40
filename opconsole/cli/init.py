"""The command ``init``: a commented settings file and an empty queue, and nothing ever overwritten."""

from __future__ import annotations

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
