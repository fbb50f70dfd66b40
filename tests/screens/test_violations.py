"""The violations: read with their code, opened, exempted after a diff was shown, checked again."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from textual.widgets import Button, Input, Static

from screens.dialogs.exempt import ExemptDialog
from screens.dialogs.menu import ActionsMenu
from screens.dialogs.simple import ConfirmDialog, NoticeDialog
from screens.editor import NoEditorError, editor_command
from screens.widgets.source_text import code_around
from screens.widgets.violations import ViolationsView

PATH = "backend/alembic/versions/migration_001.py"
HOSTILE = "x = '\x1b]52;c;ZXZpbA==\x07'\n\x1b]0;\ny = 1 # \u202e[/bold][@click=app.quit]\nz\r\x0c\u2028= 2\n"


@pytest.fixture
def project(console: Any, samples: Any, tmp_path: Path) -> Path:
    """Give the file of the blocked run's project; the run saw it as it is."""
    file = tmp_path / "project" / PATH
    file.parent.mkdir(parents=True)
    file.write_text(samples.blocked_source())
    console.folder = tmp_path / "project"
    console.sources[PATH] = samples.blocked_source()
    return file


def text_of(pilot: Any, widget: str = "#text") -> str:
    return str(pilot.app.screen.query_one(widget, Static).content)


def pane(pilot: Any) -> ViolationsView:
    view: ViolationsView = pilot.app.operations.query_one(ViolationsView)
    return view


def shown(pilot: Any) -> str:
    return str(pane(pilot).query_one(Static).content)


async def go(pilot: Any, until: Callable[..., Any]) -> None:
    """Select the blocked run and go to its violations."""
    await until(pilot, lambda: pilot.app.operations.table.selected)
    pilot.app.operations.table.select("credentialmate:DEPLOY-PROD-002")
    await until(pilot, lambda: pilot.app.operations.situation().finding)
    await pilot.press("v")
    await until(pilot, lambda: pane(pilot).has_focus)


async def test_the_selected_finding_shows_the_code_around_its_line_with_a_sign(
    console: Any, project: Path, make_app: Any, until: Any
) -> None:
    async with make_app(console).run_test(size=(140, 40)) as pilot:
        await go(pilot, until)
        await until(pilot, lambda: "» 15 │" in shown(pilot))
        rows = shown(pilot).splitlines()
        place = next(number for number, row in enumerate(rows) if "» 15 │" in row)
        assert [row.split("│")[0].split()[-1] for row in rows[place - 4 : place + 5]] == [
            str(n) for n in range(11, 20)
        ]
        assert sum("»" in row for row in rows) == 1
        assert rows[place - 5].split()[:3] == ["›", "line", "15"]
        await pilot.press("j")
        await until(pilot, lambda: "» 22 │" in shown(pilot))
        assert pane(pilot).selected.rule == "delete-where"
        assert "» 15 │" not in shown(pilot)
        await pilot.press("E")
        assert pane(pilot).selected.rule == "drop-table"
        await pilot.press("e", "e")
        assert pane(pilot).selected.rule == "delete-where"
        await pilot.press("k")
        assert pane(pilot).selected.rule == "drop-table"


async def test_the_selected_finding_stays_in_view(
    console: Any, samples: Any, make_app: Any, until: Any
) -> None:
    task, run = samples.blocked()
    file = run.run.report["files"][0]
    many = [{**file["findings"][1], "line": line} for line in range(1, 60)]
    report = {**run.run.report, "files": [{**file, "findings": many}]}
    console.put(task, replace(run, run=replace(run.run, report=report)))
    async with make_app(console).run_test(size=(80, 24)) as pilot:
        await go(pilot, until)
        view = pane(pilot)
        for key in ("j", "j", "j", "j", "j", "j", "G", "k", "g"):
            await pilot.press(key)
            await pilot.pause()
            region, top = view.scrollable_content_region.height, view.scroll_y
            row = next(n for n, text in enumerate(shown(pilot).splitlines()) if text.startswith("  ›"))
            assert top <= row < top + region, key


async def test_a_finding_is_exempted_with_a_reason_after_its_diff_was_shown(
    console: Any, project: Path, samples: Any, make_app: Any, until: Any
) -> None:
    async with make_app(console).run_test(size=(140, 40)) as pilot:
        await go(pilot, until)
        await pilot.press("a")
        await until(pilot, lambda: isinstance(pilot.app.screen, ActionsMenu))
        await pilot.press("e")
        await until(pilot, lambda: isinstance(pilot.app.screen, ExemptDialog))
        await pilot.pause()
        dialog = pilot.app.screen
        assert dialog.focused.id == "cancel"
        assert f"{PATH}:15" in text_of(pilot)
        assert 'op.execute("DROP TABLE old_users")' in text_of(pilot)
        dialog.query_one("#diff", Button).press()
        await until(pilot, lambda: "a reason is needed" in text_of(pilot, "#missing"))
        dialog.query_one("#reason", Input).value = "copied to archive_users"
        dialog.query_one("#until", Input).value = "soon"
        dialog.query_one("#diff", Button).press()
        await until(pilot, lambda: "is no day" in text_of(pilot, "#missing"))
        dialog.query_one("#until", Input).value = "2126-12-31"
        dialog.query_one("#diff", Button).press()
        await until(pilot, lambda: isinstance(pilot.app.screen, ConfirmDialog))
        await pilot.pause()
        mark = "    # safety-exception: drop-table until 2126-12-31: copied to archive_users"
        assert f"+{mark}" in text_of(pilot).splitlines()
        assert project.read_text() == samples.blocked_source(), "a diff is no change"
        assert pilot.app.screen.focused.id == "cancel"
        await pilot.press("y")
        await until(pilot, lambda: isinstance(pilot.app.screen, NoticeDialog))
        await pilot.pause()
        assert "commit it" in text_of(pilot)
        assert project.read_text().splitlines()[14] == mark
        await pilot.press("escape")
        await until(pilot, lambda: pane(pilot).has_focus)
        await pilot.press("r")
        await until(pilot, lambda: "○ exempt  line 16  drop-table" in shown(pilot))


