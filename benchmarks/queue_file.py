"""Measures how fast a work queue file of 100,000 tasks is read: against bare json.loads, in the same run.

python -m benchmarks.queue_file [TASKS]
"""

from __future__ import annotations

import gc
import importlib.util
import json
import sys
import time
from collections.abc import Callable

from queues.queue_file import QueueFile, parse_queue

CASCADE = ("development", "staging", "production")


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    data = queue_bytes(count)
    bare = best(lambda: json.loads(data))
    unpaused = best(lambda: json.loads(data), collector=True)
    whole = best(lambda: parse_queue(data, name="work_queue_shop.json"), collector=True)
    print(f"{count:,} tasks, {len(data) / 1e6:.1f} MB, best of 5")
    print(f"bare json.loads            {unpaused:7.3f} s   (garbage collector off: {bare:.3f} s)")
    print(f"parse and validate         {whole:7.3f} s   {whole / unpaused:.2f} x bare ({whole / bare:.2f} x)")
    queue = parse_queue(data, name="work_queue_shop.json")
    assert len(queue.tasks) == count, queue.errors[:3]
    assert not queue.errors
    if importlib.util.find_spec("queues.graph") is not None:
        resolved = best(lambda: resolve(queue), collector=True)
        print(f"resolve the graph          {resolved:7.3f} s   together {whole + resolved:.3f} s")


def queue_bytes(count: int) -> bytes:
    """Write cascades of three tasks, as the guide has them."""
    features = []
    for number in range(count):
        environment = CASCADE[number % 3]
        version = f"2.{number % 40}.{number % 7}"
        entry: dict[str, object] = {
            "id": f"DEPLOY-{number:06d}",
            "description": f"Deploy v{version} to {environment} with migrations",
            "status": "pending",
            "agent_type": "deployment",
            "environment": environment,
            "version": version,
            "run_migrations": True,
            "migrations_path": "apps/api/alembic/versions",
            "max_iterations": 10,
        }
        if number % 3:
            entry["depends_on"] = [f"DEPLOY-{number - 1:06d}"]
        if environment == "production":
            entry["requires_approval"] = True
        features.append(entry)
    return json.dumps({"project": "shop", "features": features}, indent=1).encode()


def resolve(queue: QueueFile) -> object:
    from queues import graph  # noqa: PLC0415 - measured only where it exists

    return graph.Graph(queue.tasks)


def best(job: Callable[[], object], *, collector: bool = False) -> float:
    """Give the shortest of five runs, in seconds."""
    times = []
    for _ in range(5):
        gc.collect()
        if not collector:
            gc.disable()
        start = time.perf_counter()
        result = job()
        times.append(time.perf_counter() - start)
        gc.enable()
        del result
    return min(times)


if __name__ == "__main__":
    main()
