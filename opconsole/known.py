"""What is known of a run that got stuck: what target and database said then, for whoever decides."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime

from opconsole.journal.records import JsonMap


@dataclass(frozen=True, slots=True)
class KnownFacts:
    """What target and database said; None and empty where they were not asked or did not know."""

    at: str
    """When they were asked, ISO 8601 in UTC."""
    release: str | None = None
    """The release that serves."""
    version: str | None = None
    target: str = ""
    """What the target said, for people: why it is not known, or that nothing serves."""
    holder: str | None = None
    """Which run the target itself says to be held by."""
    revision: str | None = None
    """Where the database stands, by its own table."""
    fingerprint: str | None = None
    """Of its schema as it is."""
    fingerprint_before: str | None = None
    """Of its schema when the migration began."""
    database: str = ""
    """Why the database is not known, for people."""

    def to_json(self) -> dict[str, object]:
        """Give it as the journal's column has it."""
        return asdict(self)

    @property
    def asked_at(self) -> datetime:
        """When they were asked."""
        return datetime.fromisoformat(self.at)

    @property
    def serves(self) -> str:
        """What serves now, in a few words."""
        named = " ".join(
            word for word in (self.release, f"(version {self.version})" if self.version else "") if word
        )
        return named or self.target or "not asked"

    @property
    def stands_at(self) -> str:
        """Where the database stands, in a few words; empty for a run without one."""
        if self.revision is None:
            return self.database
        return f"{self.revision}{self._schema()}"

    def _schema(self) -> str:
        if self.fingerprint is None:
            return ""
        short = self.fingerprint.removeprefix("sha256:")[:12]
        if self.fingerprint_before is None:
            return f", schema {short}"
        same = (
            "as before the migration"
            if self.fingerprint == self.fingerprint_before
            else "changed since it began"
        )
        return f", schema {short} ({same})"

    def facts(self) -> Iterator[tuple[str, str]]:
        """Give what people are shown, each with its name."""
        if self.release or self.version or self.target:
            yield "Serves now", self.serves
        if self.stands_at:
            yield "Database now", self.stands_at
        if self.holder:
            yield "Target held", f"by {self.holder}"


def known_facts(found: JsonMap | None) -> KnownFacts | None:
    """Read it back from the journal; None where nobody asked."""
    if not found or not isinstance(found.get("at"), str):
        return None
    texts = {name: found[name] for name in KnownFacts.__slots__ if isinstance(found.get(name), str)}
    return KnownFacts(**texts)  # type: ignore[arg-type]  # all are texts
