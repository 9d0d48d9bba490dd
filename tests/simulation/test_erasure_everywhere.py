"""A person with a word of their own in every place it can get to: table, objects, dead letters, queue, a remote CRM. After an erasure a scan of all of it,
not of places that somebody listed, finds neither the word nor an identity; late copies bring nothing back; whoever stands beside is untouched.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest
from caseline.cases.changes import work_case
from caseline.cases.inbound import account_key
from caseline.crm import CaseRecord, SavedCase
from caseline.customers import customer_id_of
from caseline.envelopes import Message, read_message
from caseline.errors import CrmUnavailableError, NotFoundError
from caseline.images import deserialise
from caseline.intake import Envelope, Intake
from caseline.outside import Outside
from caseline.personal import Personal
from caseline.recalls import Recalls
from caseline.signals import DELETED, OUTBOUND
from caseline.stores import Bucket, DeadLetters

from functions.record_signals.app import _clear
from tests.kit.aws import aws
from tests.kit.pipeline import Killed, Mortal, a_signal
from tests.kit.remote import Coalescing, OtherCrm

MAIL, PHONE = "email:quokka@elm.example", "phone:+441632960777"
WORDS = ("quokka", "zenobia", "441632960777", "marmalade", "wombat")
BYSTANDER = "x:by-1"


@dataclass
class NotingCrm(OtherCrm):
    """Keeps notes and first texts, as people there would read them."""

    notes: dict[str, dict[str, str]] = field(default_factory=dict)
    firsts: dict[str, str] = field(default_factory=dict)

    def save_case(self, record: CaseRecord) -> SavedCase:
        saved = super().save_case(record)
        self.firsts.setdefault(saved.crm_id, " ".join([record.subject, record.headline, *record.reasons]))
        self.notes.setdefault(saved.crm_id, {}).update({note.note_id: note.text for note in record.notes})
        return saved

    def erase_notes(self, crm_id: str, subject: str = "") -> tuple[str, ...]:
        self._maybe(self.fail)
        self.notes.pop(crm_id, None)
        if subject and crm_id in self.firsts:
            self.firsts[crm_id] = subject
        return ()

    def shown(self) -> str:
        return repr([self.cases, self.notes, self.firsts])


class World(Coalescing):
    """The pipeline, and the bucket and the dead letters of the stack beside it."""

    def __init__(self, cloud: Any) -> None:
        super().__init__(cloud, NotingCrm())
        self.crm.records = _Forgetful()  # what was said on the wire is not kept there
        self.intake = Intake(self._send, self.put)
        self.stored: list[str] = []

    def put(self, key: str, body: bytes) -> None:
        self.cloud.client("s3").put_object(Bucket=self.cloud.bucket, Key=key, Body=body)

    def get(self, key: str) -> bytes:
        return self.cloud.client("s3").get_object(Bucket=self.cloud.bucket, Key=key)["Body"].read()

    def _send(self, body: str, group: str, attributes: Any) -> None:
        self.stored.append(body)

    def envelope(self, **more: Any) -> Envelope:
        self._sent += 1
        return Envelope(f"env-{self._sent}", "x", "acme", "acme", "verified", self.now, **more)

    def work_stored(self) -> None:
        """What was too large for the queue, as record_signals does it."""
        bodies, self.stored = self.stored, []
        for number, body in enumerate(bodies):
            message = read_message(f"stored-{number}", body, self.get)
            if message:
                self.queue.append(replace(message, stored=""))
                self.settle()
                assert _clear([message], self.put) == []

    def die_in_queue(self, body: str, **attributes: Any) -> None:
        self.cloud.client("sqs").send_message(QueueUrl=self.cloud.dead_queue, MessageBody=body)

    def personal(self) -> Personal:
        clients = {name: Mortal(self.cloud.client(name), self.grim) for name in ("s3", "sqs")}

        def call(service: str, operation: str, **request: Any) -> Any:
            return getattr(clients[service], operation)(**request)

        letters = DeadLetters(call, [self.cloud.dead_queue], hidden=1)
        outside = Outside(Bucket(call, self.cloud.bucket, self.get), letters, self.requeue)
        return Personal(self.table, self.crm.name, self.policy, self.clock, outside, push=self._push_now, recall=self._recall_now)

    def _push_now(self, case_key: str) -> None:
        try:
            self.outbox().push(case_key)
        except CrmUnavailableError:
            return

    def _recall_now(self, row: Any) -> Any:
        try:
            return Recalls(self.table, self.guarded(), self.policy).take_back(row)
        except CrmUnavailableError:
            return None

    def rest(self) -> None:
        """Until nothing is due any more."""
        for _ in range(6):
            self.settle()
            self.now += timedelta(minutes=3)
            self.watch()
        self.settle()

    # ---- all that there is

    def everything(self) -> list[str]:
        client = self.cloud.client("dynamodb")
        rows = [repr(deserialise(item)) for page in client.get_paginator("scan").paginate(TableName=self.cloud.table) for item in page["Items"]]
        keys = [each["Key"] for each in self.cloud.client("s3").list_objects_v2(Bucket=self.cloud.bucket).get("Contents", ())]
        objects = [f"{key} {self.get(key)!r}" for key in keys]
        time.sleep(1.1)  # dead letters that were looked at are there again
        urls = self.cloud.client("sqs").list_queues().get("QueueUrls", ())
        waiting = [repr(message.envelope) for message in self.queue] + self.stored
        machines = [repr([*self.executions.items(), *self.alerts[:0], *self.events])]
        return [*rows, *objects, *(body for url in urls for body in self.letters(url)), *waiting, *machines, self.crm.shown()]

    def letters(self, url: str) -> list[str]:
        sqs, bodies = self.cloud.client("sqs"), []
        while found := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=2).get("Messages"):
            bodies += found
        for message in bodies:
            sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0)
        return [message["Body"] for message in bodies]

    def found(self) -> list[str]:
        return [f"{word}: {each[:300]}" for each in self.everything() for word in WORDS if word in _readable(each)]

    def of_bystander(self, but: str = "[") -> list[str]:
        return sorted(each for each in self.everything() if "bystand" in each.lower() and not each.startswith(("[", but)))


class _Forgetful(list):
    def append(self, item: Any) -> None:
        return None


def _readable(text: str) -> str:
    """Also what is base64 in it."""
    inner = "".join(base64.b64decode(part + "=" * (-len(part) % 4)).decode("utf-8", "ignore") for part in _base64_parts(text))
    return (text + inner).lower()


def _base64_parts(text: str) -> Iterator[str]:
    return (part for part in text.replace('"', " ").replace("'", " ").split() if len(part) > 40 and part.isalnum())


def play(world: World) -> list[Message]:
    """Everything that can be said and kept of a person; a bystander says as much."""
    who = {"identities": ("x:quokka-1", MAIL), "author_name": "Zenobia Quokka"}
    private = {"kind": "message", "public": False, "thread_id": "+441632960777"}
    sent = [
        world.send(a_signal("p-1", "My marmalade is broken and I am angry.", url="https://x.example/zenobia", **who)),
        world.send(a_signal("p-1", "My marmalade is still broken, wombat; I am angry.", revision="2", **who)),
        world.send(a_signal("m-1", "Angry about the marmalade!", identities=(PHONE, MAIL), author_name="Zenobia", attributes={"pet": "wombat"}, **private)),
        world.send(a_signal("r-1", "Dear Zenobia, we are on it.", direction=OUTBOUND, identities=(), agent="Mo", **private)),
        world.send(a_signal("s-1", None, kind="survey_response", public=False, rating=_nps(0), **who)),
        world.send(unreadable=[{"reason": "no text", "field": "text", "raw": json.dumps({"from": "Quokka@elm.example", "says": "wombat"})}]),
        world.send(unreadable=[_whole({"from": "quokka@elm.example", "says": "marmalade"})]),
        world.send(a_signal("b-1", "I am angry, too: bystanding.", identities=(BYSTANDER,), author_name="Bystander")),
    ]
    world.settle()
    large = a_signal("l-1", "Angry marmalade. " * 30_000, **who)
    world.intake.accept(world.envelope(), [large])
    world.work_stored()
    for case in world.cases("open"):
        if "Zenobia" in case["author_name"]:
            work_case(world.table, case["case_key"], {"note": "Zenobia rang: marmalade and a wombat.", "band": "P1", "reason": "wombat"}, "ann", world.now)
    world.rest()
    _leave_behind(world, large, who)
    return sent


def _leave_behind(world: World, large: Any, who: Any) -> None:
    """An object whose message was never sent, a mail that was stored for us, what was given up; and the bystander's own."""
    send, world.intake._send = world.intake._send, lambda *_: None
    world.intake.accept(world.envelope(), [large])
    world.intake.accept(world.envelope(), [large.with_(native_id="l-2", identities=(BYSTANDER,), author_name="Bystander", text="bystanding " * 40_000)])
    world.intake._send = send
    world.put("inbox/ses/acme/1", b"From: Zenobia <quokka@elm.example>\r\n\r\nmarmalade")
    world.put("inbox/ses/acme/2", b"From: bystander@elm.example\r\n\r\nbystanding")
    head = {"v": 1, "channel": "x", "source": "acme", "brand": "acme", "trust": "verified", "received_at": "2026-11-21T10:00:00.000000Z"}
    dead = a_signal("d-1", "Angry wombat.", **who).to_json()
    world.die_in_queue(json.dumps({**head, "id": "dead-1", "signals": [dead], "unreadable": [{"reason": "?", "field": "", "raw": "quokka@elm.example"}]}))
    world.die_in_queue(json.dumps({"changes": [{"case_key": _case_of_hers(world), "text": "Zenobia rang about a wombat"}]}))
    world.die_in_queue(json.dumps({"changes": [{"case_key": "case-of-bystander", "text": "rang"}]}))


