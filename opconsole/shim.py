"""The shim: runs one program of a step, and outlives whoever asked for it.

One file on the standard library alone, run as `python -I -S shim.py`: so it starts in milliseconds, nothing
of a project can reach into it, and it can be copied to another host. What to run comes as one line of JSON on
standard input: neither variables nor secrets stand in an argument list. A later line "cancel" there, or
SIGTERM, cancels. When standard input ends because its writer died, the shim goes on.

The log holds one line per piece: ``2026-11-23T14:05:00.123Z o text``. ``o`` is the program's output, ``e``
its errors, ``n`` a note of opconsole. A capital ``O`` or ``E`` says that the line is not over: the next piece
of that stream goes on with it. So dots of a progress show as they come, and a gigabyte without newline needs
no memory.

When the program has exited, nobody is killed: services that it started go on. If they still hold its output,
a child of the shim that holds no lock goes on reading, lest they hang or die by SIGPIPE.
"""

from __future__ import annotations

import binascii
import contextlib
import ctypes
import fcntl
import json
import os
import select
import signal
import sys
import time

CHUNK = 64 * 1024
PIECE = 16 * 1024  # bytes of one log line
QUIET = 0.25  # seconds until a line that is not over is written as far as it is
SERVICE_BYTES = 1024 * 1024  # what is kept of a service that writes into its step's log
RECORD = 4096  # bytes of the exit record
MASK = b"***"


def main() -> int:
    """Run what standard input describes; 0 when the exit record is written."""
    order, newline, commands = _read_order(0).partition(b"\n")
    if not newline:
        return 1  # whoever asked died before it had said what to run: nothing has started
    shim = Shim(json.loads(order))
    shim.cancelled = b"cancel" in commands
    try:
        shim.run()
    except BaseException as problem:
        # No record: what the program did is unknown. But nothing may run on without a holder of the lock.
        shim.log.note(f"the shim failed: {problem!r}")
        shim.kill_everything()
        shim.take_back()
        raise
    return 0


