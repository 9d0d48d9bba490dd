"""Stories told to the running product from outside: webhooks over HTTP, the JSON API, the command line, SIGKILL."""

from __future__ import annotations

import base64
import json
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from caseline.crm._builtin_csv import HEADER
from caseline.signals import isoformat

from tests.kit.dev import Dev

KEY = "standard_webhooks/default"
SECRETS = {
    KEY: ["whsec_" + base64.b64encode(b"an-invented-secret-of-32-bytes!!").decode()],
    "x/acme": ["an-invented-consumer-secret"],
    "meta/acme": ["an-invented-app-secret-0123456789"],
    "twilio/acme": ["0f1e2d3c4b5a69788796a5b4c3d2e1f0"],
    "trustpilot/acme": ["an-invented-token-0123456789"],
}
CONFIG = {
    "policy": "policy.yaml",
    "brands": {"acme": {"own_ids": ["x:111", "domain:acme.example"]}},
    "sources": [
        {"channel": key.partition("/")[0], "name": key.partition("/")[2], "brand": "acme", "settings": {"verify_token": "verify-me"} if "meta" in key else {}}
        for key in SECRETS
    ],
}
ANGRY = "The service is down again and nobody from your team answers. I am really angry."
STRATEGIC = "A-1,Harbour Group,strategic,2000000,EUR,{soon},active,customer,premium,C-1,Ida Berg,{email},,x:5001"
TWIML = {"content-type": "application/x-www-form-urlencoded"}


@pytest.fixture(scope="module")
def dev(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dev]:
    running = Dev(tmp_path_factory.mktemp("running") / "home", CONFIG, SECRETS).prepare()
    (running.home / "policy.yaml").write_text("version: 1\nstorms: {active: false}\n")  # many people say the same words here
    yield running.start()
    running.stop()


def generic(native_id: str, author: str, text: str | None = ANGRY, kind: str = "signal.created", identities: Sequence[str] = (), **more: Any) -> dict[str, Any]:
    now = datetime.now(UTC)
    data = {"id": native_id, "occurred_at": isoformat(now - timedelta(minutes=2)), "author": {"id": author, "identities": list(identities)}, "text": text}
    return {"type": kind, "timestamp": isoformat(now), "data": {**data, **more}}


def mention(native_id: str, author: str, text: str = ANGRY, **more: Any) -> dict[str, Any]:
    user = {"id": author, "username": f"user{author}", "name": "Ida", "public_metrics": {"followers_count": 120}}
    payload = {"id": native_id, "text": text, "created_at": isoformat(datetime.now(UTC)), "author_id": author, "lang": "en", **more}
    return {"data": {"event_type": "post.mention.create", "filter": {"user_id": "111"}, "payload": payload, "includes": {"users": [user]}}}


def comments(*numbers: int, **more: Any) -> dict[str, Any]:
    same = {"item": "comment", "verb": "add", "post_id": "9_0"}
    values = [{**same, "comment_id": f"9_{n}", "from": {"id": f"70{n}", "name": "Lu"}, "message": f"Hello number {n}", **more} for n in numbers]
    return {"object": "page", "entry": [{"id": "9", "time": int(time.time()), "changes": [{"field": "feed", "value": value} for value in values]}]}


