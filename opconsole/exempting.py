"""Exempts a finding in a project's checkout: where the comment goes, what would change, and its writing.

A place counts only where the guardrails, reading the changed text, say that the finding is exempt and that
nothing else has changed. So a comment never ends up in a string, or cuts a command in two.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from difflib import unified_diff
from pathlib import Path

from guardrails.check import check_paths
from guardrails.environments import GateKind
from guardrails.exemptions import NEVER_EXEMPT, read_marks
from guardrails.files import UnreadableError, Written, read_text, written_in
from guardrails.findings import FileReport, Finding, Verdict
from guardrails.operations import Comment
from guardrails.scan import Scan, scan_text
from opconsole.trees import UnsafeTreeError, inside
from queues.rewrite import exchange, sync_folder, write_beside

LONGEST_REASON = 300
"""Characters of a reason at most: it has to stay readable in the code."""
_REACH = 40
"""Places above a finding that are tried: a statement may begin far above the line that is shown."""
_SIGNS = {
    **dict.fromkeys((Written.PYTHON, Written.SHELL, Written.TERRAFORM), "#"),
    **dict.fromkeys((Written.DOCKERFILE, Written.MAKEFILE, Written.DATA), "#"),
    **dict.fromkeys((Written.JAVASCRIPT, Written.TYPESCRIPT, Written.TSX), "//"),
    Written.SQL: "--",
}
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+\Z")
_BOM = "\ufeff"


class ExemptionError(ValueError):
    """An exemption that cannot be written; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Checkout:
    """A project's folder as people work in it, and how the guardrails judge it for one environment."""

    folder: Path
    environment: str
    gate: GateKind
    dialect: str = "postgres"
    downgrade_required: bool = True


@dataclass(frozen=True, slots=True)
class Spot:
    """A finding of a run: its rule and its place, as the run's private copy had it."""

    path: str
    """Relative to the project."""
    line: int
    rule: str
    statement: str
    seen: str | None
    """The text of the line in the private copy; None where the copy is not kept any more."""


@dataclass(frozen=True, slots=True)
class Wish:
    """Why a finding is to be exempt, and until which day (included); None: for good."""

    reason: str
    until: date | None = None


@dataclass(frozen=True, slots=True)
class Proposal:
    """What would be written into one file."""

    file: Path
    name: str
    """The file's path relative to the project."""
    line: int
    """The line on which the comment would stand."""
    before: bytes
    after: bytes
    diff: tuple[str, ...]
    """A unified diff, line by line, without line ends. Its text is as hostile as the file."""
    exempted: int
    """Findings that it exempts: several of one rule may stand on one line."""


def propose(checkout: Checkout, spot: Spot, wish: Wish, *, today: date) -> Proposal:
    """Find where the comment goes and give what would be written. Writes nothing. Raises ExemptionError."""
    file = checkout_file(checkout, spot.path)
    written = written_in(file)
    if spot.rule in NEVER_EXEMPT:
        raise ExemptionError(f"{spot.rule} cannot be exempted: mend the file instead")
    sign = _SIGNS.get(written) if written is not None else None
    if written is None or sign is None or file.suffix.lower() == ".json":
        raise ExemptionError(f"{spot.path} knows no comments: exempt it with a baseline, or change the file")
    mark = mark_text(spot.rule, wish, sign, today=today)
    text, before = _read(file, spot.path)
    scan = Scan(checkout.gate, checkout.dialect, checkout.downgrade_required)
    now = scan_text(text, written, spot.path, scan).report.findings
    rows = _LINE.findall(text)
    target = _target(now, rows, spot)
    for line, changed in _places(rows, target.line, mark, written):
        after = "".join(changed)
        told = scan_text(after, written, spot.path, scan).report.findings
        exempted = _newly_exempt(now, told, target, moved=len(changed) - len(rows), at=line)
        if exempted and _same_program(text, after, written):
            data = ((_BOM if before.startswith(_BOM.encode()) else "") + after).encode()
            diff = _diff(rows, changed, spot.path)
            return Proposal(file, spot.path, line, before, data, diff, exempted)
    raise ExemptionError(
        f"no comment beside {spot.path}:{target.line} would exempt it alone; write it by hand, then re-check"
    )


