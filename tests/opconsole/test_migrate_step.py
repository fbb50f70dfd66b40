"""What the end of a migration means, by what is known of its database."""

from __future__ import annotations

from dataclasses import replace

import pytest

from opconsole.databases import Commits
from opconsole.migrate_step import Evidence, Standing, judge

WAY = frozenset({"a", "b", "c"})
KNOWN = Evidence("a", "c", "a", "sha256:1", "sha256:1", Commits.WHOLE, WAY)


@pytest.mark.parametrize(
    ("known", "standing"),
    [
        (replace(KNOWN, now="c", after="sha256:2"), Standing.THERE),
        (KNOWN, Standing.BEFORE),
        (replace(KNOWN, commits=Commits.PERHAPS), Standing.BEFORE),
        (replace(KNOWN, commits=Commits.MIDWAY), Standing.UNCHANGED),
        (replace(KNOWN, after="sha256:2"), Standing.HALF),
        (replace(KNOWN, after="sha256:2", commits=Commits.MIDWAY), Standing.HALF),
        (replace(KNOWN, before=None, after=None), Standing.HALF),
        (replace(KNOWN, now="b", after="sha256:2"), Standing.BETWEEN),
        (replace(KNOWN, now="b", after="sha256:2", commits=Commits.PERHAPS), Standing.ASTRAY),
        (replace(KNOWN, now="b", after="sha256:2", commits=Commits.MIDWAY), Standing.ASTRAY),
        (replace(KNOWN, now="x"), Standing.ASTRAY),
        (replace(KNOWN, now="a+x"), Standing.ASTRAY),
    ],
)
def test_only_what_can_be_proved_is_called_clean(known: Evidence, standing: Standing) -> None:
    assert judge(known) is standing
