"""databricks-ai-search: a query of an index that is named on the command line."""

from __future__ import annotations

import os
import sys

from databricks.ai_search.client import AISearchClient
from outcome import tell


def call() -> object:
    client = AISearchClient(
        workspace_url=os.environ["DATABRICKS_HOST"],
        personal_access_token=os.environ["DATABRICKS_TOKEN"],
        disable_notice=True,
    )
    index = client.get_index(index_name=sys.argv[1])
    found = index.similarity_search(columns=["id"], query_vector=[0.1, 0.2], num_results=1)
    return found["result"]["data_array"]


tell(call)