def write(proposal: Proposal) -> None:
    """Write what was proposed, in one step. Raises ExemptionError where the file is another one by now."""
    file, old = proposal.file, proposal.before
    changed = ExemptionError(f"{proposal.name} was changed meanwhile; nothing was written: look at it again")
    try:
        if file.is_symlink() or file.read_bytes() != old:
            raise changed
        beside = write_beside(file, proposal.after, file.stat())
        try:
            if exchange(beside, file):
                if beside.read_bytes() != old:  # saved by somebody in the very last moment: theirs stays
                    exchange(beside, file)
                    raise changed
            else:
                beside.replace(file)
        finally:
            beside.unlink(missing_ok=True)
        sync_folder(file.parent)
    except OSError as error:
        raise ExemptionError(f"{proposal.name} cannot be written: {error.strerror or error}") from error


def recheck(checkout: Checkout, path: str) -> FileReport:
    """Read one file of the checkout as it is now and give what the guardrails say. Raises ExemptionError."""
    file = checkout_file(checkout, path)
    report = check_paths(
        [file],
        environment=checkout.environment,
        gate=checkout.gate,
        dialect=checkout.dialect,
        root=checkout.folder.resolve(),
        downgrade_required=checkout.downgrade_required,
    )
    return report.files[0] if report.files else FileReport(path)


def checkout_file(checkout: Checkout, path: str) -> Path:
    """Give the file of the checkout that a report names, links resolved. Raises ExemptionError."""
    try:
        file = inside(checkout.folder, path).resolve()
    except (UnsafeTreeError, OSError, RuntimeError) as error:
        raise ExemptionError(f"this is no file of the project: {error}") from error
    if not file.is_file():
        raise ExemptionError(f"{path} is not in the project's folder (any more): {checkout.folder}")
    return file


def mark_text(rule: str, wish: Wish, sign: str, *, today: date) -> str:
    """Give the comment: ``# safety-exception: rule until DATE: reason``. Raises ExemptionError."""
    reason = wish.reason.strip()
    if not reason:
        raise ExemptionError("a reason is needed: it stands in the code and in every report")
    if not reason.isprintable():
        raise ExemptionError("the reason has a line break or a character that cannot be seen; write one line")
    if len(reason) > LONGEST_REASON:
        raise ExemptionError(f"the reason has {len(reason)} characters; allowed: {LONGEST_REASON}")
    if wish.until is not None and wish.until < today:
        raise ExemptionError(f"{wish.until} has passed; name today ({today}) or a later day")
    until = f" until {wish.until.isoformat()}" if wish.until else ""
    text = f"{sign} safety-exception: {rule}{until}: {reason}"
    marks = read_marks([Comment(1, text, alone=True)], [rule]).complete
    if not marks or (marks[0].reason, marks[0].until) != (reason, wish.until) or reason.endswith("\\"):
        raise ExemptionError(
            "the reason would be read as something else: no dates in it, no signs at its ends"
        )
    return text


def read_day(text: str) -> date | None:
    """Read the last day of an exemption; None for nothing. Raises ExemptionError."""
    if not text.strip():
        return None
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        raise ExemptionError(f"{text.strip()!a} is no day; write it as 2027-01-31") from None


def _read(file: Path, name: str) -> tuple[str, bytes]:
    """Give a file's text without its mark of coding, line ends as they are, and its bytes."""
    try:
        data = file.read_bytes()
        text = data.decode("utf-8").removeprefix(_BOM)
        as_checked = read_text(file)
    except (UnicodeDecodeError, UnreadableError) as error:
        raise ExemptionError(f"{name} is no text in UTF-8; write the comment by hand") from error
    except OSError as error:
        raise ExemptionError(f"{name} cannot be read: {error.strerror or error}") from error
    if text.replace("\r\n", "\n").replace("\r", "\n") != as_checked.removeprefix(_BOM):
        raise ExemptionError(f"{name} is not in UTF-8, or changes just now; write the comment by hand")
    return text, data