def _case_of_hers(world: World) -> str:
    return next(case["case_key"] for case in world.cases() if "Zenobia" in case["author_name"])


def _whole(body: Any) -> dict[str, Any]:
    raw = base64.b64encode(json.dumps(body).encode()).decode()
    return {"reason": "no text", "field": "text", "raw": raw, "whole": True, "method": "POST", "headers": {}, "url": "https://hooks.example/x"}


def _nps(value: int) -> Any:
    from caseline.signals import Rating

    return Rating("nps", value, 0, 10)


@pytest.fixture
def world() -> Iterator[World]:
    with aws() as cloud:
        yield World(cloud)


def test_nothing_of_an_erased_person_is_left_anywhere(world: World) -> None:
    sent = play(world)
    beside, given = world.of_bystander(), json.dumps(world.personal().export(customer_id_of("x:quokka-1")))
    assert all(word in given.lower() for word in WORDS) and "bystand" not in given
    assert world.found() and all(f'"{store}"' in given for store in ("object", "dead_letter", "quarantine", "of_cases"))
    world.personal().erase(customer_id_of("x:quokka-1"))
    assert world.of_bystander() == beside
    world.rest()
    assert not world.found()
    beside = world.of_bystander(but="{'PK': 'CASE#")  # whose case is looked at again as time goes by
    _come_again(world, sent)
    assert not world.found()
    assert world.of_bystander(but="{'PK': 'CASE#") == beside
    with pytest.raises(NotFoundError):
        world.personal().export(customer_id_of(MAIL))


