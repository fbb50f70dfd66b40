"""Every text of every view and every command goes one way in: hostile ones do nothing to a real terminal."""

from __future__ import annotations

import json
import os
import string
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from guardrails.sanitise import sanitise
from opconsole.journal import ops
from opconsole.journal.records import Phase, StepRow, StepState
from queues.states import RunState

HERE = Path(__file__).parent
HOSTILE = (
    "\x1b]52;c;WEFUVEFDSw==\x07[/bold][@click=app.quit]x[/]\x1b]0;XTITLE\x07\x1b]8;;file:///XLINK\x1b\\l\x1b]8;;\x1b\\"
    "\x9b31m\x9d52;c;WEMx\x9c\u202e\u2066\u200b\U000e0041\x1bP1$rXDCS\x1b\\\x1b_XAPC\x1b\\\x00\rover\x08\x08\n"
    "second \x1b[2J\x1b[6n\x1b[21t\x1b"
)

KEYS = [key for key in string.ascii_letters + string.digits + "?/:.,<>[]+-" if key not in "qQy"]
"""Every key that may open something; not those that quit, nor the one that copies on purpose."""


def test_every_text_of_every_view_leaves_the_terminal_alone(
    terminal: Callable[..., Any],
    harmless: Callable[[bytes], None],
    program_environ: Callable[[Path], dict[str, str]],
    tmp_path: Path,
) -> None:
    # A pager that stayed would take the keys that follow, and send what is its own.
    environ = {**program_environ(tmp_path), "EDITOR": "true", "VISUAL": "true", "PAGER": "true"}
    shown = terminal(
        [sys.executable, str(HERE / "hostile_console.py"), str(tmp_path)], environ, size=(160, 50)
    )
    shown.until(lambda text: "[/bold][@click=app.quit]x[/]" in text)
    for row in range(5):
        for key in KEYS:
            shown.send(key)
            shown.settle(0.03)
            if row == 0 or key in "alv123456789":
                shown.send("\t\r")
                shown.settle(0.03)
            shown.send("\x1b")
            shown.settle(0.03)
        shown.send("\x1b\x1b1gj" + "j" * row)
        shown.settle(0.1)
    assert os.waitpid(shown.pid, os.WNOHANG) == (0, 0), f"it ended by a hostile text:\n{shown.text}"
    harmless(shown.bytes)
    assert "Traceback" not in shown.bytes.decode("utf-8", "replace")


def hostile_journal(desk: Any) -> list[str]:
    """Fill every text column that there is with hostile text."""
    (desk.root / "tasks" / "work_queue_shop.json").write_text(
        json.dumps(
            {
                "project": "shop",
                "features": [
                    desk.entry("DEPLOY-DEV", "dev", description=HOSTILE),
                    desk.entry("DEPLOY-PROD", "production", description=HOSTILE, completion_promise=HOSTILE),
                    desk.entry(HOSTILE, HOSTILE, version=HOSTILE, status=HOSTILE, migrations_path=HOSTILE),
                    {"id": "OTHER-1", "agent_type": HOSTILE, "description": HOSTILE, HOSTILE: HOSTILE},
                ],
            }
        )
    )
    texts = {"reason": HOSTILE, "version": HOSTILE, "requested_by": HOSTILE}
    ids = []
    for task, environment, state in (
        ("DEPLOY-DEV", "development", RunState.FAILED),
        ("DEPLOY-PROD", "production", RunState.WAITING),
        (HOSTILE, HOSTILE, RunState.SUCCEEDED),
    ):
        texts.pop("requested_by", None)
        run = desk.run(task, environment, state, id=f"r-{len(ids)}", **texts)
        ids.append(run.id)
        finding = {
            "rule": HOSTILE,
            "severity": HOSTILE,
            "verdict": "warn",
            "line": 3,
            "message": HOSTILE,
            "fix": HOSTILE,
        }
        finding |= {
            "statement": HOSTILE,
            "reason": HOSTILE,
            "direction": HOSTILE,
            "column": 1,
            "layer": HOSTILE,
        }
        step = StepRow(
            run.id,
            0,
            Phase.EFFECT,
            HOSTILE,
            HOSTILE,
            HOSTILE,
            StepState.PENDING,
            argv=(HOSTILE,),
            detail=HOSTILE,
        )
        desk.write(
            ops.plan_step(step),
            ops.start_step(run.id, 0, desk.now),
            ops.end_step(
                run.id, 0, StepState.FAILED, desk.now + timedelta(seconds=2), status=3, detail=HOSTILE
            ),
            ops.update_run(
                run.id,
                1,
                report={"verdict": "warn", "files": [{"path": HOSTILE, "findings": [finding]}]},
                preflight=((False, HOSTILE),),
                plan={"task": HOSTILE, "steps": [{"name": HOSTILE, "argv": [HOSTILE], "kind": HOSTILE}]},
                commit_id=HOSTILE,
                release=HOSTILE,
                previous_version=HOSTILE,
                revision_after=HOSTILE,
                verified_by=HOSTILE,
                verified_reason=HOSTILE,
            ),
            ops.audit(desk.now, HOSTILE, HOSTILE[:60], HOSTILE, text=HOSTILE),
            ops.event(desk.now, "alert", "shop", task=task, run=run.id, detail={"text": HOSTILE}),
        )
        log = desk.place.runs / run.id / "log"
        log.parent.mkdir(parents=True)
        log.write_text(
            "".join(f"2026-03-01T12:00:00.000Z {s} {HOSTILE}".replace("\n", "|") + "\n" for s in "oOeEn")
        )
    desk.approval(desk_run(desk, "r-1"), why=(HOSTILE,))
    desk.release(desk_run(desk, "r-0"))
    return [*ids, "DEPLOY-DEV", HOSTILE.replace("\0", "")]


