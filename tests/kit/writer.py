"""A process that writes to a local cloud until it is killed, and says on standard output what was answered: `python writer.py HOME`."""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from typing import Any

from caseline_local.cloud import Cloud

from tests.kit.aws import create_table


def open_cloud(home: Path) -> Cloud:
    """A started cloud with a table, a queue with its dead-letter queue, and a bucket; state is put back."""
    cloud = Cloud(home)
    cloud.start()
    create_table(cloud.client("dynamodb"), "Caseline")
    dead = cloud.queues.create("dead")
    cloud.queues.create("signals", {"VisibilityTimeout": "30", "RedrivePolicy": f'{{"maxReceiveCount": 2, "deadLetterTargetArn": "{dead.arn}"}}'})
    cloud.client("s3").create_bucket(Bucket="private", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    return cloud


def send(sqs: Any, url: str, body: str, source: str = "x/acme", origin: str = "door", signals: int = 1) -> None:
    attributes = {"source": {"DataType": "String", "StringValue": source}, "origin": {"DataType": "String", "StringValue": origin}}
    sqs.send_message(
        QueueUrl=url, MessageBody=body, MessageGroupId=source, MessageAttributes=attributes | {"signals": {"DataType": "Number", "StringValue": str(signals)}}
    )


def _say(kind: str, number: int) -> None:
    sys.stdout.write(f"{kind}{number}\n")
    sys.stdout.flush()


def _write_items(cloud: Cloud) -> None:
    client = cloud.client("dynamodb")
    for number in range(100_000):
        client.put_item(TableName="Caseline", Item={"PK": {"S": f"item{number}"}, "SK": {"S": "1"}})
        _say("item", number)


def _send_messages(cloud: Cloud) -> None:
    client = cloud.client("sqs")
    url = client.get_queue_url(QueueName="signals")["QueueUrl"]
    for number in range(100_000):
        send(client, url, f"message{number}")
        _say("message", number)


if __name__ == "__main__":
    running = open_cloud(Path(sys.argv[1]))
    running.restore()
    for work in (_write_items, _send_messages):
        threading.Thread(target=work, args=(running,)).start()
