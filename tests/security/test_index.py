"""Each numbered attack that opconsole must survive has tests, a file or functions that carry its number."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

ATTACKS = frozenset(range(1, 34))
"""The numbers of SECURITY.md."""

TESTS = Path(__file__).parents[1]
BY_FILE = re.compile(r"test_(\d\d)_")
BY_FUNCTION = re.compile(r"^(?:async )?def test_(\d\d)_", re.MULTILINE)


def test_every_numbered_attack_has_a_test_by_its_number() -> None:
    files = list(TESTS.rglob("test_*.py"))
    found = {number for path in files for number in BY_FUNCTION.findall(path.read_text("utf-8"))}
    found |= {match[1] for path in files if (match := BY_FILE.match(path.name))}
    missing = sorted(ATTACKS - {int(number) for number in found})
    assert not missing, f"no test is named after the attacks {missing}"


def test_every_mutation_still_fits_the_code_that_it_takes_a_defence_out_of() -> None:
    lost = [f"{one.attack}: {one.defence}" for one in mutations().MUTATIONS if not _fits(one)]
    assert not lost, f"the code has changed: mend these in tests/security/mutate.py: {lost}"


def mutations() -> ModuleType:
    spec = importlib.util.spec_from_file_location("mutations", Path(__file__).with_name("mutate.py"))
    assert spec is not None
    assert spec.loader is not None
    sys.modules["mutations"] = module = importlib.util.module_from_spec(spec)  # its dataclass asks for it
    spec.loader.exec_module(module)
    return module


def _fits(one: Any) -> bool:
    file, _, test = one.test.partition("::")
    tests = (TESTS.parent / file).read_text("utf-8")
    return (TESTS.parent / one.file).read_text("utf-8").count(one.old) == 1 and test.partition("[")[
        0
    ] in tests
