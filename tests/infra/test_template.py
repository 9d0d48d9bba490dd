"""The template, checked without an account: what is there, how it is kept, and that it fails in sight."""

from __future__ import annotations

import itertools
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from caseline.settings import Config

from tests.infra.deployment import CONSOLE, ROOT, Deployment, deploy, folder, source, target, walk

BARE = deploy()
FULL = deploy(**CONSOLE)
OPEN = re.compile(r"/webhooks/.+|/healthz|/login(/callback)?|/logout")
NAMES = {"Name"} | {f"{kind}Name" for kind in ("Function", "Table", "Queue", "Topic", "Bucket", "Role", "ManagedPolicy", "StateMachine", "LogGroup", "Layer")}
SWITCHES: dict[str, tuple[dict[str, str], ...]] = {
    "console": ({}, CONSOLE),
    "domain": ({}, {"CertificateArn": "arn", "PublicUrl": "https://care.example.com"}),
    "mail": ({}, {"AlertEmail": "care@example.com"}),
    "boundary": ({}, {"PermissionsBoundaryArn": "arn"}),
    "source bucket": ({}, {"SourceBucket": "acme-recordings"}),
    "account role": ({}, {"ApiLogging": "account-role-exists"}),
    "stage": ({}, {"Stage": "prod"}),
}
MAPPINGS = FULL.of_type("AWS::Lambda::EventSourceMapping")
QUEUES = FULL.of_type("AWS::SQS::Queue")
ALARMS = FULL.of_type("AWS::CloudWatch::Alarm")


def dead_letters() -> set[str]:
    """Queues of what failed: of other queues, of streams, of events that AWS handed over."""
    redriven = {target(queue["RedrivePolicy"]["deadLetterTargetArn"]) for queue in QUEUES.values() if "RedrivePolicy" in queue}
    invoked = [config["DestinationConfig"] for config in FULL.of_type("AWS::Lambda::EventInvokeConfig").values() if "DestinationConfig" in config]
    redriven |= {target(each["OnFailure"]["Destination"]) for each in invoked if "OnFailure" in each}
    return redriven | {target(mapping["DestinationConfig"]["OnFailure"]["Destination"]) for mapping in MAPPINGS.values() if "DestinationConfig" in mapping}


# ---- the template itself


def test_the_linter_is_content() -> None:
    linter = Path(sys.executable).with_name("cfn-lint")
    linted = subprocess.run([linter, "-r", "us-east-1", "-t", ROOT / "template.yaml"], capture_output=True, text=True, check=False)
    assert linted.returncode == 0, linted.stdout + linted.stderr


@pytest.mark.parametrize("chosen", list(itertools.product(*SWITCHES.values())))
def test_every_switch_leaves_a_whole(chosen: tuple[dict[str, str], ...]) -> None:
    parameters = {name: value for choice in chosen for name, value in choice.items()}
    deployment = deploy(**parameters)
    assert references(deployment) <= set(deployment.resources) | set(source()["Parameters"])


def references(deployment: Deployment) -> set[str]:
    """The logical ids that anything refers to. What is depended on may be absent by its condition: CloudFormation then asks nothing."""
    found: set[str] = set()
    for value in walk([resource.get("Properties", {}) for resource in deployment.resources.values()]):
        if isinstance(value, dict) and set(value) & {"Ref", "Fn::GetAtt"}:
            found.add(target(value))
        if isinstance(value, dict) and "Fn::Sub" in value:
            text, local = value["Fn::Sub"] if isinstance(value["Fn::Sub"], list) else (value["Fn::Sub"], {})
            found |= {name.partition(".")[0] for name in re.findall(r"\$\{([\w:.]+)\}", text)} - set(local)
    return {name for name in found if not name.startswith("AWS::")}


