"""Starts the command line: the program ``opconsole``, and ``python -m opconsole``."""

from __future__ import annotations

import sys


def main() -> int:
    """Run the command that the program's arguments name; give its exit status."""
    if sys.platform == "win32":
        sys.stderr.write("opconsole needs Linux or macOS; on Windows, run it in WSL\n")
        return 2
    if sys.argv[1:2] == ["check"]:  # before every commit: it does without the parser of all other commands
        from opconsole.cli.check import main as check  # noqa: PLC0415 - nobody else needs it

        return check(sys.argv[2:])
    from opconsole.cli.main import main as run  # noqa: PLC0415 - not where it could not even be loaded

    return run()


if __name__ == "__main__":
    sys.exit(main())
