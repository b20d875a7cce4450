"""What an operator did with an authority that can't be."""

from __future__ import annotations

from brickscope.error import OperatorError


class AuthorityError(OperatorError):
    """The message says what is wrong, where, and what to do."""
