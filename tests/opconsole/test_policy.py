"""The policy in force: what of a change holds at once, and what waits because it loosens."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from opconsole.policy import compare, policy_document
from opconsole.policy_settings import settings_by
from opconsole.settings import Settings, parse_settings, rules_of
from opconsole.signing import Signers

BASE = """
[approvals]
approvers = ["ada", "bob", "cid"]
quorum = 2
four_eyes = true
wait = 60.0
expires_after = 3600.0
allowed_signers = "signers"
[[approvals.freezes]]
name = "weekend"
days = ["saturday", "sunday"]
[projects.shop]
sandbox = "where-possible"
path = "shop"
[projects.shop.migrations]
path = "alembic/versions"
dialect = "sqlite"
[projects.shop.environments.development.target]
type = "releases"
path = "targets/development"
[projects.shop.environments.production]
requires_approval = true
[projects.shop.environments.production.target]
type = "releases"
path = "targets/production"
[projects.shop.environments.production.database]
url = "env:DATABASE_URL"
"""
SIGNERS = Signers(("ada ssh-ed25519 AAAA", "bob ssh-ed25519 BBBB"), ("ssh-ed25519 ZZZZ",))
PRODUCTION = "[projects.shop.environments.production]\n"


def settings(text: str) -> Settings:
    return parse_settings(text, file=Path("opconsole.toml"), environ={})


def document(text: str = BASE, signers: Signers = SIGNERS) -> dict[str, object]:
    return policy_document(settings(text), signers)


def judged(policy: Mapping[str, Any]) -> dict[str, Any]:
    """Give what bears on production: development asks nobody, so its changes hold at once."""
    return {**policy, "environments": policy["environments"]["shop:production"]}


LOOSER = [
    ('approvers = ["ada", "bob", "cid"]', 'approvers = ["ada", "bob", "cid", "eve"]', "approvers"),
    ('approvers = ["ada", "bob", "cid"]', "approvers = []", "approvers"),
    ("quorum = 2", "quorum = 1", "quorum"),
    ("four_eyes = true", "four_eyes = false", "four_eyes"),
    ("wait = 60.0", "wait = 5.0", "wait"),
    ("expires_after = 3600.0", "expires_after = 7200.0", "expires_after"),
    ("expires_after = 3600.0\n", "", "expires_after"),
    ('allowed_signers = "signers"\n', "", "signed"),
    ('[[approvals.freezes]]\nname = "weekend"\ndays = ["saturday", "sunday"]\n', "", "freezes"),
    ("requires_approval = true", "requires_approval = false", "requires_approval"),
    ('path = "targets/production"', 'path = "targets/elsewhere"', "target"),
    ('url = "env:DATABASE_URL"', 'url = "env:OTHER_URL"', "database"),
    ('dialect = "sqlite"', 'dialect = "sqlite"\ndowngrade = "not-required"', "downgrade"),
    ('sandbox = "where-possible"', 'sandbox = "off"', "sandbox"),
    ("[approvals]", "[policy]\nmigration_limit = 9999.0\n[approvals]", "migration_limit"),
    ("[approvals]", "[approvals]\nbreak_glass_wait = 1.0", "break_glass_wait"),
    ("[approvals]", "[approvals]\nsenior_over = 9000.0", "senior_over"),
    (
        'path = "shop"',
        'path = "shop"\n[projects.shop.scan]\nexclude = ["tests/**", "docs/**"]',
        "scan_exclude",
    ),
]


@pytest.mark.parametrize(("old", "new", "named"), LOOSER)
def test_what_loosens_waits_and_the_old_holds(old: str, new: str, named: str) -> None:
    before = document()
    found = compare(before, document(BASE.replace(old, new, 1)))
    assert found.loosens
    assert any(named in sentence for sentence in found.loosens), found.loosens
    assert judged(found.merged) == judged(before)


# Another place is neither stricter nor looser: it always waits.
TIGHTER = [change for change in LOOSER if change[2] not in {"target", "database"}]


@pytest.mark.parametrize(("new", "old", "named"), TIGHTER)
def test_what_tightens_holds_at_once(new: str, old: str, named: str) -> None:
    after = document()
    before = document(BASE.replace(new, old, 1))
    found = compare(before, after)
    assert found.loosens == ()
    assert any(named in sentence for sentence in found.changes), found.changes
    assert found.merged["environments"] == after["environments"]


def test_a_window_that_changed_waits_and_holds_as_both() -> None:
    found = compare(document(), document(BASE.replace('["saturday", "sunday"]', '["sunday"]')))
    assert len(found.merged["freezes"]) == 2
    assert found.loosens


def test_nothing_that_only_tells_more_is_policy() -> None:
    more = BASE.replace(PRODUCTION, f'{PRODUCTION}url = "https://shop.example/"\n').replace(
        'path = "shop"', 'path = "shop"\ntest = ["true"]'
    )
    assert document(more) == document()


def test_a_change_of_both_kinds_is_taken_apart() -> None:
    text = BASE.replace("quorum = 2", "quorum = 3").replace("four_eyes = true", "four_eyes = false")
    found = compare(document(), document(text))
    production = found.merged["environments"]["shop:production"]
    assert (production["quorum"], production["four_eyes"]) == (3, True)
    assert any("quorum: was 2, is now 3" in one for one in found.changes)
    assert any("four_eyes: was true, is now false" in one for one in found.loosens)


def test_a_change_in_development_holds_at_once() -> None:
    found = compare(document(), document(BASE.replace("targets/development", "targets/dev")))
    assert found.loosens == ()
    assert found.changes == ('shop:development target.path: was "targets/development", is now "targets/dev"',)


def test_development_cannot_be_pointed_at_production() -> None:
    found = compare(document(), document(BASE.replace("targets/development", "targets/production")))
    assert any("shop:development target" in one for one in found.loosens)


def test_a_new_environment_holds_unless_it_reaches_into_another() -> None:
    head = "projects.shop.environments.demo"
    new = f'\n[{head}]\ngate = "development"\n[{head}.target]\ntype = "releases"\n'
    fine = compare(document(), document(f'{BASE}{new}path = "targets/demo"\n'))
    assert (fine.loosens, fine.changes) == ((), ("shop:demo is new",))
    reaching = compare(document(), document(f'{BASE}{new}path = "targets/production"\n'))
    assert reaching.loosens == ("shop:demo is new and reaches what shop:production reaches",)
    assert "shop:demo" not in reaching.merged["environments"]


@pytest.mark.parametrize(
    "path", ["targets/production", "./targets//production", "targets/other/../production"]
)
def test_a_place_is_the_same_however_it_is_written(path: str) -> None:
    new = '\n[projects.other]\npath = "other"\n[projects.other.environments.demo]\ngate = "development"\n'
    new += f'target = {{ type = "releases", path = "{path}" }}\n'
    found = compare(document(), document(BASE + new))
    assert found.loosens == ("other:demo is new and reaches what shop:production reaches",)
    assert "other:demo" not in found.merged["environments"]


def test_a_program_that_deploys_is_the_same_place_whatever_else_a_target_says() -> None:
    ours = 'target = { type = "command", deploy = ["ops/deploy", "prod"], rollback = ["ops/back"] }\n'
    theirs = 'target = { type = "command", deploy = ["ops/deploy", "prod"], rollback = ["true"] }\n'
    production = f'[projects.web]\npath = "web"\n[projects.web.environments.production]\n{ours}'
    before = document(BASE + production)
    demo = '[projects.new]\npath = "new"\n[projects.new.environments.demo]\ngate = "development"\n'
    found = compare(before, document(BASE + production + demo + theirs))
    assert found.loosens == ("new:demo is new and reaches what web:production reaches",)


LOOSE = '\n[projects.new]\npath = "new"\napprovals = { quorum = 1, four_eyes = false, approvers = ["eve"] }\n'


@pytest.mark.parametrize(
    ("common", "own"),
    [
        ("", ""),
        ("", '[projects.new.aws]\nregion = "eu-west-1"\n'),
        ('profile = "ops"\n', ""),
        ('account = "111122223333"\n', '[projects.new.aws]\nprofile = "mine"\n'),
        (
            'account = "111122223333"\n',
            '[projects.new.aws]\nrole = "arn:aws:iam::111122223333:role/mine"\n',
        ),
    ],
)
def test_a_new_project_does_not_provision_in_a_known_account_by_looser_rules(common: str, own: str) -> None:
    known = f"[aws]\n{common}{BASE}"
    text = known + LOOSE + own
    found = compare(document(known), document(text))
    assert any(
        one.startswith("new:aws comes to the AWS account of shop:aws: quorum 1") for one in found.loosens
    )
    assert found.places >= {"new:aws", "shop:aws"}
    held = rules_of(settings_by(settings(text), found.merged), "new", "aws")
    assert held == rules_of(settings(known), "shop", "aws").model_copy(update={"allowed_signers": "signers"})
    approved = compare(document(text), document(text.replace("new = 1", "new = 2")))
    assert approved.loosens == ()


def test_a_new_project_provisions_at_once_by_rules_as_strict_or_in_an_account_of_its_own() -> None:
    assert compare(document(), document(f'{BASE}\n[projects.new]\npath = "new"\n')).loosens == ()
    own = '[projects.new.aws]\nprofile = "other"\n'
    assert compare(document(), document(BASE + LOOSE + own)).loosens == ()


def test_a_project_does_not_go_over_into_the_account_of_stricter_rules() -> None:
    apart = BASE + LOOSE + '[projects.new.aws]\nprofile = "other"\n'
    found = compare(document(apart), document(BASE + LOOSE))
    assert any("new:aws comes to the AWS account of shop:aws" in one for one in found.loosens)


def test_an_environment_that_was_taken_out_does_not_come_back_looser() -> None:
    gone = BASE[: BASE.index(PRODUCTION)]
    without = compare(document(), document(gone))
    assert without.loosens == ()
    back = compare(without.merged, document(BASE.replace("quorum = 2", "quorum = 1")))
    assert any("shop:production quorum" in one for one in back.loosens)


def test_a_signer_goes_at_once_and_comes_with_approval() -> None:
    other = Signers(("bob ssh-ed25519 BBBB", "eve ssh-ed25519 EEEE"), SIGNERS.revoked)
    found = compare(document(), document(signers=other))
    assert found.merged["signers"] == ["bob ssh-ed25519 BBBB"]
    assert found.changes == ('signers: without "ada ssh-ed25519 AAAA"',)
    assert found.loosens == ('signers: with "eve ssh-ed25519 EEEE"',)
    assert found.places == frozenset()


def test_a_change_that_would_leave_no_signer_waits() -> None:
    found = compare(document(), document(signers=Signers(("eve ssh-ed25519 EEEE",), SIGNERS.revoked)))
    assert found.merged["signers"] == list(SIGNERS.allowed)
    assert found.loosens == ("signers: none of those before is left",)


def test_a_key_is_revoked_at_once_and_for_as_long_as_nobody_approves_otherwise() -> None:
    more = Signers(SIGNERS.allowed, (*SIGNERS.revoked, "ssh-ed25519 YYYY"))
    assert compare(document(), document(signers=more)).loosens == ()
    fewer = compare(document(), document(signers=Signers(SIGNERS.allowed)))
    assert fewer.merged["revoked"] == ["ssh-ed25519 ZZZZ"]
    assert fewer.loosens


RULES = ["approvers", "quorum", "four_eyes", "wait", "expires_after"]


@pytest.mark.parametrize(("old", "new", "named"), [one for one in LOOSER if one[2] in RULES])
def test_who_decides_about_provisioning_is_policy_too(old: str, new: str, named: str) -> None:
    loose = BASE.replace(old, new, 1)
    found = compare(document(), document(loose))
    assert any(one.startswith(f"shop:aws {named}") for one in found.loosens), found.loosens
    assert "shop:aws" in found.places
    assert found.merged["provisioning"] == document()["provisioning"]
    again = settings_by(settings(loose), found.merged)
    assert rules_of(again, "shop", "aws") == rules_of(settings(BASE), "shop", "aws")


def test_a_project_that_was_taken_out_does_not_come_back_with_looser_rules_of_provisioning() -> None:
    without = compare(document(), document(BASE.replace("projects.shop", "projects.other")))
    back = compare(without.merged, document(BASE.replace("quorum = 2", "quorum = 1")))
    assert any(one.startswith("shop:aws quorum") for one in back.loosens)


def test_a_journal_that_knows_no_rules_of_provisioning_yet_takes_them_as_they_are() -> None:
    before = document()
    del before["provisioning"]
    assert compare(before, document()).loosens == ()
    assert rules_of(settings_by(settings(BASE), before), "shop", "aws").quorum == 2


def test_a_field_that_is_not_known_counts_as_loosening() -> None:
    before = {**document(), "brand-new": 1}
    assert compare(before, {**document(), "brand-new": 2}).loosens == ("brand-new: was 1, is now 2",)


def test_one_that_a_newer_program_brings_holds_at_once() -> None:
    before = document()
    del before["limits"]["smoke_limit"]
    found = compare(before, document())
    assert (found.loosens, len(found.changes)) == ((), 1)


def test_a_policy_put_back_into_settings_gives_that_policy_again() -> None:
    loose = BASE
    for old, new, _ in LOOSER[1:]:
        loose = loose.replace(old, new, 1)
    found = compare(document(), document(loose))
    again = settings_by(settings(loose), found.merged)
    assert judged(policy_document(again, SIGNERS)) == judged(found.merged)
    assert judged(found.merged) == judged(document())
