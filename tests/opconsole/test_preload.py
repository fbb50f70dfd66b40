from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys
from opconsole.preload import preload
assert preload() > 100
assert "guardrails.cloud.terraform" in sys.modules and "opconsole.resuming" in sys.modules
assert "textual" not in sys.modules and "opconsole.doctor" not in sys.modules
before = set(sys.modules)
preload()
assert set(sys.modules) == before
"""


def test_a_worker_has_all_its_modules_before_it_begins_and_never_the_screens() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