async def test_cancelling_the_diff_writes_nothing(
    console: Any, project: Path, samples: Any, make_app: Any, until: Any
) -> None:
    async with make_app(console).run_test(size=(80, 24)) as pilot:
        await go(pilot, until)
        await pilot.press("X")
        await until(pilot, lambda: isinstance(pilot.app.screen, ExemptDialog))
        await pilot.pause()
        pilot.app.screen.query_one("#reason", Input).value = "copied"
        pilot.app.screen.query_one("#diff", Button).press()
        await until(pilot, lambda: isinstance(pilot.app.screen, ConfirmDialog))
        await pilot.pause()
        await pilot.press("enter")
        await until(pilot, lambda: pane(pilot).has_focus)
        assert project.read_text() == samples.blocked_source()


async def test_a_line_that_was_changed_since_the_run_is_refused(
    console: Any, project: Path, samples: Any, make_app: Any, until: Any
) -> None:
    changed = samples.blocked_source().replace("old_users", "users")
    project.write_text(changed)
    async with make_app(console).run_test(size=(140, 40)) as pilot:
        await go(pilot, until)
        await pilot.press("X")
        await until(pilot, lambda: isinstance(pilot.app.screen, ExemptDialog))
        await pilot.pause()
        pilot.app.screen.query_one("#reason", Input).value = "copied"
        pilot.app.screen.query_one("#diff", Button).press()
        await until(pilot, lambda: "does not read any more" in text_of(pilot, "#missing"))
        assert project.read_text() == changed


async def test_a_read_only_console_exempts_nothing(
    console: Any, project: Path, make_app: Any, until: Any
) -> None:
    console.read_only = True
    async with make_app(console).run_test(size=(140, 40), notifications=True) as pilot:
        await go(pilot, until)
        await pilot.press("X")
        await until(pilot, lambda: pilot.app.screen.query("Toast"))
        assert pilot.app.screen is pilot.app.operations


async def test_the_editor_is_given_the_terminal_and_the_line(
    console: Any, project: Path, make_app: Any, until: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = console.folder.parent / "told"
    program = told.with_name("vim")
    program.write_text(
        f"#!{sys.executable}\nimport sys\nopen({str(told)!r}, 'w').write('\\n'.join(sys.argv[1:]))\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("VISUAL", f"{program} -n")
    app = make_app(console)
    suspended = []

    @contextlib.contextmanager
    def suspend() -> Iterator[None]:
        suspended.append(True)
        yield

    async with app.run_test(size=(140, 40), notifications=True) as pilot:
        await go(pilot, until)
        await pilot.press("o")
        await until(pilot, lambda: "real terminal" in notices(pilot))
        assert not told.exists()
        monkeypatch.setattr(app, "suspend", suspend)
        await pilot.press("o")
        await until(pilot, told.exists)
        assert told.read_text().splitlines() == ["-n", "+15", str(project)]
        monkeypatch.delenv("VISUAL")
        monkeypatch.delenv("EDITOR", raising=False)
        await pilot.press("o")
        await until(pilot, lambda: "set $VISUAL or $EDITOR" in notices(pilot))
        project.unlink()
        await pilot.press("r")
        await until(pilot, lambda: "not in the project's folder" in notices(pilot))
        assert len(suspended) == 1


def notices(pilot: Any) -> str:
    return "\n".join(str(toast.render()) for toast in pilot.app.screen.query("Toast"))


@pytest.mark.parametrize(
    ("editor", "wanted"),
    [
        ("vim", ["vim", "+7", "/p/a b.py"]),
        ("/usr/bin/nvim -p", ["/usr/bin/nvim", "-p", "+7", "/p/a b.py"]),
        ("emacsclient -t", ["emacsclient", "-t", "+7", "/p/a b.py"]),
        ("hx", ["hx", "/p/a b.py:7"]),
        ("code --wait", ["code", "--wait", "--goto", "/p/a b.py:7"]),
        ("strange; rm -rf /", ["strange;", "rm", "-rf", "/", "/p/a b.py"]),
    ],
)
def test_every_editor_is_told_the_line_in_its_own_way(editor: str, wanted: list[str]) -> None:
    assert editor_command({"EDITOR": editor}, Path("/p/a b.py"), 7) == wanted
    assert editor_command({"VISUAL": editor, "EDITOR": "ed"}, Path("/p/a b.py"), 7) == wanted


@pytest.mark.parametrize("environ", [{}, {"EDITOR": "  "}, {"VISUAL": "vim 'open"}])
def test_without_an_editor_it_is_said_what_to_set(environ: dict[str, str]) -> None:
    with pytest.raises(NoEditorError, match=r"\$VISUAL"):
        editor_command(environ, Path("/p/a.py"), 7)


def test_hostile_code_is_shown_line_by_line_and_steers_nothing() -> None:
    for line, start in ((1, "x = '"), (3, "y = 1"), (4, "z")):
        [here] = [row for row in code_around(HOSTILE, "a.py", line) if row.here]
        assert (here.number, here.text.plain.startswith(start)) == (line, True)
    plain = "".join(row.text.plain for row in code_around(HOSTILE, "a.py", 3))
    assert all(character.isprintable() for character in plain)
    assert "[/bold][@click=app.quit]" in plain
    assert code_around(HOSTILE, "a.py", 99) == []
    assert code_around(HOSTILE, "a.py", 0) == []
