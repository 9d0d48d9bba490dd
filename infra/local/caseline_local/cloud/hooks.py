"""What the patched services call back: one object, replaced by whoever runs them. By default nothing is kept and nothing answers."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Change:
    """One item before and after one API call, in DynamoDB JSON; None where there was or is none. `text` is the new one as it is stored."""

    table: Any
    keys: dict[str, Any]
    old: dict[str, Any] | None
    new: dict[str, Any] | None
    text: str | None


class Hooks:
    """Every method has a harmless default; a subclass keeps or answers what it cares for."""

    endpoint: str | None = None

    def commit_changes(self, changes: Sequence[Change]) -> None:
        """Called inside the lock, before the API call is answered; an exception undoes the call."""

    def invoke(self, function: str, payload: bytes, asynchronous: bool) -> tuple[bool, bytes]:
        return False, b'{"errorType": "ResourceNotFoundException", "errorMessage": "no functions here"}'

    def send_message(self, queue: str, body: str, group: str | None) -> bool:
        """True if the message was taken; moto's own queue gets it otherwise."""
        return False

    def publish(self, subject: str | None, message: str) -> None: ...

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    def put_events(self, events: Sequence[dict[str, Any]]) -> None: ...

    def metric_sum(self, namespace: str, name: str, dimensions: dict[str, str]) -> float | None:
        return None

    def list_metrics(self, namespace: str | None, name: str | None) -> list[tuple[str, str, dict[str, str]]]:
        return []

    def claim_execution(self, arn: str, machine: str, name: str, text: str) -> bool:
        """False if the name was used before and that execution is over, or its input differs."""
        return True

    def finish_execution(self, arn: str, status: str) -> None: ...

    def put_object(self, bucket: str, name: str, body: bytes) -> None: ...

    def delete_object(self, bucket: str, name: str) -> None: ...


class _Current:
    hooks: Hooks = Hooks()


def current_hooks() -> Hooks:
    return _Current.hooks


def use_hooks(hooks: Hooks) -> None:
    _Current.hooks = hooks
