"""databricks-openai: a chat and a response of a model that is named on the command line."""

from __future__ import annotations

import sys

from databricks_openai import DatabricksOpenAI
from outcome import tell


def call() -> object:
    client = DatabricksOpenAI(max_retries=0)
    chat = client.chat.completions.create(
        model=sys.argv[1], messages=[{"role": "user", "content": "hi"}], max_tokens=9
    )
    response = client.responses.create(model=sys.argv[1], input="hi", max_output_tokens=9)
    return [chat.choices[0].message.content, response.output_text]


tell(call)
