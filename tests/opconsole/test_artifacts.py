from __future__ import annotations

import io
import os
import stat
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from opconsole.artifacts import Artifact, ArtifactStore, NotStoredError, StoreDamagedError, StoreError
from opconsole.trees import (
    Exclusions,
    UnsafeTreeError,
    copy_tree,
    inside,
    remove_tree,
    tree_digest,
    unpack_tar,
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ArtifactStore]:
    yield ArtifactStore(tmp_path / "store")
    remove_tree(tmp_path / "store")  # read-only folders would stand in pytest's way later


@pytest.fixture
def built(tmp_path: Path) -> Path:
    folder = tmp_path / "dist"
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "serve").write_text("#!/bin/sh\n")
    (folder / "bin" / "serve").chmod(0o755)
    (folder / "page.html").write_text("hello")
    (folder / "latest.html").symlink_to("page.html")
    (folder / "empty").mkdir()
    return folder


def force_write(path: Path, text: str) -> None:
    path.parent.chmod(0o755)
    path.chmod(0o644)
    path.write_text(text)


def archive(*members: tuple[tarfile.TarInfo, bytes]) -> io.BytesIO:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        for member, content in members:
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    made.seek(0)
    return made


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "", mode: int = 0o644) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname, made.mode = kind, link, mode
    return made


async def test_an_artifact_is_stored_under_the_digest_of_its_content(
    store: ArtifactStore, built: Path
) -> None:
    artifact = await store.put(built)
    assert artifact.digest == tree_digest(built) == tree_digest(artifact.path)
    assert (artifact.path / "latest.html").readlink() == Path("page.html")
    assert stat.S_IMODE((artifact.path / "bin" / "serve").stat().st_mode) == 0o555
    assert stat.S_IMODE((artifact.path / "page.html").stat().st_mode) == 0o444


async def test_storing_the_same_again_gives_the_same_and_leaves_nothing_behind(
    store: ArtifactStore, built: Path, tmp_path: Path
) -> None:
    assert await store.put(built) == await store.put(built)
    assert len(list((tmp_path / "store").iterdir())) == 1


async def test_a_single_file_is_stored_with_its_name(store: ArtifactStore, tmp_path: Path) -> None:
    wheel = tmp_path / "app-1.0.whl"
    wheel.write_bytes(b"wheel")
    artifact = await store.put(wheel)
    assert artifact.path.name == "app-1.0.whl"
    assert await store.verify(artifact.digest) == Artifact(artifact.digest, artifact.path)


def test_a_digest_tells_names_contents_links_and_executable_bits_apart(built: Path) -> None:
    before = {tree_digest(built)}
    (built / "page.html").chmod(0o700)
    before.add(tree_digest(built))
    (built / "page.html").write_text("hallo")
    before.add(tree_digest(built))
    (built / "empty").rename(built / "void")
    before.add(tree_digest(built))
    (built / "latest.html").unlink()
    (built / "latest.html").symlink_to("bin/serve")
    before.add(tree_digest(built))
    assert len(before) == 5


def test_times_owners_and_other_mode_bits_change_no_digest(built: Path) -> None:
    before = tree_digest(built)
    os.utime(built / "page.html", (1, 1))
    (built / "page.html").chmod(0o604)
    assert tree_digest(built) == before


async def test_a_stored_file_that_was_edited_is_found(store: ArtifactStore, built: Path) -> None:
    artifact = await store.put(built)
    force_write(artifact.path / "page.html", "evil")
    with pytest.raises(StoreDamagedError, match="was changed"):
        await store.verify(artifact.digest)
    with pytest.raises(StoreDamagedError):
        await store.put(built)


async def test_a_file_added_to_a_stored_artifact_is_found(store: ArtifactStore, built: Path) -> None:
    artifact = await store.put(built)
    artifact.path.chmod(0o755)
    (artifact.path / "extra").write_text("")
    with pytest.raises(StoreDamagedError):
        await store.verify(artifact.digest)


@pytest.mark.parametrize("digest", ["sha256:" + "0" * 64, "../../etc", "", "sha256:zz"])
async def test_what_is_not_stored_is_said_to_be_missing(store: ArtifactStore, digest: str) -> None:
    with pytest.raises(NotStoredError):
        await store.verify(digest)


async def test_a_build_that_made_nothing_is_named(store: ArtifactStore, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="there is no artifact at"):
        await store.put(tmp_path / "dist")


async def test_an_artifact_that_is_itself_a_link_is_refused(store: ArtifactStore, tmp_path: Path) -> None:
    (tmp_path / "dist").symlink_to("/etc")
    with pytest.raises(StoreError):
        await store.put(tmp_path / "dist")


@pytest.mark.parametrize("target", ["/etc/passwd", "../outside", "bin/../../outside", ".."])
async def test_an_artifact_with_a_link_that_leaves_it_is_refused(
    store: ArtifactStore, built: Path, target: str, tmp_path: Path
) -> None:
    (built / "link").symlink_to(target)
    with pytest.raises(UnsafeTreeError, match="'link'"):
        await store.put(built)
    assert list((tmp_path / "store").iterdir()) == []


