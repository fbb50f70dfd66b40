"""Each numbered attack that opconsole must survive has its tests, which carry its number in their names."""

from __future__ import annotations

import re
from pathlib import Path

ATTACKS = frozenset(range(1, 34))
"""The numbers of SECURITY.md."""

TESTS = Path(__file__).parents[1]


def test_every_numbered_attack_has_a_test_by_its_number() -> None:
    found = {
        int(number)
        for path in TESTS.rglob("test_*.py")
        for number in re.findall(r"^(?:async )?def test_(\d\d)_", path.read_text("utf-8"), re.MULTILINE)
    }
    missing = sorted(ATTACKS - found)
    assert not missing, f"no test is named after the attacks {missing}"