class Shim:
    """One program from its start to its exit record."""

    def __init__(self, wanted: dict[str, object]) -> None:
        self.argv = [str(word) for word in _list(wanted["argv"])]
        self.cwd = str(wanted["cwd"])
        variables = wanted["variables"]
        assert isinstance(variables, dict)  # noqa: S101 (a contract between two of our own files)
        self.variables: dict[str, str] = variables
        self.limit = float(str(wanted["limit"]))
        self.grace = float(str(wanted["grace"]))
        self.lock = int(str(wanted["lock"]))
        self.ended = int(str(wanted["ended"]))
        for descriptor in (self.lock, self.ended):
            os.set_inheritable(descriptor, False)
        self.secrets = [str(secret).encode("utf-8", "surrogateescape") for secret in _list(wanted["secrets"])]
        files = wanted.get("files") or {}  # a worker older than this file gives none
        assert isinstance(files, dict)  # noqa: S101 (the same contract)
        self.files: dict[str, str] = files
        self.files_in = str(wanted.get("files_in", ""))
        self.log = Log(str(wanted["log"]))
        self.streams: list[Stream] = []
        self.pid = 0
        self.wait_status: int | None = None
        self.childless = False
        self.cancelled = False
        self.stopping = ""  # why the program is being stopped: "timed-out" or "cancelled"
        self.kill_at = 0.0
        self.kill_pause = 0.02
        self.wake = os.pipe()

    def run(self) -> None:
        """Start the program, see it to its end, write the record, let go of the lock."""
        os.pwrite(self.lock, f"{os.getpid()} {pid_namespace()}\n".encode(), 0)
        subreaper = _become_subreaper()
        self._hear_signals()
        started_at = time.time()
        if self.cancelled:
            self._record("cancelled", "cancelled before it was started", started_at)
            return
        problem = self.log.problem or self._hand_over() or self._start()
        if problem:
            self.take_back()
            self._record("not-started", problem, started_at)
            return
        if not subreaper:
            self.log.note("no subreaper here: what leaves the program's process group cannot be stopped")
        self._attend(boot_time() + self.limit)
        for stream in self.streams:
            stream.drain(self.log)
        ending, reason = self._outcome()
        self.take_back()
        self._record(ending, reason, started_at)
        self._serve_what_is_left()

    def kill_everything(self) -> None:
        """Kill every descendant, and wait until none is left."""
        self._reap()
        while self.pid and not self.childless:
            self._signal_all(signal.SIGKILL)
            time.sleep(0.02)
            self._reap()

    def take_back(self) -> None:
        """Remove the files with secrets."""
        if not self.files:
            return
        try:
            for name in os.listdir(self.files_in):  # noqa: PTH208
                os.unlink(f"{self.files_in}/{name}")  # noqa: PTH108
            os.rmdir(self.files_in)  # noqa: PTH106
        except FileNotFoundError:
            return  # it was never made
        except OSError as error:
            self.log.note(f"files with secrets may be left in {self.files_in}: {error.strerror}")
            return
        with contextlib.suppress(OSError):  # others of the run have theirs in it
            os.rmdir(os.path.dirname(self.files_in))  # noqa: PTH106, PTH120

    def _hand_over(self) -> str:
        """Put secrets into files that only we may read, and name them in variables; say what hinders it."""
        if not self.files:
            return ""
        before = os.umask(0o077)
        try:
            _make_folder(self.files_in)
            for name, content in self.files.items():
                path = f"{self.files_in}/{name}"
                descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
                try:
                    data = memoryview(content.encode("utf-8", "surrogateescape"))
                    while data:
                        data = data[os.write(descriptor, data) :]
                finally:
                    os.close(descriptor)
                self.variables[name] = path
        except OSError as error:
            return f"the files with its secrets could not be made in {self.files_in}: {error.strerror}"
        finally:
            os.umask(before)
        return ""

    def _hear_signals(self) -> None:
        for end in self.wake:
            os.set_blocking(end, False)
        signal.set_wakeup_fd(self.wake[1], warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, lambda *_: self._cancel())
        for ignored in (signal.SIGINT, signal.SIGHUP, signal.SIGPIPE):
            signal.signal(ignored, signal.SIG_IGN)

    def _cancel(self) -> None:
        self.cancelled = True

    def _start(self) -> str:
        """Fork and exec; give a sentence when that cannot be done."""
        if not os.path.isdir(self.cwd):  # noqa: PTH112 (pathlib would double the start-up time)
            return f"its folder {self.cwd} is not there"
        path = self.variables.get("PATH", "")
        program = find_program(self.argv[0], self.cwd, path)
        if program is None:
            where = "no such executable file" if "/" in self.argv[0] else f"searched PATH {path or '(empty)'}"
            return f"{self.argv[0]} was not found: {where}"
        null = os.open("/dev/null", os.O_RDONLY)
        out, err, failure = os.pipe(), os.pipe(), os.pipe()
        parent = os.getpid()
        signal.pthread_sigmask(signal.SIG_SETMASK, signal.valid_signals())
        self.pid = os.fork()
        if self.pid == 0:
            self._become_program(program, parent, (null, out[1], err[1]), failure[1])
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        for descriptor in (null, out[1], err[1], failure[1]):
            os.close(descriptor)
        number = os.read(failure[0], 16)  # ends when exec has closed the other end
        os.close(failure[0])
        if number:
            os.waitpid(self.pid, 0)
            self.pid = 0
            return f"{program} could not be run: {os.strerror(int(number))}"
        self.streams = [Stream(b"oO", out[0], self.secrets), Stream(b"eE", err[0], self.secrets)]
        return ""

    def _become_program(
        self, program: str, parent: int, standard: tuple[int, int, int], failure: int
    ) -> None:
        try:
            os.setsid()
            _die_with_parent(parent)
            for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
                with contextlib.suppress(OSError, ValueError):
                    signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_SETMASK, [])
            os.umask(0o022)
            for target, descriptor in enumerate(standard):
                os.dup2(descriptor, target)
            os.chdir(self.cwd)
            os.execve(program, self.argv, self.variables)  # noqa: S606 (an argv list, no shell)
        except OSError as problem:
            os.write(failure, str(problem.errno).encode())
        finally:
            os._exit(127)

    def _attend(self, deadline: float) -> None:
        """Read, log and watch the clock until the program has exited, or all of it is stopped."""
        poll = select.poll()
        for descriptor in (0, self.wake[0], *(stream.descriptor for stream in self.streams)):
            poll.register(descriptor, select.POLLIN)
        readers = {stream.descriptor: stream for stream in self.streams}
        while True:
            self._reap()
            if self.childless if self.stopping else self.wait_status is not None:
                return
            now = boot_time()
            self._stop_if_due(now, deadline)
            due = [
                self.kill_at if self.stopping else deadline,
                now + 30,
            ]  # a suspended machine's poll is late
            due += [stream.due for stream in self.streams if stream.pending]
            for descriptor, _ in poll.poll(max(0.0, min(due) - boot_time()) * 1000 + 1):
                if descriptor == self.wake[0]:
                    os.read(descriptor, 4096)
                elif descriptor == 0:
                    self._hear_commands(poll)
                else:
                    readers[descriptor].read(self.log)
                    if readers[descriptor].over:
                        poll.unregister(descriptor)
            for stream in self.streams:
                stream.write_if_due(self.log)

    def _hear_commands(self, poll: select.poll) -> None:
        words = os.read(0, 4096)
        if not words:
            poll.unregister(0)
        elif b"cancel" in words:
            self.cancelled = True

    def _stop_if_due(self, now: float, deadline: float) -> None:
        if not self.stopping:
            if self.cancelled or now >= deadline:
                self.stopping = "cancelled" if self.cancelled else "timed-out"
                self.kill_at = now + self.grace
                self._signal_all(signal.SIGTERM)
        elif now >= self.kill_at:
            self._signal_all(signal.SIGKILL)  # again and again: what forks meanwhile is found the next time
            self.kill_at = now + self.kill_pause
            if self.kill_pause < 1 <= self.kill_pause * 1.5:
                left = ", ".join(str(pid) for pid, _ in descendants(os.getpid()))
                self.log.note(f"waiting for processes that do not end on SIGKILL: {left}")
            self.kill_pause = min(1.0, self.kill_pause * 1.5)

    def _signal_all(self, number: int) -> None:
        if self.wait_status is None or not sys.platform.startswith("linux"):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, number)
        for pid, group in descendants(os.getpid()):
            if group == self.pid and self.wait_status is None:
                continue  # has had it with its group
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, number)

    def _reap(self) -> None:
        """Take the exit statuses there are: the program's, and those of orphans that came to us."""
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    self.childless = False
                    return
                if pid == self.pid:
                    self.wait_status = status
        self.childless = True

    def _outcome(self) -> tuple[str, str]:
        if self.stopping == "timed-out":
            return "timed-out", f"stopped after its limit of {self.limit:g} s"
        if self.stopping:
            return "cancelled", "cancelled, and verified to be over"
        code = os.waitstatus_to_exitcode(self.wait_status or 0)
        if code < 0:
            with contextlib.suppress(ValueError):
                return "signalled", f"ended by signal {-code} ({signal.Signals(-code).name})"
            return "signalled", f"ended by signal {-code}"
        return "exited", f"exited with status {code}"

    def _record(self, ending: str, reason: str, started_at: float) -> None:
        reason = (
            Masker(self.secrets).whole(reason.encode("utf-8", "surrogateescape")).decode("utf-8", "replace")
        )
        self.log.note(reason)
        if self.log.lost:
            reason += f"; {self.log.lost} bytes of its output could not be logged: {self.log.reason}"
        code = None if self.wait_status is None else os.waitstatus_to_exitcode(self.wait_status)
        facts: dict[str, object] = {
            "ending": ending,
            "status": code if code is not None and code >= 0 else None,
            "signal": -code if code is not None and code < 0 else None,
            "started_at": started_at,
            "ended_at": time.time(),
            "reason": reason[:500],
            "lost": self.log.lost,
        }
        os.pwrite(self.ended, pack_record(facts), 0)
        os.fsync(self.ended)
        fcntl.flock(self.lock, fcntl.LOCK_UN)

    def _serve_what_is_left(self) -> None:
        """Leave a reader behind for services that still hold the program's output."""
        held = [stream for stream in self.streams if not stream.over]
        if not held or os.fork() != 0:
            return
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        for descriptor in (0, self.lock, self.ended):
            os.close(descriptor)
        poll = select.poll()
        for stream in held:
            poll.register(stream.descriptor, select.POLLIN)
        left = SERVICE_BYTES
        while held:
            wait = min([stream.due - boot_time() for stream in held if stream.pending], default=None)
            ready = {
                descriptor for descriptor, _ in poll.poll(None if wait is None else max(0.0, wait) * 1000 + 1)
            }
            before = self.log.written
            for stream in held:
                if stream.descriptor in ready:
                    stream.read(self.log)
                    if stream.over:
                        poll.unregister(stream.descriptor)
                stream.write_if_due(self.log)
            held = [stream for stream in held if not stream.over]
            left -= self.log.written - before
            if left <= 0 and not self.log.closed:
                self.log.note("what the service writes from here on is not kept: give it a log of its own")
                self.log.close()


