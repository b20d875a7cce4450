"""Words in a name that say that a credential may be meant, or a link that is one."""

import re

_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")
_TELLING = re.compile(
    r"credentials?|tokens?|secrets?|passwords?|presigned|signed|sas|sig|signature|ur[li]s?|links?",
    re.IGNORECASE,
)


def telling(name: str) -> bool:
    """Whether a name of a field, of an operation or in a path has one of them: ``external_link``, ``bearerToken``,
    ``create-download-url``."""
    return any(map(_TELLING.fullmatch, _WORD.findall(name)))
