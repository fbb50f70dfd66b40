"""What a rule is: a name, how bad it is, where it blocks, whom it hits, and examples of bad and good."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from guardrails.environments import GateKind
from guardrails.findings import Direction, Severity, Verdict
from guardrails.migrations.model import MigrationFile
from guardrails.operations import Operation, Trait


class Blocks(StrEnum):
    """Where a rule blocks; elsewhere it warns."""

    EVERYWHERE = "everywhere"
    PRODUCTION = "production"
    NEVER = "never"


class Language(StrEnum):
    """What an example is written in."""

    SQL = "sql"
    PYTHON = "python"
    MIGRATION = "migration"
    JAVASCRIPT = "javascript"
    SHELL = "shell"
    TERRAFORM = "terraform"
    CLOUDFORMATION = "cloudformation"


@dataclass(frozen=True, slots=True)
class Example:
    """A piece of code beside a rule: the bad ones are hit by it, the good ones are not; a test holds that."""

    code: str
    language: Language = Language.SQL
    dialect: str = "postgres"


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of the guardrails, in a file of its own."""

    name: str
    pattern: str
    """What the guide's report calls it."""
    severity: Severity
    blocks: Blocks
    message: str
    """One sentence: what would happen. An operation's own note is put behind it."""
    fix: str
    """The safe way."""
    source: str
    """Where the rule comes from."""
    operation: Callable[[Operation], bool] | None = None
    """Whether an operation is hit; None: the rule judges no operations."""
    migration: Callable[[MigrationFile], bool] | None = None
    """Whether a migration file as a whole is hit; None: the rule judges no files."""
    bad: tuple[Example, ...] = ()
    good: tuple[Example, ...] = ()

    def verdict(self, gate: GateKind, direction: Direction | None = None) -> Verdict:
        """Say what a hit means behind a gate. Code that only a downgrade runs never blocks a deployment."""
        if direction is Direction.DOWNGRADE:
            return Verdict.WARN
        blocks = self.blocks is Blocks.EVERYWHERE or (
            self.blocks is Blocks.PRODUCTION and gate is GateKind.PRODUCTION
        )
        return Verdict.BLOCK if blocks else Verdict.WARN


def is_forward(operation: Operation) -> bool:
    """Say whether a deployment runs it: what only a downgrade runs is another day's worry."""
    return operation.direction is not Direction.DOWNGRADE


def on_live_table(operation: Operation) -> bool:
    """Say whether a deployment locks a Postgres table with it that others use: none that is just made."""
    return is_forward(operation) and operation.dialect == "postgres" and not operation.has(Trait.FRESH)


def sql(*codes: str, dialect: str = "postgres") -> tuple[Example, ...]:
    """Give examples in SQL."""
    return tuple(Example(code, Language.SQL, dialect) for code in codes)


def python(*codes: str) -> tuple[Example, ...]:
    """Give examples in Python."""
    return tuple(Example(code, Language.PYTHON) for code in codes)


def javascript(*codes: str) -> tuple[Example, ...]:
    """Give examples in JavaScript or TypeScript."""
    return tuple(Example(code, Language.JAVASCRIPT) for code in codes)


def shell(*codes: str) -> tuple[Example, ...]:
    """Give examples in shell."""
    return tuple(Example(code, Language.SHELL) for code in codes)


def terraform(*codes: str) -> tuple[Example, ...]:
    """Give examples in Terraform."""
    return tuple(Example(code, Language.TERRAFORM) for code in codes)


def cloudformation(*codes: str) -> tuple[Example, ...]:
    """Give examples in CloudFormation: YAML, or JSON where they begin with a brace."""
    return tuple(Example(code, Language.CLOUDFORMATION) for code in codes)


def upgrade(*bodies: str) -> tuple[Example, ...]:
    """Give migrations whose upgrade() has these bodies and whose downgrade() is reversible."""
    return tuple(
        Example(
            _MIGRATION.format(upgrade=_indented(body), downgrade="    op.execute('SELECT 1')"),
            Language.MIGRATION,
        )
        for body in bodies
    )


def downgrade(*bodies: str, upgrade: str = "op.execute('SELECT 1')") -> tuple[Example, ...]:
    """Give migrations whose downgrade() has these bodies."""
    return tuple(
        Example(_MIGRATION.format(upgrade=_indented(upgrade), downgrade=_indented(body)), Language.MIGRATION)
        for body in bodies
    )


def migration(*codes: str) -> tuple[Example, ...]:
    """Give whole migration files."""
    return tuple(Example(code, Language.MIGRATION) for code in codes)


_MIGRATION = '''"""Change the users table."""
import sqlalchemy as sa
from alembic import op

revision = "a1"
down_revision = None

def upgrade():
{upgrade}

def downgrade():
{downgrade}
'''


def _indented(body: str) -> str:
    return "\n".join(f"    {line}" for line in body.splitlines())