def _come_again(world: World, sent: list[Message]) -> None:
    """The queue delivers what it delivered; the platform sends anew, edits, and deletes; the CRM tells of the case."""
    for number, message in enumerate(sent[:-1]):
        world.queue.append(message)
        world.requeue({**message.envelope, "id": f"again-{number}"})
    before = world.now - timedelta(hours=2)
    world.send(a_signal("p-1", "Marmalade again", identities=("x:quokka-1", MAIL), author_name="Zenobia", revision="9", occurred_at=before))
    world.send(a_signal("m-1", None, action=DELETED, identities=(PHONE,)))
    for case in world.cases():
        if case.get("erased"):
            world.inbound().apply(_comment(world, case))
    world.rest()


def _comment(world: World, case: Any) -> Any:
    from caseline.crm import Change

    return Change("comment", f"id-{case['case_key']}", world.now, case["case_key"], {"comment_id": "c-9", "text": "Zenobia: wombat"}, "Mo")


def test_a_crm_that_is_down_erases_later(world: World) -> None:
    play(world)
    world.crm.fail = [CrmUnavailableError("down")] * 3
    told = world.personal().erase(customer_id_of("x:quokka-1"))["elsewhere"]
    assert any("as soon as it can be reached" in line for line in told)
    world.rest()
    world.rest()
    assert not world.found()


