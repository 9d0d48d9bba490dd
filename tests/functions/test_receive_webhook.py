"""What the door takes, what it refuses, and what each costs."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta

import pytest
from caseline import wiring as wiring_module
from caseline.wiring import Wiring

from functions.receive_webhook import app as receive_webhook
from tests.kit.door import ENVIRON, GOOD, KEY, NOW, SECRET, SESSION, TOKEN, TWILIO, Clock, Cloud, X, hub, post, signed
from tests.kit.samples import samples


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> Iterator[Cloud]:
    for name, value in (
        ("AWS_ACCESS_KEY_ID", "testing"),
        ("AWS_SECRET_ACCESS_KEY", "testing"),
        ("AWS_DEFAULT_REGION", "eu-central-1"),
        ("AWS_REGION", "eu-central-1"),
    ):
        monkeypatch.setenv(name, value)
    cloud = Cloud()
    wired = Wiring(ENVIRON, seconds=lambda: clock.now.timestamp(), clock=lambda: clock.now, new_id=iter(f"env_{n}" for n in range(10_000)).__next__)
    wired.__dict__["_session"] = SESSION  # one for all tests: it keeps the models it has read
    SESSION.register("before-send.*.*", cloud.answer, unique_id="cloud")
    monkeypatch.setattr(receive_webhook, "wiring", lambda: wired)
    receive_webhook.door.cache_clear()
    yield cloud
    SESSION.unregister("before-send.*.*", unique_id="cloud")
    receive_webhook.door.cache_clear()


def warm(cloud: Cloud) -> None:
    assert post("/webhooks/standard_webhooks", *signed(GOOD))["statusCode"] == 202
    cloud.calls.clear()
    cloud.sent.clear()


def test_accepted_signal_is_one_call_and_one_envelope(cloud: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    warm(cloud)
    answer = post("/webhooks/standard_webhooks", *signed(GOOD))
    assert (answer["statusCode"], json.loads(answer["body"])) == (202, {"accepted": 1})
    assert cloud.calls == ["SendMessage"]
    message, envelope = cloud.sent[0], cloud.envelopes()[0]
    assert message["MessageGroupId"] == "standard_webhooks/default"
    assert {name: value["StringValue"] for name, value in message["MessageAttributes"].items()} == {
        "source": "standard_webhooks/default",
        "signals": "1",
        "origin": "door",
    }
    assert {**envelope, "signals": len(envelope["signals"])} == {
        "v": 1,
        "id": "env_1",
        "channel": "standard_webhooks",
        "source": "default",
        "brand": "acme",
        "trust": "verified",
        "received_at": "2026-03-14T09:30:00.000000Z",
        "signals": 1,
        "unreadable": [],
    }
    metric = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (metric["Accepted"], metric["Source"]) == (1, "standard_webhooks/default") and "reply" not in json.dumps(metric)


def test_base64_bodies_are_verified_as_sent(cloud: Cloud) -> None:
    body, headers = signed(json.dumps({"type": "signal.created", "data": {**GOOD, "text": "Größe 😡"}}, ensure_ascii=False).encode())
    assert post("/webhooks/standard_webhooks/default", body, headers, encoded=True)["statusCode"] == 202
    assert cloud.envelopes()[0]["signals"][0]["text"] == "Größe 😡"


@pytest.mark.parametrize(
    "content_type", [None, "", "text/plain", "application/json; charset=utf-8", "application/x-www-form-urlencoded", "no/such+thing", "*/*"]
)
def test_any_content_type_is_taken(cloud: Cloud, content_type: str | None) -> None:
    body, headers = signed(GOOD)
    headers.pop("content-type")
    assert post("/webhooks/standard_webhooks", body, headers | ({"Content-Type": content_type} if content_type is not None else {}))["statusCode"] == 202


def refusals() -> dict[str, tuple[int, str, bytes, dict[str, str]]]:
    body, headers = signed(GOOD)
    path = "/webhooks/standard_webhooks"
    return {
        "no signature": (401, path, body, {}),
        "wrong key": (401, path, *signed(GOOD, key=b"x" * 32)),
        "changed body": (401, path, body + b" ", headers),
        "stale": (401, path, *signed(GOOD, at=NOW - timedelta(seconds=301))),
        "ahead": (401, path, *signed(GOOD, at=NOW + timedelta(seconds=301))),
        "unknown channel": (404, "/webhooks/telegraph", body, headers),
        "channel without a module": (404, "/webhooks/nowhere", body, headers),
        "unknown source": (404, f"{path}/other", body, headers),
        "no module of ours": (404, "/webhooks/errors", body, headers),
        "crm": (404, "/webhooks/crm/builtin", body, headers),
        "too large": (413, path, *signed(b"x" * 262_145)),
        "meta too large": (413, "/webhooks/meta/shop", b"x" * 3_000_001, {}),
        "wrong field": (422, path, *signed({**GOOD, "author": {}})),
        "not JSON": (422, path, *signed(b"<x/>")),
        "NaN": (422, path, *signed(b'{"a": NaN}')),
        "deep": (422, path, *signed(b"[" * 50_000)),
        "digits": (422, path, *signed(b'{"data":{"id":' + b"9" * 5000 + b"}}")),
        "UTF-16": (422, path, *signed('{"a":1}'.encode("utf-16"))),
    }


@pytest.mark.parametrize("case", refusals())
def test_refused_request_makes_no_call(cloud: Cloud, case: str) -> None:
    warm(cloud)
    status, path, body, headers = refusals()[case]
    answer = post(path, body, headers, encoded=True)
    assert answer["statusCode"] == status and cloud.calls == []
    assert status == 422 or not answer["body"]


def test_wrong_field_is_named(cloud: Cloud) -> None:
    answer = post("/webhooks/standard_webhooks", *signed({**GOOD, "author": {}}))
    assert json.loads(answer["body"]) == {"error": {"code": "invalid_payload", "message": "is required", "field": "data.author.id"}}


def test_body_at_the_limit_is_read(cloud: Cloud) -> None:
    body = json.dumps({"type": "signal.created", "data": {**GOOD, "text": ""}}).encode()
    body = body.replace(b'"text": ""', b'"text": "' + b"x" * (262_144 - len(body)) + b'"')
    assert len(body) == 262_144
    assert post("/webhooks/standard_webhooks", *signed(body))["statusCode"] == 202
    assert cloud.calls[-2:] == ["PutObject", "SendMessage"], "too large for one message: the bucket first"
    key = cloud.envelopes()[-1]["body"]["bucket_key"]
    stored = json.loads(next(content for path, content in cloud.objects.items() if path.endswith(key)))
    assert len(stored["signals"]) == 1 and key == f"intake/{hashlib.sha256(json.dumps(stored, separators=(',', ':')).encode()).hexdigest()}.json"


@pytest.mark.parametrize("service", ["SendMessage", "GetSecretValue", "GetParameter"])
def test_our_own_fault_is_503(cloud: Cloud, service: str) -> None:
    cloud.down = {service}
    answer = post("/webhooks/standard_webhooks", *signed(GOOD))
    assert answer["statusCode"] == 503 and answer["headers"]["Retry-After"] == "30" and not cloud.sent
    cloud.down = set()
    assert post("/webhooks/standard_webhooks", *signed(GOOD))["statusCode"] == 202


def test_malformed_requests_never_reach_the_secret_store(cloud: Cloud) -> None:
    body, headers = signed(GOOD)
    for spoilt in ({}, {**headers, "webhook-signature": "v1"}, {**headers, "webhook-timestamp": "soon"}, {**headers, "webhook-timestamp": "1"}):
        assert post("/webhooks/standard_webhooks", body, spoilt)["statusCode"] == 401
    assert "GetSecretValue" not in cloud.calls


def test_rotated_secret_is_read_again_once_in_thirty_seconds(cloud: Cloud, clock: Clock) -> None:
    warm(cloud)
    new = b"the newer secret of the tests 32"
    cloud.secrets["standard_webhooks/default"] = ["whsec_" + base64.b64encode(new).decode(), SECRET]
    clock.wait(31)
    assert post("/webhooks/standard_webhooks", *signed(GOOD, key=new, at=clock.now))["statusCode"] == 202
    assert post("/webhooks/standard_webhooks", *signed(GOOD, at=clock.now))["statusCode"] == 202
    for _ in range(100):
        assert post("/webhooks/standard_webhooks", *signed(GOOD, key=b"y" * 32, at=clock.now))["statusCode"] == 401
    assert cloud.calls.count("GetSecretValue") == 1
    clock.wait(29)
    assert post("/webhooks/standard_webhooks", *signed(GOOD, key=b"y" * 32, at=clock.now))["statusCode"] == 401
    assert cloud.calls.count("GetSecretValue") == 1


def test_withdrawn_secret_ends_with_the_cache(cloud: Cloud, clock: Clock) -> None:
    warm(cloud)
    clock.wait(301)
    cloud.down = {"GetSecretValue"}
    assert post("/webhooks/standard_webhooks", *signed(GOOD, at=clock.now))["statusCode"] == 503
    cloud.down, cloud.secrets = set(), {}
    assert post("/webhooks/standard_webhooks", *signed(GOOD, at=clock.now))["statusCode"] == 401


def test_source_without_a_secret_refuses(cloud: Cloud) -> None:
    for key in (KEY, b"", b"None"):
        assert post("/webhooks/standard_webhooks/bare", *signed(GOOD, key=key))["statusCode"] == 401
    assert not cloud.sent


def test_thousand_changes_are_at_most_six_sends(cloud: Cloud) -> None:
    changes = [
        {
            "field": "feed",
            "value": {
                "item": "comment",
                "verb": "add",
                "post_id": "30_1",
                "comment_id": f"1_{n}",
                "parent_id": "30_1",
                "created_time": int(NOW.timestamp()) - 60,
                "message": f"{n}: the delivery is late once more, and the hotline hangs up after ten minutes. " * 2,
                "from": {"id": str(n), "name": f"Person {n}"},
            },
        }
        for n in range(1000)
    ]
    body = json.dumps({"object": "page", "entry": [{"id": "30", "time": int(NOW.timestamp()), "changes": changes}]}).encode()
    warm(cloud)
    answer = post("/webhooks/meta/shop", body, hub(body))
    assert json.loads(answer["body"]) == {"accepted": 1000}
    assert cloud.calls[0] == "GetSecretValue" and 1 < len(cloud.sent) <= 6
    assert sum(int(message["MessageAttributes"]["signals"]["StringValue"]) for message in cloud.sent) == 1000
    assert [signal["native_id"] for envelope in cloud.envelopes() for signal in envelope["signals"]] == [f"1_{n}" for n in range(1000)]
    assert len({envelope["id"] for envelope in cloud.envelopes()}) == len(cloud.sent)
    assert all(len(message["MessageBody"]) <= 256_000 for message in cloud.sent)


def test_failed_send_of_a_batch_is_never_acknowledged(cloud: Cloud) -> None:
    body = json.dumps(
        {
            "object": "page",
            "entry": [{"id": "30", "changes": [{"field": "feed", "value": {"item": "status", "verb": "add", "post_id": "1", "from": {"id": "1"}}}]}],
        }
    ).encode()
    cloud.down = {"SendMessage"}
    assert post("/webhooks/meta/shop", body, hub(body))["statusCode"] == 503


def test_authentic_but_not_understood_is_kept_and_acknowledged(cloud: Cloud) -> None:
    body = b'{"surprise": ["?"]}'
    answer = post("/webhooks/trustpilot", body, {"Content-Type": "application/json", "Authorization": "Basic nobody"}, query=f"token={TOKEN}&shop=1")
    assert (answer["statusCode"], json.loads(answer["body"])) == (202, {"accepted": 1})
    kept = cloud.envelopes()[0]["unreadable"][0]
    assert base64.b64decode(kept.pop("raw")) == body
    assert kept == {
        "reason": "is required",
        "field": "events",
        "whole": True,
        "method": "POST",
        "headers": {"content-type": "application/json"},
        "url": "https://hooks.example.com/webhooks/trustpilot?shop=1",
    }
    assert TOKEN not in json.dumps(cloud.sent)


def test_nothing_said_is_acknowledged_without_a_call(cloud: Cloud) -> None:
    sample = next(sample for sample in samples("x") if sample.name == "followed")
    body = sample.request.body
    headers = {"x-twitter-webhooks-signature": "sha256=" + base64.b64encode(hmac.digest(X.encode(), body, "sha256")).decode()}
    assert post("/webhooks/x", body, headers)["statusCode"] == 200
    assert "SendMessage" not in cloud.calls


def test_handshakes(cloud: Cloud) -> None:
    answer = post("/webhooks/meta/shop", method="GET", query="hub.mode=subscribe&hub.challenge=4711&hub.verify_token=hello")
    assert (answer["statusCode"], answer["body"]) == (200, "4711")
    assert post("/webhooks/meta/shop", method="GET", query="hub.mode=subscribe&hub.challenge=4711&hub.verify_token=hallo")["statusCode"] == 403
    crc = post("/webhooks/x", method="GET", query="crc_token=abc")
    assert json.loads(crc["body"])["response_token"] == "sha256=" + base64.b64encode(hmac.digest(X.encode(), b"abc", "sha256")).decode()
    assert post("/webhooks/twilio/line", method="GET")["statusCode"] == 405
    assert post("/webhooks/nowhere", method="HEAD")["statusCode"] == 404
    assert post("/healthz", method="GET")["statusCode"] == 200
    assert not cloud.sent


def test_url_is_the_configured_one_with_its_query(cloud: Cloud) -> None:
    fields = [("Body", "wo bleibt meine Lieferung?"), ("From", "+4915550001111"), ("MessageSid", "SM1"), ("To", "+49305550")]
    form = "&".join(f"{name}={value.replace('+', '%2B').replace(' ', '+').replace('?', '%3F')}" for name, value in fields).encode()
    url = "https://hooks.example.com/webhooks/twilio/line?tenant=a%20b&x="
    mac = base64.b64encode(hmac.digest(TWILIO.encode(), (url + "".join(name + value for name, value in fields)).encode(), "sha1")).decode()
    headers = {"Content-Type": "application/x-www-form-urlencoded", "X-Twilio-Signature": mac, "Host": "evil.example.net"}
    answer = post("/webhooks/twilio/line", form, headers, query="tenant=a%20b&x=")
    assert answer["statusCode"] == 200 and answer["headers"]["Content-Type"] == "text/xml" and "<Response/>" in answer["body"]
    assert cloud.envelopes()[0]["trust"] == "asserted"


def test_importing_the_function_is_light() -> None:
    heavy = ("boto3", "botocore.session", "botocore.client", "pydantic", "requests", "aws_xray_sdk", "jwt", "ruamel")
    code = "import sys; import functions.receive_webhook.app; "
    code += f"print([name for name in {heavy!r} if name in sys.modules], [n for n in sys.modules if n.startswith('caseline.channels.')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONPATH": ":".join(sys.path)})
    assert done.stdout.strip() == "[] []"


def test_wiring_is_one_for_the_environment() -> None:
    assert wiring_module.wiring() is wiring_module.wiring()
