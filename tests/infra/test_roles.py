"""Every role may do what it is for, to what it is for, and no more."""

from __future__ import annotations

import json
from typing import Any

import pytest
from caseline.table import Table

from tests.infra.deployment import CONSOLE, deploy, target
from tests.infra.imports import Reach
from tests.infra.test_functions import NEVER_START_A_RUN

ALL = deploy(**CONSOLE, CertificateArn="arn", AlertEmail="care@example.com", PermissionsBoundaryArn="arn:boundary")
ROLES = ALL.of_type("AWS::IAM::Role")
# Actions that AWS does not let anybody narrow to a resource.
UNNARROWABLE = {
    "comprehend:BatchDetectSentiment": "has no resources",
    "cloudwatch:GetMetricData": "has no resources",
    "xray:PutTraceSegments": "has no resources",
    "xray:PutTelemetryRecords": "has no resources",
    "xray:GetSamplingRules": "has no resources",
    "xray:GetSamplingTargets": "has no resources",
    "logs:CreateLogDelivery": "vended logs of a state machine have no resources",
    "logs:GetLogDelivery": "vended logs of a state machine have no resources",
    "logs:UpdateLogDelivery": "vended logs of a state machine have no resources",
    "logs:DeleteLogDelivery": "vended logs of a state machine have no resources",
    "logs:ListLogDeliveries": "vended logs of a state machine have no resources",
    "logs:PutResourcePolicy": "vended logs of a state machine have no resources",
    "logs:DescribeResourcePolicies": "vended logs of a state machine have no resources",
    "logs:DescribeLogGroups": "vended logs of a state machine have no resources",
}
# AWS's own policies, which name no resource of ours.
FOREIGN = {"ApiAccountRole": "service-role/AmazonAPIGatewayPushToCloudWatchLogs is what API Gateway asks of the account's role"}
TABLE = {
    "get": "GetItem", "get_many": "BatchGetItem", "query": "Query", "insert_many": "PartiQLInsert", "delete": "DeleteItem", "delete_write": "DeleteItem",
    "put": "PutItem", "put_write": "PutItem", "update": "UpdateItem", "update_write": "UpdateItem",
    "list_rows": "Query BatchGetItem",
}
NO_CALL = {"transact"}  # what it writes asks for its own actions
SERVICE = {"stepfunctions": "states"}
ACTIONS = {"s3:ListObjectsV2": "s3:ListBucket"}  # where the action is not called as the operation


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


@pytest.mark.parametrize("role", sorted(ROLES))
def test_actions_are_named(role: str) -> None:
    actions = [action for statement in ALL.statements(role) for action in listed(statement["Action"])]
    assert not [action for action in actions if "*" in action]


@pytest.mark.parametrize("role", sorted(ROLES))
def test_resources_are_named(role: str) -> None:
    for statement in ALL.statements(role):
        for resource in listed(statement["Resource"]):
            if resource == "*":
                assert set(listed(statement["Action"])) <= set(UNNARROWABLE)
            else:
                assert set(resource) & {"Ref", "Fn::GetAtt"} or "${AWS::StackName}" in resource["Fn::Sub"] or ".Arn}" in resource["Fn::Sub"]


@pytest.mark.parametrize("role", sorted(ROLES))
def test_no_policy_of_somebody_else(role: str) -> None:
    foreign = [policy for policy in ROLES[role].get("ManagedPolicyArns", []) if "Ref" not in policy]
    assert not foreign or role in FOREIGN


def test_each_function_has_a_role_of_its_own() -> None:
    roles = [json.dumps(function["Role"]) for function in ALL.of_type("AWS::Lambda::Function").values()]
    assert len(set(roles)) == len(roles)


def test_a_boundary_reaches_every_role() -> None:
    assert {json.dumps(role.get("PermissionsBoundary")) for role in ROLES.values()} == {'{"Ref": "PermissionsBoundaryArn"}'}
    assert not any("PermissionsBoundary" in role for role in deploy(**CONSOLE).of_type("AWS::IAM::Role").values())


def test_only_the_service_that_needs_it_may_take_a_role() -> None:
    for role in ROLES.values():
        (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
        assert set(statement["Principal"]) == {"Service"} and statement["Action"] == "sts:AssumeRole"


@pytest.mark.parametrize("function", sorted(ALL.functions()))
def test_a_function_may_do_what_it_does(function: str) -> None:
    reach = Reach(function)
    asked = {f"dynamodb:{action}" for method in reach.table & set(TABLE) for action in TABLE[method].split()}
    asked |= {f"{SERVICE.get(service, service)}:{operation.title().replace('_', '')}" for service, operation in reach.calls if service}
    asked = {ACTIONS.get(action, action) for action in asked}
    asked -= {"states:StartExecution"} if function in NEVER_START_A_RUN else set()
    role = target(ALL.functions()[function]["Role"])
    assert asked <= {action for statement in ALL.statements(role) for action in listed(statement["Action"])}


def test_every_call_of_the_table_is_known_here() -> None:
    """A method without an action would be refused by AWS alone."""
    public = {name for name, member in vars(Table).items() if callable(member) and not name.startswith("_")}
    assert public == set(TABLE) | NO_CALL
