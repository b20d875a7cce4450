"""What can go wrong with the log."""

from __future__ import annotations


class AuditError(Exception):
    """The audit log or one of its keys can't be used; the message says why and where."""
