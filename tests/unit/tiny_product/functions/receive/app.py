"""Queues what is posted, or says what it was asked."""

import base64
import json
import os

import boto3


def handler(event, context):
    if event["resource"] == "/signals":
        body = base64.b64decode(event["body"]).decode()
        boto3.client("sqs").send_message(QueueUrl=os.environ["QUEUE_URL"], MessageBody=body)
        return {"statusCode": 202, "headers": {"Content-Type": "application/json"}, "body": '{"accepted": 1}'}
    if event["resource"] == "/settings":
        parameter = boto3.client("ssm").get_parameter(Name=os.environ["CONFIG_PARAMETER"])["Parameter"]["Value"]
        secret = boto3.client("secretsmanager").get_secret_value(SecretId=os.environ["SECRET_PREFIX"] + "/standard_webhooks/default")["SecretString"]
        return {"statusCode": 200, "body": json.dumps({"config": json.loads(parameter), "secrets": json.loads(secret)})}
    if event["resource"] == "/rows/{key}/{part}":
        key = {"PK": event["pathParameters"]["key"], "SK": event["pathParameters"]["part"]}
        found = boto3.resource("dynamodb").Table(os.environ["TABLE_NAME"]).get_item(Key=key)
        return {"statusCode": 200 if "Item" in found else 404, "body": "{}"}
    return {"statusCode": 200, "multiValueHeaders": {"Set-Cookie": ["a=1", "b=2"]}, "body": json.dumps(event)}
