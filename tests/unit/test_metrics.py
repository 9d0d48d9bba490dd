"""Metrics as CloudWatch reads them from a log line (embedded metric format)."""

import json
from datetime import UTC, datetime

from caseline.metrics import emit
from caseline.views.stats import Gauges, _sum_metric

NOW = datetime(2026, 11, 21, 10, tzinfo=UTC)


def line(**more):
    lines = []
    emit({"Accepted": 3, "Ignored": 1}, "x/acme", NOW, write=lines.append, **more)
    (text,) = lines
    assert "\n" not in text
    return json.loads(text)


def test_a_line_names_its_metrics_and_every_dimension_has_a_value():
    found = line(stack="caseline-dev", reason="size")
    (definition,) = found["_aws"]["CloudWatchMetrics"]
    (dimensions,) = definition["Dimensions"]
    assert {name: found[name] for name in dimensions} == {"Source": "x/acme", "Stack": "caseline-dev"}
    assert [found[metric["Name"]] for metric in definition["Metrics"]] == [3, 1]
    assert found["_aws"]["Timestamp"] == int(NOW.timestamp() * 1000) and found["reason"] == "size"


def test_an_empty_dimension_is_no_dimension():
    assert line()["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [["Source"]]


def test_what_is_read_is_what_was_written():
    """CloudWatch answers only for the very set of dimensions a metric was put under."""
    asked = []

    class CloudWatch:
        def get_metric_data(self, **request):
            asked.extend(request["MetricDataQueries"])
            return {"MetricDataResults": []}

    _sum_metric(Gauges(CloudWatch(), None, "machine", (), "caseline-dev"), "Accepted", ["x/acme"], NOW)
    written = line(stack="caseline-dev")
    read = {each["Name"]: each["Value"] for each in asked[0]["MetricStat"]["Metric"]["Dimensions"]}
    assert read == {name: written[name] for name in written["_aws"]["CloudWatchMetrics"][0]["Dimensions"][0]}