def at_once(*calls: Callable[[], Any]) -> list[Any]:
    answers: list[Any] = []
    threads = [threading.Thread(target=lambda call=call: answers.append(call())) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def test_each_platform_gets_the_answer_it_wants(dev: Dev) -> None:
    sms = urlencode({"MessageSid": "SM1", "From": "+4930111111", "To": "+4930222222", "Body": "Where is my parcel?"}).encode()
    review = {"id": "r1", "stars": 2, "title": "Slow", "text": "Two weeks late", "createdAt": "2026-11-20T10:00:00Z", "consumer": {"id": "c1", "name": "Per"}}
    assert dev.send(KEY, generic("a-1", "ada", "Hello there"))[0] == 202
    assert dev.send("x/acme", mention("a-2", "6001"))[0] == 200
    assert dev.send("meta/acme", comments(1))[0] == 200
    assert dev.send("trustpilot/acme", {"events": [{"eventName": "service-review-created", "eventData": review}]})[0] == 202
    status, twiml = dev.send("twilio/acme", sms, TWIML)
    assert status == 200 and twiml.endswith(b"<Response/>")
    assert dev.ask("GET", "/webhooks/meta/acme?hub.mode=subscribe&hub.challenge=77&hub.verify_token=verify-me") == (200, b"77")
    assert dev.ask("GET", "/webhooks/meta/acme?hub.mode=subscribe&hub.challenge=77&hub.verify_token=guess")[0] == 403
    assert json.loads(dev.ask("GET", "/webhooks/x/acme?crc_token=abc")[1])["response_token"].startswith("sha256=")
    dev.settle()
    for identity in ("standard_webhooks:ada", "x:6001", "facebook:701", "trustpilot:c1", "phone:+4930111111"):
        assert len(dev.signals(identity)) == 1, identity


def test_what_is_not_authentic_has_no_effect(dev: Dev) -> None:
    before = dev.settle()
    for key in SECRETS:
        assert dev.send(key, b"a=b", secret="whsec_" + base64.b64encode(b"somebody else's secret of 32 byt").decode())[0] == 401, key
        assert dev.ask("POST", f"/webhooks/{key}", b"{}")[0] == 401, key
    assert dev.ask("POST", "/webhooks/x/nowhere", b"{}")[0] == dev.ask("POST", "/webhooks/nothing", b"{}")[0] == 404
    assert dev.ask("POST", f"/webhooks/{KEY}", b"x" * 262_145)[0] == dev.ask("POST", "/webhooks/meta/acme", b"x" * 3_000_001)[0] == 413
    assert dev.settle() == before


def test_one_bad_item_of_a_batch_is_kept_and_the_others_go_on(dev: Dev) -> None:
    before, batch = dev.settle(), comments(*range(100, 400))
    batch["entry"][0]["changes"][7]["value"]["comment_id"] = []
    assert dev.send("meta/acme", batch)[0] == 200
    after = dev.settle()
    assert {name: after[name] - before[name] for name in ("accepted", "recorded", "quarantined")} == {"accepted": 300, "recorded": 299, "quarantined": 1}


def test_a_thousand_ways_to_say_it_twice(dev: Dev) -> None:
    """The same at the same instant, at another time, with other words: one row, and one case."""
    before = dev.settle()
    said = generic("twin", "tova")
    assert set(at_once(*(lambda: dev.send(KEY, said)[0] for _ in range(12)))) == {202}
    dev.send(KEY, {**said, "data": {**said["data"], "occurred_at": isoformat(datetime.now(UTC))}})
    dev.settle()
    dev.send(KEY, {**said, "data": {**said["data"], "text": f"{ANGRY} Still."}})
    after = dev.settle()
    assert {name: after[name] - before[name] for name in ("recorded", "duplicates", "revised")} == {"recorded": 1, "duplicates": 12, "revised": 1}
    assert len(dev.signals("standard_webhooks:tova")) == len(dev.cases("standard_webhooks:tova")) == 1


def test_what_comes_before_its_time_finds_its_place(dev: Dev) -> None:
    """A reply before its post, an edit before its original, a deletion by its id alone before what it deletes."""
    dev.send(KEY, generic("o-1", "agent", "We look into it.", direction="outbound", parent_id="o-2"))
    dev.send(KEY, generic("o-3", "olga", "The second version", "signal.updated"))
    dev.send(KEY, {"type": "signal.deleted", "data": {"id": "o-4"}})
    dev.settle()
    dev.send(KEY, generic("o-2", "olga"))
    dev.send(KEY, {**generic("o-3", "olga", "The first version"), "timestamp": "2026-11-20T10:00:00Z"})
    dev.send(KEY, generic("o-4", "olga", "My secret is out"))
    dev.settle()
    assert {entry["text"] for entry in dev.signals("standard_webhooks:olga")} == {"We look into it.", "The second version", ANGRY, None}
    assert "secret is out" not in json.dumps(dev.timeline("standard_webhooks:olga"))


def test_new_people_who_write_from_two_places_at_once_are_one(dev: Dev) -> None:
    sent = [generic(f"l-{n}", f"lin{n % 3}", identities=["email:lin@home.example"]) for n in range(9)]
    assert set(at_once(*(lambda body=body: dev.send(KEY, body)[0] for body in sent))) == {202}
    dev.settle()
    assert len(dev.signals("email:lin@home.example")) == 9 and len(dev.cases("email:lin@home.example")) == 1
    assert len({(dev.customer(f"standard_webhooks:lin{n}") or {})["customer_id"] for n in range(3)}) == 1
    assert dev.timeline("email:lin@home.example", limit=2) == dev.timeline("email:lin@home.example")


def test_an_import_raises_the_strangers_case(dev: Dev) -> None:
    dev.send(KEY, generic("i-1", "ida", identities=["email:ida@harbour.example"]))
    dev.settle()
    [case] = dev.cases("email:ida@harbour.example")
    assert case["priority"]["band"] in ("P3", "P4")
    file = dev.home / "accounts.csv"
    soon = (datetime.now(UTC) + timedelta(days=20)).date().isoformat()
    file.write_text(",".join(HEADER) + "\n" + STRATEGIC.format(soon=soon, email="ida@harbour.example") + "\n")
    done = dev.run("crm", "import", file)
    assert done.returncode == 0, done.stderr
    dev.settle()
    shown = dev.api(f"cases/{case['case_key']}")
    assert shown["priority"]["band"] == "P1" and shown["queue"] == "senior-care" and shown["crm"]["sync"] == "synced"
    assert sum(line["points"] for line in shown["priority"]["lines"]) == shown["priority"]["score"]
    dev.send("x/acme", mention("i-2", "5001"))
    dev.settle()
    assert [joined["case_key"] for joined in dev.cases("x:5001")] == [case["case_key"]]


def test_people_decide_and_automation_follows(dev: Dev) -> None:
    dev.send(KEY, generic("h-1", "hugo"))
    dev.settle()
    [case] = dev.cases("standard_webhooks:hugo")
    path = f"cases/{case['case_key']}"
    assert dev.api(path, {"band": "P4", "reason": "a test account"})["priority"]["override"]["reason"] == "a test account"
    dev.send(KEY, generic("h-2", "hugo", f"{ANGRY} I will sue you."))
    dev.settle()
    assert dev.api(path)["priority"]["band"] == "P4"
    for open_case in dev.cases("standard_webhooks:hugo"):
        dev.api(f"cases/{open_case['case_key']}", {"status": "closed"})
    dev.send(KEY, generic("h-3", "hugo", "Thanks, that worked!"))
    dev.settle()
    assert not dev.cases("standard_webhooks:hugo")


def test_a_kill_under_load_loses_and_doubles_nothing(dev: Dev) -> None:
    taken: list[str] = []

    def keep_sending(sender: int) -> None:
        for number in range(40):
            native_id = f"k-{sender}-{number}"
            if dev.send(KEY, generic(native_id, f"kim{number % 4}"))[0] == 202:
                taken.append(native_id)

    senders = [threading.Thread(target=keep_sending, args=(sender,)) for sender in range(3)]
    for sender in senders:
        sender.start()
    time.sleep(1)
    dev.stop(signal.SIGKILL)
    for sender in senders:
        sender.join()
    dev.start()
    dev.settle()
    found = [entry["signal_id"] for n in range(4) for entry in dev.signals(f"standard_webhooks:kim{n}")]
    assert len(found) == len(set(found)) >= len(taken) > 0
    assert all(len(dev.cases(f"standard_webhooks:kim{n}")) == 1 for n in range(4))
