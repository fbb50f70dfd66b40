"""A file finds its reader, whatever it is written in and however it is damaged."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from guardrails.environments import GateKind
from guardrails.files import Found, Written, written_in
from guardrails.findings import FileReport
from guardrails.scan import Scan, scan_file, scan_text

ROOT = Path(__file__).parents[2]
FILES = {
    "sql": "a.sql",
    "python": "a.py",
    "javascript": "a.js",
    "jsx": "a.jsx",
    "ts": "a.ts",
    "tsx": "a.tsx",
    "shell": "a.sh",
    "terraform": "a.tf",
    "dockerfile": "Dockerfile",
    "makefile": "Makefile",
    "yaml": "a.yaml",
    "json": "a.json",
}


def scanned(tmp_path: Path, name: str, text: str) -> FileReport:
    file = tmp_path / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    result = scan_file(Found(file, name, named=True), Scan(GateKind.PRODUCTION))
    assert result is not None
    return result.report


def test_every_type_that_the_hook_passes_on_has_a_reader() -> None:
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    assert {written_in(Path(FILES[kind])) for kind in hook["types_or"]} == set(Written)


@pytest.mark.parametrize(
    ("name", "text", "rule"),
    [
        ("Dockerfile", "FROM x\nRUN aws s3 rb s3://a --force\n", "delete-bucket"),
        ("Makefile", "gone:\n\taws s3 rb s3://a --force\n", "delete-bucket"),
        (".github/workflows/a.yml", "jobs: {a: {steps: [{run: aws s3 rb s3://a --force}]}}", "delete-bucket"),
        ("package.json", '{"scripts": {"gone": "aws s3 rb s3://a --force"}}', "delete-bucket"),
        ("a.yaml", "Resources: {A: {Type: 'AWS::S3::Bucket'}}", "bucket-not-retained"),
        ("a.tsx", "const a = <b onClick={() => s3.deleteBucket({Bucket: 'c'})}/>", "delete-bucket"),
    ],
)
def test_a_file_that_is_named_is_read_for_what_it_is(tmp_path: Path, name: str, text: str, rule: str) -> None:
    assert [finding.rule for finding in scanned(tmp_path, name, text).findings] == [rule]


@pytest.mark.parametrize("text", ["{{ helm }}: {{- if }}\n\t- x", '{"a": 1}', "", "- a: [", "\ufeff"])
def test_yaml_and_json_that_hold_neither_template_nor_pipeline_pass(tmp_path: Path, text: str) -> None:
    for name in ("values.yaml", "data.json"):
        assert scanned(tmp_path, name, text).findings == ()


def test_numbers_that_are_none_or_have_no_end_are_no_fault_of_a_template() -> None:
    text = """Resources:
  Data:
    Type: AWS::S3::Bucket
    DeletionPolicy: Retain
    Properties:
      LifecycleConfiguration:
        Rules:
          - {{Status: Enabled, ExpirationInDays: {days}}}
"""
    for days in ("1" * 5000, '!!int "²"', "!!int x", "0x7f", "1_000"):
        report = scan_text(text.format(days=days), Written.DATA, "a.yaml", Scan(GateKind.PRODUCTION)).report
        assert {finding.rule for finding in report.findings} <= {"expire-all-objects"}, days


def test_no_character_kills_the_process_that_reads_shell(tmp_path: Path) -> None:
    # tree-sitter-bash#337, in a process of its own: it died of this one.
    code = "from guardrails.s3.shell import read_shell\nfor _ in range(50): read_shell('{\\U000fbecf\\\\3 r')"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr


def test_places_and_texts_in_shell_count_characters_of_any_script(tmp_path: Path) -> None:
    (finding,) = scanned(
        tmp_path, "a.sh", "é=𝕏; # ü\necho 'größe' && aws s3 rb s3://bücher --force\n"
    ).findings
    assert (finding.line, finding.column) == (2, 17)
    assert finding.statement == "aws s3 rb s3://bücher --force"
