"""The guard words: after one of them an order is not what it seems, so that it is never carried out."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class Guard(StrEnum):
    """What a guard word makes of a sentence."""

    NEGATION = "negated"
    CONDITION = "conditional"
    TIMING = "timed"
    DOUBT = "doubtful"


_WORDS: Mapping[Guard, str] = {
    Guard.NEGATION: """
        not no don't dont do-not never neither nor without cannot can't cant won't wont wouldn't shouldn't
        mustn't isn't aren't doesn't didn't none nothing nobody skip skipping omit avoid ignore ignoring
        refuse forbid except excluding exclude but instead rather unlike cancel abort delete remove
    """,
    Guard.CONDITION: """
        if unless when whenever once until till provided providing assuming otherwise else depending
        whether case only while since because should
    """,
    Guard.TIMING: """
        tomorrow today tonight yesterday later now soon immediately eventually next at am pm o'clock noon
        midnight monday tuesday wednesday thursday friday saturday sunday week weekend weekends month
        morning afternoon evening night hour hours minute minutes day days after before during ready
        daily nightly hourly schedule scheduled
    """,
    Guard.DOUBT: """
        maybe perhaps possibly probably could would might may can what why how who which or either try
        pretend imagine almost about
    """,
}

GUARDS: Mapping[str, Guard] = {word: guard for guard, words in _WORDS.items() for word in words.split()}
"""Every guard word. The grammar has some in a fixed place, where they are none: `if dev succeeds`."""
