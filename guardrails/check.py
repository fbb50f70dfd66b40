"""The guardrails' front door: check paths, a folder of migrations, or the sources of an export."""
# ruff: noqa: PLC0415 - what only some files need is loaded with them: a hook checks one file at a time

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from guardrails.environments import GateKind
from guardrails.files import TESTS, Found, find_files, printable
from guardrails.findings import CheckError, Coverage, FileReport, Finding, Report, Verdict
from guardrails.migrations.chain import Chain, ChainError, chain_of
from guardrails.migrations.model import MigrationFile
from guardrails.scan import Scan, Scanned, Shared, scan_file
from guardrails.scanning import scan_files

if TYPE_CHECKING:
    from guardrails.cache import Cache
    from guardrails.changed import Changed

Since = str | Sequence[str] | None
"""The revision, or with several heads the revisions, that a database stands at; None: it is empty."""


class SinceError(CheckError):
    """No chain leads on from the revision that a database is said to stand at; the message says why."""


@dataclass(frozen=True, slots=True)
class RequiredElements:
    """The guide's three required elements of migrations, over all that are not yet applied."""

    upgrade: bool
    downgrade: bool
    reversible: bool


@dataclass(frozen=True, slots=True)
class MigrationReport:
    """What the guardrails say of a folder of migrations."""

    report: Report
    chain: Chain
    unapplied: tuple[MigrationFile, ...]
    """What an upgrade would run, in its order; every file where no order can be told."""
    elements: RequiredElements


def check_paths(
    paths: Sequence[Path],
    *,
    environment: str,
    gate: GateKind,
    dialect: str = "postgres",
    root: Path | None = None,
    since_revision: Since = None,
    exclude: Sequence[str] = (),
    downgrade_required: bool = True,
    tests: Sequence[str] = TESTS,
    changed: Changed | None = None,
    cache: Cache | None = None,
    jobs: int = 1,
) -> Report:
    """Check files and folders, each by its own reader.

    SQL and Alembic migrations for what they do to a database; Python, JavaScript, TypeScript, shell,
    Dockerfiles, Makefiles and pipelines (YAML, JSON) for what they delete in S3; Terraform and
    CloudFormation for buckets and databases that go with their stack. A file in anything else is left out,
    or is a finding where it is named itself.

    *exclude* and *tests* hold patterns of names and of paths below the folder that is walked; a file that is
    named itself is always checked. Migrations that *since_revision* holds already are reported and do not
    block; SinceError where no migration has that revision. With *changed* only changed files are read, and
    what their chains need. *jobs*: as `scan_files` has it.
    """
    scan = Scan(gate, dialect, downgrade_required, root)
    named = {path for path in paths if not path.is_dir()}
    found = find_files(paths, root, exclude, tests)
    wanted = [file for file in found if changed is None or changed.holds(file.path)]
    single: list[Scanned] = []
    folders: dict[Path, list[Scanned]] = {}
    for file, result in scan_files(wanted, scan, cache=cache, jobs=jobs):
        if result.migration is None or (file.path in named and since_revision is None):
            single.append(result)
        else:
            folders.setdefault(file.path.parent, []).append(result)
    if changed is not None:
        for file in found:
            if file.path.parent not in folders and changed.touches(file.path.parent):
                folders[file.path.parent] = []  # a migration may have been taken out of it
    reports = [result.report for result in single]
    notes = [] if downgrade_required else ["a missing or empty downgrade() does not block here, by a setting"]
    strangers = []
    for folder, results in folders.items():
        beside = _beside(folder, found, wanted, named, complete=changed is None)
        others = [other for _, other in scan_files(beside, scan, cache=cache) if other.migration is not None]
        chain = chain_of(result.migration for result in [*results, *others] if result.migration)
        read, unapplied = _with_chain([*results, *others], chain, gate, since_revision)
        reports += _reported(read, results, faults={fault.path for fault in chain.faults()}, named=named)
        if unapplied is None and since_revision is not None:
            strangers.append(f"{printable(folder, root)}: {_no_way(chain, since_revision)}")
    if since_revision is not None and folders and len(strangers) == len(folders):
        raise SinceError("; ".join(strangers))
    notes += [f"{stranger}; so all migrations there decide" for stranger in strangers]
    return Report(environment, _sorted(reports), tuple(notes))


