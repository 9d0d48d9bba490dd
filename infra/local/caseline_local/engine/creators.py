"""Creates a stack's resources through the services' own APIs. Names are fixed, so what exists already is left as it is."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from botocore.exceptions import ClientError

from caseline_local.engine.resources import IGNORED, Resource, Stack, fill_definition

Clients = Callable[[str], Any]
_ROLE = "caseline-local"
_EXISTS = (
    "AlreadyExists",
    "ResourceInUse",
    "ResourceConflict",
    "ResourceExists",
    "QueueNameExists",
    "BucketAlready",
    "EntityAlreadyExists",
    "StateMachineAlreadyExists",
)


def create_all(stack: Stack, clients: Clients) -> list[str]:
    """Create what the stack has, dead-letter queues before the queues that name them; returns `logical id (kind)` of what this runtime cannot create."""
    for kind, create in _CREATORS.items():
        for resource in sorted(stack.of_kind(kind), key=lambda resource: "RedrivePolicy" in resource.properties):
            _create(create, resource, stack, clients)
    return [f"{resource.logical_id} ({resource.kind})" for resource in stack.all if resource.kind not in {*_CREATORS, *IGNORED, *_ELSEWHERE}]


_ELSEWHERE = {"AWS::Lambda::EventSourceMapping", "AWS::Lambda::Function", "AWS::Scheduler::Schedule"}
"""Run by the sandboxes, and wired by the runtime's own pollers and clock."""


def _create(create: Callable[[Resource, Stack, Clients], None], resource: Resource, stack: Stack, clients: Clients) -> None:
    try:
        create(resource, stack, clients)
    except ClientError as error:
        if not any(word in error.response["Error"]["Code"] for word in _EXISTS):
            raise


def _role_arn(stack: Stack) -> str:
    """A name suffices: nothing checks permissions here, the template's own are checked by tests."""
    return f"arn:aws:iam::{stack.place.account}:role/{_ROLE}"


def _create_queue(resource: Resource, stack: Stack, clients: Clients) -> None:
    wanted = ("VisibilityTimeout", "MessageRetentionPeriod", "DelaySeconds", "ReceiveMessageWaitTimeSeconds", "RedrivePolicy", "FifoQueue")
    attributes = {name: _as_text(resource.properties[name]) for name in wanted if name in resource.properties}
    clients("sqs").create_queue(QueueName=resource.name, Attributes=attributes)


def _create_table(resource: Resource, stack: Stack, clients: Clients) -> None:
    wanted = ("KeySchema", "AttributeDefinitions", "GlobalSecondaryIndexes", "LocalSecondaryIndexes", "BillingMode")
    request = {name: resource.properties[name] for name in wanted if name in resource.properties}
    if stream := resource.properties.get("StreamSpecification"):
        request["StreamSpecification"] = {"StreamEnabled": True, **stream}
    request.setdefault("BillingMode", "PAY_PER_REQUEST")
    clients("dynamodb").create_table(TableName=resource.name, **request)
    if expiry := resource.properties.get("TimeToLiveSpecification"):
        clients("dynamodb").update_time_to_live(TableName=resource.name, TimeToLiveSpecification={**expiry, "Enabled": bool(expiry.get("Enabled", True))})


def _create_bucket(resource: Resource, stack: Stack, clients: Clients) -> None:
    clients("s3").create_bucket(Bucket=resource.name, CreateBucketConfiguration={"LocationConstraint": stack.place.region})


def _create_topic(resource: Resource, stack: Stack, clients: Clients) -> None:
    clients("sns").create_topic(Name=resource.name)


def _create_secret(resource: Resource, stack: Stack, clients: Clients) -> None:
    clients("secretsmanager").create_secret(Name=resource.name, SecretString=resource.properties.get("SecretString", "{}"))


def _create_parameter(resource: Resource, stack: Stack, clients: Clients) -> None:
    clients("ssm").put_parameter(Name=resource.name, Value=_as_text(resource.properties.get("Value", "{}")), Type="String", Overwrite=False)


def _create_bus(resource: Resource, stack: Stack, clients: Clients) -> None:
    clients("events").create_event_bus(Name=resource.name)


def _create_state_machine(resource: Resource, stack: Stack, clients: Clients) -> None:
    properties = resource.properties
    definition = properties.get("DefinitionString") or json.dumps(properties["Definition"])
    filled = fill_definition(definition, properties.get("DefinitionSubstitutions", {}))
    clients("stepfunctions").create_state_machine(
        name=resource.name, definition=filled, roleArn=_role_arn(stack), type=properties.get("StateMachineType", "STANDARD")
    )


def _create_rule(resource: Resource, stack: Stack, clients: Clients) -> None:
    """Rules with a pattern; those with a schedule are the clock's."""
    pattern = resource.properties.get("EventPattern")
    if not pattern:
        return
    bus = {"EventBusName": resource.properties["EventBusName"]} if "EventBusName" in resource.properties else {}
    clients("events").put_rule(Name=resource.name, EventPattern=json.dumps(pattern), State="ENABLED", **bus)
    if targets := resource.properties.get("Targets"):
        clients("events").put_targets(Rule=resource.name, Targets=targets, **bus)


def _as_text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value) if isinstance(value, Mapping | list | bool) else str(value)


_CREATORS: Mapping[str, Callable[[Resource, Stack, Clients], None]] = {
    "AWS::SQS::Queue": _create_queue,
    "AWS::DynamoDB::Table": _create_table,
    "AWS::S3::Bucket": _create_bucket,
    "AWS::SNS::Topic": _create_topic,
    "AWS::SecretsManager::Secret": _create_secret,
    "AWS::SSM::Parameter": _create_parameter,
    "AWS::Events::EventBus": _create_bus,
    "AWS::StepFunctions::StateMachine": _create_state_machine,
    "AWS::Events::Rule": _create_rule,
}
"""In the order in which they may need each other."""