def _target(now: tuple[Finding, ...], rows: list[str], spot: Spot) -> Finding:
    """Give the finding of the checkout that the run's finding is: the same text at the same line.

    Where lines were put in above it, the only one that reads the same is it, too.
    """

    def same(finding: Finding) -> bool:
        text = rows[finding.line - 1].rstrip("\r\n") if finding.line <= len(rows) else ""
        known = spot.seen is None or text == spot.seen.rstrip("\r\n")
        return known and (finding.rule, finding.statement) == (spot.rule, spot.statement)

    alike = [finding for finding in now if same(finding) and finding.line <= len(rows)]
    here = [finding for finding in alike if finding.line == spot.line]
    if not here and len(alike) != 1:
        raise ExemptionError(
            f"{spot.path}:{spot.line} does not read any more as it did for this run, or holds no {spot.rule} "
            "when it is read alone; re-check it, or run the task again"
        )
    found = (here or alike)[0]
    if all(finding.verdict is Verdict.EXEMPT for finding in here or alike):
        raise ExemptionError(
            f"{spot.rule} at {spot.path}:{found.line} is exempt in the project's folder already: "
            "commit that, then run the task again"
        )
    return found


def _places(rows: list[str], line: int, mark: str, written: Written) -> Iterator[tuple[int, list[str]]]:
    """Give the places that may do, each with the lines that would result: above, at last behind the line."""
    for number in _starts(rows, line, written):
        above = rows[number - 2].rstrip("\r\n") if number > 1 else ""
        if above.endswith("\\") or (number == 1 and rows[0].startswith("#!")):
            continue  # in the midst of a line that goes on, or before what has to be the first
        indent = re.match(r"[ \t]*", rows[number - 1])
        made = f"{indent[0] if indent else ''}{mark}{_line_end(rows, number)}"
        yield number, [*rows[: number - 1], made, *rows[number - 1 :]]
    body = rows[line - 1].rstrip("\r\n")
    if not body.endswith("\\"):
        end = rows[line - 1][len(body) :]
        yield line, [*rows[: line - 1], f"{body}  {mark}{end}", *rows[line:]]


def _starts(rows: list[str], line: int, written: Written) -> list[int]:
    """Give the lines above which a comment may stand: that of the statement first, then the nearest."""
    if written is not Written.PYTHON:
        return list(range(line, max(0, line - _REACH), -1))
    tree = ast.parse("".join(rows).replace("\r\n", "\n").replace("\r", "\n"))
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.stmt | ast.expr) and node.lineno <= line]
    statement = max((node.lineno for node in nodes if isinstance(node, ast.stmt)), default=line)
    others = sorted({node.lineno for node in nodes} | {line}, reverse=True)
    return [statement, *(number for number in others if number != statement)][:_REACH]


def _line_end(rows: list[str], number: int) -> str:
    for row in (*rows[number - 1 :: -1], *rows[number:]):
        if end := row[len(row.rstrip("\r\n")) :]:
            return end
    return "\n"


def _newly_exempt(
    now: tuple[Finding, ...], told: tuple[Finding, ...], target: Finding, *, moved: int, at: int
) -> int:
    """Give how many findings have become exempt; 0 where it is not the target, or anything else changed."""

    def known(finding: Finding, shift: int) -> tuple[object, ...]:
        whole_file = finding.line == 1 and not finding.statement  # told of its first line, whatever it is
        line = finding.line + (shift if finding.line >= at and not whole_file else 0)
        return finding.rule, line, finding.column, finding.statement, finding.digest

    before = Counter((known(one, moved), one.verdict) for one in now)
    after = Counter((known(one, 0), one.verdict) for one in told)
    gone, come = before - after, after - before
    wanted = known(target, moved)
    right = Counter(key for key, _ in gone.elements()) == Counter(key for key, _ in come.elements())
    exempt = all(verdict is Verdict.EXEMPT and key[0] == target.rule for key, verdict in come)
    return come.total() if right and exempt and any(key == wanted for key, _ in come) else 0


def _same_program(before: str, after: str, written: Written) -> bool:
    if written is not Written.PYTHON:
        return True
    try:
        return ast.dump(ast.parse(before)) == ast.dump(ast.parse(after))
    except RecursionError:  # nested too deep to be compared
        return False


def _diff(rows: list[str], changed: list[str], name: str) -> tuple[str, ...]:
    old, new = ([row.rstrip("\r\n") for row in side] for side in (rows, changed))
    return tuple(unified_diff(old, new, f"a/{name}", f"b/{name}", lineterm=""))
