"""The fingerprint: what names a token without being it.

``sha256:`` and 64 lower-case hex digits of the token's bytes, which is what ``printf %s "$TOKEN" | sha256sum`` prints.
A Databricks personal access token has 128 random bits, so its hash can stand in files and logs.
"""

import re
from hashlib import sha256

PREFIX = "sha256:"
PATTERN = re.compile(r"sha256:[0-9a-f]{64}")


def fingerprint(token: bytes) -> str:
    """The fingerprint of a token's bytes, as it stands in policy and log."""
    return PREFIX + sha256(token).hexdigest()
