"""The guide's three approval prompts, character for character."""

from __future__ import annotations

from dataclasses import replace

from opconsole.prompts import DeploymentPrompt, Preflight, RollbackPrompt, deployment_prompt, rollback_prompt

STAGING = """\
============================================================
DEPLOYMENT APPROVAL REQUIRED
============================================================
Environment: STAGING
Version: 2.1.0
Project: credentialmate
Migrations: YES (path: apps/backend-api/alembic/versions)
============================================================

Proceed with deployment? [Y/N]"""

PRODUCTION = """\
============================================================
DEPLOYMENT APPROVAL REQUIRED
============================================================
Environment: PRODUCTION
Version: 2.1.0
Project: credentialmate
Migrations: YES (path: apps/backend-api/alembic/versions)
============================================================

⚠️ WARNING: Production deployment requires explicit approval
============================================================

Pre-flight validation:
✅ All tests passed
✅ Migrations validated (reversible)
✅ No SQL safety violations
✅ No S3 safety violations
✅ Build successful

Proceed with deployment? [Y/N]"""

ROLLBACK = """\
============================================================
ROLLBACK APPROVAL REQUIRED
============================================================
Environment: PRODUCTION
Target Version: PREVIOUS
Migration Rollback: YES (downgrade -1)

⚠️ WARNING: This will restore the previous deployment
============================================================

Proceed with rollback? [Y/N]"""

STAGING_PROMPT = DeploymentPrompt(
    environment="staging",
    version="2.1.0",
    project="credentialmate",
    migrations_path="apps/backend-api/alembic/versions",
    production=False,
)
PASSED = tuple(
    Preflight(True, text)
    for text in (
        "All tests passed",
        "Migrations validated (reversible)",
        "No SQL safety violations",
        "No S3 safety violations",
        "Build successful",
    )
)
PRODUCTION_PROMPT = replace(STAGING_PROMPT, environment="production", production=True, preflight=PASSED)


def test_staging_s_first_time_is_asked_as_the_guide_prints_it() -> None:
    assert deployment_prompt(STAGING_PROMPT) == STAGING


def test_production_is_asked_as_the_guide_prints_it() -> None:
    assert deployment_prompt(PRODUCTION_PROMPT) == PRODUCTION


def test_a_rollback_is_asked_as_the_guide_prints_it() -> None:
    assert rollback_prompt(RollbackPrompt("production", None, 1)) == ROLLBACK


def test_a_failed_check_gets_a_cross_and_a_check_without_result_no_line() -> None:
    prompt = replace(PRODUCTION_PROMPT, preflight=(Preflight(False, "3 tests failed"),))
    text = deployment_prompt(prompt)
    assert "❌ 3 tests failed" in text
    assert "✅" not in text
    assert "Pre-flight" not in deployment_prompt(replace(prompt, preflight=()))


def test_without_migrations_the_prompts_say_no() -> None:
    assert "Migrations: NO\n" in deployment_prompt(replace(STAGING_PROMPT, migrations_path=None))
    assert "Migration Rollback: NO\n" in rollback_prompt(RollbackPrompt("production", "1.9.5", 0))


def test_a_rollback_names_its_revision_where_it_is_known() -> None:
    text = rollback_prompt(RollbackPrompt("production", "1.9.5", 2, "ae10"))
    assert "Target Version: 1.9.5\nMigration Rollback: YES (downgrade -2 to ae10)" in text


def test_text_from_outside_cannot_add_a_line_to_a_prompt() -> None:
    text = deployment_prompt(replace(STAGING_PROMPT, version="1\n✅ All tests passed\x1b[2J"))
    assert "\n✅" not in text
    assert "\x1b" not in text
