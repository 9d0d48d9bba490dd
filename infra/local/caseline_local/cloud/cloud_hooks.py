"""Where moto's patches lead in the running product."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from caseline_local.cloud.hooks import Change, Hooks

if TYPE_CHECKING:
    from caseline_local.cloud.cloud import Cloud


class CloudHooks(Hooks):
    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self.endpoint = cloud.endpoint

    def commit_changes(self, changes: Sequence[Change]) -> None:
        self._cloud.journal.commit_changes(changes)

    def put_object(self, bucket: str, name: str, body: bytes) -> None:
        self._cloud.journal.put_object(bucket, name, body)

    def delete_object(self, bucket: str, name: str) -> None:
        self._cloud.journal.delete_object(bucket, name)

    def metric_sum(self, namespace: str, name: str, dimensions: dict[str, str]) -> float | None:
        return self._cloud.metrics.sum(namespace, name, dimensions)

    def list_metrics(self, namespace: str | None, name: str | None) -> list[tuple[str, str, dict[str, str]]]:
        return self._cloud.metrics.list(namespace, name)

    def claim_execution(self, arn: str, machine: str, name: str, text: str) -> bool:
        return self._cloud.executions.claim(arn, machine, name, text)

    def finish_execution(self, arn: str, status: str) -> None:
        self._cloud.executions.finish(arn, status)

    def invoke(self, function: str, payload: bytes, asynchronous: bool) -> tuple[bool, bytes]:
        return self._cloud.invoke(function, payload, asynchronous)

    def send_message(self, queue: str, body: str, group: str | None) -> bool:
        self._cloud.queues.send(queue, body, group=group)
        return True

    def publish(self, subject: str | None, message: str) -> None:
        self._cloud.on_alert(subject, message)

    def sleep(self, seconds: float) -> None:
        self._cloud.sleep(seconds)

    def put_events(self, events: Sequence[dict[str, Any]]) -> None:
        self._cloud.events.append(events)
