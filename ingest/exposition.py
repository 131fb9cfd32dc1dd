"""Metrics in Prometheus' text format. This module loads its library, so only processes that are asked need it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import accumulate
from math import inf

from prometheus_client import generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from ingest.metrics import Metric
from ingest.numbers import Sums


def expose(metrics: Iterable[Metric], sums: Sums, gauges: Mapping[str, float]) -> bytes:
    """Give the text.

    What is counted and has no label is there from the start, as zero; what has one, once it was counted. A gauge is
    there while it is known.
    """
    return generate_latest(_Families(metrics, sums, gauges))


class _Families(Collector):
    def __init__(self, metrics: Iterable[Metric], sums: Sums, gauges: Mapping[str, float]) -> None:
        self._metrics = metrics
        self._sums = sums
        self._gauges = gauges

    def collect(self) -> Iterator[Family]:
        for metric in self._metrics:
            if metric.kind == "gauge":
                if metric.name in self._gauges:
                    value = self._gauges[metric.name]
                    yield GaugeMetricFamily(metric.exposed_name, metric.doc, value=value)
                continue
            series = {label: numbers for (name, label), numbers in self._sums.items() if name == metric.name}
            if not metric.label:
                series.setdefault("", [0.0] * metric.size)
            if series:
                yield _family(metric, series)


def _family(metric: Metric, series: dict[str, list[float]]) -> Family:
    labels = [metric.label] if metric.label else []
    if metric.kind == "counter":
        counter = CounterMetricFamily(metric.exposed_name, metric.doc, labels=labels)
        for label, (count,) in sorted(series.items()):
            counter.add_metric([label], count)
        return counter
    histogram = HistogramMetricFamily(metric.exposed_name, metric.doc, labels=labels)
    bounds: list[str] = [floatToGoString(bound) for bound in (*metric.bounds, inf)]  # type: ignore[no-untyped-call]
    for label, (total, *counts) in sorted(series.items()):
        histogram.add_metric([label], list(zip(bounds, accumulate(counts), strict=True)), total)
    return histogram