async def test_a_link_that_leaves_through_another_link_is_refused(store: ArtifactStore, built: Path) -> None:
    (built / "up").mkdir()
    (built / "up" / "here").symlink_to("..")
    (built / "out").symlink_to("up/here/../../outside")
    with pytest.raises(UnsafeTreeError):
        await store.put(built)
    (built / "out").unlink()
    # By its words this one stays inside; followed on disk it does not.
    (built / "out").symlink_to("up/here/..")
    with pytest.raises(UnsafeTreeError, match="leaves the tree"):
        await store.put(built)


async def test_a_setuid_file_is_refused(store: ArtifactStore, built: Path) -> None:
    (built / "bin" / "serve").chmod(0o4755)
    with pytest.raises(UnsafeTreeError, match="setuid"):
        await store.put(built)


async def test_a_pipe_or_socket_is_refused(store: ArtifactStore, built: Path) -> None:
    os.mkfifo(built / "pipe")
    with pytest.raises(UnsafeTreeError, match="a device, pipe or socket"):
        await store.put(built)


async def test_a_name_with_a_newline_or_escape_is_refused(store: ArtifactStore, built: Path) -> None:
    (built / "a\x1b]52;c;x\x07b").write_text("")
    with pytest.raises(UnsafeTreeError, match="control character"):
        await store.put(built)


async def test_pruning_keeps_what_is_protected(store: ArtifactStore, built: Path) -> None:
    first = await store.put(built)
    (built / "page.html").write_text("second")
    second = await store.put(built)
    assert await store.prune({second.digest}) == [first.digest]
    assert await store.verify(second.digest) == second
    with pytest.raises(NotStoredError):
        await store.verify(first.digest)


async def test_pruning_removes_what_a_crash_left_half_written_once_it_is_old(
    store: ArtifactStore, built: Path, tmp_path: Path
) -> None:
    artifact = await store.put(built)
    old, young = tmp_path / "store" / ".new-old", tmp_path / "store" / ".new-young"
    for folder in (old, young):
        folder.mkdir()
        (folder / "half").write_text("")
    os.utime(old, (1, 1))
    assert await store.prune({artifact.digest}) == []
    assert not old.exists()
    assert young.exists()


def test_an_excluded_name_or_path_is_not_copied(built: Path, tmp_path: Path) -> None:
    copy_tree(built, tmp_path / "copy", exclude=Exclusions(("*.html", "bin/serve")))
    assert sorted(str(path.relative_to(tmp_path / "copy")) for path in (tmp_path / "copy").rglob("*")) == [
        "bin",
        "empty",
    ]


def test_a_tar_unpacks_to_the_tree_that_it_was_made_of(built: Path, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "app.tar.gz", "w:gz") as tar:
        tar.add(built, arcname=".")
    with (tmp_path / "app.tar.gz").open("rb") as stream:
        assert unpack_tar(stream, tmp_path / "out") == tree_digest(built) == tree_digest(tmp_path / "out")


@pytest.mark.parametrize(
    "members",
    [
        [member("../evil")],
        [member("/etc/evil")],
        [member("a/../../evil")],
        [member("link", tarfile.SYMTYPE, "/etc")],
        [member("link", tarfile.SYMTYPE, "../..")],
        [member("link", tarfile.SYMTYPE, "."), member("link/evil")],
        [member("hard", tarfile.LNKTYPE, "/etc/passwd")],
        [member("device", tarfile.CHRTYPE)],
        [member("pipe", tarfile.FIFOTYPE)],
        [member("program", mode=0o4755)],
        [member("twice"), member("twice")],
        [member("file"), member("file/below")],
        [member("/".join(["deep"] * 101))],
        [member("new\nline")],
    ],
    ids=lambda members: members[-1].name[:12],
)
def test_an_archive_that_could_write_elsewhere_is_refused(
    tmp_path: Path, members: list[tarfile.TarInfo]
) -> None:
    stream = archive(*((each, b"x" if each.isreg() else b"") for each in members))
    with pytest.raises(UnsafeTreeError):
        unpack_tar(stream, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_an_archive_cut_short_is_an_error(tmp_path: Path) -> None:
    stream = archive((member("file"), b"x" * 5000))
    with pytest.raises(tarfile.TarError):
        unpack_tar(io.BytesIO(stream.getvalue()[:2000]), tmp_path / "out")


@pytest.mark.parametrize("path", ["../../etc", "/etc", "", "a\0b", "a/../../b"])
def test_a_path_out_of_the_project_is_refused(tmp_path: Path, path: str) -> None:
    with pytest.raises(UnsafeTreeError):
        inside(tmp_path, path)


def test_a_path_through_a_link_out_of_the_project_is_refused(tmp_path: Path) -> None:
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "versions").symlink_to("/etc")
    with pytest.raises(UnsafeTreeError, match="leads out"):
        inside(tmp_path / "project", "versions/passwd")