class Log:
    """Appends lines to the log. A full disk loses lines, says so when it can again, and stops nothing."""

    def __init__(self, path: str) -> None:
        self.lost = 0
        self.written = 0
        self.reason = ""
        self.problem = ""
        self.closed = False
        self._unsaid = 0
        self._torn = False
        try:
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
            self._descriptor = os.open(path, flags, 0o600)
        except OSError as error:
            self.problem = f"its log {path} cannot be opened: {error.strerror}"
            self.closed = True

    def note(self, text: str) -> None:
        """Write a line of our own."""
        line = text.replace("\n", " ").encode("utf-8", "surrogateescape")[:PIECE]
        self.write(stamp() + b" n " + line + b"\n")

    def write(self, lines: bytes) -> None:
        """Write whole lines."""
        if self.closed or not lines:
            return
        notice = b""
        if self._unsaid:
            notice = f" n {self._unsaid} bytes of output are missing here: {self.reason}\n".encode()
            notice = stamp() + notice
        if self._put(notice + lines):
            self._unsaid = 0
            self.written += len(lines)
        else:
            self._unsaid += len(lines)
            self.lost += len(lines)

    def close(self) -> None:
        """Write nothing any more."""
        self.closed = True
        os.close(self._descriptor)

    def _put(self, lines: bytes) -> bool:
        left = memoryview(b"\n" + lines if self._torn else lines)
        while left:
            try:
                count = os.write(self._descriptor, left)
            except OSError as error:
                self.reason = error.strerror or str(error)
                return False
            left = left[count:]
            self._torn = bool(left)
        return True


