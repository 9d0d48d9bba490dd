"""What AWS keeps and carries for us: queues, bucket, bus, state machine and table."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from caseline.errors import UnavailableError
from caseline.wiring.configured import Configured

if TYPE_CHECKING:
    from caseline.table import Table


class Services(Configured):
    def send_signals(self, body: str, group: str, attributes: Mapping[str, Any]) -> None:
        queue_url = self.environ["SIGNALS_QUEUE_URL"]
        self._call("sqs", "send_message", QueueUrl=queue_url, MessageBody=body, MessageGroupId=group, MessageAttributes=dict(attributes))

    def send_job(self, body: str, group: str) -> None:
        self._call("sqs", "send_message", QueueUrl=self.environ["POLL_QUEUE_URL"], MessageBody=body, MessageGroupId=group)

    def ask_completion(self, job: Mapping[str, Any], seconds: int = 0) -> None:
        queue_url, body = self.environ["COMPLETION_QUEUE_URL"], json.dumps(job)
        self._call("sqs", "send_message", QueueUrl=queue_url, MessageBody=body, **({"DelaySeconds": seconds} if seconds else {}))

    def send_changes(self, body: str) -> None:
        self._call("sqs", "send_message", QueueUrl=self.environ["CRM_QUEUE_URL"], MessageBody=body)

    def put_object(self, object_key: str, body: bytes) -> None:
        self._call("s3", "put_object", Bucket=self.environ["BUCKET_NAME"], Key=object_key, Body=body)

    def read_object(self, object_key: str) -> bytes:
        data: bytes = self._call("s3", "get_object", Bucket=self.bucket, Key=object_key)["Body"].read()
        return data

    def find_object(self, object_key: str, absent: Collection[str] = ("NoSuchKey", "404")) -> bytes | None:
        """None where there is none of that key; who asks must be allowed to list the bucket, or S3 says that access is denied."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            data: bytes = self.client("s3").get_object(Bucket=self.bucket, Key=object_key)["Body"].read()
        except ClientError as error:
            if error.response["Error"]["Code"] in absent:
                return None
            raise UnavailableError("s3 refused an object") from error
        except BotoCoreError as error:
            raise UnavailableError("s3 did not answer") from error
        return data

    @property
    def bucket(self) -> str:
        return self.environ["BUCKET_NAME"]

    def read_from(self, bucket: str, object_key: str) -> bytes:
        """An object that an event names; only buckets that the function may read answer."""
        data: bytes = self._call("s3", "get_object", Bucket=bucket, Key=object_key)["Body"].read()
        return data

    @property
    def event_bus(self) -> str:
        return self.environ["EVENT_BUS_NAME"]

    def send_events(self, entries: list[dict[str, str]]) -> None:
        """All or UnavailableError; what is sent again is the same events once more."""
        if self._call("events", "put_events", Entries=entries)["FailedEntryCount"]:
            raise UnavailableError("the event bus refused some entries")

    def start_execution(self, name: str, data: str) -> None:
        """One of that name that exists already is success."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            self.client("stepfunctions").start_execution(stateMachineArn=self.environ["STATE_MACHINE_ARN"], name=name, input=data)
        except ClientError as error:
            if error.response["Error"]["Code"] != "ExecutionAlreadyExists":
                raise UnavailableError("the state machine did not start") from error
        except BotoCoreError as error:
            raise UnavailableError("the state machine did not answer") from error

    @cached_property
    def table(self) -> Table:
        from caseline.table import Table

        return Table(self.client("dynamodb"), self.environ["TABLE_NAME"])
