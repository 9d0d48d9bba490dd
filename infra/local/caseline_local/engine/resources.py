"""The translated template's resources: what each is called here, and what it looks like to those that refer to it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from caseline_local.engine.intrinsics import Resolver

STACK = "caseline-local"


@dataclass(frozen=True)
class Place:
    """Where the resources are: the region, the account and the URL of the local services."""

    region: str
    account: str
    endpoint: str
    public_url: str

    @property
    def pseudo_parameters(self) -> dict[str, Any]:
        stack_id = f"arn:aws:cloudformation:{self.region}:{self.account}:stack/{STACK}/local"
        return {
            "AWS::Region": self.region, "AWS::AccountId": self.account, "AWS::StackName": STACK, "AWS::StackId": stack_id,
            "AWS::Partition": "aws", "AWS::URLSuffix": "amazonaws.com",
        }  # fmt: skip


@dataclass(frozen=True)
class Kind:
    """`arn`, `ref` and `attributes` are patterns over name, region, account and endpoint; `name_field` is the property that names it."""

    name_field: str = ""
    arn: str = "arn:aws:local:{region}:{account}:{name}"
    ref: str = "{name}"
    attributes: Mapping[str, str] | None = None
    shorten: Callable[[str], str] = str


_STANDARD = "arn:aws:{service}:{{region}}:{{account}}:{path}"


def _arn(service: str, path: str = "{name}") -> str:
    return _STANDARD.format(service=service, path=path)


_SMALL = str.lower
KINDS: Mapping[str, Kind] = {
    "AWS::DynamoDB::Table": Kind("TableName", _arn("dynamodb", "table/{name}"), attributes={"StreamArn": _arn("dynamodb", "table/{name}/stream/local")}),
    "AWS::SQS::Queue": Kind("QueueName", _arn("sqs"), "{endpoint}/{account}/{name}", {"QueueName": "{name}", "QueueUrl": "{endpoint}/{account}/{name}"}),
    "AWS::S3::Bucket": Kind("BucketName", "arn:aws:s3:::{name}", attributes={"DomainName": "{name}.s3.amazonaws.com"}, shorten=_SMALL),
    "AWS::SNS::Topic": Kind("TopicName", _arn("sns"), _arn("sns"), {"TopicArn": _arn("sns"), "TopicName": "{name}"}),
    "AWS::SecretsManager::Secret": Kind("Name", _arn("secretsmanager", "secret:{name}"), _arn("secretsmanager", "secret:{name}"), {"Id": "{name}"}),
    "AWS::SSM::Parameter": Kind("Name", _arn("ssm", "parameter/{name}")),
    "AWS::Lambda::Function": Kind("FunctionName", _arn("lambda", "function:{name}")),
    "AWS::StepFunctions::StateMachine": Kind(
        "StateMachineName", _arn("states", "stateMachine:{name}"), _arn("states", "stateMachine:{name}"), {"Name": "{name}"}
    ),
    "AWS::Events::EventBus": Kind("Name", _arn("events", "event-bus/{name}"), attributes={"Name": "{name}"}),
    "AWS::Events::Rule": Kind("Name", _arn("events", "rule/{name}")),
    "AWS::Scheduler::Schedule": Kind("Name", _arn("scheduler", "schedule/default/{name}")),
    "AWS::IAM::Role": Kind("RoleName", "arn:aws:iam::{account}:role/{name}", attributes={"RoleId": "{name}"}),
    "AWS::Logs::LogGroup": Kind("LogGroupName", _arn("logs", "log-group:{name}:*")),
    "AWS::ApiGateway::RestApi": Kind("", _arn("apigateway", "/restapis/{name}"), attributes={"RootResourceId": "root"}),
    "AWS::KMS::Key": Kind("", _arn("kms", "key/{name}")),
}
IGNORED = {
    "AWS::ApiGateway::Account", "AWS::ApiGateway::BasePathMapping", "AWS::ApiGateway::Deployment", "AWS::ApiGateway::GatewayResponse",
    "AWS::ApiGateway::RestApi", "AWS::ApiGateway::Stage", "AWS::ApiGateway::UsagePlan", "AWS::CloudWatch::Alarm",
    "AWS::CloudWatch::CompositeAlarm", "AWS::CloudWatch::Dashboard",
    "AWS::Events::EventBusPolicy", "AWS::IAM::ManagedPolicy", "AWS::IAM::Policy", "AWS::IAM::Role", "AWS::KMS::Alias", "AWS::KMS::Key",
    "AWS::Lambda::EventInvokeConfig", "AWS::Lambda::LayerVersion", "AWS::Lambda::Permission", "AWS::Logs::LogGroup", "AWS::Logs::MetricFilter",
    "AWS::Logs::QueryDefinition", "AWS::S3::BucketPolicy", "AWS::SNS::Subscription", "AWS::SNS::TopicPolicy", "AWS::SQS::QueuePolicy", "AWS::WAFv2::WebACL",
}  # fmt: skip
"""Kinds that say nothing to this runtime: permissions, monitoring, and what the front and the sandboxes stand in for."""


@dataclass(frozen=True)
class Resource:
    """A resource that exists under the template's conditions, with its intrinsics worked out."""

    logical_id: str
    kind: str
    name: str
    properties: Mapping[str, Any]


