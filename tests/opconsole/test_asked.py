"""What a person's approval would come to, as the plan tells it before anything is sent."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from opconsole.asked import Prospect, prospect
from opconsole.journal.records import Approval, ApprovalState, JsonMap, Purpose, Run, VoteRow
from opconsole.views import RunView
from queues.states import RunState

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
POLICY: JsonMap = {
    "quorum": 1,
    "four_eyes": False,
    "seniors": [],
    "wait": 0,
    "break_glass_wait": 300,
}


def approval(
    *approvers: str, tier: int = 2, purpose: Purpose = Purpose.GO_AHEAD, **policy: object
) -> Approval:
    plan: JsonMap = {"policy": {**POLICY, **policy}, "approvers": list(approvers), "named_approvers": []}
    asked = NOW - timedelta(seconds=30)
    return Approval("a-1", "r-1", purpose, "sha256:00", plan, tier, (), ApprovalState.WAITING, asked, "ana")


def view(*votes: VoteRow, signed: bool = False) -> RunView:
    run = Run(
        id="r-1",
        project="shop",
        task="A",
        kind="deployment",
        action="deploy",
        environment="production",
        version="1.0",
        attempt=1,
        state=RunState.WAITING,
        epoch=1,
        requested_by="ana",
        created_at=NOW,
    )
    return RunView(run, (), (), Path("log"), None, votes=votes, signed=signed)


def test_a_yes_that_would_count_has_nothing_against_it() -> None:
    assert prospect(view(), approval(), "ana", NOW) == Prospect()
    assert prospect(view(), approval("ana"), "ana", NOW) == Prospect(who=("ana",))


def test_what_would_refuse_it_is_told_as_the_worker_would_say_it() -> None:
    def against(wanted: Approval, by: str) -> str:
        return prospect(view(), wanted, by, NOW).against

    assert "ben may not decide for shop in production" in against(approval("ana"), "ben")
    assert "four eyes are wanted" in against(approval("ana", "ben", four_eyes=True), "ana")
    assert "approved in 30 s" in against(approval(wait=60), "ben")
    assert "approved in 270 s" in against(approval(tier=3), "ana")
    assert prospect(view(), approval(tier=3), "ana", NOW + timedelta(seconds=270)) == Prospect()


def test_what_is_missing_after_it_counts_the_votes_that_are_there() -> None:
    wanted = approval("ana", "ben", "cleo", quorum=3)
    bens = VoteRow("a-1", "ben", "ben", NOW, "approve", "read it")
    assert prospect(view(), wanted, "ana", NOW).lacking == "2 more approvals of ben, cleo"
    assert prospect(view(bens), wanted, "ana", NOW).lacking == "1 more approval of cleo"
    assert prospect(view(bens), approval("ana", "ben", quorum=2), "ana", NOW).lacking == ""


def test_a_freeze_takes_one_person_whatever_the_plan_took() -> None:
    frozen = approval("ana", "ben", purpose=Purpose.FREEZE, quorum=2, four_eyes=True)
    assert prospect(view(), frozen, "ana", NOW) == Prospect(who=("ana", "ben"))


def test_nothing_is_guessed_where_a_key_decides_or_the_plan_does_not_say() -> None:
    assert prospect(view(signed=True), approval("ana"), "ben", NOW) == Prospect(who=("ana",))
    assert prospect(view(), replace(approval(tier=3), plan={}), "ana", NOW) == Prospect()
    odd = replace(approval(), plan={"policy": {**POLICY, "quorum": "two"}, "approvers": []})
    assert prospect(view(), odd, "ana", NOW) == Prospect()
