"""databricks-langchain: a chat with a model that is named on the command line."""

from __future__ import annotations

import sys

from databricks_langchain import ChatDatabricks
from outcome import tell


def call() -> object:
    return ChatDatabricks(endpoint=sys.argv[1], max_tokens=9, max_retries=0).invoke("hi").content


tell(call)
