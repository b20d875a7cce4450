"""mlflow-skinny against a workspace: an experiment, a run, a metric, an artifact; or (``refused``) a registered model."""

from __future__ import annotations

import sys

import mlflow
from mlflow import MlflowClient
from outcome import tell


def call() -> object:
    mlflow.set_tracking_uri("databricks")
    client = MlflowClient()
    if sys.argv[1] == "refused":
        client.delete_experiment("7")
        return "deleted"
    experiment = client.get_experiment_by_name("/Shared/demo")
    run = client.create_run(experiment.experiment_id)
    client.log_metric(run.info.run_id, "loss", 0.25)
    client.log_text(run.info.run_id, "ten words", "notes.txt")
    client.set_terminated(run.info.run_id)
    return client.get_run(run.info.run_id).data.metrics


tell(call)