class Stream:
    """One of the program's two outputs, on its way into the log."""

    def __init__(self, tags: bytes, descriptor: int, secrets: list[bytes]) -> None:
        self.descriptor = descriptor
        self.pending = b""  # the end of what was read that is not a whole line, at most PIECE bytes
        self.due = 0.0
        self.over = False
        self._whole, self._unfinished = tags[:1], tags[1:]
        self._masker = Masker(secrets)
        os.set_blocking(descriptor, False)

    def read(self, log: Log) -> int:
        """Read one chunk and log its lines; 0 when there is none now, or none any more."""
        try:
            chunk = os.read(self.descriptor, CHUNK)
        except BlockingIOError:
            return 0
        if chunk:
            log.write(self._lines(self._masker.feed(chunk)))
        else:
            self._finish(log)
            self.over = True
            os.close(self.descriptor)
        return len(chunk)

    def drain(self, log: Log) -> None:
        """Log what the program left in the pipe, and not what others go on writing."""
        left = (
            getattr(fcntl, "F_GETPIPE_SZ", 0)
            and not self.over
            and fcntl.fcntl(self.descriptor, fcntl.F_GETPIPE_SZ)
        )
        left = left or CHUNK
        while not self.over and left > 0 and (count := self.read(log)):
            left -= count
        if not self.over:
            self._finish(log)

    def write_if_due(self, log: Log) -> None:
        """Write the beginning of a line that has waited long enough for its end."""
        if self.pending and not self.over and boot_time() >= self.due:
            end = _whole_characters(self.pending, len(self.pending))
            piece, self.pending = self.pending[:end], self.pending[end:]
            self.due = boot_time() + QUIET
            if piece:
                log.write(b"%s %s %s\n" % (stamp(), self._unfinished, piece))

    def _finish(self, log: Log) -> None:
        text = self._lines(self._masker.feed(b"", final=True))
        if self.pending:
            text += b"%s %s %s\n" % (stamp(), self._whole, self.pending)
            self.pending = b""
        log.write(text)

    def _lines(self, text: bytes) -> bytes:
        if not self.pending and text:
            self.due = boot_time() + QUIET
        whole, more = b"%s %s " % (stamp(), self._whole), b"%s %s " % (stamp(), self._unfinished)
        *lines, rest = (self.pending + text).split(b"\n")
        out: list[bytes] = []
        for line in lines:
            last = _cut(line, more, out)
            out += (whole, last, b"\n")
        if lines:
            self.due = boot_time() + QUIET
        self.pending = _cut(rest, more, out)
        return b"".join(out)


