"""What can go wrong with the log."""

from brickscope.error import OperatorError


class AuditError(OperatorError):
    """The audit log or one of its keys can't be used; the message says why and where."""
