"""The laboratory for the tests here; benchmarks/chaos.py plays the long version in it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from chaoslab.stories import Lab


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A workspace with version 1.0.0 deployed everywhere; each story begins with that."""
    if sys.platform != "linux":
        pytest.skip("the laboratory looks into /proc")
    made = Lab(tmp_path_factory.mktemp("chaos"))
    asyncio.run(made.baseline())
    yield made
    made.close()
