"""Requests as API Gateway would hand them over, signed as their platforms sign."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from typing import Any

KEY = b"a secret of the benchmark, 32 b."
META_SECRET = "meta-app-secret-of-the-benchmark"
SECRETS = {"standard_webhooks/default": ["whsec_" + base64.b64encode(KEY).decode()], "meta/shop": [META_SECRET]}
CONFIG = {
    "public_url": "https://hooks.example.com",
    "brands": {"acme": {"own_ids": ["domain:acme.example"]}},
    "sources": [
        {"channel": "standard_webhooks", "name": "default", "brand": "acme"},
        {"channel": "meta", "name": "shop", "brand": "acme", "settings": {"verify_token": "hello"}},
    ],
}
ANSWERS = {"GetParameter": {"Parameter": {"Name": "config", "Value": json.dumps(CONFIG)}}, "SendMessage": {"MessageId": "1"}}


def generic_body(number: int = 1, **changes: Any) -> dict[str, Any]:
    data = {
        "id": f"p-{number}",
        "kind": "post",
        "public": True,
        "occurred_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "author": {"id": f"u-{number}", "name": "Tove", "identities": [f"email:u{number}@example.com"], "reach": 300},
        "text": "The evening ferry was an hour late again and nobody at the pier could say why.",
        "language": "en",
    }
    return {"type": "signal.created", "timestamp": data["occurred_at"], "data": data | changes}


def sign_generic(body: bytes, now: int | None = None, key: bytes = KEY) -> dict[str, str]:
    message_id, stamp = "msg_" + hashlib.sha256(body).hexdigest()[:24], str(now or int(time.time()))
    digest = base64.b64encode(hmac.digest(key, f"{message_id}.{stamp}.".encode() + body, "sha256")).decode()
    return {"content-type": "application/json", "webhook-id": message_id, "webhook-timestamp": stamp, "webhook-signature": f"v1,{digest}"}


def proxy_event(path: str, body: bytes, headers: dict[str, str], method: str = "POST") -> dict[str, Any]:
    parts = path.strip("/").split("/")
    names = ("channel", "source")[: len(parts) - 1]
    resource = "/" + "/".join([parts[0], *("{" + name + "}" for name in names)])
    return {
        "resource": resource,
        "path": path,
        "httpMethod": method,
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "pathParameters": dict(zip(names, parts[1:], strict=True)),
        "stageVariables": None,
        "requestContext": {"resourcePath": resource, "httpMethod": method, "path": path, "stage": "dev", "identity": {"sourceIp": "192.0.2.1"}},
        "body": body.decode(),
        "isBase64Encoded": False,
    }


def generic_event(number: int = 1, **changes: Any) -> dict[str, Any]:
    body = json.dumps(generic_body(number, **changes)).encode()
    return proxy_event("/webhooks/standard_webhooks", body, sign_generic(body))


def forged_event() -> dict[str, Any]:
    """Well formed and in time, signed with a key of somebody else."""
    body = json.dumps(generic_body()).encode()
    return proxy_event("/webhooks/standard_webhooks", body, sign_generic(body, key=b"somebody else's key of 32 bytes!"))


def meta_event(changes: int) -> dict[str, Any]:
    """One notification of a Page with that many comments."""
    now = int(time.time())
    page = {"id": "30010020", "time": now, "changes": [_comment(number, now) for number in range(changes)]}
    body = json.dumps({"object": "page", "entry": [page]}).encode()
    signature = hmac.digest(META_SECRET.encode(), body, "sha256").hex()
    return proxy_event("/webhooks/meta/shop", body, {"content-type": "application/json", "x-hub-signature-256": f"sha256={signature}"})


def _comment(number: int, now: int) -> dict[str, Any]:
    value = {
        "item": "comment",
        "verb": "add",
        "post_id": "30010020_11",
        "comment_id": f"11_{number}",
        "parent_id": "30010020_11",
        "message": f"Number {number} in the queue here, and the heater of the waiting room smells of burning plastic. Is anybody going to look at it?",
        "created_time": now - 20,
        "post": {"permalink_url": "https://www.facebook.com/30010020/posts/11"},
        "from": {"id": str(60070080 + number), "name": "Tomasz Lind"},
    }
    return {"field": "feed", "value": value}
