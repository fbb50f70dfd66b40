"""The families of rules that violations are counted by: SQL, S3, and everything else."""

from __future__ import annotations

from enum import StrEnum


class Family(StrEnum):
    """What a violation is about."""

    SQL = "sql"
    S3 = "s3"
    OTHER = "other"  # how migrations hang together, exemptions, databases in infrastructure code


S3_RULES = frozenset(
    {
        "bucket-not-retained",
        "delete-bucket",
        "delete-object",
        "delete-objects",
        "expire-all-objects",
        "force-destroy",
    }
)
OTHER_RULES = frozenset(
    {
        "bad-exemption",
        "database-not-retained",
        "deletion-protection-off",
        "duplicate-revision",
        "expired-exemption",
        "irreversible-downgrade",
        "missing-description",
        "missing-downgrade",
        "missing-parent",
        "missing-prevent-destroy",
        "missing-upgrade",
        "revision-cycle",
        "several-heads",
        "skip-final-snapshot",
        "unused-exemption",
    }
)


def family(rule: str) -> Family:
    """Give the family of a rule. What cannot be read or analysed counts as SQL: it may be any statement."""
    if rule in S3_RULES:
        return Family.S3
    return Family.OTHER if rule in OTHER_RULES else Family.SQL
