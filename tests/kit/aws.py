"""AWS in the test's own process: moto with the local runtime's patches and AWS's published limits. `with aws() as cloud:` gives clients, the table and
queues of the template, and the stream records written since one last asked.

    with aws() as cloud:
        table = Table(cloud.client("dynamodb"), cloud.table)
        ...
        for record in cloud.stream_records(): ...        # as Lambda sees them
        event = cloud.receive(cloud.signals_queue)         # {"Records": [...]} as Lambda sees them; messages are taken off the queue
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any
from unittest import mock

import boto3
from caseline_local.cloud.dynamo_api import DynamoApi
from caseline_local.cloud.hooks import Change, Hooks, use_hooks
from caseline_local.cloud.patches import install
from caseline_local.cloud.records import as_record
from moto.core.base_backend import BackendDict
from moto.core.botocore_stubber import BotocoreStubber
from moto.core.model_instances import reset_model_data
from moto.core.models import MockAWS, botocore_stubber

REGION, ACCOUNT = "eu-central-1", "123456789012"
_INDEXES = {"timeline": ("identity", "at"), "lists": ("list_name", "list_rank"), "due": ("due_shard", "due_at")}
KEYS_ALONE = ("lists", "due")  # as in the template
_ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": REGION,
    "AWS_REGION": REGION,
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_ACCOUNT_ID_ENDPOINT_MODE": "disabled",
    "MOTO_ACCOUNT_ID": ACCOUNT,
}


class FakeCloud(Hooks):
    """What a test may look at: names, clients, stream records, alerts, events; `functions` are called for Lambda invocations by name."""

    def __init__(self) -> None:
        self.table, self.bucket, self.event_bus = "Caseline", "caseline-private", "caseline"
        self.functions: dict[str, Any] = {}
        self.alerts: list[tuple[str | None, str]] = []
        self.events: list[dict[str, Any]] = []
        self._records: list[dict[str, Any]] = []
        self._number = 0

    def client(self, service: str) -> Any:
        return _client(service)

    def commit_changes(self, changes: Sequence[Change]) -> None:
        for change in changes:
            self._number += 1
            self._records.append(as_record(change, self._number))

    def stream_records(self) -> list[dict[str, Any]]:
        """The records of the table's stream written since the last call, oldest first."""
        taken, self._records = self._records, []
        return taken

    def receive(self, queue_url: str, maximum: int = 10) -> dict[str, Any]:
        """A Lambda event of up to `maximum` messages, which are taken off the queue."""
        sqs = self.client("sqs")
        found = sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=min(maximum, 10), MessageAttributeNames=["All"], AttributeNames=["All"])
        for message in found.get("Messages", []):
            sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])
        return {"Records": [_as_event_record(message, queue_url) for message in found.get("Messages", [])]}

    def publish(self, subject: str | None, message: str) -> None:
        self.alerts.append((subject, message))

    def put_events(self, events: Sequence[dict[str, Any]]) -> None:
        self.events.extend(events)

    def invoke(self, function: str, payload: bytes, asynchronous: bool) -> tuple[bool, bytes]:
        return self.functions[function](payload) if function in self.functions else super().invoke(function, payload, asynchronous)


@cache
def _client(service: str) -> Any:
    """One for the process: to make a client takes longer than many a test."""
    return boto3.client(service, region_name=REGION)


class _Answers(MockAWS):
    """moto for botocore's clients alone: it would prepare a thousand answers to others each time."""

    def _enable_patching(self, reset: bool = True) -> None:
        self.reset()
        botocore_stubber.enabled = True

    def _disable_patching(self, remove_data: bool) -> None:
        botocore_stubber.enabled = False
        self.reset()

    def reset(self) -> None:
        BackendDict.reset()
        reset_model_data()


def _answer(stubber: Any, request: Any, _moto: Any = BotocoreStubber.process_request, _dynamodb: Any = DynamoApi(REGION, ACCOUNT)) -> Any:  # noqa: B008
    """DynamoDB answers as in the local runtime, past moto's web framework."""
    target = request.headers.get("X-Amz-Target", b"")
    service, _, action = (target.decode() if isinstance(target, bytes) else target).partition(".")
    return _dynamodb.answer(action, request.body) if service == "DynamoDB_20120810" else _moto(stubber, request)


@contextmanager
def aws() -> Iterator[FakeCloud]:
    install()
    with mock.patch.dict(os.environ, _ENVIRONMENT), mock.patch.object(BotocoreStubber, "process_request", _answer), _Answers():
        cloud = FakeCloud()
        use_hooks(cloud)
        try:
            _create_resources(cloud)
            yield cloud
        finally:
            use_hooks(Hooks())


def _create_resources(cloud: FakeCloud) -> None:
    create_table(cloud.client("dynamodb"), cloud.table)
    sqs = cloud.client("sqs")
    cloud.dead_queue = sqs.create_queue(QueueName="dead-letters")["QueueUrl"]
    cloud.signals_queue = sqs.create_queue(QueueName="signals", Attributes={"VisibilityTimeout": "180"})["QueueUrl"]
    cloud.poll_queue = sqs.create_queue(QueueName="poll", Attributes={"VisibilityTimeout": "180"})["QueueUrl"]
    cloud.client("s3").create_bucket(Bucket=cloud.bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    cloud.client("events").create_event_bus(Name=cloud.event_bus)
    cloud.alert_topic = cloud.client("sns").create_topic(Name="alerts")["TopicArn"]


def create_table(client: Any, name: str) -> None:
    names = {"PK", "SK"} | {name for keys in _INDEXES.values() for name in keys}
    client.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": each, "AttributeType": "S"} for each in sorted(names)],
        KeySchema=_key_schema("PK", "SK"),
        GlobalSecondaryIndexes=[
            {"IndexName": index, "KeySchema": _key_schema(*keys), "Projection": {"ProjectionType": "KEYS_ONLY" if index in KEYS_ALONE else "ALL"}}
            for index, keys in _INDEXES.items()
        ],
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )


def _key_schema(hash_key: str, range_key: str) -> list[dict[str, str]]:
    return [{"AttributeName": hash_key, "KeyType": "HASH"}, {"AttributeName": range_key, "KeyType": "RANGE"}]


def _as_event_record(message: dict[str, Any], queue_url: str) -> dict[str, Any]:
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message.get("Attributes", {}),
        "messageAttributes": {name: _as_event_attribute(value) for name, value in message.get("MessageAttributes", {}).items()},
        "md5OfBody": message["MD5OfBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{queue_url.rsplit('/', 1)[-1]}",
        "awsRegion": REGION,
    }


def _as_event_attribute(value: dict[str, Any]) -> dict[str, Any]:
    return {"stringValue": value.get("StringValue"), "stringListValues": [], "binaryListValues": [], "dataType": value["DataType"]}
