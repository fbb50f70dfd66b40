"""Where a workspace's journal lives."""

from __future__ import annotations

import shutil
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from opconsole.journal import location
from opconsole.journal.errors import JournalPlaceError
from opconsole.journal.location import JournalPlace, adopt, file_system_type, locate, state_root


def test_a_workspace_keeps_its_journal_and_holds_nothing_of_it(
    state: Path, tmp_path: Path, place: JournalPlace
) -> None:
    assert locate(tmp_path / "workspace", create=True) == place
    assert locate(tmp_path / "workspace", create=False) == place
    assert list((tmp_path / "workspace").iterdir()) == []
    assert place.root.is_relative_to(state)


def test_without_asking_for_it_no_journal_is_begun(state: Path, tmp_path: Path) -> None:
    assert locate(tmp_path, create=False) is None
    assert not state.exists()


def test_a_clone_gets_a_journal_of_its_own(tmp_path: Path, place: JournalPlace) -> None:
    shutil.copytree(tmp_path / "workspace", tmp_path / "clone")
    other = locate(tmp_path / "clone", create=True)
    assert other is not None
    assert other.id != place.id


def test_a_symbolic_link_leads_to_the_same_journal(tmp_path: Path, place: JournalPlace) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "workspace")
    assert locate(tmp_path / "link", create=True) == place


def test_only_the_owner_may_look_into_the_folders(state: Path, tmp_path: Path, place: JournalPlace) -> None:
    place.root.chmod(0o755)
    folders = [
        state,
        state / "index",
        state / "journals",
        place.root,
        place.runs,
        place.sources,
        place.artifacts,
    ]
    locate(tmp_path / "workspace", create=False)
    assert {stat.S_IMODE(folder.stat().st_mode) for folder in folders} == {0o700}


def test_a_workspace_that_moved_adopts_its_journal(tmp_path: Path, place: JournalPlace) -> None:
    moved = (tmp_path / "workspace").rename(tmp_path / "moved")
    assert locate(moved, create=False) is None
    assert adopt(moved, place.id) == place
    assert adopt(moved, place.id) == place
    assert locate(moved, create=False) == place
    (tmp_path / "workspace").mkdir()
    assert locate(tmp_path / "workspace", create=False) is None


def test_a_copy_cannot_adopt_the_journal_of_a_workspace_that_still_exists(
    tmp_path: Path, place: JournalPlace
) -> None:
    (tmp_path / "copy").mkdir()
    with pytest.raises(JournalPlaceError, match="still exists"):
        adopt(tmp_path / "copy", place.id)


def test_a_workspace_with_a_journal_adopts_no_other(tmp_path: Path, place: JournalPlace) -> None:
    (tmp_path / "workspace").rename(tmp_path / "moved")
    (tmp_path / "other").mkdir()
    locate(tmp_path / "other", create=True)
    with pytest.raises(JournalPlaceError, match="already"):
        adopt(tmp_path / "other", place.id)


@pytest.mark.parametrize("journal", ["", "../../etc", "0123456789ABCDEF", "0123456789abcdef\n", "x" * 16])
def test_what_is_no_id_is_refused(state: Path, tmp_path: Path, journal: str) -> None:
    with pytest.raises(JournalPlaceError, match="not the id"):
        adopt(tmp_path, journal)


def test_an_unknown_id_is_refused(state: Path, tmp_path: Path) -> None:
    with pytest.raises(JournalPlaceError, match="no such journal"):
        adopt(tmp_path, "0123456789abcdef")


@pytest.mark.parametrize("text", ["[", '{"id": "../x"}', '{"id": 1}', "[1]", "[" * 100_000, "\udcff"])
def test_a_damaged_index_is_named_and_nothing_is_begun_anew(
    state: Path, tmp_path: Path, place: JournalPlace, text: str
) -> None:
    entry = next((state / "index").glob("*.json"))
    entry.write_text(text, "utf-8", errors="surrogateescape")
    with pytest.raises(JournalPlaceError, match="index"):
        locate(tmp_path / "workspace", create=True)


def test_a_lost_folder_is_said_and_not_silently_begun_anew(tmp_path: Path, place: JournalPlace) -> None:
    shutil.rmtree(place.root)
    with pytest.raises(JournalPlaceError, match="is gone"):
        locate(tmp_path / "workspace", create=True)


def test_a_folder_that_everybody_may_write_is_refused(state: Path, tmp_path: Path) -> None:
    state.mkdir()
    state.chmod(0o777)
    with pytest.raises(JournalPlaceError, match="everybody"):
        locate(tmp_path, create=True)


def test_a_relative_state_folder_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPCONSOLE_STATE_DIR", "state")
    with pytest.raises(JournalPlaceError, match="absolute"):
        state_root()


def test_without_the_variable_it_is_the_users_state_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("OPCONSOLE_STATE_DIR", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert state_root().name == "opconsole"


def test_several_at_once_agree_on_one_journal(
    python: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    program = (
        "import sys; from pathlib import Path; from opconsole.journal.location import locate; "
        "sys.stdin.readline(); print(locate(Path(sys.argv[1]), create=True).id)"
    )
    processes = [python(program, str(tmp_path)) for _ in range(4)]
    found = {process.communicate("go\n")[0] for process in processes}
    assert len(found) == 1


_MOUNTS = r"""22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
23 22 0:5 / /dev rw - devtmpfs udev rw
40 22 0:40 / /home/nfs\040share rw - nfs4 server:/x rw
41 40 0:41 / /home/nfs\040share/local rw - xfs /dev/vdb rw
42 22 0:42 / /mnt/s rw - fuse.sshfs me@there:/ rw
43 22 0:43 / /over rw - ext4 /dev/vdc rw
44 22 0:44 / /over rw - cifs //there/x rw
nonsense
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/home/ana/.local/state", "ext4"),
        ("/home/nfs share/a", "nfs4"),
        ("/home/nfs share/local/a", "xfs"),
        ("/home/nfs sharealike", "ext4"),
        ("/mnt/s", "fuse.sshfs"),
        ("/over/x", "cifs"),
    ],
)
def test_the_file_system_is_that_of_the_nearest_mount(path: str, kind: str) -> None:
    assert file_system_type(Path(path), _MOUNTS) == kind


@pytest.mark.parametrize("kind", ["nfs", "nfs4", "cifs", "smb3", "9p", "fuse.sshfs", "fuse.rclone", "ceph"])
def test_a_network_file_system_is_refused_by_name(
    state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(location, "file_system_type", lambda *_: kind)
    with pytest.raises(JournalPlaceError, match=f"network file system .{kind}"):
        locate(tmp_path, create=True)
    assert not state.exists()


@pytest.mark.parametrize("kind", ["ext4", "xfs", "btrfs", "zfs", "tmpfs", "overlay", "fuseblk", ""])
def test_a_local_file_system_is_taken(
    state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(location, "file_system_type", lambda *_: kind)
    assert locate(tmp_path, create=True) is not None


def test_a_state_folder_that_cannot_be_made_names_the_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("OPCONSOLE_STATE_DIR", str(tmp_path / "file" / "state"))
    assert locate(tmp_path, create=False) is None
    with pytest.raises(JournalPlaceError, match=r"cannot be written .*OPCONSOLE_STATE_DIR"):
        locate(tmp_path, create=True)
