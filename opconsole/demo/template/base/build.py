"""Build credentialmate: put what a release needs under dist/credentialmate, with its version."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent
RELEASE = ROOT / "dist" / "credentialmate"
PARTS = ("credentialmate", "apps", "service.py", "smoke.py", "README.md")


def main() -> int:
    """Build into dist/credentialmate, replacing what an earlier build left there."""
    version = os.environ.get("OPCONSOLE_VERSION") or "0.0.0+local"
    for source in sorted((ROOT / "credentialmate").rglob("*.py")):
        try:
            compile(source.read_bytes(), source.relative_to(ROOT), "exec")
        except SyntaxError as problem:
            print(f"{source.relative_to(ROOT)}:{problem.lineno}: {problem.msg}", file=sys.stderr)
            return 1
    shutil.rmtree(RELEASE, ignore_errors=True)
    RELEASE.mkdir(parents=True)
    for part in PARTS:
        source = ROOT / part
        if source.is_dir():
            # Byte code holds times and paths, and would give each build of one commit another digest.
            shutil.copytree(source, RELEASE / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, RELEASE / part)
    (RELEASE / "VERSION").write_text(version + "\n", encoding="utf-8")
    print(f"built credentialmate {version}: {RELEASE.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
