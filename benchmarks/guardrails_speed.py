"""How fast the guardrails read: SQL in MB/s beside bare sqlglot on the same text, and migrations in ms.

Run: python -m benchmarks.guardrails_speed
"""

from __future__ import annotations

import logging
import statistics
import time
from collections.abc import Callable

import sqlglot
from sqlglot.errors import ErrorLevel

from guardrails.environments import GateKind
from guardrails.files import Written
from guardrails.scan import Scan, scan_text
from guardrails.sql import postgres

_SCAN = Scan(GateKind.PRODUCTION)
_MIGRATION = '''"""Add orders, part {n}."""
import sqlalchemy as sa
from alembic import op

revision = "r{n}"
down_revision = "r{m}"


def upgrade():
    op.create_table(
        "orders_{n}",
        sa.Column("id", sa.BigInteger(), primary_key=True),
        sa.Column("state", sa.String(20), nullable=False, server_default="new"),
        sa.ForeignKeyConstraint(["id"], ["customers.id"], name="fk_{n}"),
    )
    op.create_index("ix_orders_{n}", "orders_{n}", ["state"])
    with op.batch_alter_table("customers") as batch:
        batch.add_column(sa.Column("orders_{n}", sa.Integer(), nullable=True))
    op.execute("UPDATE customers SET orders_{n} = 0 WHERE id < {n}")
    op.execute(sa.text(f"DELETE FROM carts WHERE state = 'gone' AND owner = {n}"))


def downgrade():
    op.drop_column("customers", "orders_{n}")
    op.drop_index("ix_orders_{n}")
    op.drop_table("orders_{n}")
'''


def harmless(count: int) -> str:
    """Give what a dump holds: rows, tables, comments."""
    return "".join(
        f"INSERT INTO accounts (id, name, created) VALUES ({n}, 'Name {n}', '2026-01-01 00:00:00');\n"
        if n % 6
        else f"--\n-- Name: t{n}; Type: TABLE\n--\n\nCREATE TABLE t{n} (\n    id bigint NOT NULL,\n    name text DEFAULT 'x'\n);\n"  # noqa: E501
        for n in range(count)
    )


def loud(count: int) -> str:
    """Give short statements each of which has to be understood."""
    return "".join(
        f"DELETE FROM t{n % 90} WHERE id = {n};\nUPDATE t{n % 90} SET a = {n}, b = 'x{n}' WHERE c = 'y{n}';\n"
        for n in range(count)
    )


def careful(count: int) -> str:
    """Give what has to be cut into tokens: comments inside, escapes, dollar quotes."""
    return "".join(
        f"UPDATE t{n % 90} /* part {n} */ SET a = E'it\\'s {n}' -- why\nWHERE id = {n};\n"
        f"DO $$ BEGIN PERFORM f({n}); RAISE NOTICE 'done'; END $$;\n"
        for n in range(count)
    )


def different(count: int) -> str:
    """Give statements no two of which have one shape."""
    return "".join(
        f"DELETE FROM t{n} WHERE a{n} = 1 AND b{n} IN (SELECT c FROM d{n});\n" for n in range(count)
    )


def main() -> None:
    """Print the figures."""
    print(f"Postgres' own parser: {'asked, too' if postgres.available() else 'not installed'}")
    for name, text in (
        ("harmless, as in a dump", harmless(6000)),
        ("short DELETE and UPDATE", loud(6000)),
        ("comments, escapes, DO", careful(1500)),
        ("each of its own shape", different(1000)),
    ):
        size = len(text.encode()) / 1e6
        ours = size / _fastest(lambda text=text: scan_text(text, Written.SQL, "x.sql", _SCAN))  # type: ignore[misc]
        bare = size / _seconds(lambda text=text: _bare(text))  # type: ignore[misc]
        print(
            f"{name:28} {ours:6.2f} MB/s   bare sqlglot {bare:5.2f} MB/s   {ours / bare:5.1f} times as fast"
        )
    times = [
        _seconds(
            lambda n=n: scan_text(_MIGRATION.format(n=n, m=n - 1), Written.PYTHON, "x.py", _SCAN)  # type: ignore[misc]
        )
        * 1000
        for n in range(200)
    ]
    print(
        f"a migration                  {statistics.median(times):6.2f} ms (median), {max(times):.1f} (most)"
    )


def _bare(text: str) -> object:
    logging.getLogger("sqlglot").setLevel(logging.CRITICAL)
    return sqlglot.parse(text, read="postgres", error_level=ErrorLevel.IGNORE)


def _seconds(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def _fastest(run: Callable[[], object]) -> float:
    return min(_seconds(run) for _ in range(3))


if __name__ == "__main__":
    main()
