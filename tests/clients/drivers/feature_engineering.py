"""databricks-feature-engineering, on the session of a cluster that its client asks for: the features of a schema, then one
feature spec that is named on the command line is deleted."""

from __future__ import annotations

import os
import sys

os.environ["MLFLOW_TRACKING_URI"] = "databricks"
from databricks.connect import DatabricksSession
from databricks.feature_engineering import FeatureEngineeringClient
from outcome import tell


def call() -> object:
    spark = DatabricksSession.builder.clusterId(sys.argv[1]).validateSession(False).getOrCreate()
    try:
        client = FeatureEngineeringClient()
        found = client.list_features(catalog_name="main", schema_name="sales")
        client.delete_feature_spec(name=sys.argv[2])
        return {"features": len(found), "deleted": sys.argv[2]}
    finally:
        spark.stop()


tell(call)
