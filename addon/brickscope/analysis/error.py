"""The one error of trying calls: what was written can't be understood."""

from brickscope.error import OperatorError


class CallError(OperatorError, ValueError):
    """A call, parameter or subject that can't be understood. ``hint``: what to write instead (may be empty)."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(f"{message} ({hint})" if hint else message)
        self.message = message
        self.hint = hint
