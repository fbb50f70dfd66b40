"""What this version needs from its database and its environment before it may call itself healthy."""

from __future__ import annotations

COLUMNS: dict[str, frozenset[str]] = {
    "clinicians": frozenset({"id", "name", "licence_number", "licence_state", "expires_on", "registry_id"}),
    "renewals": frozenset({"id", "clinician_id", "renewed_on"}),
}
# The tests set it and no environment does: this is the mistake that the health check is there to find.
VARIABLES: tuple[str, ...] = ("LICENCE_REGISTRY_URL",)
