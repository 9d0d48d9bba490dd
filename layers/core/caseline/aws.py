"""Thin adapters over AWS clients. Whatever AWS does not do becomes UnavailableError. Imported when the first of them is needed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from caseline.errors import UnavailableError


def call(client: Any, operation: str, missing: str = "", **request: Any) -> Any:
    """One call; None where AWS answers with the error `missing`."""
    try:
        return getattr(client, operation)(**request)
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if missing and code == missing:
            return None
        raise UnavailableError(f"{operation} answered {code}") from error
    except BotoCoreError as error:
        raise UnavailableError(f"{operation} was not answered: {type(error).__name__}") from error


class Queue:
    """A queue by URL. The group keeps one noisy source from delaying the others."""

    def __init__(self, client: Any, url: str) -> None:
        self.client, self.url = client, url

    def send(self, body: str, attributes: Mapping[str, str | int], group: str) -> None:
        described = {name: _describe(value) for name, value in attributes.items()}
        call(self.client, "send_message", QueueUrl=self.url, MessageBody=body, MessageAttributes=described, MessageGroupId=group)

    def send_later(self, body: str, seconds: int, attributes: Mapping[str, str | int]) -> None:
        described = {name: _describe(value) for name, value in attributes.items()}
        call(self.client, "send_message", QueueUrl=self.url, MessageBody=body, MessageAttributes=described, DelaySeconds=seconds)


class Bucket:
    def __init__(self, client: Any, name: str) -> None:
        self.client, self.name = client, name

    def put(self, key: str, content: bytes) -> None:
        call(self.client, "put_object", Bucket=self.name, Key=key, Body=content, ContentType="application/json")

    def get(self, key: str) -> bytes | None:
        found = call(self.client, "get_object", missing="NoSuchKey", Bucket=self.name, Key=key)
        return None if found is None else bytes(found["Body"].read())


def read_secret(client: Any, name: str) -> str | None:
    """The secret's text, or None if there is none of that name."""
    found = call(client, "get_secret_value", missing="ResourceNotFoundException", SecretId=name)
    return None if found is None else str(found.get("SecretString") or "")


def read_parameter(client: Any, name: str) -> str | None:
    found = call(client, "get_parameter", missing="ParameterNotFound", Name=name)
    return None if found is None else str(found["Parameter"]["Value"])


def read_secrets(text: str | None) -> Sequence[str]:
    """A source's secrets, newest first: a JSON list of texts (or of objects, such as key files), or one secret as it stands."""
    try:
        value = json.loads(text) if text else []
    except ValueError:
        value = None
    if not isinstance(value, list):
        return [text] if text else []
    return [item if isinstance(item, str) else json.dumps(item) for item in value]


def _describe(value: str | int) -> dict[str, str]:
    return {"DataType": "Number" if isinstance(value, int) else "String", "StringValue": str(value)}
