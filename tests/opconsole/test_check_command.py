"""The command ``check``: exit status, what goes where, and its JSON."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from opconsole.cli.check import run_check


def run(
    path: Path, environment: str = "production", dialect: str = "postgres", form: str = "text"
) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    status = run_check([path], environment, dialect, form, out, err)
    return status, out.getvalue(), err.getvalue()


def test_what_blocks_ends_with_4_and_what_warns_with_0(tmp_path: Path) -> None:
    (tmp_path / "a.sql").write_text("DROP TABLE a;")
    status, out, err = run(tmp_path)
    assert (status, err) == (4, "")
    assert "🚫 DEPLOYMENT SAFETY VIOLATIONS DETECTED" in out
    assert run(tmp_path, "dev")[0] == 0


def test_json_is_one_document_on_stdout(tmp_path: Path) -> None:
    (tmp_path / "a.sql").write_text("DROP TABLE a;")
    status, out, err = run(tmp_path, form="json")
    assert (status, err) == (4, "")
    assert json.loads(out)["files"][0]["findings"][0]["rule"] == "drop-table"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"path": Path("/no/such\x1b[2Jpath")}, "no such file or folder: /no/such"),
        (
            {"environment": "prodution"},
            "unknown environment 'prodution'; allowed: development, staging, production",
        ),
        ({"dialect": "klingon"}, "unknown dialect 'klingon'"),
        ({"form": "xml"}, "unknown format 'xml'; allowed: text, json"),
    ],
)
def test_a_wrong_word_ends_with_2_and_says_what_is_allowed(
    tmp_path: Path, arguments: dict[str, object], says: str
) -> None:
    status, out, err = run(**{"path": tmp_path, **arguments})  # type: ignore[arg-type]
    assert (status, out) == (2, "")
    assert says in err
    assert "\x1b" not in err
