"""The report as SARIF: valid by the official schema, and true to the findings."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from guardrails.check import check_paths
from guardrails.environments import GateKind
from guardrails.findings import FileReport, Finding, Report, Severity, Verdict
from guardrails.sarif import sarif_report

SCHEMA = json.loads((Path(__file__).parent / "data" / "sarif-2.1.0-rtm.5.json").read_text(encoding="utf-8"))
KINDS = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "integer": int,
    "number": (int, float),
    "null": type(None),
}
KNOWN = {
    "$schema",
    "additionalProperties",
    "anyOf",
    "default",
    "definitions",
    "description",
    "enum",
    "format",
    "id",
    "items",
    "maximum",
    "minItems",
    "minimum",
    "oneOf",
    "pattern",
    "properties",
    "required",
    "title",
    "type",
    "uniqueItems",
}


def faults(value: Any, schema: dict[str, Any], where: str = "") -> list[str]:  # noqa: C901, PLR0912
    """Give what is wrong with a document by a schema of JSON Schema draft 4, as far as SARIF's uses it."""
    if "$ref" in schema:
        target: Any = SCHEMA
        for part in schema["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        return faults(value, target, where)
    assert set(schema) <= KNOWN, f"the schema says {set(schema) - KNOWN}, which this does not know"
    found = []
    kind = schema.get("type")
    kinds = [kind] if isinstance(kind, str) else kind or []
    if kinds and not any(
        isinstance(value, KINDS[k]) and not (isinstance(value, bool) and k in {"integer", "number"})
        for k in kinds
    ):
        return [f"{where}: no {kinds}"]
    if "enum" in schema and value not in schema["enum"]:
        found.append(f"{where}: {value!r} is none of {schema['enum']}")
    if isinstance(value, str) and "pattern" in schema and not re.search(schema["pattern"], value):
        found.append(f"{where}: {value!r} does not match {schema['pattern']}")
    if (
        isinstance(value, str)
        and schema.get("format") in {"uri", "uri-reference"}
        and re.search(r'[\s<>"\\^`{|}]', value)
    ):
        found.append(f"{where}: {value!r} is no URI")
    if isinstance(value, int | float) and not (
        schema.get("minimum", value) <= value <= schema.get("maximum", value)
    ):
        found.append(f"{where}: {value} is out of bounds")
    if isinstance(value, list):
        if len(value) < schema.get("minItems", 0):
            found.append(f"{where}: too few")
        texts = [json.dumps(item, sort_keys=True) for item in value]
        if schema.get("uniqueItems") and len(set(texts)) < len(texts):
            found.append(f"{where}: twice the same")
        for number, item in enumerate(value):
            found += faults(item, schema.get("items", {}), f"{where}[{number}]")
    if isinstance(value, dict):
        properties = schema.get("properties", {})
        found += [f"{where}: lacks {name}" for name in schema.get("required", []) if name not in value]
        for name, item in value.items():
            if name in properties:
                found += faults(item, properties[name], f"{where}.{name}")
            elif schema.get("additionalProperties") is False:
                found.append(f"{where}: {name} does not belong here")
            elif isinstance(schema.get("additionalProperties"), dict):
                found += faults(item, schema["additionalProperties"], f"{where}.{name}")
    for several, needed in (("anyOf", None), ("oneOf", 1)):
        if several in schema:
            fitting = sum(not faults(value, option, where) for option in schema[several])
            if not fitting or (needed and fitting != needed):
                found.append(f"{where}: fits {fitting} of {several}")
    return found


def report_of(folder: Path) -> Report:
    (folder / "a b#.sql").write_text(
        "TRUNCATE a;\n-- safety-exception: drop-table - copied\nDROP TABLE b;\nUPDATE c SET d = 'é';\nno sql;"
    )
    (folder / "001.py").write_text(
        "'''Add.'''\nrevision = '1'\ndown_revision = None\n"
        "def upgrade():\n    pass\ndef downgrade():\n    op.drop_table('x')\n"
    )
    report = check_paths([folder], environment="production", gate=GateKind.PRODUCTION)
    return Report(report.environment, report.files, ("a baseline entry is stale",))


def test_the_log_is_valid_by_the_official_schema(tmp_path: Path) -> None:
    log = sarif_report(report_of(tmp_path), version="1.2.3", base=tmp_path)
    assert faults(log, SCHEMA) == []
    assert json.loads(json.dumps(log)) == log


def test_an_empty_report_is_valid_too() -> None:
    log: Any = sarif_report(Report("production"), version="1.2.3")
    assert faults(log, SCHEMA) == []
    assert log["runs"][0]["results"] == []


@pytest.mark.parametrize(
    "damage",
    [
        lambda log: log.pop("version"),
        lambda log: log["runs"][0]["results"][0].update(level="fatal"),
        lambda log: log["runs"][0]["results"][0].update(colour="red"),
        lambda log: log["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["region"].update(
            startLine=0
        ),
        lambda log: log["runs"][0]["tool"]["driver"].pop("name"),
    ],
)
def test_the_validation_would_see_what_is_wrong(tmp_path: Path, damage: Any) -> None:
    log = sarif_report(report_of(tmp_path), version="1.2.3", base=tmp_path)
    damage(log)
    assert faults(log, SCHEMA)


def test_results_say_what_the_findings_say(tmp_path: Path) -> None:
    report = report_of(tmp_path)
    log: Any = sarif_report(report, version="1.2.3", base=tmp_path)
    (run,) = log["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert len(run["results"]) == len(report.findings) == 5
    for finding, result in zip(report.findings, run["results"], strict=True):
        assert (result["ruleId"], rules[result["ruleIndex"]]["id"]) == (finding.rule, finding.rule)
        region = result["locations"][0]["physicalLocation"]["region"]
        assert (region["startLine"], region["startColumn"]) == (finding.line, finding.column)
    assert {(r["ruleId"], r["level"]) for r in run["results"]} == {
        ("truncate", "error"),
        ("drop-table", "warning"),
        ("update-all", "warning"),
        ("unanalysable", "error"),
    }
    uris = [r["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for r in run["results"]]
    assert set(uris) == {"001.py", "a%20b%23.sql"}
    assert (
        run["invocations"][0]["toolExecutionNotifications"][0]["message"]["text"]
        == "a baseline entry is stale"
    )


def test_a_mark_and_a_baseline_are_suppressions_of_their_kind(tmp_path: Path) -> None:
    def finding(reason: str) -> Finding:
        return Finding(
            "drop-table", Severity.CRITICAL, Verdict.EXEMPT, "a.sql", 1, 1, "m", "f", reason=reason
        )

    report = Report("production", (FileReport("a.sql", (finding("it is empty"), finding("baseline"))),))
    log: Any = sarif_report(report, version="1", base=tmp_path)
    assert faults(log, SCHEMA) == []
    assert [result["suppressions"] for result in log["runs"][0]["results"]] == [
        [{"kind": "inSource", "justification": "it is empty"}],
        [{"kind": "external", "justification": "baseline"}],
    ]


def test_fingerprints_stay_when_lines_move(tmp_path: Path) -> None:
    def prints(text: str) -> list[str]:
        (tmp_path / "a.sql").write_text(text)
        report = check_paths([tmp_path / "a.sql"], environment="production", gate=GateKind.PRODUCTION)
        log: Any = sarif_report(report, version="1", base=tmp_path)
        return [result["partialFingerprints"]["opconsole/v1"] for result in log["runs"][0]["results"]]

    before = prints("TRUNCATE a;\nTRUNCATE a;\n")
    assert len(set(before)) == 2
    assert prints("SELECT 1;\n\n\nTRUNCATE  a;\nTRUNCATE\na;\n") == before
