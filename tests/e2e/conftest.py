"""Lets the tests of the whole program share one terminal and one way to run it."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
