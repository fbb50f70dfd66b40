"""Sources that are hostile, huge or broken: each is answered, none hangs, none crashes."""

from __future__ import annotations

import pickle
import random
from pathlib import Path

import pytest

from guardrails.environments import GateKind
from guardrails.files import Found, written_in
from guardrails.findings import FileReport
from guardrails.s3.trees import Grammar, Source, TreeError
from guardrails.scan import Scan, scan_file, scan_text

SCAN = Scan(GateKind.PRODUCTION)
CALL = "s3.deleteBucket({});"
TEMPLATE = "Resources:\n  A:\n    Type: AWS::S3::Bucket\n"


def report(text: str, file: str) -> FileReport:
    written = written_in(Path(file))
    assert written is not None
    return scan_text(text, written, file, SCAN).report


def rules(text: str, file: str) -> set[str]:
    return {finding.rule for finding in report(text, file).findings}


def doubled(line: str, times: int = 60) -> str:
    return "\n".join(line.format(new=n, old=n - 1) for n in range(1, times))


@pytest.mark.parametrize(
    ("file", "text", "expected"),
    [
        ("a.js", "(" * 20_000 + CALL + ")" * 20_000, "delete-bucket"),
        ("a.js", "[" * 50_000 + CALL, "unparsable"),
        ("a.js", "a" + ".b" * 20_000 + ".deleteBucket()", "delete-bucket"),
        ("a.js", "`${" * 2_000 + CALL, "unparsable"),
        (
            "a.js",
            "const a0 = 'aws s3 rb';\n" + doubled("const a{new} = a{old} + a{old};") + CALL,
            "delete-bucket",
        ),
        ("a.sh", "$(" * 1_000 + "aws s3 rb x" + ")" * 1_000, "delete-bucket"),
        ("a.sh", 'echo "$(' * 500 + "aws s3 rb x", "unparsable"),
        ("a.sh", "true && " * 5_000 + "aws s3 rb x <<EOF\nEOF\n", "delete-bucket"),
        ("a.sh", doubled('v{new}="$v{old} $v{old}"') + "\naws s3 rb $v59", "delete-bucket"),
        ("a.sh", "a=x\n" + "a+=$a\n" * 60 + "aws s3 rb $a", "delete-bucket"),
        ("a.sh", "a=(x)\n" + 'a+=("${a[@]}" "${a[@]}")\n' * 60 + 'aws s3 rb "${a[@]}"', "delete-bucket"),
        (
            "a.py",
            "a0 = 'aws s3 rb '\n" + doubled("a{new} = a{old} + a{old}") + "\nos.system(a3)",
            "delete-bucket",
        ),
        (
            "a.py",
            "import boto3\nx = [x]\ny = (y, *y)\nz = z + z\nrun(z)\ns3.delete_bucket()",
            "delete-bucket",
        ),
        ("a.tf", "a {" * 5_000 + 'force_destroy = true\nresource "aws_s3_bucket" "x" {', "unparsable"),
        (
            "a.tf",
            "locals {\n a = local.b\n b = local.a\n}\n"
            'resource "aws_s3_bucket" "x" {\n force_destroy = local.a\n}\n',
            "missing-prevent-destroy",
        ),
        ("a.yaml", TEMPLATE + "x: " + "[" * 5_000 + "]" * 5_000, "bucket-not-retained"),
        (
            "a.yaml",
            TEMPLATE + "    Properties: &p\n      LifecycleConfiguration: *p\n",
            "bucket-not-retained",
        ),
        (
            "a.yaml",
            "a0: &a0 {x: 1}\n"
            + doubled("a{new}: &a{new} {{p: *a{old}, q: *a{old}}}", 40)
            + f"\n{TEMPLATE}    Properties:\n      LifecycleConfiguration: *a39\n",
            "bucket-not-retained",
        ),
        ("a.yaml", TEMPLATE + "   x: [\n", "unparsable"),
        ("a.json", '{"Resources": {"A": {"Type": "AWS::S3::Bucket",}', "unparsable"),
        (
            ".github/workflows/a.yml",
            "a0: &a0 {run: aws s3 rb x}\n" + doubled("a{new}: &a{new} {{p: *a{old}, q: *a{old}}}", 40),
            "delete-bucket",
        ),
    ],
    ids=range(21),
)
def test_what_could_hang_or_crash_is_answered(file: str, text: str, expected: str) -> None:
    assert expected in rules(text, file)


@pytest.mark.parametrize(
    "file", ["a.js", "a.ts", "a.tsx", "a.sh", "a.tf", "a.yaml", "a.json", "Dockerfile", "Makefile"]
)
@pytest.mark.parametrize("seed", range(5))
def test_junk_in_any_language_is_answered(file: str, seed: int) -> None:
    dice = random.Random(seed)
    pieces = [
        "aws s3 rb x",
        CALL,
        TEMPLATE,
        'resource "aws_s3_bucket" "x" {',
        "`",
        "${",
        "$(",
        "'",
        '"',
        "<<E\n",
        "\n\t",
    ]
    text = "".join(
        dice.choice(pieces) if dice.random() < 0.1 else chr(dice.randint(32, 0x2FF)) for _ in range(5_000)
    )
    report(text, file)


def test_an_error_that_hides_no_call_is_not_reported() -> None:
    assert rules("const a = ;\nconst b = 'aws';\n", "a.js") == set()
    assert rules("if then\naws s3 ls\n", "a.sh") == set()


def test_an_error_that_could_hide_a_call_is_reported_with_its_line() -> None:
    found = report("const ok = 1;\nfunction ( { s3.deleteBucket(((; }\n", "a.js").findings
    assert ("unparsable", "block", 2) in {(f.rule, f.verdict.value, f.line) for f in found}


def test_where_one_grammar_goes_round_for_ever_another_one_answers() -> None:
    # The grammar of TSX never comes back from this broken source, those of JavaScript and TypeScript do.
    broken = "s3.deleteBucket({})''}n:K{[a:1}}]"
    with pytest.raises(TreeError, match="could not be parsed within"):
        Source(broken, Grammar.TSX, longest=0.5)
    assert "delete-bucket" in rules(broken, "a.js")


def test_a_source_that_no_grammar_finishes_is_reported() -> None:
    assert "unparsable" in rules("s3.deleteBucket({})''}n:K{[a:1}}]", "a.tsx")


def test_a_parser_that_takes_too_long_gives_up_and_says_so() -> None:
    with pytest.raises(TreeError, match="could not be parsed within"):
        Source("var a = 1;\n" * 200_000, Grammar.JAVASCRIPT, longest=0.0)


def test_data_files_are_read_only_where_they_are_templates_or_pipelines(tmp_path: Path) -> None:
    for name, data in {
        "binary.json": b"\xff\x00\x01",
        "data.json": b'{"a": 1}',
        "broken.yaml": b"a: [",
        "latin.yml": "a: é".encode("latin-1"),
    }.items():
        path = tmp_path / name
        path.write_bytes(data)
        assert scan_file(Found(path, name, named=False), SCAN) is None
    template = tmp_path / "stack.yaml"
    template.write_text(TEMPLATE)
    scanned = scan_file(Found(template, "stack.yaml", named=False), SCAN)
    assert scanned is not None
    assert [finding.rule for finding in scanned.report.findings] == ["bucket-not-retained"]


def test_what_comes_out_of_a_file_can_be_sent_to_another_process() -> None:
    written = written_in(Path("a.tf"))
    assert written is not None
    scanned = scan_text('resource "aws_s3_bucket" "x" {}', written, "a.tf", SCAN)
    assert pickle.loads(pickle.dumps(scanned)) == scanned
