"""Identifiers made by the client: unique without asking anybody, and in the order of their making."""

from __future__ import annotations

import secrets
import time
from typing import NewType

RunId = NewType("RunId", str)
ApprovalId = NewType("ApprovalId", str)
RequestId = NewType("RequestId", str)

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32: nothing that is misread aloud


def new_run_id() -> RunId:
    """Name a new run, for example ``r-06dn3k5x7a2f9qwm``."""
    return RunId(f"r-{_token()}")


def new_approval_id() -> ApprovalId:
    """Name a new approval."""
    return ApprovalId(f"a-{_token()}")


def new_request_id() -> RequestId:
    """Name a new request; asking twice with one id is asking once."""
    return RequestId(f"q-{_token()}")


def new_policy_id() -> str:
    """Name a policy that was seen."""
    return f"p-{_token()}"


def _token() -> str:
    number = (time.time_ns() // 1_000_000) << 38 | secrets.randbits(38)
    digits = []
    for _ in range(16):
        number, digit = divmod(number, 32)
        digits.append(_ALPHABET[digit])
    return "".join(reversed(digits))
