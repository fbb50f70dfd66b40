"""What can go wrong with the journal, as typed exceptions that say what to do next."""

from __future__ import annotations


class JournalError(Exception):
    """The journal refused something; the base of all below."""


class JournalPlaceError(JournalError):
    """The journal's folder cannot be used where it is."""


class JournalMissingError(JournalError):
    """There is no journal yet, or its files are gone."""


class JournalOutdatedError(JournalError):
    """The journal has an older schema, and whoever asks may not upgrade it."""


class JournalNewerError(JournalError):
    """The journal was written by a newer opconsole."""


class JournalDamagedError(JournalError):
    """The journal's file is there, and is no sound database any more."""


class JournalUnreadableError(JournalError):
    """The journal's file cannot be opened or read now; that says nothing about what is in it."""


class JournalBusyError(JournalError):
    """Another process kept the journal locked for longer than we wait."""


class StaleEpochError(JournalError):
    """A row was not as the writer believed: somebody else took the run, the lock or the question over."""


class JournalFullError(JournalError):
    """There is no room for this submission; no effect may start."""


class JournalClosedError(JournalError):
    """The writer has ended. What it had not confirmed may or may not be recorded: read back."""
