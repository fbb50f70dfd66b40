"""The journal's one writer: a thread that turns what is queued into group commits.

A caller waits for its own submission only; the thread takes all that is queued, writes it in one
transaction with one fsync, and tells every caller after the COMMIT. Submissions that wait at the same time
are concurrent: two that depend on each other must be awaited one after the other, or carry `Op.expect`.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from opconsole.journal.ballast import Ballast
from opconsole.journal.database import (
    PATIENCE_SECONDS,
    FileIdentity,
    Meaning,
    connect_patiently,
    meaning,
    writing_engine,
)
from opconsole.journal.errors import (
    JournalBusyError,
    JournalClosedError,
    JournalError,
    JournalFullError,
    StaleEpochError,
)
from opconsole.journal.location import JournalPlace
from opconsole.journal.transaction import REFUSALS, AuditOp, Op, transact
from opconsole.journal.wake import touch

__all__ = [
    "AuditOp",
    "JournalBusyError",
    "JournalClosedError",
    "JournalError",
    "JournalFullError",
    "JournalWriter",
    "Op",
    "StaleEpochError",
    "write_once",
]

PAUSE_SECONDS = 0.002
"""Between two commits, so that a console's request finds the write lock free within a millisecond or two."""

BATCH_SUBMISSIONS = 1000
"""The most that one transaction takes, so that nobody waits long behind it."""


_FULL_TEXT = "the disk is full, so nothing new starts; free some space and try again"


@dataclass(frozen=True, slots=True, eq=False)
class _Submission:
    ops: tuple[Op | AuditOp, ...]
    reserve: bool
    # A thread waits for a Future with a lock of its own; a loop's is far cheaper, and there are thousands.
    answer: Future[None] | asyncio.Future[None]


