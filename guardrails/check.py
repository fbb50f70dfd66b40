"""The guardrails' front door: check paths, a folder of migrations, or the sources of an export."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from guardrails.environments import GateKind
from guardrails.files import TESTS, find_files
from guardrails.findings import FileReport, Finding, Report, Verdict
from guardrails.judge import plain_finding
from guardrails.migrations.chain import Chain, ChainError, chain_of
from guardrails.migrations.model import MigrationFile
from guardrails.scan import Scan, Scanned, scan_file

Since = str | Sequence[str] | None
"""The revision, or with several heads the revisions, that a database stands at; None: it is empty."""


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
) -> Report:
    """Check files and folders: SQL, migrations, and S3 in Python, JavaScript, TypeScript and shell.

    *exclude* and *tests* hold patterns of names and of paths below the folder that is walked; a file that is
    named itself is always checked. Migrations that *since_revision* holds already are reported
    and do not block.
    """
    scan = Scan(gate, dialect, downgrade_required)
    named = {path for path in paths if not path.is_dir()}
    files = find_files(paths, root, exclude, tests)
    scanned: list[Scanned] = []
    folders: dict[Path, list[Scanned]] = {}
    for file in files:
        result = scan_file(file, scan)
        if result is None:
            continue
        if result.migration is not None and file.path not in named:
            folders.setdefault(file.path.parent, []).append(result)
        else:
            scanned.append(result)
    reports = [result.report for result in scanned]
    for results in folders.values():
        chain = chain_of(result.migration for result in results if result.migration)
        reports += _with_chain(results, chain, gate, since_revision)[0]
    return Report(environment, _sorted(reports))


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
    scan = Scan(gate, dialect, downgrade_required)
    results = []
    for file in find_files([folder], root, ("__init__.py", ".*"), tests=()):
        if file.path.suffix == ".py":
            result = scan_file(file, scan)
            results += [result] if result is not None else []
    chain = chain_of(result.migration for result in results if result.migration)
    reports, unapplied = _with_chain(results, chain, gate, since_revision)
    if since_revision is not None and unapplied is None:
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
    """Check an export for what its code deletes in S3, less tests and exclusions; migrations included."""
    scan = Scan(gate, dialect)
    s3 = {"delete-bucket", "delete-objects", "delete-object", "unreadable", "unparsable", "bad-exemption"}
    reports = []
    for file in find_files([root], root, (*exclude, "*.sql"), tests):
        result = scan_file(file, scan)
        if result is not None:
            kept = tuple(finding for finding in result.report.findings if finding.rule in s3)
            reports.append(replace(result.report, findings=kept))
    return Report(environment, _sorted(reports))


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
    extra: dict[str, list[Finding]] = {}
    for fault in chain.faults():
        extra.setdefault(fault.path, []).append(
            plain_finding(fault.rule, fault.path, gate, note=fault.message)
        )
    reports = []
    known = {file.path for file in chain.files.values()}
    for result in results:
        report = result.report
        if ahead is not None and since is not None and report.path in known and report.path not in ahead:
            report = replace(report, findings=tuple(map(_softened, report.findings)))
        reports.append(replace(report, findings=(*report.findings, *extra.get(report.path, []))))
    return reports, unapplied


def _softened(finding: Finding) -> Finding:
    if finding.verdict is not Verdict.BLOCK:
        return finding
    return replace(finding, verdict=Verdict.WARN, message=f"{finding.message} (already applied)")


def _sorted(reports: Iterable[FileReport]) -> tuple[FileReport, ...]:
    return tuple(sorted(reports, key=lambda report: report.path))
