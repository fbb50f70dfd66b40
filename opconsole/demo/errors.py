"""What can go wrong with a demo."""

from __future__ import annotations


class DemoError(Exception):
    """A demo workspace could not be made, read or stopped; says where, why and what to do next."""
