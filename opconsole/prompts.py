"""The guide's three approval prompts, character for character, as pure functions of what was found out."""

from __future__ import annotations

from dataclasses import dataclass

from guardrails.sanitise import sanitise

RULER = "=" * 60


@dataclass(frozen=True, slots=True)
class Preflight:
    """One line of the pre-flight validation: a check's own result, never an assumption."""

    passed: bool
    text: str


@dataclass(frozen=True, slots=True)
class DeploymentPrompt:
    """What an operator is asked to approve."""

    environment: str
    version: str
    project: str
    migrations_path: str | None
    """Where the migrations that will run lie; None: none will run."""
    production: bool
    """The environment has production's gate."""
    preflight: tuple[Preflight, ...] = ()


@dataclass(frozen=True, slots=True)
class RollbackPrompt:
    """What an operator is asked to approve before a rollback."""

    environment: str
    target_version: str | None
    """None: the previous release."""
    steps_back: int
    """How many migrations are taken back; 0: none."""
    revision: str | None = None
    """The revision that the database will stand at, where it is known."""


def deployment_prompt(prompt: DeploymentPrompt) -> str:
    """Give the guide's prompt for a deployment: staging's, or production's with the pre-flight results."""
    migrations = (
        f"YES (path: {_plain(prompt.migrations_path)})" if prompt.migrations_path is not None else "NO"
    )
    lines = [
        RULER,
        "DEPLOYMENT APPROVAL REQUIRED",
        RULER,
        f"Environment: {_plain(prompt.environment).upper()}",
        f"Version: {_plain(prompt.version)}",
        f"Project: {_plain(prompt.project)}",
        f"Migrations: {migrations}",
        RULER,
        "",
    ]
    if prompt.production:
        lines += ["⚠️ WARNING: Production deployment requires explicit approval", RULER, ""]
        if prompt.preflight:
            lines.append("Pre-flight validation:")
            lines += [f"{'✅' if check.passed else '❌'} {_plain(check.text)}" for check in prompt.preflight]
            lines.append("")
    lines.append("Proceed with deployment? [Y/N]")
    return "\n".join(lines)


def rollback_prompt(prompt: RollbackPrompt) -> str:
    """Give the guide's prompt for a rollback."""
    back = f"downgrade -{prompt.steps_back}"
    if prompt.revision is not None:
        back += f" to {_plain(prompt.revision)}"
    lines = [
        RULER,
        "ROLLBACK APPROVAL REQUIRED",
        RULER,
        f"Environment: {_plain(prompt.environment).upper()}",
        f"Target Version: {_plain(prompt.target_version or 'PREVIOUS')}",
        f"Migration Rollback: {f'YES ({back})' if prompt.steps_back else 'NO'}",
        "",
        "⚠️ WARNING: This will restore the previous deployment",
        RULER,
        "",
        "Proceed with rollback? [Y/N]",
    ]
    return "\n".join(lines)


def _plain(text: str) -> str:
    """Give text from outside so that it can neither add a line to a prompt nor command a terminal."""
    return sanitise(text, single_line=True)
