"""SQS, SNS, EventBridge and Lambda: what is sent or invoked reaches the product's own queues and functions."""

from __future__ import annotations

import json
from typing import Any

from caseline_local.cloud.hooks import current_hooks
from caseline_local.cloud.limits import message_fault


def invoke_functions() -> None:
    """moto's Lambda wants Docker, or echoes: invocations go to the hooks."""
    from moto.awslambda_simple.models import LambdaSimpleBackend
    from moto.core.config import default_user_config

    default_user_config["lambda"] = {"use_docker": False}

    def invoke(self: Any, function_name: str, qualifier: str | None, body: Any, headers: Any, response_headers: Any) -> bytes:
        payload = body.encode() if isinstance(body, str) else body or b"{}"
        asynchronous = dict(headers or {}).get("X-Amz-Invocation-Type") == "Event"
        ok, answer = current_hooks().invoke(function_name.split(":function:")[-1].split(":")[0], payload, asynchronous)
        if not ok:
            response_headers["x-amz-function-error"] = "Unhandled"
        return answer

    LambdaSimpleBackend.invoke = invoke


def deliver_messages() -> None:
    """SNS and EventBridge put into moto's queues: they go to ours, and moto's own take only what AWS would take."""
    from moto.sqs.exceptions import InvalidParameterValue
    from moto.sqs.models import SQSBackend

    original = SQSBackend.send_message

    def send_message(self: Any, queue_name: str, message_body: str, message_attributes: Any = None, *args: Any, **rest: Any) -> Any:
        if current_hooks().send_message(queue_name, message_body, rest.get("group_id")):
            return None
        if fault := message_fault(message_body, message_attributes):
            refusal = InvalidParameterValue(fault[1])
            refusal.code = fault[0]
            raise refusal
        return original(self, queue_name, message_body, message_attributes, *args, **rest)

    SQSBackend.send_message = send_message


def announce_alerts() -> None:
    """What is published to a topic is shown to whoever runs the product; moto would keep it in memory only."""
    from moto.sns.models import Topic

    original = Topic.publish

    def publish(self: Any, message: str, subject: str | None = None, *args: Any, **rest: Any) -> Any:
        current_hooks().publish(subject, message)
        answer = original(self, message, subject, *args, **rest)
        del self.sent_notifications[:-100]
        return answer

    Topic.publish = publish


def route_events() -> None:
    """Events are kept in a file; a rule's function target, which moto answers with an error, is invoked."""
    from moto.events.models import EventsBackend, Rule

    put_events, send_to_targets = EventsBackend.put_events, Rule.send_to_targets

    def keep_events(self: Any, events: list[dict[str, Any]]) -> Any:
        current_hooks().put_events(events)
        return put_events(self, events)

    def send(self: Any, original_event: Any, *args: Any, **rest: Any) -> None:
        kept = self.targets
        self.targets = [target for target in kept if target["Arn"].split(":")[2] == "sqs"]
        try:
            send_to_targets(self, original_event, *args, **rest)
        finally:
            self.targets = kept
        if self.event_pattern.matches_event(original_event):
            for target in (target for target in kept if target["Arn"].split(":")[2] == "lambda"):
                current_hooks().invoke(target["Arn"].split(":function:")[-1], json.dumps(original_event, default=str).encode(), True)

    EventsBackend.put_events, Rule.send_to_targets = keep_events, send


PATCHES = (invoke_functions, deliver_messages, announce_alerts, route_events)
