"""The smoke test: after a deployment, ask the running service for what people come for."""

from __future__ import annotations

import json
import os
import sys
import urllib.error
import urllib.request

LIMIT = 5.0  # seconds


def main() -> int:
    """Read the clinicians from the service on 127.0.0.1:$PORT; 1 when there are none."""
    url = f"http://127.0.0.1:{os.environ['PORT']}/clinicians"
    # Proxies are for the outside; this asks the own machine.
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(url, timeout=LIMIT) as answer:
            rows = json.load(answer)
    except (urllib.error.URLError, TimeoutError, ValueError) as problem:
        print(f"{url}: {problem}", file=sys.stderr)
        return 1
    print(f"{url}: {len(rows)} clinicians")
    return 0 if rows else 1


if __name__ == "__main__":
    sys.exit(main())
