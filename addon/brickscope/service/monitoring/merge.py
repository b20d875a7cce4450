"""Several workers' expositions as one, each sample with the label ``worker``."""

from collections.abc import Mapping

from prometheus_client import generate_latest
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.parser import text_string_to_metric_families

from .collector import Families

LABEL = "worker"


def merge(expositions: Mapping[str, str]) -> bytes:
    """One exposition of several (worker -> its text, in Prometheus' format 0.0.4).

    Nothing is summed: Prometheus does that, and one worker that is in trouble would be hidden by the others. A sample that
    has the label ``worker`` already loses it. Raises ValueError, with the worker's name: its text can't be read.
    """
    merged: dict[str, Family] = {}
    for worker, text in expositions.items():
        try:
            families = list(text_string_to_metric_families(text))
        except (ValueError, IndexError, KeyError) as error:
            raise ValueError(
                f"the metrics of worker {worker} can't be read: {type(error).__name__}"
            ) from error
        for family in families:
            into = merged.setdefault(family.name, Family(family.name, family.documentation, family.type))
            for sample in family.samples:
                into.samples.append(sample._replace(labels={**sample.labels, LABEL: worker}))
    return generate_latest(Families(merged.values))