class Masker:
    """Replaces every occurrence of the secrets by ``***``, however the text is cut into chunks.

    What may be the beginning of a secret is held back until it is decided; when the text ends there, at least
    half a secret is masked too.
    """

    def __init__(self, secrets: list[bytes]) -> None:
        self._secrets = sorted({secret for secret in secrets if secret}, key=len, reverse=True)
        self._held = b""
        self._covered = 0  # so many of the held bytes belong to an occurrence that is masked already

    def whole(self, text: bytes) -> bytes:
        """Mask one whole text."""
        return self.feed(text) + self.feed(b"", final=True)

    def feed(self, chunk: bytes, *, final: bool = False) -> bytes:
        """Give what is decided of the text so far."""
        if not self._secrets:
            return chunk
        text = self._held + chunk
        spans = self._occurrences(text)
        undecided = min((self._beginning(text, secret) for secret in self._secrets), default=len(text))
        if final:
            spans += [span for secret in self._secrets if (span := self._half(text, secret))]
            undecided = len(text)
        out: list[bytes] = []
        at = self._covered
        for start, end in sorted(spans):
            if start >= undecided:
                break
            if start >= at:
                out += (text[at:start], MASK)
            at = max(at, end)
        if at < undecided:
            out.append(text[at:undecided])
            at = undecided
        self._held = text[undecided:]
        self._covered = at - undecided
        return b"".join(out)

    def _occurrences(self, text: bytes) -> list[tuple[int, int]]:
        spans = []
        for secret in self._secrets:
            at = text.find(secret)
            while at >= 0:
                spans.append((at, at + len(secret)))
                at = text.find(secret, at + 1)
        return spans

    @staticmethod
    def _beginning(text: bytes, secret: bytes) -> int:
        """Where the longest beginning of the secret lies that the text ends with."""
        at = text.find(secret[:1], max(0, len(text) - len(secret) + 1))
        while at >= 0 and not secret.startswith(text[at:]):
            at = text.find(secret[:1], at + 1)
        return at if at >= 0 else len(text)

    def _half(self, text: bytes, secret: bytes) -> tuple[int, int] | None:
        at = self._beginning(text, secret)
        length = len(text) - at
        return (at, len(text)) if length >= 4 and length * 2 >= len(secret) else None


def find_program(name: str, cwd: str, path: str) -> str | None:
    """Find an executable as a shell would, but never in the current folder by a relative PATH entry."""
    folders = [entry for entry in path.split(":") if entry.startswith("/")]
    candidates = [os.path.join(cwd, name)] if "/" in name else [f"{folder}/{name}" for folder in folders]  # noqa: PTH118
    for candidate in candidates:
        if os.path.isfile(candidate) and os.access(candidate, os.X_OK):  # noqa: PTH113
            return candidate
    return None