@pytest.mark.parametrize("after", [False, True])
def test_killed_anywhere_and_asked_again_it_is_the_same(after: bool) -> None:
    """Sampled: a death at each call of an erasure in the table alone is tests/simulation/test_erasure.py's."""
    for call in range(20 + 30 * after, 100, 40):  # of about a hundred
        with aws() as cloud:
            world = World(cloud)
            play(world)
            world.kill_at(call, after)
            with suppress(Killed):
                world.personal().erase(customer_id_of("x:quokka-1"))
            _erase_again(world)
            world.rest()
            assert not world.found(), call


def _erase_again(world: World) -> None:
    for identity in ("x:quokka-1", MAIL, PHONE):
        try:
            world.personal().erase(customer_id_of(identity))
        except NotFoundError:
            continue


def test_the_note_of_one_deleted_signal_is_taken_back_and_the_others_are_told_again(world: World) -> None:
    world.send(a_signal("p-1", "I am angry about the wombat.", occurred_at=world.now))
    world.rest()
    world.send(a_signal("p-2", "I am angry about the parcel.", occurred_at=world.now, received_at=world.now))
    world.rest()
    (notes,) = world.crm.notes.values()
    assert "wombat" in repr(notes) and "parcel" in repr(notes)
    world.send(a_signal("p-1", None, action=DELETED, received_at=world.now))
    world.rest()
    (notes,) = world.crm.notes.values()
    assert "wombat" not in repr(notes) and "parcel" in repr(notes)


def feel(world: World, contact: str, **account: str) -> str:
    """Somebody speaks, whom the CRM knows, and it is told how they feel; their id."""
    identity = f"x:{contact}"
    world.send(a_signal(f"f-{contact}", "I am angry about it all.", identities=(identity,), occurred_at=world.now))
    world.settle()
    place = f"CUSTOMER#{customer_id_of(identity)}"
    known = {"account_id": account.get("account", ""), "name": "Elm", "contact_id": contact}
    world.table.update(place, "CUSTOMER", "SET contact = :contact, account = :account", contact=contact, account=known)
    if known["account_id"]:
        world.table.put(account_key("other", known["account_id"], customer_id_of(identity)) | {"type": "crm_account"})
    world.table.update(f"PROFILE#{customer_id_of(identity)}", "PROFILE", "SET due_shard = :due, due_at = :at", due="due", at="2026-11-21T00:00:00Z")
    world.watch()
    assert contact in [profile.contact_id for profile in world.crm.profiles]
    return customer_id_of(identity)


@pytest.mark.parametrize("down", [False, True])
def test_how_somebody_felt_is_blanked_in_the_crm_now_or_once_it_answers(world: World, down: bool) -> None:
    world.crm.name = "other"
    customer_id = feel(world, "c-1")
    feel(world, "c-2")
    world.crm.fail = [CrmUnavailableError("down")] * 5 * down
    told = " ".join(world.personal().erase(customer_id)["elsewhere"])
    assert ("is blanked as soon as it can be reached" in told) == down and ("contact c-1: its history stands" in told) != down
    for _ in range(4):
        world.rest()
    assert [profile.contact_id for profile in world.crm.profiles] == ["c-2"]
    assert world.table.get(f"PROFILE#{customer_id}", "PROFILE") is None


def test_an_accounts_figures_are_blanked_with_the_last_who_made_them(world: World) -> None:
    world.crm.name, asked = "other", []
    world.crm.erase_profile = lambda *place: asked.append(place[:2]) or ()
    customers = [feel(world, contact, account="a-1") for contact in ("c-1", "c-2")]
    for customer_id in customers:
        world.personal().erase(customer_id)
    assert asked == [("c-1", ""), ("c-2", "a-1")]


def test_a_policy_may_leave_notes_to_people() -> None:
    with aws() as cloud:
        world = World(cloud)
        crm = world.policy.crm.model_copy(update={"take_back_notes": False})
        world.policy = world.policy.model_copy(update={"crm": crm})
        play(world)
        told = world.personal().erase(customer_id_of("x:quokka-1"))["elsewhere"]
        assert any("erase them there" in line for line in told)
        world.rest()
        assert world.crm.notes
