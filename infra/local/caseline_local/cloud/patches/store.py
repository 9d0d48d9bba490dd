"""CloudWatch and S3: answered from, and kept in, our own store."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from caseline_local.cloud.hooks import current_hooks


def answer_metrics() -> None:
    """CloudWatch's sums and lists come from our own store; moto has only what was put there by PutMetricData."""
    from moto.cloudwatch.models import CloudWatchBackend

    original, original_list = CloudWatchBackend.get_metric_data, CloudWatchBackend.list_metrics

    def get_metric_data(self: Any, queries: list[dict[str, Any]], start_time: datetime, end_time: datetime, scan_by: str = "TimestampAscending") -> Any:
        answers = [_metric_answer(query, start_time) for query in queries]
        if all(answers):
            return answers
        return original(self, queries, start_time, end_time, scan_by)

    def list_metrics(self: Any, next_token: str | None, namespace: str, metric_name: str, dimensions: Any) -> Any:
        own = [_Metric(*each) for each in current_hooks().list_metrics(namespace, metric_name)]
        token, others = original_list(self, next_token, namespace, metric_name, dimensions)
        return token, own + list(others)

    CloudWatchBackend.get_metric_data, CloudWatchBackend.list_metrics = get_metric_data, list_metrics


def _metric_answer(query: dict[str, Any], start: datetime) -> dict[str, Any] | None:
    metric = query.get("MetricStat", {}).get("Metric")
    if not metric:
        return None
    dimensions = {each["Name"]: each["Value"] for each in metric.get("Dimensions", [])}
    value = current_hooks().metric_sum(metric["Namespace"], metric["MetricName"], dimensions)
    if value is None:
        return None
    label = query.get("Label") or metric["MetricName"]
    return {"id": query["Id"], "label": label, "values": [value], "timestamps": [start], "status_code": "Complete"}


class _Metric:
    """What moto's answer to ListMetrics reads of a metric."""

    def __init__(self, namespace: str, name: str, dimensions: dict[str, str]) -> None:
        from moto.cloudwatch.models import Dimension

        self.namespace, self.name, self.metric_name = namespace, name, name
        self.dimensions = [Dimension(key, value) for key, value in dimensions.items()]


def keep_objects() -> None:
    """moto keeps S3 objects in memory: each is journalled before the call is answered."""
    from moto.s3.models import S3Backend

    put, delete = S3Backend.put_object, S3Backend.delete_object

    def put_object(self: Any, bucket_name: str, key_name: str, value: bytes, *args: Any, **rest: Any) -> Any:
        key = put(self, bucket_name, key_name, value, *args, **rest)
        current_hooks().put_object(bucket_name, key_name, key.value)
        return key

    def delete_object(self: Any, bucket_name: str, key_name: str, *args: Any, **rest: Any) -> Any:
        answer = delete(self, bucket_name, key_name, *args, **rest)
        current_hooks().delete_object(bucket_name, key_name)
        return answer

    S3Backend.put_object, S3Backend.delete_object = put_object, delete_object


PATCHES = (answer_metrics, keep_objects)
