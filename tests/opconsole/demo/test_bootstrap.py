"""opconsole.sh in a checkout of its own, without a network: a stand-in plays uv and notes what is asked."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
LIMIT = 60.0  # seconds; a slow machine is no failure
SYSTEM_PATH = "/usr/bin:/bin"

# What uv would install, as far as opconsole.sh can see it: programs that tell how they were called.
UV = """#!/bin/sh
case $1 in
    --version) echo 'uv 0.13.9' ;;
    sync)
        echo "$*" >>"$UV_NOTES"
        echo "downloads=$UV_PYTHON_DOWNLOADS preference=$UV_PYTHON_PREFERENCE" >>"$UV_NOTES"
        printf '#!/bin/sh\\npwd\\nprintf "<%%s>" "$@"\\nexit 3\\n' >"$UV_PROJECT_ENVIRONMENT/bin/opconsole"
        chmod +x "$UV_PROJECT_ENVIRONMENT/bin/opconsole"
        exit "${UV_FAILS:-0}"
        ;;
    *) echo "uv was asked: $*" ;;
esac
"""


@dataclass(frozen=True)
class Checkout:
    """A folder with what opconsole.sh reads, and the variables it is run with."""

    root: Path
    outside: Path
    variables: Mapping[str, str]

    def run(
        self, *arguments: str, script: Path | None = None, **more: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(script or self.root / "opconsole.sh"), *arguments],
            cwd=self.outside,
            env={**self.variables, **more},
            capture_output=True,
            text=True,
            check=False,
            timeout=LIMIT,
        )

    def syncs(self) -> list[str]:
        notes = Path(self.variables["UV_NOTES"])
        lines = notes.read_text(encoding="utf-8").splitlines() if notes.exists() else []
        return [line for line in lines if line.startswith("sync")]


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    root, outside = tmp_path / "a check out", tmp_path / "outside"
    root.mkdir()
    outside.mkdir()
    for name in ("opconsole.sh", "uv.lock", "pyproject.toml"):
        shutil.copy(ROOT / name, root / name)
    uv = tmp_path / "uv"
    uv.write_text(UV, encoding="utf-8")
    uv.chmod(0o755)
    variables = {
        "PATH": SYSTEM_PATH,
        "HOME": str(tmp_path),
        "PYTHON": sys.executable,
        "UV": str(uv),
        "UV_NOTES": str(tmp_path / "notes"),
    }
    return Checkout(root, outside, variables)


def test_it_sets_up_once_and_hands_arguments_folder_and_exit_status_through(checkout: Checkout) -> None:
    first = checkout.run("-C", "a b", "run", "")
    again = checkout.run("status")

    assert (first.returncode, first.stdout) == (3, f"{checkout.outside.resolve()}\n<-C><a b><run><>")
    assert "Setting up opconsole" in first.stderr
    assert (again.returncode, again.stderr) == (3, "")
    assert checkout.syncs() == [
        f"sync --project {checkout.root.resolve()} --locked --no-default-groups --quiet"
    ]


def test_it_hands_on_how_it_was_called_for_the_commands_that_are_suggested(checkout: Checkout) -> None:
    checkout.run("status")
    program = checkout.root / ".venv" / "bin" / "opconsole"
    program.write_text('#!/bin/sh\nprintf %s "$OPCONSOLE_PROGRAM"\n', encoding="utf-8")
    script = checkout.root / "opconsole.sh"
    assert checkout.run("status").stdout == str(script)
    bare = subprocess.run(
        ["sh", script.name, "status"],
        cwd=checkout.root,
        env=checkout.variables,
        capture_output=True,
        check=True,
    )
    assert bare.stdout == b"./opconsole.sh"


def test_a_refused_certificate_has_its_remedy_beside_the_failure(checkout: Checkout) -> None:
    failed = checkout.run("status", UV_FAILS="2")
    assert failed.returncode == 1
    assert "SSL_CERT_FILE=/" in failed.stderr
    assert "ca-certificates" in failed.stderr


def test_uv_may_not_fetch_a_python(checkout: Checkout) -> None:
    checkout.run("status")
    notes = Path(checkout.variables["UV_NOTES"]).read_text(encoding="utf-8")
    assert "downloads=never preference=only-system" in notes


def test_the_developers_tools_are_added_when_wanted_and_kept(checkout: Checkout) -> None:
    checkout.run("status")
    checkout.run("setup")
    checkout.run("status")
    assert [line.split(" --locked ")[1] for line in checkout.syncs()] == [
        "--no-default-groups --quiet",
        "--group=dev --quiet",
    ]


def test_a_changed_lock_file_is_installed(checkout: Checkout) -> None:
    checkout.run("status")
    with (checkout.root / "uv.lock").open("a", encoding="utf-8") as lock:
        lock.write("# changed\n")
    checkout.run("status")
    assert len(checkout.syncs()) == 2


def test_a_failed_set_up_says_so_and_is_tried_again(checkout: Checkout) -> None:
    failed = checkout.run("status", UV_FAILS="2")
    assert failed.returncode == 1
    assert "uv could not install what uv.lock names" in failed.stderr
    assert checkout.run("status").returncode == 3
    assert len(checkout.syncs()) == 2


def test_a_checkout_that_was_moved_is_set_up_anew(checkout: Checkout) -> None:
    checkout.run("status")
    moved = checkout.root.rename(checkout.root.parent / "moved")
    leftover = moved / ".venv" / "leftover"
    leftover.write_text("", encoding="utf-8")

    done = checkout.run("status", script=moved / "opconsole.sh")

    assert done.returncode == 3
    assert not leftover.exists()
    assert len(checkout.syncs()) == 2


def test_it_works_through_a_link(checkout: Checkout) -> None:
    link = checkout.outside / "opconsole"
    link.symlink_to(checkout.root / "opconsole.sh")
    assert checkout.run("status", script=link).stdout.endswith("<status>")
    assert (checkout.root / ".venv").is_dir()


@pytest.mark.skipif(shutil.which("flock", path=SYSTEM_PATH) is None, reason="flock is not installed")
def test_two_at_once_set_up_once(checkout: Checkout) -> None:
    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(checkout.run, ["status", "status"]))
    assert [one.returncode for one in done] == [3, 3]
    assert len(checkout.syncs()) == 1


def test_an_old_python_is_refused_with_what_to_install(checkout: Checkout, tmp_path: Path) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("cat", "cksum", "dirname", "id", "mkdir", "readlink", "sh", "uname"):
        found = shutil.which(name, path=SYSTEM_PATH)
        assert found is not None
        (programs / name).symlink_to(found)
    old = programs / "python3"
    old.write_text(
        '#!/bin/sh\n[ "$1" = --version ] && echo "Python 3.9.2" && exit\nexit 1\n', encoding="utf-8"
    )
    old.chmod(0o755)

    done = checkout.run("status", PATH=str(programs), PYTHON="")

    assert done.returncode == 1
    assert "Python 3.11 or newer is needed; found Python 3.9.2" in done.stderr
    assert "sudo apt install python3" in done.stderr


def test_a_python_named_by_the_user_is_taken_or_refused_and_never_replaced(checkout: Checkout) -> None:
    done = checkout.run("status", PYTHON="/nothing here/python3")
    assert done.returncode == 1
    assert "/nothing here/python3" in done.stderr
    assert checkout.syncs() == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_checkout_of_somebody_else_is_refused(checkout: Checkout) -> None:
    checkout.root.chmod(0o555)
    try:
        done = checkout.run("status")
    finally:
        checkout.root.chmod(0o755)
    assert done.returncode == 1
    assert "use a checkout of your own" in done.stderr


def test_the_lock_files_uv_can_be_used_directly(checkout: Checkout) -> None:
    assert checkout.run("uv", "build", "--wheel").stdout == "uv was asked: build --wheel\n"
