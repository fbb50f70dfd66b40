"""Whatever people do to a request, it is granted exactly when a tiny model of the rules says so."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from guardrails.approving import (
    Asked,
    Deciders,
    Granted,
    Needed,
    Refused,
    Subject,
    Verdict,
    Vote,
    judge,
    objection,
    rejects,
)
from guardrails.gates import Tier

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
PEOPLE = ("ann", "bob", "cid", "ann@example.org")  # the last one may well be the first
EXPIRES = timedelta(seconds=1000)


class Request(RuleBasedStateMachine):
    """One request as a worker keeps it: a vote that is objected to is refused, the others stay."""

    @initialize(
        approvers=st.lists(st.sampled_from(PEOPLE), unique=True).map(tuple),
        seniors=st.lists(st.sampled_from(PEOPLE), unique=True, max_size=2).map(tuple),
        quorum=st.integers(1, 3),
        four_eyes=st.booleans(),
        signed=st.booleans(),
        wait=st.sampled_from([0.0, 300.0]),
        tier=st.sampled_from([Tier.CONFIRM, Tier.REASONED, Tier.SECOND_PERSON]),
        requester=st.sampled_from(PEOPLE),
        costly=st.booleans(),
        expires=st.booleans(),
    )
    def ask(
        self,
        approvers: tuple[str, ...],
        seniors: tuple[str, ...],
        quorum: int,
        *,
        four_eyes: bool,
        signed: bool,
        wait: float,
        tier: Tier,
        requester: str,
        costly: bool,
        expires: bool,
    ) -> None:
        """Make a request."""
        self.who = Deciders(approvers, quorum, four_eyes, seniors, wait, 600.0, signed)
        self.asked = Asked(
            Subject("a-0", "sha256:0", "r-1", 1, "shop", "production"),
            tier,
            requester,
            NOON,
            NOON + EXPIRES if expires else None,
            needed=Needed(2, 1) if costly else Needed(),
        )
        self.now = NOON
        self.plans = 0
        self.votes: list[Vote] = []
        # The model: who said yes to this very plan as the rules want it, and whether somebody said no.
        self.yes: set[str] = set()
        self.no = False

    @rule(seconds=st.sampled_from([1, 299, 300, 600, 1000]))
    def wait(self, seconds: int) -> None:
        """Let time pass."""
        self.now += timedelta(seconds=seconds)

    @precondition(lambda self: not self.no)
    @rule(
        name=st.sampled_from([*PEOPLE, "eve", "ANN", " bob "]),
        reason=st.sampled_from(["read it", "  "]),
        verified=st.booleans(),
        stale=st.booleans(),
    )
    def approve(self, name: str, reason: str, *, verified: bool, stale: bool) -> None:
        """Somebody approves this plan, or hands in a vote for an earlier one again."""
        subject = (
            replace(self.asked.subject, digest=f"sha256:{self.plans - 1}") if stale else self.asked.subject
        )
        vote = Vote(subject, name, self.now, Verdict.APPROVE, reason, verified)
        if objection(self.asked, self.who, vote):
            return
        self.votes.append(vote)
        assert not stale, "a vote for another plan is always refused"
        if self._may(name, reason, verified=verified):
            self.yes.add(name.strip().casefold())
        else:
            raise AssertionError(f"{vote} was taken")

    @precondition(lambda self: not self.no)
    @rule(name=st.sampled_from([*PEOPLE, "eve"]))
    def reject(self, name: str) -> None:
        """Somebody rejects."""
        vote = Vote(self.asked.subject, name, self.now, Verdict.REJECT)
        counts = self._listed(name) and not self._expired()
        assert rejects(self.asked, self.who, vote) is counts
        self.votes.append(vote)
        self.no |= counts

    @precondition(lambda self: not self.no)
    @rule()
    def change(self) -> None:
        """Change the plan: what was said about the one before counts no more."""
        self.plans += 1
        self.asked = replace(self.asked, subject=replace(self.asked.subject, digest=f"sha256:{self.plans}"))
        self.yes.clear()

    @rule(turns=st.randoms(use_true_random=False))
    def turn(self, turns: object) -> None:
        """Read the votes back in another order, some of them twice."""
        self.votes = [*self.votes, *self.votes[:1]]
        turns.shuffle(self.votes)  # type: ignore[attr-defined]

    @invariant()
    def granted_as_the_model_says(self) -> None:
        """Compare with the model."""
        if not hasattr(self, "who"):
            return
        found = judge(self.asked, self.who, self.votes, self.now)
        assert isinstance(found, Refused) or not self.no
        enough = self._enough()
        if isinstance(found, Granted):
            assert {one.strip().casefold() for one in found.by} == self.yes
            assert len(self.yes) >= self.who.quorum
            assert enough or (found.break_glass and self._alone())
        elif enough and not self.no:
            raise AssertionError(f"{found} although {self.yes} suffice")

    # -- the model

    def _enough(self) -> bool:
        people = max(self.who.quorum, self.asked.needed.approvals)
        senior = not (self.asked.needed.seniors and self.who.seniors) or self.yes & set(self.who.seniors)
        second = self.asked.tier < Tier.SECOND_PERSON or any(not self._asked(name) for name in self.yes)
        return len(self.yes) >= people and bool(senior) and bool(second)

    def _alone(self) -> bool:
        """One approver, or none named: the wait for the lone one is over."""
        lone = len(self.who.approvers) < 2 and not self.who.seniors
        return lone and self.now >= NOON + timedelta(seconds=600)

    def _may(self, name: str, reason: str, *, verified: bool) -> bool:
        return (
            self._listed(name)
            and not self._expired()
            and self.now >= NOON + timedelta(seconds=self.who.wait)
            and (verified or not self.who.signed)
            and (self.asked.tier < Tier.REASONED or bool(reason.strip()))
            and not (self._asked(name) and self.who.four_eyes)
        )

    def _asked(self, name: str) -> bool:
        """Say whether it may be the person who asked."""
        return name.strip().casefold().partition("@")[0] == self.asked.requested_by.partition("@")[0]

    def _listed(self, name: str) -> bool:
        return not self.who.approvers or name in {*self.who.approvers, *self.who.seniors}

    def _expired(self) -> bool:
        return self.asked.expires_at is not None and self.now >= NOON + EXPIRES


Request.TestCase.settings = settings(max_examples=150, stateful_step_count=25, deadline=None)
TestRequest = Request.TestCase
