"""What the operator is told: a message, and the event that an alert goes by. docs/monitoring.md has all events."""

import logging
from functools import partial

_logger = logging.getLogger("brickscope")


def _tell(level: int, event: str, text: str, **fields: object) -> None:
    """``fields``: what programs read besides."""
    _logger.log(level, "Brickscope: %s", text, extra={"event": event, "fields": fields or None})


info = partial(_tell, logging.INFO)
warning = partial(_tell, logging.WARNING)
error = partial(_tell, logging.ERROR)
