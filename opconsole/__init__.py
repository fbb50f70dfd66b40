"""Making it happen: settings, plans, pipelines, targets, journal, approvals, audit, worker, command line."""

__version__ = "0.1.0"