def descendants(ancestor: int) -> list[tuple[int, int]]:
    """Give (pid, process group) of every process below this one, as /proc has them now."""
    children: dict[int, list[tuple[int, int]]] = {}
    with contextlib.suppress(FileNotFoundError):  # no /proc: not Linux
        for name in os.listdir("/proc"):  # noqa: PTH208
            if name.isdigit():
                with contextlib.suppress(OSError), open(f"/proc/{name}/stat", "rb") as file:  # noqa: PTH123
                    fields = file.read().rpartition(b")")[2].split()
                    children.setdefault(int(fields[1]), []).append((int(name), int(fields[2])))
    found: list[tuple[int, int]] = []
    ask = [ancestor]
    while ask:
        below = children.pop(ask.pop(), [])
        found += below
        ask += [pid for pid, _ in below]
    return found


def pack_record(facts: dict[str, object]) -> bytes:
    """Give the exit record's bytes: always as many, so that writing them needs no new block."""
    body = json.dumps(facts).encode()
    head = b"opconsole-ended 1 %d %d\n" % (len(body), binascii.crc32(body))
    return (head + body + b"\n").ljust(RECORD)


def unpack_record(record: bytes) -> dict[str, object] | None:
    """Give the facts of an exit record; None when it was not written, or not wholly."""
    head, _, rest = record.partition(b"\n")
    words = head.split()
    if len(words) != 4 or words[:2] != [b"opconsole-ended", b"1"]:
        return None
    if not (words[2].isdigit() and words[3].isdigit()):
        return None
    body = rest[: int(words[2])]
    if binascii.crc32(body) != int(words[3]):
        return None
    facts = json.loads(body)
    return facts if isinstance(facts, dict) else None


def pid_namespace() -> str:
    """Name the namespace in which this process has its number: elsewhere that is another's."""
    with contextlib.suppress(OSError):  # not Linux
        return os.readlink("/proc/self/ns/pid")  # noqa: PTH115 (pathlib would double the start-up time)
    return "-"


def boot_time() -> float:
    """Seconds since the machine started, with the time it was suspended where the system knows it."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def stamp() -> bytes:
    """The time of a log line, in UTC."""
    now = time.time()
    return (time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now % 1 * 1000):03d}Z").encode()


def _read_order(descriptor: int) -> bytes:
    text = b""
    while b"\n" not in text and (chunk := os.read(descriptor, CHUNK)):
        text += chunk
    return text


def _list(value: object) -> list[object]:
    assert isinstance(value, list)  # noqa: S101 (a contract between two of our own files)
    return value


def _make_folder(path: str) -> None:
    """Make a new folder and those above it, again where the end of another program took one away."""
    for _ in range(100):
        try:
            os.makedirs(path, 0o700)  # noqa: PTH103
        except FileNotFoundError:
            continue
        return
    os.mkdir(path, 0o700)  # noqa: PTH102 (tells why)


def _become_subreaper() -> bool:
    """Have orphans of the program come to us (Linux), so that none can leave by a second fork."""
    if not sys.platform.startswith("linux"):
        return False
    return bool(ctypes.CDLL(None).prctl(36, 1, 0, 0, 0) == 0)  # PR_SET_CHILD_SUBREAPER


def _die_with_parent(parent: int) -> None:
    """Without its shim the program would run on unseen (Linux; its children are not reached)."""
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(1, int(signal.SIGKILL), 0, 0, 0)  # PR_SET_PDEATHSIG
        if os.getppid() != parent:
            os._exit(127)


def _cut(line: bytes, prefix: bytes, out: list[bytes]) -> bytes:
    """Move whole pieces of a long line to the output; give what is left of it."""
    at = 0
    while len(line) - at > PIECE:
        end = _whole_characters(line, at + PIECE)
        out += (prefix, line[at:end], b"\n")
        at = end
    return line[at:]


def _whole_characters(text: bytes, end: int) -> int:
    """The last place at or before `end` that is not inside a UTF-8 character."""
    for back in range(1, min(4, end + 1)):
        byte = text[end - back]
        if byte >= 0xC0:  # a character begins here: does it end in time?
            length = 2 + (byte >= 0xE0) + (byte >= 0xF0)
            return end if back >= length else end - back
        if byte < 0x80:
            break
    return end


if __name__ == "__main__":
    sys.exit(main())
