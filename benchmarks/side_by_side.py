"""Checks the same Postgres SQL with opconsole, squawk and sqlfluff in one run: what each sees, and how long.

python benchmarks/side_by_side.py [--venv DIR] [--files N]

The cases are those of data/postgres_cases.sql; the times are of a set generated from them. squawk and
sqlfluff are put into an environment of their own (--venv: one that is there already, or shall be kept); one
that cannot be had is left out, and the reason is printed. sqlfluff lints style: it is here for its time.

"Sees" means: any finding about data, locks or compatibility; advice on style or on setting timeouts does not
count, for none of the tools, nor does a syntax error.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
CASES = Path(__file__).parent / "data" / "postgres_cases.sql"
ROUNDS = 3
MAY_TAKE = 300
"""Seconds for one run of one tool."""

Findings = dict[str, set[str]]
"""The rules that each file hit."""


@dataclass(frozen=True)
class Case:
    name: str
    danger: bool
    text: str

    @property
    def file(self) -> str:
        return re.sub(r"[^a-z0-9]+", "-", self.name.lower()).strip("-") + ".sql"


@dataclass(frozen=True)
class Tool:
    name: str
    argv: Callable[[Path], Sequence[str]]
    read: Callable[[str], Findings]
    style: Callable[[str], bool]
    """Whether a rule is none of those that count."""

    def run(self, folder: Path) -> tuple[Findings, float]:
        start = time.perf_counter()
        done = subprocess.run(
            self.argv(folder),
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=MAY_TAKE,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        took = time.perf_counter() - start
        try:
            return self.read(done.stdout), took
        except ValueError as error:
            raise SystemExit(f"{self.name} gave no report: {(done.stderr or done.stdout)[:500]}") from error


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    words.add_argument("--venv", type=Path, help="an environment that has, or shall get, the other tools")
    words.add_argument("--files", type=int, default=120, help="files of the generated set")
    given = words.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tools = [ours(), *others(given.venv or folder / "venv")]
        cases = read_cases(CASES.read_text(encoding="utf-8"))
        compare(tools, cases, folder / "cases")
        measure(tools, cases, folder / "generated", given.files)


def compare(tools: Sequence[Tool], cases: Sequence[Case], folder: Path) -> None:
    folder.mkdir()
    for case in cases:
        (folder / case.file).write_text(case.text, encoding="utf-8")
    seen = {tool.name: tool.run(folder)[0] for tool in tools}
    print(f"\n{len(cases)} hand-written cases; + seen, - not seen; ! is an answer that is wrong\n")
    wide = max(len(case.name) for case in cases)
    print("  ".join([" " * (wide + 8), *(tool.name.ljust(9) for tool in tools)]))
    right = dict.fromkeys(seen, 0)
    alarms = dict.fromkeys(seen, 0)
    for case in cases:
        line = [f"{'danger' if case.danger else 'safe':6}  {case.name:{wide}}"]
        rules = []
        for tool in tools:
            counted = {r for r in seen[tool.name].get(case.file, set()) if not tool.style(r)}
            right[tool.name] += case.danger and bool(counted)
            alarms[tool.name] += not case.danger and bool(counted)
            mark = ("+" if counted else "-") + ("" if bool(counted) == case.danger else " !")
            line.append(mark.ljust(9))
            rules.append(f"{tool.name}: {', '.join(sorted(counted)) or 'nothing'}")
        print("  ".join(line) + "  " + "; ".join(rules))
    dangers = sum(case.danger for case in cases)
    print()
    for tool in tools:
        found = right[tool.name]
        said = found + alarms[tool.name]
        precision = f"{found / said:.2f}" if said else "none: it said nothing"
        print(
            f"{tool.name:10} saw {found} of {dangers} dangers (recall {found / dangers:.2f}), "
            f"{alarms[tool.name]} false alarms on {len(cases) - dangers} safe ones (precision {precision})"
        )


def measure(tools: Sequence[Tool], cases: Sequence[Case], folder: Path, number: int) -> None:
    """Time every tool on a set made of the cases in random order, the same in every run."""
    folder.mkdir()
    chooser = random.Random(7)  # the same set every time
    size = 0
    for index in range(number):
        text = "\n".join(case.text for case in chooser.sample(cases, 8))
        (folder / f"{index:05}.sql").write_text(text, encoding="utf-8")
        size += len(text)
    best: dict[str, float] = {}
    for tool in tools:
        try:
            best[tool.name] = min(
                tool.run(folder)[1] for _ in range(ROUNDS if tool.name != "sqlfluff" else 1)
            )
        except subprocess.TimeoutExpired:
            print(f"{tool.name} is left out of the times: it took more than {MAY_TAKE} s")
    floor = best["opconsole"]
    print(
        f"\n{number} generated files, {size / 1000:.0f} kB, whole program, best of {ROUNDS} (sqlfluff: one)\n"
    )
    for name, took in best.items():
        print(f"{name:10} {took:8.2f} s  {took / floor:6.2f} times opconsole  {size / took / 1e6:6.2f} MB/s")


def read_cases(text: str) -> list[Case]:
    parts = re.split(r"^-- case: (.+) / (danger|safe)\n", text, flags=re.MULTILINE)[1:]
    return [Case(name, kind == "danger", body) for name, kind, body in zip(*[iter(parts)] * 3, strict=True)]


def ours() -> Tool:
    def read(text: str) -> Findings:
        return {
            Path(file["path"]).name: {finding["rule"] for finding in file["findings"]}
            for file in json.loads(text)["files"]
        }

    argv = [sys.executable, "-m", "opconsole", "check", "--no-cache", "--format", "json", "."]
    return Tool("opconsole", lambda _: argv, read, lambda rule: "timeout" in rule)


def others(place: Path) -> list[Tool]:
    tools = []
    if not (place / "bin" / "python").exists():
        venv.create(place, with_pip=True)
    for name, package, make in (("squawk", "squawk-cli", squawk), ("sqlfluff", "sqlfluff", sqlfluff)):
        program = place / "bin" / name
        if not program.exists():
            install = [str(place / "bin" / "python"), "-m", "pip", "install", "--quiet", package]
            done = subprocess.run(install, capture_output=True, text=True, check=False)
            if done.returncode or not program.exists():
                reason = (done.stderr.strip().splitlines() or ["no program came with it"])[-1]
                print(f"{name} is left out: {package} cannot be installed: {reason}")
                continue
        version = subprocess.run([str(program), "--version"], capture_output=True, text=True, check=False)
        print(version.stdout.strip())
        tools.append(make(program))
    return tools


def squawk(program: Path) -> Tool:
    def read(text: str) -> Findings:
        found: Findings = {}
        for entry in json.loads(text or "[]"):
            found.setdefault(Path(entry["file"]).name, set()).add(entry["rule_name"])
        return found

    def style(rule: str) -> bool:
        return rule.startswith("prefer-") or "timeout" in rule or rule == "syntax-error"

    def argv(folder: Path) -> list[str]:
        return [str(program), "--reporter", "json", *(str(file) for file in sorted(folder.glob("*.sql")))]

    return Tool("squawk", argv, read, style)


def sqlfluff(program: Path) -> Tool:
    def read(text: str) -> Findings:
        return {
            Path(file["filepath"]).name: {entry["code"] for entry in file["violations"]}
            for file in json.loads(text)
        }

    argv = [str(program), "lint", "--dialect", "postgres", "--format", "json", "--disable-progress-bar", "."]
    return Tool("sqlfluff", lambda _: argv, read, lambda rule: True)


if __name__ == "__main__":
    main()
