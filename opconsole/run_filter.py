"""The words that runs are filtered by, such as ``state:failed env:prod 2.1 since:7d``.

Every word must hold. A word without a known name before its colon is looked for in everything that a line
says; ``-`` or ``not:`` before a word takes away what it finds; quotes hold blanks together, and
make any word a text.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches

from guardrails.environments import ALIASES
from opconsole.journal.run_lines import RunLine
from opconsole.view_making import state_word
from queues.states import RunState


class FilterError(ValueError):
    """A filter word that cannot be used: what was found, what is allowed, what to do."""


@dataclass(frozen=True, slots=True)
class PastRun:
    """A run of the history, ready to be filtered."""

    line: RunLine
    unverified: bool
    """A production run that succeeded and that nobody has verified yet."""
    state: str
    """As people see it."""
    text: str
    """All that it says, in lower case."""


Test = Callable[[PastRun], bool]


@dataclass(frozen=True, slots=True)
class RunFilter:
    """What a run must be to be shown."""

    tests: tuple[Test, ...] = ()

    def matches(self, run: PastRun) -> bool:
        """Say whether every word holds for a run."""
        return all(test(run) for test in self.tests)


NAMES = (
    "state",
    "env",
    "project",
    "task",
    "kind",
    "action",
    "version",
    "who",
    "run",
    "since",
    "until",
    "took",
)
STATES = (*(state.value for state in RunState), "cancelling", "unverified", "overridden")
HELP = (
    "state: env: project: task: kind: action: version: who: run: since: until: took: - or any text; "
    "for example  state:failed,blocked env:prod since:7d -who:alice took:>5m"
)


def past_run(line: RunLine, *, unverified: bool) -> PastRun:
    """Make a run ready to be filtered."""
    run = line.run
    said = (
        *(str(run.key), run.task, run.environment, run.version, run.kind, run.action, run.reason, run.id),
        *(run.requested_by, run.verified_by, run.cancel_by, run.release, run.commit_id, *line.deciders),
    )
    state = state_word(run)
    words = (*said, state, state.replace("_", " "), "unverified" if unverified else "")
    return PastRun(line, unverified, state, " ".join(word for word in words if word).casefold())


def read_filter(text: str, now: datetime) -> RunFilter:
    """Read filter words. Raises FilterError."""
    return RunFilter(tuple(_test(match, now) for match in _WORD.finditer(text)))


def read_moment(text: str, now: datetime) -> datetime:
    """Read a day (its beginning, in UTC), a moment, or how long ago: ``2026-03-01``, ``7d``, ``12h``.

    Raises FilterError.
    """
    word = text.strip().casefold()
    today = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    if word in ("today", "yesterday"):
        return today if word == "today" else today - timedelta(days=1)
    try:
        if ago := _AGO.fullmatch(word):
            return now - timedelta(**{_AGO_UNITS[ago[2]]: int(ago[1])})
        moment = datetime.fromisoformat(text.strip())
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise FilterError(
            f"{text!a} is no time; write 2026-03-01, 2026-03-01T12:00, today, yesterday, 7d (ago; also h, w)"
        ) from None


def _test(match: re.Match[str], now: datetime) -> Test:
    minus, name, quoted, word = match.groups()
    value = quoted if quoted is not None else word or ""
    test = _named(name, value, now) if name else _text(value)
    return (lambda run: not test(run)) if minus else test


def _named(name: str, value: str, now: datetime) -> Test:
    """Give the test of ``name:value``; of a name that is none, the whole is a text."""
    known = _SYNONYMS.get(name.casefold(), name.casefold())
    if known not in NAMES:
        near = get_close_matches(known, (*NAMES, *_SYNONYMS), n=1, cutoff=0.75)
        if near:
            raise FilterError(
                f"{name}: is no word of the filter; did you mean {near[0]}:? In quotes it is a text"
            )
        return _text(f"{name}:{value}")
    if not value:
        raise FilterError(f"{name}: says nothing; write for example {_EXAMPLES[known]}")
    if known in ("since", "until"):
        at = read_moment(value, now)
        return (lambda run: run.line.when >= at) if known == "since" else (lambda run: run.line.when < at)
    if known == "took":
        return _took(value)
    values = [one.casefold() for one in value.split(",") if one]
    if known == "state":
        return _state(values)
    if known == "env":
        values = [ALIASES.get(one, one) for one in values]
    look = _FIELDS[known]
    return lambda run: any(one in field for field in look(run) for one in values)


def _state(values: list[str]) -> Test:
    values = [one.replace("-", "_") for one in values]
    for one in values:
        if one not in STATES:
            near = get_close_matches(one, STATES, n=1)
            hint = f"did you mean {near[0]}? " if near else ""
            raise FilterError(f"state:{one} is no state; {hint}allowed: {', '.join(STATES)}")
    wanted = frozenset(values)

    def test(run: PastRun) -> bool:
        more = {"unverified"} if run.unverified else set()
        more |= {"overridden"} if run.line.run.overridden else set()
        return run.state in wanted or not wanted.isdisjoint(more)

    return test


def _took(value: str) -> Test:
    match = _DURATION.fullmatch(value.casefold())
    if match is None:
        raise FilterError(f"took:{value} is no duration; write took:>5m or took:<30s (also h): time at work")
    seconds = float(match[2]) * {"": 1, "s": 1, "m": 60, "h": 3600}[match[3] or ""]
    longer = match[1] != "<"

    def test(run: PastRun) -> bool:
        took = run.line.worked
        return took is not None and (took >= seconds if longer else took < seconds)

    return test


def _text(value: str) -> Test:
    wanted = value.casefold()
    return lambda run: wanted in run.text


def _fields(*values: str | None) -> list[str]:
    return [value.casefold() for value in values if value]


_FIELDS: dict[str, Callable[[PastRun], list[str]]] = {
    "env": lambda run: _fields(run.line.run.environment),
    "project": lambda run: _fields(run.line.run.project),
    "task": lambda run: _fields(run.line.run.task),
    "kind": lambda run: _fields(run.line.run.kind),
    "action": lambda run: _fields(run.line.run.action),
    "version": lambda run: _fields(run.line.run.version),
    "run": lambda run: _fields(run.line.run.id),
    "who": lambda run: _fields(
        run.line.run.requested_by, run.line.run.verified_by, run.line.run.cancel_by, *run.line.deciders
    ),
}
_SYNONYMS = {"environment": "env", "by": "who", "after": "since", "from": "since", "before": "until"}
_EXAMPLES = {
    **{name: f"{name}:…" for name in NAMES},
    "state": "state:failed",
    "env": "env:prod",
    "since": "since:7d",
    "until": "until:2026-03-01",
    "took": "took:>5m",
}
_WORD = re.compile(r'(-|not:)?(?:([A-Za-z]+):)?(?:"([^"]*)"?|([^\s"]+)|(?<=:)(?=\s|$))')
_AGO = re.compile(r"([0-9]{1,6})(h|d|w)")
_AGO_UNITS = {"h": "hours", "d": "days", "w": "weeks"}
_DURATION = re.compile(r"([<>]?)([0-9]+(?:\.[0-9]+)?)(s|m|h)?")