class JournalWriter:
    """Writes the journal for whoever holds the host's lock; see `opconsole.journal.hosting`."""

    def __init__(
        self,
        place: JournalPlace,
        *,
        on_fatal: Callable[[BaseException], None],
        ballast: Ballast | None = None,
        pause: float = PAUSE_SECONDS,
        patience: float = PATIENCE_SECONDS,
    ) -> None:
        """Prepare a writer; *on_fatal* is called once, from the writer's thread, when it had to end."""
        self._place = place
        self._on_fatal = on_fatal
        self._ballast = ballast if ballast is not None else Ballast(place.ballast)
        self._pause = pause
        self._patience = patience
        self._engine = writing_engine(place.database)
        self._thread = threading.Thread(target=self._run, name="journal-writer", daemon=True)
        self._queue: deque[_Submission] = deque()
        self._changed = threading.Condition()
        self._closing = False
        self._ended: BaseException | None = None

    def start(self) -> None:
        """Start the thread; the journal must exist and have the present schema."""
        self._thread.start()

    async def commit(self, *ops: Op | AuditOp, reserve: bool = False) -> None:
        """Write *ops* in one transaction and return after its COMMIT.

        *reserve* is for what must be recorded although the disk is full, the outcome of an effect that
        has already happened: it may use the reserved ballast. Anything else fails while the ballast is used
        up, so that no effect starts on a full disk.

        Once queued a submission is carried out, even when the waiting task is cancelled. Raises
        `StaleEpochError`, `JournalFullError`, `JournalBusyError`, `JournalClosedError` or, for what the
        database refused, `JournalError`.
        """
        answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._put(_Submission(ops, reserve, answer))
        await answer

    def commit_sync(self, *ops: Op | AuditOp, reserve: bool = False) -> None:
        """Do the same for the command line, without a loop."""
        answer: Future[None] = Future()
        self._put(_Submission(ops, reserve, answer))
        answer.result()

    def close(self) -> None:
        """Write what is queued and end the thread; blocks until then. Harmless when called twice."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        if self._thread.ident is not None and self._thread is not threading.current_thread():
            self._thread.join()
        self._engine.dispose()

    # -- the thread

    def _put(self, submission: _Submission) -> None:
        with self._changed:
            if self._ended is not None or self._closing:
                raise self._closed()
            self._queue.append(submission)
            self._changed.notify()

    def _closed(self) -> JournalClosedError:
        why = f"it ended with: {self._ended}" if self._ended is not None else "it was closed"
        error = JournalClosedError(
            f"the journal's writer takes nothing any more, {why}. Start the worker again and read back"
        )
        error.__cause__ = self._ended
        return error

    def _run(self) -> None:
        batch: list[_Submission] = []
        try:
            self._ballast.restore()
            with connect_patiently(self._engine, self._patience) as connection:
                # With the lock's file gone another host could have come in beside us.
                files = [FileIdentity.of(path) for path in (self._place.database, self._place.host_lock)]
                while batch := self._next_batch():
                    for file in files:
                        file.check()
                    self._write(connection, batch)
                    time.sleep(self._pause)
        except BaseException as error:  # noqa: BLE001 - a thread that dies in silence leaves every caller waiting
            self._end(error, batch)

    def _next_batch(self) -> list[_Submission]:
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._closing)
            size = min(len(self._queue), BATCH_SUBMISSIONS)
            return [self._queue.popleft() for _ in range(size)]

    def _write(self, connection: Connection, batch: list[_Submission]) -> None:
        batch = self._admit(batch)
        if not batch:
            return
        try:
            transact(connection, [submission.ops for submission in batch], self._patience)
        except JournalBusyError as error:
            _resolve(batch, error)
        except REFUSALS as error:
            if meaning(error) is Meaning.FATAL:
                raise
            if len(batch) > 1:
                for submission in batch:
                    self._write(connection, [submission])
            else:
                _resolve(batch, self._second_try(connection, batch[0], error))
        else:
            touch(self._place.wake)
            _resolve(batch, None)

    def _admit(self, batch: list[_Submission]) -> list[_Submission]:
        """Turn away what may not use the last of the disk."""
        if self._ballast.held or self._ballast.restore():
            return batch
        _resolve(
            [submission for submission in batch if not submission.reserve],
            JournalFullError(f"{self._place.root}: {_FULL_TEXT}"),
        )
        return [submission for submission in batch if submission.reserve]

    def _second_try(
        self, connection: Connection, submission: _Submission, error: BaseException
    ) -> JournalError | None:
        """Say how a submission that failed by itself ends: its error, or None when it could be written."""
        if meaning(error) is Meaning.FULL and submission.reserve and self._ballast.release():
            try:
                transact(connection, [submission.ops], self._patience)
            except REFUSALS as second:
                if meaning(second) is Meaning.FATAL:
                    raise
                return _typed(second, self._place)
            touch(self._place.wake)
            return None
        return _typed(error, self._place)

    def _end(self, error: BaseException, batch: Sequence[_Submission]) -> None:
        with self._changed:
            self._ended = error
            left = [*batch, *self._queue]
            self._queue.clear()
        try:
            # First: who hears of it ends the process at once. The callers would unwind, and stop programs.
            self._on_fatal(error)
        finally:
            _resolve(left, self._closed())


def write_once(
    place: JournalPlace,
    *ops: Op | AuditOp,
    patience: float = PATIENCE_SECONDS,
) -> None:
    """Write one submission without a thread: a request of a console, or the command line's own answer.

    Without the host's lock only `requests` may be written. Blocks for up to *patience* seconds while others
    write; on an event loop call it in a thread. Raises what `JournalWriter.commit` raises.
    """
    FileIdentity.of(place.database)
    engine = writing_engine(place.database)
    try:
        with connect_patiently(engine, patience) as connection:
            transact(connection, [ops], patience)
    except JournalError:
        raise
    except REFUSALS as error:
        raise _typed(error, place) from error
    finally:
        engine.dispose()
    touch(place.wake)


# -- telling the callers ------------------------------------------------------------------------------


def _typed(error: BaseException, place: JournalPlace) -> JournalError:
    if isinstance(error, JournalError):
        return error
    if meaning(error) is Meaning.FULL:
        typed: JournalError = JournalFullError(f"{place.root}: {_FULL_TEXT}")
    else:
        # The database's own words: SQLAlchemy's would show the statement and every value in it.
        reason = error.orig if isinstance(error, DBAPIError) else error
        typed = JournalError(f"the journal refused a submission, nothing of it was recorded: {reason}")
    typed.__cause__ = error
    return typed


def _resolve(batch: Sequence[_Submission], error: JournalError | None) -> None:
    """Answer each caller that has no answer yet; the callers of one event loop all at once."""
    loops: dict[asyncio.AbstractEventLoop, list[asyncio.Future[None]]] = {}
    for submission in batch:
        answer = submission.answer
        if isinstance(answer, Future):
            _answer(answer, error)
        else:
            loops.setdefault(answer.get_loop(), []).append(answer)
    for loop, answers in loops.items():
        try:
            loop.call_soon_threadsafe(_answer_all, answers, error)
        except RuntimeError:  # the loop is closed: nobody waits any more, and the journal has it anyway
            if not loop.is_closed():
                raise


def _answer_all(answers: Sequence[asyncio.Future[None]], error: JournalError | None) -> None:
    for answer in answers:
        _answer(answer, error)


def _answer(answer: Future[None] | asyncio.Future[None], error: JournalError | None) -> None:
    if answer.done():  # answered before, or its task was cancelled meanwhile
        return
    if error is None:
        answer.set_result(None)
    else:
        answer.set_exception(_copy(error))


def _copy(error: JournalError) -> JournalError:
    # One exception raised in many tasks would collect all their tracebacks.
    own = type(error)(*error.args)
    own.__cause__ = error.__cause__
    return own