def check_migrations(
    folder: Path,
    *,
    environment: str,
    gate: GateKind,
    dialect: str = "postgres",
    root: Path | None = None,
    since_revision: Since = None,
    downgrade_required: bool = True,
) -> MigrationReport:
    """Check a folder of Alembic revisions: every file of it, and their chain."""
    scan = Scan(gate, dialect, downgrade_required, root)
    shared = Shared()
    results = []
    for file in find_files([folder], root, ("__init__.py", ".*"), tests=()):
        if file.path.suffix == ".py":
            result = scan_file(file, scan, shared=shared)
            results += [result] if result is not None else []
    chain = chain_of(result.migration for result in results if result.migration)
    reports, unapplied = _with_chain(results, chain, gate, since_revision)
    if since_revision is not None and unapplied is None:
        from guardrails.judge import plain_finding

        note = f"the database stands at {since_revision!a}, which the migrations do not know"
        where = str(folder.relative_to(root)) if root and folder.is_relative_to(root) else str(folder)
        reports.append(FileReport(where, (plain_finding("unanalysable", where, gate, note=note),)))
    ahead = (
        tuple(result.migration for result in results if result.migration) if unapplied is None else unapplied
    )
    in_chain = {file.path for file in chain.files.values()}
    outside = [r.migration for r in results if r.migration and r.migration.path not in in_chain]
    elements = RequiredElements(
        upgrade=all(file.has_upgrade for file in (*ahead, *outside)),
        downgrade=all(file.has_downgrade for file in (*ahead, *outside)),
        reversible=all(file.reversible for file in (*ahead, *outside)),
    )
    return MigrationReport(Report(environment, _sorted(reports)), chain, ahead, elements)


def check_sources(
    root: Path,
    *,
    environment: str,
    gate: GateKind,
    dialect: str = "postgres",
    exclude: Sequence[str] = (),
    tests: Sequence[str] = TESTS,
) -> Report:
    """Check an export for what its code deletes in the cloud, less tests and exclusions.

    Of migrations, too, only that is reported: what they do to a database is said by `check_migrations`.
    """
    from guardrails.cloud.settings import CLOUD_RULES

    scan = Scan(gate, dialect, root=root)
    shared = Shared()
    s3 = {"delete-bucket", "delete-objects", "delete-object", "unreadable", "unparsable", "bad-exemption"}
    told = s3 | CLOUD_RULES
    reports = []
    for file in find_files([root], root, (*exclude, "*.sql"), tests):
        result = scan_file(file, scan, shared=shared)
        if result is not None:
            kept = tuple(finding for finding in result.report.findings if finding.rule in told)
            reports.append(replace(result.report, findings=kept))
    return Report(environment, _sorted(reports))


def _beside(
    folder: Path, found: Sequence[Found], wanted: Sequence[Found], named: set[Path], *, complete: bool
) -> list[Found]:
    """Give the migrations of a folder that are not asked for, but whose place in the chain is needed."""
    known = {_whole(file.path) for file in wanted}
    if any(path.parent == folder for path in named):
        found = find_files([folder], None, (), tests=())
    elif complete:
        return []
    return [
        file
        for file in found
        if file.path.parent == folder and file.path.suffix == ".py" and _whole(file.path) not in known
    ]


def _whole(path: Path) -> Path:
    """Give a path as one that does not depend on how it was spelled, without following the file itself."""
    return path.parent.resolve() / path.name


def _reported(
    read: Iterable[FileReport], results: Sequence[Scanned], *, faults: set[str], named: set[Path]
) -> list[FileReport]:
    """Leave what is reported: all of the files that were asked for, of others the faults of their chain."""
    asked = {result.report.path for result in results}
    reports = []
    for report in read:
        if report.path in asked:
            reports.append(report)
        elif report.path in faults and not named:
            chained = tuple(f for f in report.findings if f.rule in _CHAIN_RULES)
            reports.append(replace(report, findings=chained, coverage=Coverage()))
    return reports


_CHAIN_RULES = frozenset({"several-heads", "missing-parent", "duplicate-revision", "revision-cycle"})


def _with_chain(
    results: Iterable[Scanned], chain: Chain, gate: GateKind, since: Since
) -> tuple[list[FileReport], tuple[MigrationFile, ...] | None]:
    """Add the chain's faults to the reports, and soften what is applied already.

    Gives also what is not applied; None where that cannot be told.
    """
    unapplied: tuple[MigrationFile, ...] | None
    try:
        unapplied = tuple(chain.path(since, "heads"))
    except ChainError:
        unapplied = None
    ahead = {file.path for file in unapplied} if unapplied is not None else None
    extra = _of_chain(chain, gate)
    reports = []
    known = {file.path for file in chain.files.values()}
    for result in results:
        report = result.report
        if ahead is not None and since is not None and report.path in known and report.path not in ahead:
            report = replace(report, findings=tuple(map(_softened, report.findings)))
        reports.append(replace(report, findings=(*report.findings, *extra.get(report.path, []))))
    return reports, unapplied


def _of_chain(chain: Chain, gate: GateKind) -> dict[str, list[Finding]]:
    faults = list(chain.faults())
    if not faults:
        return {}
    from guardrails.judge import plain_finding

    found: dict[str, list[Finding]] = {}
    for fault in faults:
        finding = plain_finding(fault.rule, fault.path, gate, note=fault.message)
        found.setdefault(fault.path, []).append(finding)
    return found


def _no_way(chain: Chain, since: Since) -> str:
    try:
        chain.path(since, "heads")
    except ChainError as error:
        return str(error)
    return ""


def _softened(finding: Finding) -> Finding:
    if finding.verdict is not Verdict.BLOCK:
        return finding
    return replace(finding, verdict=Verdict.WARN, message=f"{finding.message} (already applied)")


def _sorted(reports: Iterable[FileReport]) -> tuple[FileReport, ...]:
    return tuple(sorted(reports, key=lambda report: report.path))
