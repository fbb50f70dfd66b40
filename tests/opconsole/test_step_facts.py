"""What is kept of a step's programs: their words without secrets, names of variables, and how they ended."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from opconsole.logs import part
from opconsole.programs import Program, TraceState, run_program
from opconsole.step_facts import note_program, programs_of

SECRET = "correct horse battery"
START = datetime(2026, 3, 2, 14, 5, tzinfo=UTC)


def test_a_program_is_told_without_its_secrets_and_with_its_end(tmp_path: Path) -> None:
    folder = tmp_path / "steps" / "05-switch-0"
    folder.mkdir(parents=True)
    argv = ("/bin/sh", "-c", "exit 3", f"--password={SECRET}")
    program = Program(argv, tmp_path, {"PATH": "/bin", "TOKEN": SECRET}, 20, secrets=(SECRET,))
    note_program(folder, program)
    asyncio.run(run_program(program, folder=folder, log=tmp_path / "log"))
    (facts,) = programs_of(tmp_path, 5, "switch")
    assert facts.argv == ("/bin/sh", "-c", "exit 3", "--password=***")
    assert facts.variables == ("PATH", "TOKEN")
    assert facts.state is TraceState.ENDED
    assert facts.result is not None
    assert facts.result.status == 3
    kept = "".join(path.read_text("utf-8") for path in tmp_path.rglob("*.program.json"))
    assert "horse" not in kept


def test_what_is_not_there_or_cannot_be_read_is_passed_over(tmp_path: Path) -> None:
    assert programs_of(tmp_path, 1, "test") == ()
    (tmp_path / "steps").mkdir()
    (tmp_path / "steps" / "01-test-0.program.json").write_text("{half")
    (tmp_path / "steps" / "01-test-more-0.program.json").write_text("{}")
    assert programs_of(tmp_path, 1, "test") == ()


@settings(max_examples=60, deadline=None)
@given(
    gaps=st.lists(st.sampled_from([0, 0, 1, 40, 5000, None]), max_size=80),
    first=st.integers(-10, 20000),
    length=st.integers(0, 20000),
)
def test_the_part_of_a_log_is_what_was_written_between_two_moments(
    tmp_path_factory: object, gaps: list[int | None], first: int, length: int
) -> None:
    path = Path(str(tmp_path_factory.mktemp("log"))) / "log"  # type: ignore[attr-defined]
    at, lines, stamped = START, [], []
    for number, gap in enumerate(gaps):
        if gap is None and lines:
            lines.append(f"no stamp {number}")  # goes with the next line that has one
            continue
        at += timedelta(milliseconds=gap or 0)
        lines.append(f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z o line {number}")
        stamped.append((at, f"line {number}"))
    path.write_text("".join(f"{line}\n" for line in lines))
    since = START + timedelta(milliseconds=first)
    until = since + timedelta(milliseconds=length)
    found = [line.text for line in part(path, since, until, 10_000) if line.at is not None]
    wanted = [text for at, text in stamped if since - timedelta(milliseconds=1) < at <= until]
    assert found == wanted