def desk_run(desk: Any, number: str) -> Any:
    from opconsole.journal.reader import JournalReader  # noqa: PLC0415
    from opconsole.journal.upgrade import open_database  # noqa: PLC0415

    engine = open_database(desk.place, host=False)
    try:
        return JournalReader(engine).run(number)
    finally:
        engine.dispose()


def test_every_command_that_tells_something_leaves_the_terminal_alone(
    desk: Any,
    terminal: Callable[..., Any],
    harmless: Callable[[bytes], None],
    program_environ: Callable[[Path], dict[str, str]],
    tmp_path: Path,
) -> None:
    ids = hostile_journal(desk)
    environ = {**program_environ(tmp_path), "OPCONSOLE_STATE_DIR": os.environ["OPCONSOLE_STATE_DIR"]}
    words = [sys.executable, str(HERE / "hostile_commands.py"), str(desk.root), *ids]
    shown = terminal(words, environ, size=(160, 50))
    assert shown.over() == 0, shown.text
    assert b"== all told" in shown.bytes
    harmless(shown.bytes)
    told = shown.bytes.decode("utf-8", "replace")
    for command in ("history", "report", "logs", "queue", "audit", "status", "approvals"):
        assert f"== '{command}'" in told
    assert "[/bold][@click=app.quit]x[/]" in told, "markup is text"
    assert "Traceback" not in told


def test_09_a_gigabyte_line_without_newline_is_bounded_wherever_it_is_shown(tmp_path: Path) -> None:
    """A program prints a gigabyte and no newline; its shim and whatever shows it hold a few lines of it."""
    script = (
        "import asyncio, os, resource, sys\n"
        "from pathlib import Path\n"
        "from opconsole.programs import Program, run_program\n"
        "folder = Path(sys.argv[1])\n"
        "count = int(sys.argv[2])\n"
        "told = f'import os\\nfor _ in range({count}): os.write(1, b\"x\" * 1048576)'\n"
        "program = Program((sys.executable, '-I', '-c', told), folder, {'PATH': os.defpath}, limit=300)\n"
        "done = asyncio.run(run_program(program, folder=folder / 'step', log=Path('/dev/null')))\n"
        "assert done.ok, done.reason\n"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)\n"
    )
    root = str(HERE.parents[1])
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path), "1024"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": root},
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 120 * 1024, "kibibytes that the shim and the program ever held"
    shown = sanitise("x" * 1_000_000, limit=4000)
    assert len(shown) == 4000
    assert shown.endswith(" more)")


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_04_wherever_the_chunks_of_everything_hostile_end_the_same_comes_out(size: int) -> None:
    from guardrails.sanitise import Sanitiser  # noqa: PLC0415

    sanitiser = Sanitiser(colours=True)
    pieces = [sanitiser.feed(HOSTILE[at : at + size]) for at in range(0, len(HOSTILE), size)]
    assert "".join(pieces) + sanitiser.close() == sanitise(HOSTILE, colours=True)
