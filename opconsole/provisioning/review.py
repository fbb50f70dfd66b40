"""The review of a request: what of its case is missing, what its cost is beside the case's, what it risks.

Everything here is a finding of the report that the run shows: what blocks is told before anybody is asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from guardrails.approving import Needed
from guardrails.findings import FileReport, Finding, Report, Severity, Verdict
from opconsole.provisioning.case import ASKED, BusinessCase
from opconsole.provisioning.cost import REVIEWED, TOLERANCE, CostEstimate, difference
from opconsole.provisioning.lint import LintHit
from opconsole.provisioning.resources import PolicyProperties, Resource

TEMPLATE = "template.json"
"""What the findings call the template."""


def incomplete(place: str, case: BusinessCase) -> list[Finding]:
    """Give a blocking finding for each part that a business case lacks; *place* is the queue file."""
    return [
        _finding(
            "business-case-incomplete",
            Verdict.BLOCK,
            place,
            f"the business case has no {name.replace('_', ' ')}",
            f"add business_case.{name}: {ASKED[name]}",
        )
        for name in case.missing
    ]


def unfit(place: str, faults: Sequence[str]) -> list[Finding]:
    """Give a blocking finding for each thing that is wrong with the resource."""
    return [
        _finding("resource-unfit", Verdict.BLOCK, place, fault, "mend the resource in the queue entry")
        for fault in faults
    ]


def cost_findings(place: str, case: BusinessCase, cost: CostEstimate, needed: Needed) -> list[Finding]:
    """Compare the estimate with the business case's own figure, and tell what the policy says of its size.

    *needed* is how many must approve a cost of that size.
    """
    found = []
    for name in cost.unknown:
        text = f"the table of prices ({cost.as_of}) has no price for {name}, so the estimate is only a part"
        fix = "name a table of your own with [aws] prices, or another size"
        found.append(_finding("cost-unknown", Verdict.WARN, place, text, fix))
    claimed = case.monthly_usd if case.monthly_usd is not None else Decimal(0)
    share = difference(cost, claimed)
    if abs(share) > TOLERANCE:
        more = "more" if share > 0 else "less"
        text = (
            f"the estimate is ${cost.monthly} a month, {abs(share) * 100:.0f} % {more} than "
            f"the business case's ${claimed}"
        )
        found.append(
            _finding("cost-differs", Verdict.WARN, place, text, "mend the figure, or the resource's size")
        )
    if needed.seniors:
        size = "a cost that is not known" if cost.unknown else f"${max(cost.monthly, claimed)} a month"
        text = f"{size} takes a second, senior approver"
        found.append(_finding("cost-senior", Verdict.WARN, place, text, "a senior approver approves as well"))
    elif max(cost.monthly, claimed) >= REVIEWED:
        text = f"${max(cost.monthly, claimed)} a month is to be reviewed by whoever approves"
        found.append(_finding("cost-reviewed", Verdict.WARN, place, text, "look at the estimate's lines"))
    return found


def wide_permissions(place: str, resource: Resource) -> list[Finding]:
    """Tell what of an IAM policy allows more than somebody can have meant."""
    if not isinstance(resource.properties, PolicyProperties):
        return []
    found = []
    for one in resource.properties.statements:
        if one.effect != "Allow" or "*" not in one.resources:
            continue
        wild = [action for action in one.actions if "*" in action]
        verdict = Verdict.BLOCK if wild else Verdict.WARN
        text = f"{', '.join(wild or one.actions)} is allowed on every resource of the account"
        found.append(
            _finding("iam-wildcard", verdict, place, text, "name the actions and the resources' ARNs")
        )
    return found


def lint_findings(hits: Sequence[LintHit]) -> list[Finding]:
    """Give cfn-lint's hits as findings: its errors block, its warnings warn."""
    return [
        Finding(
            rule=f"cfn-{hit.rule.lower()}",
            severity=Severity.HIGH if hit.error else Severity.MEDIUM,
            verdict=Verdict.BLOCK if hit.error else Verdict.WARN,
            path=TEMPLATE,
            line=hit.line,
            column=hit.column,
            message=hit.message,
            fix="mend the resource's properties; cfn-lint's rule says what is allowed",
        )
        for hit in hits
    ]


def harmful_changes(changes: Sequence[tuple[str, str, str, str]]) -> list[Finding]:
    """Tell of a change set's changes that would remove or replace something: that is not offered.

    A change is (action, logical id, type, replacement) as CloudFormation has them.
    """
    found = []
    for action, name, kind, replacement in changes:
        if action != "Remove" and replacement not in ("True", "Conditional"):
            continue
        verb = "removed" if action == "Remove" else "replaced"
        text = f"{name} ({kind}) would be {verb}, and what it holds with it"
        fix = "ask for a new resource under another name; opconsole deletes none"
        found.append(
            _finding("stack-loses-resource", Verdict.BLOCK, TEMPLATE, text, fix, severity=Severity.CRITICAL)
        )
    return found


def report_of(environment: str, findings: Sequence[Finding]) -> Report:
    """Put findings into a report, by their files."""
    paths = dict.fromkeys(one.path for one in findings)
    return Report(
        environment,
        tuple(FileReport(path, tuple(one for one in findings if one.path == path)) for path in paths),
    )


def _finding(
    rule: str, verdict: Verdict, path: str, message: str, fix: str, *, severity: Severity | None = None
) -> Finding:
    weight = severity or (Severity.HIGH if verdict is Verdict.BLOCK else Severity.MEDIUM)
    return Finding(rule, weight, verdict, path, 1, 1, message, fix)
