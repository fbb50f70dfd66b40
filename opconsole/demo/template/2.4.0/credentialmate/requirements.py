"""What this version needs from its database and its environment before it may call itself healthy."""

from __future__ import annotations

COLUMNS: dict[str, frozenset[str]] = {
    "clinicians": frozenset({"id", "name", "licence_number", "licence_state", "expires_on", "registry_id"}),
}
VARIABLES: tuple[str, ...] = ()