class Stack:
    """The resources of a translated template at a place, given its parameters."""

    def __init__(self, template: Mapping[str, Any], parameters: Mapping[str, Any], place: Place) -> None:
        self.place = place
        self._resources: Mapping[str, Any] = template["Resources"]
        declared = {name: value["Default"] for name, value in template.get("Parameters", {}).items() if "Default" in value}
        self._resolver = Resolver(template, {**declared, **parameters, **place.pseudo_parameters}, self.refer, self.attribute)
        self._names: dict[str, str] = {}
        self.all = [self._describe(logical_id) for logical_id, raw in self._resources.items() if self._resolver.holds(raw.get("Condition"))]

    def of_kind(self, *kinds: str) -> Iterator[Resource]:
        return (resource for resource in self.all if resource.kind in kinds)

    def __contains__(self, logical_id: str) -> bool:
        return logical_id in self._resources

    def name(self, logical_id: str) -> str:
        """The physical name: the template's own, or the stack's name and the logical id."""
        if logical_id not in self._names:
            raw = self._resources[logical_id]
            kind = KINDS.get(raw["Type"], Kind())
            given = raw.get("Properties", {}).get(kind.name_field)
            self._names[logical_id] = self._resolver.resolve(given) if given else kind.shorten(f"{STACK}-{logical_id}")
        return self._names[logical_id]

    def refer(self, logical_id: str) -> str:
        return self._fill(logical_id, self._kind(logical_id).ref)

    def attribute(self, logical_id: str, name: str) -> str:
        kind = self._kind(logical_id)
        pattern = kind.arn if name == "Arn" else (kind.attributes or {}).get(name)
        if pattern is None:
            raise KeyError(f"{logical_id}.{name}: not known to the local runtime")
        return self._fill(logical_id, pattern)

    def _kind(self, logical_id: str) -> Kind:
        return KINDS.get(self._resources[logical_id]["Type"], Kind())

    def _fill(self, logical_id: str, pattern: str) -> str:
        place = self.place
        return pattern.format(name=self.name(logical_id), region=place.region, account=place.account, endpoint=place.endpoint)

    def _describe(self, logical_id: str) -> Resource:
        raw = self._resources[logical_id]
        skip = raw["Type"] in IGNORED and raw["Type"] != "AWS::ApiGateway::RestApi"
        properties = {} if skip else self._resolver.resolve(raw.get("Properties", {}))
        return Resource(logical_id, raw["Type"], self.name(logical_id), properties)


def fill_definition(definition: str, substitutions: Mapping[str, Any]) -> str:
    """A state machine's definition with its `${...}` substitutions."""
    return re.sub(r"\$\{(\w+)\}", lambda match: str(substitutions.get(match[1], match[0])), definition)
