"""Reads the real migrations that well-known packages ship: no crash, what share is analysed, what is missed.

python -m benchmarks.real_migrations [PACKAGE…] [--cache DIR] [--latest]

The wheels are downloaded, not installed, and nothing of them is executed. data/real_migrations.json holds
what was read by hand out of the files' upgrade(): of two packages every file, of the others 20 files each,
most of them picked for holding a word such as "drop". An operation counts as found where its rule is reported
within a few lines of it; "told_as" allows another rule where the code stands in another file. With --latest
the newest versions are checked, without that comparison, because lines move. With OPCONSOLE_DEBUG=1 every
finding of what cannot be analysed is named.

Exit status: 1 for a crash, and for an operation that is missed or made up.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import traceback
import venv
import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from guardrails.check import check_migrations
from guardrails.environments import GateKind
from guardrails.files import Found, Written
from guardrails.findings import Direction, Finding
from guardrails.scan import Scan, Shared, scan_file, scan_text

LISTED = Path(__file__).parent / "data" / "real_migrations.json"
DESTROYS = ("drop-table", "drop-database", "drop-schema", "truncate", "delete-all", "drop-column")
COMPARED = {*DESTROYS, "delete-where", "update-all"}
NEAR = 3
"""Lines that a report may stand away from where the operation was seen."""
MAY_TAKE = 300
"""Seconds for one download."""


@dataclass(frozen=True)
class Listed:
    """An operation that somebody read in an upgrade()."""

    file: str
    line: int
    rule: str
    what: str
    told_as: str = ""


@dataclass
class Outcome:
    """What came out of one package."""

    files: int = 0
    seconds: dict[str, float] = field(default_factory=dict)
    statements: int = 0
    analysed: int = 0
    crashes: list[str] = field(default_factory=list)
    not_taken: list[str] = field(default_factory=list)
    """Files of a folder of migrations that were not taken for one."""
    findings: list[Finding] = field(default_factory=list)


def main() -> int:
    """Print a paragraph for each package; give the exit status."""
    listed = json.loads(LISTED.read_text(encoding="utf-8"))
    words = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    words.add_argument("packages", metavar="PACKAGE", nargs="*", help=f"default: {' '.join(listed)}")
    words.add_argument("--cache", type=Path, help="where wheels are kept, and looked for first")
    words.add_argument("--latest", action="store_true", help="the newest versions, without the comparison")
    given = words.parse_args()
    wrong = False
    with tempfile.TemporaryDirectory() as scratch:
        cache = given.cache or Path(scratch) / "wheels"
        cache.mkdir(parents=True, exist_ok=True)
        for name in given.packages or listed:
            known = listed.get(name, {"version": "", "read": [], "operations": []})
            version = "" if given.latest else known["version"]
            wheel, problem = wheel_of(name, version, cache)
            if wheel is None:
                print(f"{name}: skipped, {problem}\n")
                continue
            folder = Path(scratch) / name
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(folder, [n for n in archive.namelist() if n.endswith(".py")])
            outcome = check(folder)
            print(f"{wheel.name}")
            show(outcome)
            wrong |= bool(outcome.crashes)
            if version:
                operations = [Listed(**operation) for operation in known["operations"]]
                wrong |= compare(outcome, operations, known["read"])
            print()
    return 1 if wrong else 0


def wheel_of(name: str, version: str, cache: Path) -> tuple[Path | None, str]:
    """Give a package's wheel from the cache or the index; None with the reason where it cannot be had."""
    stem = name.replace("-", "_")
    kept = sorted(cache.glob(f"{stem}-{version or '*'}-*.whl"))
    if kept and version:
        return kept[-1], ""
    wanted = f"{name}=={version}" if version else name
    command = [*pip(), "download", "--quiet", "--no-deps", "--only-binary", ":all:", "--dest", str(cache)]
    try:
        done = subprocess.run(
            [*command, "--disable-pip-version-check", "--no-input", wanted],
            capture_output=True,
            text=True,
            check=False,
            timeout=MAY_TAKE,
        )
    except subprocess.TimeoutExpired:
        return None, f"its download took longer than {MAY_TAKE} seconds"
    found = sorted(cache.glob(f"{stem}-{version or '*'}-*.whl"), key=lambda wheel: wheel.stat().st_mtime)
    if done.returncode or not found:
        said = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        return None, (said or done.stderr.splitlines() or ["pip gave no wheel"])[-1]
    return found[-1], ""


def pip() -> Sequence[str]:
    """Give a pip: of this Python, of the path, or of an environment made for it."""
    for command in ([sys.executable, "-m", "pip"], [shutil.which("pip") or sys.executable]):
        works = subprocess.run([*command, "--version"], capture_output=True, text=True, check=False)
        if works.returncode == 0 and works.stdout.startswith("pip "):
            return command
    place = Path(tempfile.gettempdir()) / f"opconsole-benchmark-pip-{os.getuid()}"
    if not (place / "bin" / "python").exists():
        venv.create(place, with_pip=True)
    return [str(place / "bin" / "python"), "-m", "pip"]


