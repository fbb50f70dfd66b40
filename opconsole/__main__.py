"""Starts the command line: the program ``opconsole``, and ``python -m opconsole``."""

from __future__ import annotations

import os
import sys
from typing import TextIO


def main() -> int:
    """Run the command that the program's arguments name; give its exit status."""
    if sys.platform == "win32":
        sys.stderr.write("opconsole needs Linux or macOS; on Windows, run it in WSL\n")
        return 2
    # Python has None for a stream that was closed before it began, as by >&-: what is said goes nowhere then.
    sys.stdout = sys.stdout or _nowhere()
    sys.stderr = sys.stderr or _nowhere()
    if sys.argv[1:2] == ["check"]:  # before every commit: it does without the parser of all other commands
        from opconsole.cli.check import main as check  # noqa: PLC0415 - nobody else needs it

        return check(sys.argv[2:])
    from opconsole.cli.main import main as run  # noqa: PLC0415 - not where it could not even be loaded

    return run()


def _nowhere() -> TextIO:
    return open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123 - it lasts as long as the process


if __name__ == "__main__":
    sys.exit(main())
