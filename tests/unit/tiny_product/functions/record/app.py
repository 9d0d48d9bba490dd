"""Writes a row for each message; `poison` never succeeds."""

import json
import os

import boto3


def handler(event, context):
    table, failed = boto3.resource("dynamodb").Table(os.environ["TABLE_NAME"]), []
    for record in event["Records"]:
        signal = json.loads(record["body"])
        if signal.get("poison"):
            failed.append({"itemIdentifier": record["messageId"]})
        else:
            table.put_item(Item={"PK": signal["id"], "SK": "SIGNAL", "type": "signal", **signal})
    return {"batchItemFailures": failed}
