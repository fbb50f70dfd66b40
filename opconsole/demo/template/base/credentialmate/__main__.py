"""Run the service until it is told to stop; tells whoever started it whether it listens."""

from __future__ import annotations

import errno
import os
import signal
import sys
import threading
from pathlib import Path

from credentialmate.server import Server, Settings


def main() -> int:
    """Serve on 127.0.0.1:$PORT; 1 when the settings or the port do not allow it."""
    try:
        settings = Settings.read(Path(__file__).resolve().parent.parent, os.environ)
    except (KeyError, ValueError) as problem:
        return refuse(f"PORT and DATABASE_URL must be set: {problem}")
    try:
        server = Server(settings)
    except OSError as problem:
        reason = "is in use" if problem.errno == errno.EADDRINUSE else f"cannot be used: {problem.strerror}"
        return refuse(f"port {settings.port} {reason}")
    # shutdown() waits for the serving loop, which runs in this same thread: it needs another one.
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    tell("ready")
    print(f"credentialmate {settings.version} ({settings.environment}) on port {settings.port}", flush=True)
    server.serve_forever(poll_interval=0.1)
    server.server_close()
    return 0


def refuse(reason: str) -> int:
    """Say why the service does not start, in the log and to whoever started it."""
    print(reason, file=sys.stderr, flush=True)
    tell(reason)
    return 1


def tell(message: str) -> None:
    """Write to the pipe that service.py handed down, if there is one, and close it."""
    if "SERVICE_READY_FD" in os.environ:
        with os.fdopen(int(os.environ.pop("SERVICE_READY_FD")), "w", encoding="utf-8") as pipe:
            pipe.write(message)


if __name__ == "__main__":
    sys.exit(main())
