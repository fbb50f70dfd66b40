"""Scans many files: what the cache knows is not read again, and large trees go over several processes."""
# ruff: noqa: PLC0415 - one small file needs neither the cache nor processes, and is checked before every commit

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from guardrails.files import LARGEST, Found
from guardrails.findings import FileReport
from guardrails.migrations.model import Followed, MigrationFile
from guardrails.scan import Scan, Scanned, Shared, scan_file

if TYPE_CHECKING:
    from concurrent.futures import Future

    from guardrails.cache import Cache

MANY_FILES = 3_000
MANY_BYTES = 4_000_000
"""From here on several processes are worth the time that they take to start."""
_CHUNK_FILES = 50
_CHUNK_BYTES = 500_000


def scan_files(
    files: Sequence[Found], scan: Scan, *, cache: Cache | None = None, jobs: int = 1
) -> list[tuple[Found, Scanned]]:
    """Scan files, in their order; those written in nothing that has a reader are left out.

    *jobs* above 1 lets large trees go over that many processes. These are started afresh, so the
    program's main module must be one that can be imported.
    """
    keys = {file: _key(file, scan) for file in files} if cache is not None else {}
    answers: dict[Found, Scanned | None] = {}
    unknown = []
    shared = Shared()
    for file in files:
        kept = cache.get(keys[file], _Kept) if cache is not None and keys[file] else None
        if kept is None or not _holds(kept, file, scan, shared):
            unknown.append(file)
        else:
            answers[file] = kept.scanned()
    sizes = {file: _size(file.path) for file in unknown}
    if jobs > 1 and len(unknown) > 1 and (len(unknown) >= MANY_FILES or sum(sizes.values()) >= MANY_BYTES):
        answers |= _in_processes(unknown, sizes, scan, jobs)
    else:
        answers |= {file: _light(scan_file(file, scan, shared=shared)) for file in unknown}
    if cache is not None:
        for file in unknown:
            # A file that was changed while it was read has another key now: it is not kept under the old one.
            if keys[file] and keys[file] == _key(file, scan):
                cache.put(keys[file], _Kept.of(answers[file]))
    return [(file, answer) for file in files if (answer := answers[file]) is not None]


def cores() -> int:
    """Give the number of processor cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS
        return os.cpu_count() or 1


@dataclass(frozen=True, slots=True)
class _Kept:
    """What the cache keeps of a file; no report: it is written in nothing that has a reader."""

    report: FileReport | None
    migration: MigrationFile | None
    followed: Followed | None = None

    @staticmethod
    def of(scanned: Scanned | None) -> _Kept:
        if scanned is None:
            return _Kept(None, None)
        return _Kept(scanned.report, scanned.migration, scanned.followed)

    def scanned(self) -> Scanned | None:
        return Scanned(self.report, self.migration, self.followed) if self.report is not None else None


def _holds(kept: _Kept, file: Found, scan: Scan, shared: Shared) -> bool:
    """Say whether the other files that an answer depends on are as they were when it was given."""
    return kept.followed is None or shared.sources.holds(file.path, scan.root, kept.followed)


def _key(file: Found, scan: Scan) -> str:
    """Give the key of a file as it is now; empty: it is none that can be kept."""
    from guardrails.cache import key_of

    if file.fault:
        return ""
    try:
        if not file.path.is_file() or file.path.stat().st_size > LARGEST:
            return ""
        content = file.path.read_bytes()
    except OSError:
        return ""
    # An exemption may end with a day; without one, a day changes nothing.
    marked = b"safety-exception" in content.replace(b"\0", b"").lower()
    day = (scan.today or datetime.now(tz=UTC).date()) if marked else ""
    # The root matters to migrations with helpers alone, and is kept with their answers.
    anywhere = replace(scan, root=None, today=None)
    return key_of(content, file.name, file.path.name, file.named, anywhere, day)


def _light(scanned: Scanned | None) -> Scanned | None:
    """Leave out what only judging needed; the chain does without."""
    if scanned is None or scanned.migration is None:
        return scanned
    return replace(scanned, migration=replace(scanned.migration, operations=(), comments=()))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _in_processes(
    files: Sequence[Found], sizes: dict[Found, int], scan: Scan, jobs: int
) -> dict[Found, Scanned | None]:
    chunks = _chunks(files, sizes)
    try:
        done, broken = _run(chunks, scan, min(jobs, len(chunks)))
        if broken and _run([[]], scan, 1)[1]:
            raise ChildProcessError("no process can be started")
    except (OSError, ImportError, NotImplementedError):  # a machine that allows no processes, or no locks
        return dict(zip(files, _scan_chunk(files, scan), strict=True))
    # A process died of a file, nobody knows of which: the chunks it took along are read one by one, and
    # the files of the one that kills again, too.
    for chunk in broken:
        again, dead = _run([chunk], scan, 1)
        done |= again
        for file in dead[0] if dead else ():
            alone, deadly = _run([[file]], scan, 1)
            done |= alone
            if deadly:
                done[file] = scan_file(replace(file, fault="the process that read it died"), scan)
    return done


def _run(
    chunks: Sequence[Sequence[Found]], scan: Scan, jobs: int
) -> tuple[dict[Found, Scanned | None], list[Sequence[Found]]]:
    """Scan chunks in new processes; give what came back, and the chunks that did not."""
    from concurrent.futures import ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool
    from multiprocessing import get_context

    done: dict[Found, Scanned | None] = {}
    broken: list[Sequence[Found]] = []
    pool = ProcessPoolExecutor(jobs, mp_context=get_context("spawn"))
    try:
        waiting: list[tuple[Sequence[Found], Future[list[Scanned | None]]]] = []
        for chunk in chunks:
            try:
                waiting.append((chunk, pool.submit(_scan_chunk, chunk, scan)))
            except BrokenProcessPool:
                broken.append(chunk)
        for chunk, future in waiting:
            try:
                done |= dict(zip(chunk, future.result(), strict=True))
            except BrokenProcessPool:
                broken.append(chunk)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
    return done, broken


def _scan_chunk(files: Sequence[Found], scan: Scan) -> list[Scanned | None]:
    shared = Shared()
    return [_light(scan_file(file, scan, shared=shared)) for file in files]


def _chunks(files: Iterable[Found], sizes: dict[Found, int]) -> list[list[Found]]:
    """Cut the work up, the largest files first, so that no process is left with one of them at the end."""
    chunks: list[list[Found]] = []
    room = 0
    for file in sorted(files, key=lambda file: (-sizes[file], file.name)):
        if not chunks or len(chunks[-1]) >= _CHUNK_FILES or room < sizes[file]:
            chunks.append([])
            room = _CHUNK_BYTES
        chunks[-1].append(file)
        room -= sizes[file]
    return chunks
