"""Marks each row it is shown; a row that says `stuck` makes it raise."""

import json
import os

import boto3


def handler(event, context):
    table = boto3.resource("dynamodb").Table(os.environ["TABLE_NAME"])
    metric = {"CloudWatchMetrics": [{"Namespace": "Caseline", "Dimensions": [["Source"]], "Metrics": [{"Name": "Rejected"}]}]}
    print(json.dumps({"_aws": metric, "Source": "tiny/one", "Rejected": len(event["Records"])}))
    for record in event["Records"]:
        image = record["dynamodb"]["NewImage"]
        if "stuck" in image:
            raise ValueError("stuck")
        table.put_item(Item={"PK": image["PK"]["S"], "SK": "SEEN", "type": "mark"})
    return {"batchItemFailures": []}