@pytest.mark.parametrize("name", source()["Parameters"])
def test_parameters_explain_themselves(name: str) -> None:
    parameter = source()["Parameters"][name]
    groups = source()["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    assert parameter["Description"] and "Default" in parameter
    assert "AllowedValues" in parameter or {"AllowedPattern", "ConstraintDescription"} <= set(parameter)
    assert sum(name in group["Parameters"] for group in groups) == 1


def test_two_stacks_fit_in_one_account() -> None:
    for name, resource in FULL.resources.items():
        for field in NAMES & set(resource.get("Properties", {})):
            given = json.dumps(resource["Properties"][field])
            assert "AWS::StackName" in given or target_is_ours(resource["Properties"][field]), f"{name}.{field} is the same in every stack: {given}"


def target_is_ours(value: Any) -> bool:
    return isinstance(value, dict) and bool(set(value) & {"Ref", "Fn::GetAtt"}) and target(value) in FULL.resources


def test_the_first_configuration_is_valid() -> None:
    value = FULL.resources["ConfigParameter"]["Properties"]["Value"]["Fn::Sub"]
    config = Config.from_json(json.loads(re.sub(r"\$\{[^}]+\}", "x", value)))
    assert config.public_url.startswith("https://") and not config.sources


def test_no_secret_is_written_down() -> None:
    for secret in FULL.of_type("AWS::SecretsManager::Secret").values():
        assert "GenerateSecretString" in secret or json.loads(secret["SecretString"]) == {}


# ---- routes


@pytest.mark.parametrize(("path", "method", "operation"), list(FULL.routes()))
def test_every_route_but_the_open_ones_has_an_authoriser(path: str, method: str, operation: Any) -> None:
    assert [list(each) for each in operation["security"]] == [["NONE"] if OPEN.fullmatch(path) else ["People"]]


def test_the_authoriser_is_ours_and_never_cached() -> None:
    scheme = FULL.resources["Api"]["Properties"]["Body"]["components"]["securitySchemes"]["People"]["x-amazon-apigateway-authorizer"]
    assert scheme["type"] == "request" and scheme["authorizerResultTtlInSeconds"] == 0
    assert "AuthoriseRequestFunction" in json.dumps(scheme["authorizerUri"])


def test_without_an_issuer_there_is_no_console() -> None:
    assert {path for path, _, _ in BARE.routes()} == {"/healthz", "/webhooks/{channel}", "/webhooks/{channel}/{source}", "/webhooks/crm/{source}"}
    assert set(FULL.functions()) - set(BARE.functions()) == {"serve_api", "serve_console", "sign_in"}
    assert {"/console", "/console/{proxy+}", "/api/v1/{proxy+}", "/login", "/login/callback", "/logout"} <= {path for path, _, _ in FULL.routes()}


def test_every_route_reaches_a_function_that_lets_it() -> None:
    allowed = {target(permission["FunctionName"]) for permission in FULL.of_type("AWS::Lambda::Permission").values()}
    for path, _, operation in FULL.routes():
        uri = operation["x-amazon-apigateway-integration"]["uri"]["Fn::Sub"]
        assert re.search(r"\$\{(\w+)\.Arn\}", uri)[1] in allowed, path


def test_the_api_is_throttled_and_logs_no_content() -> None:
    stage = FULL.resources["ApiStage"]["Properties"]
    (settings,) = stage["MethodSettings"]
    assert settings["ThrottlingRateLimit"] and settings["ThrottlingBurstLimit"] and not settings.get("DataTraceEnabled")
    logged = set(re.findall(r"\$context\.([\w.]+)", stage["AccessLogSetting"]["Format"]))
    assert not logged & {"path", "requestOverride.path", "authorizer.principalId"} and not any(re.search("query|body|header", name) for name in logged)
    json.loads(stage["AccessLogSetting"]["Format"])


def test_bodies_arrive_as_they_were_sent() -> None:
    assert FULL.resources["Api"]["Properties"]["BinaryMediaTypes"] == ["*/*"]


# ---- queues and streams


@pytest.mark.parametrize("name", sorted(QUEUES))
def test_queues_lose_nothing_and_are_sealed(name: str) -> None:
    queue = QUEUES[name]
    assert queue["SqsManagedSseEnabled"]
    if name in dead_letters():
        assert queue["MessageRetentionPeriod"] == 1_209_600
    else:
        tries = queue["RedrivePolicy"]["maxReceiveCount"]
        assert tries == 5 and queue["MessageRetentionPeriod"] > 2 * tries * queue["VisibilityTimeout"], "or it expires before it is set aside"


def test_queues_and_bucket_and_topic_take_tls_only() -> None:
    (queues,) = FULL.of_type("AWS::SQS::QueuePolicy").values()
    (bucket,) = FULL.of_type("AWS::S3::BucketPolicy").values()
    (topic,) = FULL.of_type("AWS::SNS::TopicPolicy").values()
    assert {target(queue) for queue in queues["Queues"]} == set(QUEUES)
    for policy in (queues, bucket, topic):
        denied = [each for each in policy["PolicyDocument"]["Statement"] if each["Effect"] == "Deny"]
        assert [each["Condition"] for each in denied] == [{"Bool": {"aws:SecureTransport": False}}]


@pytest.mark.parametrize("name", sorted(MAPPINGS))
def test_one_bad_record_does_not_hold_up_its_neighbours(name: str) -> None:
    mapping = MAPPINGS[name]
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    if "StartingPosition" in mapping:
        assert mapping["BisectBatchOnFunctionError"] and 0 < mapping["MaximumRetryAttempts"] <= 20 and mapping["MaximumRecordAgeInSeconds"] <= 86_400
        assert mapping["StartingPosition"] == "TRIM_HORIZON" and target(mapping["DestinationConfig"]["OnFailure"]["Destination"]) in dead_letters()
    else:
        queue, function = FULL.properties(mapping["EventSourceArn"]), FULL.properties(mapping["FunctionName"])
        assert queue["VisibilityTimeout"] >= 6 * function["Timeout"]
        assert mapping["ScalingConfig"]["MaximumConcurrency"] <= 50


def test_only_rows_that_need_something_reach_triage() -> None:
    """Signals whose need is due, or was; cases that changed outside a run, which the CRM should know of."""
    due = [{"dynamodb": {image: {"type": {"S": ["signal"]}, "need": {"S": ["due"]}}}} for image in ("NewImage", "OldImage")]
    assert stream_of("triage_signals")["BatchSize"] == 25
    assert patterns("triage_signals") == [*due, {"dynamodb": {"NewImage": {"type": {"S": ["case"]}, "push": {"S": ["wanted"]}}}}]


def test_all_that_happens_reaches_publishing() -> None:
    assert stream_of("publish_events")["BatchSize"] == 100
    assert patterns("publish_events") == [{"dynamodb": {image: {"type": {"S": ["signal", "case", "quarantine"]}}}} for image in ("NewImage", "OldImage")]


def stream_of(function: str) -> Any:
    (mapping,) = [each for each in MAPPINGS.values() if folder(FULL.properties(each["FunctionName"])) == function]
    return mapping


def patterns(function: str) -> list[Any]:
    return [json.loads(each["Pattern"]) for each in stream_of(function)["FilterCriteria"]["Filters"]]


# ---- data


def test_the_table_is_kept_and_protected() -> None:
    table = FULL.resources["Table"]
    kept = table["Properties"]
    assert (table["DeletionPolicy"], table["UpdateReplacePolicy"]) == ("Retain", "Retain")
    assert kept["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"] and kept["SSESpecification"]["SSEEnabled"]
    assert kept["TimeToLiveSpecification"] == {"AttributeName": "expires", "Enabled": True} and kept["BillingMode"] == "PAY_PER_REQUEST"
    assert kept["StreamSpecification"]["StreamViewType"] == "NEW_AND_OLD_IMAGES"
    assert [deploy(Stage=stage).resources["Table"]["Properties"]["DeletionProtectionEnabled"] for stage in ("prod", "dev")] == [True, False]


def test_the_indexes_are_those_the_code_reads() -> None:
    from caseline.expressions import INDEX_KEYS

    declared = {index["IndexName"]: index["KeySchema"] for index in FULL.resources["Table"]["Properties"]["GlobalSecondaryIndexes"]}
    declared[None] = FULL.resources["Table"]["Properties"]["KeySchema"]
    assert {name: tuple(key["AttributeName"] for key in keys) for name, keys in declared.items()} == INDEX_KEYS


def test_the_bucket_is_private_and_forgets() -> None:
    bucket = FULL.resources["Bucket"]["Properties"]
    assert all(bucket["PublicAccessBlockConfiguration"].values()) and len(bucket["PublicAccessBlockConfiguration"]) == 4
    assert bucket["BucketEncryption"]
    assert any(rule.get("Prefix") == "intake/" and rule["ExpirationInDays"] for rule in bucket["LifecycleConfiguration"]["Rules"])


# ---- watching


@pytest.mark.parametrize("name", sorted(FULL.functions()))
def test_functions_log_and_trace_alike(name: str) -> None:
    function = FULL.functions()[name]
    assert (function["Runtime"], function["Architectures"], function["Handler"]) == ("python3.13", ["arm64"], "app.handler")
    assert function["TracingConfig"] == {"Mode": "Active"} and function["LoggingConfig"]["LogFormat"] == "JSON"
    assert FULL.properties(function["LoggingConfig"]["LogGroup"])["RetentionInDays"] == {"Ref": "LogRetentionDays"}


def test_all_logs_expire() -> None:
    assert all(group["RetentionInDays"] for group in FULL.of_type("AWS::Logs::LogGroup").values())


@pytest.mark.parametrize("name", sorted(ALARMS))
def test_alarms_tell_somebody_what_to_do(name: str) -> None:
    alarm = ALARMS[name]
    assert alarm["AlarmActions"] == [{"Ref": "AlertTopic"}] and alarm["TreatMissingData"] == "notBreaching"
    assert len(alarm["AlarmDescription"]) > 80 and alarm["AlarmDescription"].count(".") >= 2, "says what happened, and what to do"


def test_failure_has_an_alarm_everywhere() -> None:
    watched = {(alarm["MetricName"], target(dimension["Value"])) for alarm in ALARMS.values() for dimension in alarm.get("Dimensions", [])}
    assert {("ApproximateNumberOfMessagesVisible", queue) for queue in dead_letters()} <= watched
    assert {("IteratorAge", "TriageSignalsFunction"), ("IteratorAge", "PublishEventsFunction")} <= watched
    assert {("ExecutionsFailed", "OpenCase"), ("ExecutionsTimedOut", "OpenCase")} <= watched
    assert {("ApproximateAgeOfOldestMessage", "SignalsQueue"), ("5XXError", "Stage")} <= watched
    (errors,) = FULL.of_type("AWS::Logs::MetricFilter").values()
    assert target(errors["LogGroupName"]) == "FunctionLogs" and "FunctionErrorsAlarm" in ALARMS


def test_strangers_at_the_console_ring_no_alarm() -> None:
    """Refusing is an error that the authoriser raises, because API Gateway answers 401 to nothing else."""
    (errors,) = FULL.of_type("AWS::Logs::MetricFilter").values()
    assert errors["FilterPattern"].count('$.errorType != "Unauthorised"') == 2
    assert "class Unauthorised(Exception)" in (ROOT / "functions/authorise_request/app.py").read_text()


def test_cloudwatch_may_use_the_topic() -> None:
    (policy,) = FULL.of_type("AWS::SNS::TopicPolicy").values()
    assert policy["PolicyDocument"]["Statement"][0]["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
    assert "KmsMasterKeyId" not in FULL.resources["AlertTopic"]["Properties"], "AWS's own key would keep alarms out; alerts hold no customer text"
