"""Who may decide, as a pure function: what grants, what still needs somebody, and what never counts."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrails.approving import (
    Asked,
    Deciders,
    Granted,
    Needed,
    Needs,
    Refused,
    Subject,
    Verdict,
    Vote,
    judge,
    needed_for_cost,
    objection,
    same_person,
)
from guardrails.gates import Tier

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
SUBJECT = Subject("a-1", "sha256:" + "0" * 64, "r-1", 1, "shop", "production")
ASKED = Asked(SUBJECT, Tier.REASONED, "ann", NOW)
NAMES = ("ann", "bob", "cid", "dot")


def vote(by: str, after: float = 0, verdict: Verdict = Verdict.APPROVE, **more: object) -> Vote:
    fields = {"subject": SUBJECT, "reason": "looked at it", "verified": True, **more}
    return Vote(by=by, at=NOW + timedelta(seconds=after), verdict=verdict, **fields)


def outcome(who: Deciders, *votes: Vote, asked: Asked = ASKED, after: float = 1000) -> object:
    return judge(asked, who, votes, NOW + timedelta(seconds=after))


def test_one_approver_grants() -> None:
    assert outcome(Deciders(("ann", "bob")), vote("bob")) == Granted(("bob",))


def test_without_named_approvers_anybody_may() -> None:
    assert outcome(Deciders(), vote("whoever")) == Granted(("whoever",))


def test_a_quorum_wants_different_people() -> None:
    who = Deciders(("ann", "bob", "cid"), quorum=2)
    assert outcome(who, vote("bob"), vote("bob", 5), vote("BOB", 6)) == Needs(
        ("1 more approval of ann, cid",)
    )
    assert outcome(who, vote("bob"), vote("cid")) == Granted(("bob", "cid"))


def test_four_eyes_keep_the_requester_out() -> None:
    who = Deciders(("ann", "bob"), four_eyes=True)
    assert "another person" in objection(ASKED, who, vote("ann"))
    assert isinstance(outcome(who, vote("ann")), Needs)
    assert outcome(who, vote("bob")) == Granted(("bob",))


def test_four_eyes_know_the_requester_by_a_longer_name() -> None:
    assert same_person("ann", "Ann@example.org")
    assert not same_person("ann@here", "ann@there")
    assert isinstance(outcome(Deciders(four_eyes=True), vote("ann@example.org")), Needs)


def test_the_third_tier_wants_a_second_person() -> None:
    asked = replace(ASKED, tier=Tier.SECOND_PERSON)
    who = Deciders(("ann", "bob"))
    assert "another must approve" in objection(asked, who, vote("ann", 9999))
    assert outcome(who, vote("bob"), asked=asked) == Granted(("bob",))


def test_one_approver_alone_breaks_the_glass_after_the_wait() -> None:
    asked = replace(ASKED, tier=Tier.SECOND_PERSON)
    who = Deciders(("ann",))
    assert "can be approved in 200 s" in objection(asked, who, vote("ann", 100))
    assert isinstance(outcome(who, vote("ann", 100), asked=asked), Needs)
    assert outcome(who, vote("ann", 300), asked=asked) == Granted(("ann",), break_glass=True)
    assert isinstance(outcome(who, vote("ann", 300, reason=" "), asked=asked), Needs)


def test_the_only_approver_is_the_second_person_where_somebody_else_asked() -> None:
    asked = replace(ASKED, tier=Tier.SECOND_PERSON, requested_by="dot")
    assert outcome(Deciders(("ann",)), vote("ann"), asked=asked) == Granted(("ann",))


@pytest.mark.parametrize(
    ("dollars", "needed"),
    [
        (0, Needed()),
        (1, Needed()),
        (499.99, Needed()),
        (500, Needed(2, 1)),
        (None, Needed(2, 1)),
        (float("nan"), Needed(2, 1)),
        (-1, Needed(2, 1)),
    ],
)
def test_a_high_cost_needs_a_second_senior_approver(dollars: float | None, needed: Needed) -> None:
    assert needed_for_cost(dollars) == needed


def test_a_senior_is_among_those_who_approve_a_high_cost() -> None:
    asked = replace(ASKED, needed=Needed(2, 1))
    who = Deciders(("ann", "bob"), seniors=("sue",))
    assert outcome(who, vote("ann"), vote("bob"), asked=asked) == Needs(("a senior approver: sue",))
    assert outcome(who, vote("ann"), vote("sue"), asked=asked) == Granted(("ann", "sue"))


def test_a_high_cost_with_one_approver_takes_the_break_glass_wait() -> None:
    asked = replace(ASKED, needed=Needed(2, 1))
    assert "no second person here" in objection(asked, Deciders(("ann",)), vote("ann", 10))
    assert outcome(Deciders(("ann",)), vote("ann", 301), asked=asked) == Granted(("ann",), break_glass=True)


def test_nobody_approves_before_the_wait_is_over() -> None:
    who = Deciders(wait=60)
    assert objection(ASKED, who, vote("bob", 20)) == "this can be approved in 40 s: the settings want a wait"
    assert outcome(who, vote("bob", 60)) == Granted(("bob",))


def test_an_expired_request_is_a_rejection() -> None:
    asked = replace(ASKED, expires_at=NOW + timedelta(seconds=100))
    assert outcome(Deciders(), vote("bob", 100), asked=asked) == Refused("no answer came in time")
    assert outcome(Deciders(), vote("bob", 99), asked=asked) == Granted(("bob",))


def test_one_rejection_outweighs_all_approvals() -> None:
    no = vote("cid", verdict=Verdict.REJECT)
    assert outcome(Deciders(NAMES), vote("bob"), vote("dot"), no) == Refused("rejected by cid")
    assert outcome(Deciders(("bob",)), vote("bob"), no) == Granted(("bob",))  # cid has no say here


def test_a_task_narrows_its_approvers_and_adds_none() -> None:
    asked = replace(ASKED, named=("cid", "eve"))
    who = Deciders(("bob", "cid"))
    assert isinstance(outcome(who, vote("bob"), vote("eve"), asked=asked), Needs)
    assert outcome(who, vote("cid"), asked=asked) == Granted(("cid",))


def test_only_proved_votes_count_where_they_are_signed() -> None:
    who = Deciders(signed=True)
    assert "must be signed" in objection(ASKED, who, vote("bob", verified=False))
    assert outcome(who, vote("bob", verified=False)) != Granted(("bob",))


# -- whatever the votes -------------------------------------------------------------------------------------

people = st.sampled_from(NAMES)
moments = st.floats(0, 2000)
tiers = st.sampled_from(list(Tier))
others = st.sampled_from(
    [
        replace(SUBJECT, run="r-2"),
        replace(SUBJECT, attempt=2),
        replace(SUBJECT, environment="staging"),
        replace(SUBJECT, project="other"),
        replace(SUBJECT, digest="sha256:" + "1" * 64),
        replace(SUBJECT, approval="a-2"),
    ]
)
yes = st.builds(vote, people, moments)
votes = st.lists(
    st.builds(
        lambda by, at, verdict, verified: vote(by, at, verdict, verified=verified),
        people,
        moments,
        st.sampled_from([Verdict.APPROVE] * 4 + [Verdict.REJECT]),
        st.booleans(),
    ),
    max_size=8,
)
deciders = st.builds(
    Deciders,
    approvers=st.lists(people, unique=True).map(tuple),
    quorum=st.integers(1, 4),
    four_eyes=st.booleans(),
    seniors=st.lists(people, unique=True, max_size=2).map(tuple),
    wait=st.sampled_from([0.0, 100.0]),
    signed=st.booleans(),
)
requests = st.builds(
    lambda tier, by, needed: replace(ASKED, tier=tier, requested_by=by, needed=needed),
    tiers,
    people,
    st.sampled_from([Needed(), Needed(2, 1)]),
)


@given(requests, deciders, votes)
def test_votes_short_of_the_quorum_never_grant(asked: Asked, who: Deciders, cast: list[Vote]) -> None:
    given_by = {one.by for one in cast if one.verdict is Verdict.APPROVE}
    if len(given_by) < who.quorum:
        assert not isinstance(outcome(who, *cast, asked=asked), Granted)


@given(requests, deciders, votes)
def test_only_people_who_may_and_can_be_told_apart_grant(
    asked: Asked, who: Deciders, cast: list[Vote]
) -> None:
    found = outcome(who, *cast, asked=asked)
    if isinstance(found, Granted):
        assert not who.approvers or set(found.by) <= {*who.approvers, *who.seniors}
        assert not who.four_eyes or asked.requested_by not in found.by
        assert len(set(found.by)) >= who.quorum
        needs_two = asked.tier is Tier.SECOND_PERSON or asked.needed.approvals > 1
        if needs_two and not found.break_glass:
            assert set(found.by) - {asked.requested_by}
        assert not (found.break_glass and len(who.approvers) > 1)


@given(requests, deciders, votes, others)
def test_replayed_votes_never_grant_and_never_help(
    asked: Asked, who: Deciders, cast: list[Vote], other: Subject
) -> None:
    replayed = [replace(one, subject=other) for one in cast]
    assert not isinstance(outcome(who, *replayed, asked=asked), Granted)
    assert outcome(who, *cast, *replayed, asked=asked) == outcome(who, *cast, asked=asked)


@given(requests, deciders, votes, st.randoms(use_true_random=False))
def test_the_order_of_votes_does_not_matter(asked: Asked, who: Deciders, cast: list[Vote], chance) -> None:
    shuffled = list(cast)
    chance.shuffle(shuffled)
    assert outcome(who, *shuffled, asked=asked) == outcome(who, *cast, asked=asked)


@given(requests, deciders, votes, yes)
def test_one_more_approval_never_takes_a_grant_away(
    asked: Asked, who: Deciders, cast: list[Vote], more: Vote
) -> None:
    if isinstance(outcome(who, *cast, asked=asked), Granted):
        assert isinstance(outcome(who, *cast, more, asked=asked), Granted)


@given(requests, deciders, votes)
def test_a_rejection_by_somebody_who_may_always_stops_it(
    asked: Asked, who: Deciders, cast: list[Vote]
) -> None:
    name = who.approvers[0] if who.approvers else "ann"
    no = vote(name, verdict=Verdict.REJECT)
    assert isinstance(outcome(who, *cast, no, asked=asked), Refused)
