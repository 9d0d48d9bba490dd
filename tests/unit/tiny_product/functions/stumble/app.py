"""Fails in the way it is asked to."""

import os
import time

import boto3


def handler(event, context):
    if event.get("detail-type") == "Scheduled Event":
        boto3.resource("dynamodb").Table(os.environ["TABLE_NAME"]).put_item(Item={"PK": "schedule", "SK": "RAN", "type": "mark"})
    if event.get("sleep"):
        time.sleep(event["sleep"])
    if event.get("exit"):
        os._exit(3)
    if event.get("raise"):
        raise ValueError("as asked")
    return {"pid": os.getpid(), "left": context.get_remaining_time_in_millis()}
