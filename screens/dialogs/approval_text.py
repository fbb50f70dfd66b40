"""What an approval dialog says, in the order in which a person needs it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

from rich.cells import cell_len
from textual.content import Content

from guardrails.environments import GateKind
from guardrails.gates import Action
from opconsole.asked import Prospect, prospect
from opconsole.journal.records import Approval, Phase, Purpose, StepState
from opconsole.prompts import DeploymentPrompt, Preflight, RollbackPrompt, deployment_prompt, rollback_prompt
from opconsole.provisioning.telling import prompt, sentences
from opconsole.views import RunView
from screens.findings import findings_of
from screens.look import Role
from screens.plan_facts import PlanFacts, changed_steps, plan_facts, version_before
from screens.widgets.source_text import source_text
from screens.words import block, clip, content, folded, lines, moment, safe

FINDINGS = 40
"""Findings that are listed; the violations tab and the command line have them all."""


INDENT = 14
"""Cells before the value of a row."""
MIGRATIONS = "Migrations"
"""How the title of the migrations begins."""


def approval_text(
    run: RunView,
    approval: Approval,
    operator: str,
    now: datetime,
    width: int,
    *,
    sources: Mapping[str, str | None] | None = None,
    sql: str | None = None,
) -> Content:
    """Give the dialog's body. *sources* are the migrations' files by path; None: they stay folded.

    *sql* is what they come to, empty while it is written; None: it stays folded, too.
    """
    facts = plan_facts(approval.plan)
    yours = prospect(run, approval, operator, now)
    first = beforehand(run, yours, width)
    return lines(
        [
            *(first and [*first, content("")]),
            *_what(run, facts, width),
            *_provisioning(approval, width),
            *_steps(run, approval, facts, width),
            *_changed(run, approval, facts, width),
            *_migrations(facts, approval, width, sources),
            *_sql(sql),
            *_findings(run, facts),
            *_preflight(run),
            *_who(run, approval, operator, now, width, may=yours.who),
            *_prompt(run, approval, facts),
        ]
    )


def beforehand(run: RunView, yours: Prospect, width: int) -> list[Content]:
    """Say what would make a yes worthless, or leave it short; [] where nothing does."""
    said = []
    if run.entry_note:
        said += folded(f"± {run.entry_note}", width, indent=2, role=Role.WARN)
    if yours.against:
        said += folded(f"◆ refused now: {yours.against}", width, indent=2, role=Role.ASKS)
    elif yours.lacking:
        said += folded(f"◆ after yours it still needs {yours.lacking}", width, indent=2, role=Role.ASKS)
    return said


def _what(run: RunView, facts: PlanFacts, width: int) -> Iterator[Content]:
    record = run.run
    yield _row("Project", facts.project or record.project)
    yield _row("Task", f"{record.task}, attempt {record.attempt}")
    if record.action == Action.PROVISION:
        return
    yield content(
        _label("Version"),
        (safe(version_before(facts, record)), Role.MUTED),
        " → ",
        (facts.version_to or record.version or "–", Role.STRONG),
    )
    if facts.commit:
        yield _row("Commit", facts.commit[:19])
    if facts.target:
        yield _row("Target", facts.target, width)
    if facts.sandbox:
        yield _row("Sandbox", facts.sandbox, width)


def _provisioning(approval: Approval, width: int) -> Iterator[Content]:
    said = sentences(approval.plan)
    if said:
        yield from _title("What is to be provisioned")
    for label, text in said:
        yield _row(label, text, width)


def _steps(run: RunView, approval: Approval, facts: PlanFacts, width: int) -> Iterator[Content]:
    wanted = Phase.ROLLBACK if approval.purpose is Purpose.REVERT else Phase.EFFECT
    titles = {step.name: step.title for step in run.steps if step.phase is wanted}
    planned = [(titles.get(step.name, step.name), step.program) for step in facts.steps]
    if not planned:
        planned = [
            (step.title, " ".join(step.argv or ()))
            for step in run.steps
            if step.phase is wanted and step.state is StepState.PENDING
        ]
    if not planned:
        return
    yield from _title("What will run")
    room = min(34, max(len(safe(title)) for title, _ in planned))
    for number, (title, program) in enumerate(planned, 1):
        shown = clip(title, room).ljust(room)
        command = clip(program, max(10, width - room - 8))
        yield content((f"{number:>3}  ", Role.MUTED), shown, (f"  {command}" if command else "", Role.MUTED))


def _changed(run: RunView, approval: Approval, facts: PlanFacts, width: int) -> Iterator[Content]:
    """Say what is done otherwise than the last time that it went well."""
    if approval.purpose is Purpose.REVERT:
        return
    if run.last_plan is None:
        yield content(("  the first time here that this is planned", Role.MUTED))
        return
    changed = changed_steps(plan_facts(run.last_plan), facts)
    if not changed:
        yield content(("  the same steps as the last time that it went well", Role.MUTED))
        return
    yield from _title("Otherwise than the last time that it went well")
    for sign, text in changed[:FINDINGS]:
        yield from folded(f"{sign} {text}", width, indent=2, role=Role.WARN)


def _migrations(
    facts: PlanFacts, approval: Approval, width: int, sources: Mapping[str, str | None] | None
) -> Iterator[Content]:
    if facts.migrations_path is None:
        return
    back = approval.purpose is Purpose.REVERT or facts.action == Action.ROLLBACK
    yield from _title(f"{MIGRATIONS} taken back" if back else MIGRATIONS)
    yield _row("Path", facts.migrations_path, width)
    if facts.database:
        yield _row("Database", facts.database, width)
    yield _row("Revision", f"{facts.revision_from or '–'} → {facts.revision_to or '–'}")
    if not facts.migrations:
        yield content(("  none to run: the database stands there already", Role.MUTED))
    for one in facts.migrations:
        sign = ("  ↔ ", Role.GOOD) if one.reversible else ("  ✗ ", Role.BAD)
        note = "" if one.reversible else "  not reversible"
        name = one.path.removeprefix(f"{facts.migrations_path}/") or one.revision
        left = width - cell_len(safe(name)) - len(note) - 6
        about = f"  {clip(one.description, left)}" if one.description and left >= 8 else ""
        yield content(sign, name, (about, Role.MUTED), (note, Role.BAD))
        if sources is not None and one.path:
            text = sources.get(one.path)
            if text is None:
                yield content(("      its file is not kept any more", Role.MUTED))
            else:
                yield source_text(text, one.path, indent=4)


def _sql(text: str | None) -> Iterator[Content]:
    if text is None:
        return
    yield content(("  As SQL, by Alembic's offline mode", Role.MUTED))
    if text:
        yield source_text(text, "migrations.sql", indent=4)
    else:
        yield content(("      Alembic is asked for it …", Role.MUTED))


def _findings(run: RunView, facts: PlanFacts) -> Iterator[Content]:
    if not facts.findings:
        return
    statements = {(one.path, str(one.line), one.rule): one.statement for one in findings_of(run.run.report)}
    yield from _title("Findings and exemptions")
    for one in facts.findings[:FINDINGS]:
        exempt = one.verdict == "exempt"
        look = ("  ○ exempt ", Role.ASKS) if exempt else ("  ▲ ", Role.WARN)
        yield content(look, f" {one.path}:{one.line}  {one.rule}")
        if statement := statements.get((one.path, one.line, one.rule)):
            yield content("      ", (safe(statement, limit=300), Role.STRONG))
        if one.reason:
            yield content("      ", (f"reason: {one.reason}", Role.MUTED))
    if len(facts.findings) > FINDINGS:
        yield content((f"  … {len(facts.findings) - FINDINGS} more in the violations tab", Role.WARN))


def _preflight(run: RunView) -> Iterator[Content]:
    if not run.run.preflight:
        return
    yield from _title("Pre-flight validation")
    for passed, text in run.run.preflight:
        yield content(("  ✓ ", Role.GOOD) if passed else ("  ✗ ", Role.BAD), text)


def _who(
    run: RunView, approval: Approval, operator: str, now: datetime, width: int, *, may: tuple[str, ...]
) -> Iterator[Content]:
    yield from _title("Asked")
    yield _row("By", f"{approval.requested_by}, {moment(approval.requested_at, now)}")
    if approval.why:
        yield _row("Because", ", ".join(approval.why), width)
    if run.signed:
        yield _row("You are", f"{operator}; your key's signature says who approves")
    else:
        yield _row("You are", f"{operator} (a name, not a proof)")
    for vote in run.votes_on(approval):
        proof = "signed" if vote.verified else "advisory"
        yield _row("Approved by", f"{vote.by} ({proof}), {moment(vote.at, now)}")
    if may:
        yield _row("Who may", ", ".join(may), width)
    short = approval.digest.removeprefix("sha256:")[:12]
    yield content(_label("Plan"), (short, Role.STRONG))
    yield from folded(approval.digest, width, indent=INDENT, role=Role.MUTED)
    yield _row("Expires", moment(approval.expires_at, now) if approval.expires_at else "never")


def _prompt(run: RunView, approval: Approval, facts: PlanFacts) -> Iterator[Content]:
    """Give the guide's own words for the same decision."""
    record = run.run
    if approval.purpose is Purpose.REVERT or record.action == Action.ROLLBACK:
        text = rollback_prompt(
            RollbackPrompt(
                environment=record.environment,
                target_version=facts.version_to or None,
                steps_back=len(facts.migrations),
                revision=facts.revision_to or None,
            )
        )
    elif record.action == Action.DEPLOY:
        text = deployment_prompt(
            DeploymentPrompt(
                environment=record.environment,
                version=facts.version_to or record.version or "",
                project=record.project,
                migrations_path=facts.migrations_path,
                production=facts.gate == GateKind.PRODUCTION,
                preflight=tuple(Preflight(passed, line) for passed, line in record.preflight),
            )
        )
    elif record.action == Action.PROVISION:
        text = prompt(approval.plan, record.preflight)
    else:
        return
    yield from _title("As the guide asks it")
    yield block(text.rsplit("\n", 1)[0].rstrip())


def _title(text: str) -> Iterator[Content]:
    yield content("")
    yield content((text, Role.MUTED))


def _row(label: str, value: str, width: int = 0) -> Content:
    if not width:
        return content(_label(label), value)
    first, *more = folded(value, width, indent=INDENT)
    return lines([content(_label(label), first[INDENT:]), *more])


def _label(text: str) -> tuple[str, Role]:
    return f"  {text:<{INDENT - 2}}", Role.MUTED
