"""The command ``doctor``: is the set-up sound, and if not, what to do."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from opconsole.cli.output import CommandContext, ExitStatus, NoWorkspaceError, counted, interactive, plain
from opconsole.doctor import Level, Patient, Result, TerminalFacts, examine, examine_without_workspace
from opconsole.doctor.base import fail
from opconsole.doctor.settings import faults
from opconsole.settings.errors import SettingsError

TMUX_LIMIT = 5.0
"""Seconds for asking tmux."""


def see_doctor(context: CommandContext, *, everything: bool, online: bool) -> int:
    """Look at the set-up; 1 where something does not work."""
    facts = terminal_facts(context)
    try:
        workspace = context.workspace()
    except SettingsError as error:
        found = examine_without_workspace(facts, context.environ, faults(error))
    except NoWorkspaceError as error:
        missing = fail(
            str(error.start),
            "this is in no workspace: neither it nor a folder above has opconsole.toml",
            "name one with -C DIR, make one here with opconsole init, or try opconsole demo",
        )
        found = examine_without_workspace(facts, context.environ, [missing])
    else:
        found = examine(Patient(workspace, context.environ, datetime.now(UTC), facts, online))
    results = [result for group in found.values() for result in group]
    broken = any(result.level is Level.FAIL for result in results)
    if context.json:
        context.document(
            {
                "sound": not broken,
                "checks": [_json(group, result) for group, those in found.items() for result in those],
            }
        )
    else:
        _print(context, found, everything=everything)
    return ExitStatus.FAILED if broken else ExitStatus.DONE


def terminal_facts(context: CommandContext) -> TerminalFacts:
    """Ask the terminal, and tmux where it runs in one."""
    size = shutil.get_terminal_size()
    inside = interactive(context)
    return TerminalFacts(
        interactive=inside,
        encoding=getattr(context.stdout, "encoding", None) or sys.getdefaultencoding(),
        columns=size.columns,
        lines=size.lines,
        clipboard=_clipboard(context.environ) if inside and context.environ.get("TMUX") else None,
    )


def _clipboard(environ: Mapping[str, str]) -> str | None:
    tmux = shutil.which("tmux", path=environ.get("PATH", os.defpath))
    if tmux is None:
        return None
    try:
        done = subprocess.run(
            [tmux, "show-options", "-sv", "set-clipboard"],
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TMUX_LIMIT,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None


def _print(context: CommandContext, found: Mapping[str, Sequence[Result]], *, everything: bool) -> None:
    wide = max(map(len, found))
    for group, results in found.items():
        bad = [result for result in results if result.level is not Level.OK]
        for result in results if everything else bad:
            mark = _word(context, result.level)
            context.say(f"{mark}  {group:<{wide}}  {plain(result.place)}: {plain(result.found)}")
            if result.fix:
                context.say(f"      {'':<{wide}}  fix: {plain(result.fix)}")
        if results and not bad and not everything:
            said = f"{len(results)} looked at" if len(results) > 1 else plain(results[0].found)
            context.say(f"{_word(context, Level.OK)}  {group:<{wide}}  {said}")
    levels = [result.level for results in found.values() for result in results]
    failed, warned = levels.count(Level.FAIL), levels.count(Level.WARN)
    if failed or warned:
        context.say(f"\n{counted(failed, 'fault')}, {counted(warned, 'warning')}")
    else:
        context.say("\nAll is well.")


def _word(context: CommandContext, level: Level) -> str:
    word, colour = {Level.OK: ("ok  ", "32"), Level.WARN: ("warn", "33"), Level.FAIL: ("FAIL", "31")}[level]
    return f"\x1b[{colour}m{word}\x1b[0m" if context.colours else word


def _json(group: str, result: Result) -> dict[str, object]:
    return {
        "group": group,
        "place": result.place,
        "level": result.level.value,
        "found": result.found,
        "fix": result.fix or None,
    }
