"""Who holds an environment, for whom and since when, and whether another process may go on there.

A lock belongs to a run until the run is final. Beside it stands the executor, the process that works on the
run, with a lease. A lease that has passed makes its executor suspect; it frees nothing.
"""

from __future__ import annotations

from collections.abc import Mapping

from opconsole.clock import iso
from opconsole.journal.records import JsonMap, LockRow, Run


def within_sight(executor: JsonMap, mine: Mapping[str, object]) -> bool:
    """Say whether the flocks of another executor's programs tell us whether they still run.

    They do on the same boot of a machine; and after another boot of it nothing of the former can run.
    """
    boot = executor.get("boot_id")
    if boot and boot == mine.get("boot_id"):
        return True
    machine = executor.get("machine_id")
    return not executor or (bool(machine) and machine == mine.get("machine_id"))


def executor_words(executor: JsonMap | None) -> str:
    """Name an executor for people."""
    if not executor:
        return "nobody"
    return f"process {executor.get('pid', 'unknown')} of machine {str(executor.get('machine_id', ''))[:12]}"


def held_words(run: Run, lock: LockRow) -> str:
    """Say who holds an environment, since when, and what frees it."""
    since = f" since {iso(lock.acquired_at)}" if lock.acquired_at else ""
    held = f"{run.environment} is held by {run.task} ({run.id}){since}, which is {run.state.value}"
    if run.state.undecided:
        return f"{held}; decide that one first: opconsole decide {run.task} revert|override|abort"
    return f"{held}; it goes on when that one has ended"