def check(folder: Path) -> Outcome:
    """Check every migration of a package, one by one, and each folder of them as a whole."""
    outcome = Outcome()
    scan = Scan(GateKind.PRODUCTION, root=folder)
    shared = Shared()
    # The parsers are loaded once; that is no file's own time.
    scan_text("ALTER TABLE a DROP COLUMN b; DELETE FROM c WHERE d IS NULL", Written.SQL, "warm.sql", scan)
    folders = set()
    for path in migrations(folder):
        name = path.relative_to(folder).as_posix()
        start = time.perf_counter()
        try:
            scanned = scan_file(Found(path, name, named=True), scan, shared=shared)
        except Exception:  # noqa: BLE001 - a crash is what is counted here
            outcome.crashes.append(f"{name}\n{traceback.format_exc(limit=-3)}")
            continue
        outcome.seconds[name] = time.perf_counter() - start
        outcome.files += 1
        if scanned is None or scanned.migration is None:
            outcome.not_taken.append(name)
            continue
        folders.add(path.parent)
        outcome.statements += scanned.report.coverage.statements
        outcome.analysed += scanned.report.coverage.analysed
        outcome.findings += scanned.report.findings
    for place in sorted(folders):
        try:
            check_migrations(place, environment="production", gate=GateKind.PRODUCTION, root=folder)
        except Exception:  # noqa: BLE001
            outcome.crashes.append(
                f"{place.relative_to(folder)}, as a whole\n{traceback.format_exc(limit=-3)}"
            )
    return outcome


def migrations(folder: Path) -> Iterator[Path]:
    """Give the files that stand in folders of Alembic revisions: found by words, not by the reader."""
    for path in sorted(folder.rglob("*.py")):
        if "versions" in path.parts and path.name != "__init__.py":
            text = path.read_text(encoding="utf-8", errors="replace")
            if "down_revision" in text:
                yield path


def show(outcome: Outcome) -> None:
    """Print the figures of a package."""
    share = 100 * outcome.analysed / outcome.statements if outcome.statements else 100.0
    print(f"  {outcome.files} files, {len(outcome.crashes)} crashes")
    if outcome.seconds:
        middle = 1000 * statistics.median(outcome.seconds.values())
        slowest = max(outcome.seconds, key=lambda name: outcome.seconds[name])
        took = 1000 * outcome.seconds[slowest]
        print(f"  {middle:.1f} ms each (median), most {took:.0f} ms: {slowest.rsplit('/', 1)[-1]}")
    print(f"  {outcome.analysed} of {outcome.statements} statements analysed ({share:.1f} %)")
    unknown = [f for f in outcome.findings if f.rule == "unanalysable"]
    back = sum(finding.direction is Direction.DOWNGRADE for finding in unknown)
    print(f"  {len(unknown)} unanalysable, {back} of them in downgrades")
    rules = Counter(f.rule for f in outcome.findings if f.direction is Direction.UPGRADE)
    print(
        "  upgrades: " + (", ".join(f"{rules[rule]} {rule}" for rule in DESTROYS if rules[rule]) or "nothing")
    )
    if os.environ.get("OPCONSOLE_DEBUG") == "1":
        for finding in unknown:
            print(
                f"  {finding.path}:{finding.line} {finding.direction} {finding.message}: {finding.statement}"
            )
    for name in outcome.not_taken:
        print(f"  NOT TAKEN FOR A MIGRATION: {name}")
    for crash in outcome.crashes:
        print(f"  CRASH: {crash}")


def compare(outcome: Outcome, operations: Sequence[Listed], read: str | Sequence[str]) -> bool:
    """Print what is missed or made up in the files that were read by hand; say whether anything is."""
    left = [
        finding
        for finding in outcome.findings
        if finding.direction is not Direction.DOWNGRADE and (read == "all" or finding.path in read)
    ]
    found = 0
    missed = []
    for operation in operations:
        at = next((n for n, finding in enumerate(left) if _is(finding, operation)), None)
        if at is None:
            missed.append(operation)
        else:
            del left[at]
            found += 1
    false = [finding for finding in left if finding.rule in COMPARED]
    count = "all" if read == "all" else str(len(read))
    print(f"  {count} files read by hand: {found} of {len(operations)} operations found, {len(false)} false")
    for operation in missed:
        print(f"  MISSED: {operation.file}:{operation.line} {operation.rule} {operation.what}")
    for finding in false:
        print(f"  FALSE: {finding.path}:{finding.line} {finding.rule} {finding.statement}")
    return bool(missed or false)


def _is(finding: Finding, operation: Listed) -> bool:
    return (
        finding.path == operation.file
        and finding.rule in {operation.rule, operation.told_as}
        and abs(finding.line - operation.line) <= NEAR
    )


if __name__ == "__main__":
    sys.exit(main())
