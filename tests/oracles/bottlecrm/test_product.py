"""The whole product with the real BottleCRM: signed webhooks in, tickets there; what people do there comes back."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from caseline.signals import isoformat

from tests.kit.dev import TROUBLES, Dev
from tests.oracles.bottlecrm.office import Office
from tests.oracles.bottlecrm.site import Site, running

KEY = "standard_webhooks/default"
SECRETS = {KEY: ["whsec_" + base64.b64encode(b"an-invented-secret-of-32-bytes!!").decode()]}
HOOK = "an-endpoint-secret-of-32-characters"
ANGRY = "The parcel is lost again and nobody from your team answers. I am really angry."
PATIENCE = 150  # seconds; the CRM is asked once a minute


@dataclass
class Scene:
    dev: Dev
    office: Office

    def say(self, native_id: str, who: str, text: str = ANGRY) -> None:
        now = datetime.now(UTC)
        author = {"id": who, "name": who.title(), "identities": [f"email:{who}@example.com"]}
        data = {"id": native_id, "occurred_at": isoformat(now - timedelta(seconds=30)), "author": author, "text": text}
        status, answer = self.dev.send(KEY, {"type": "signal.created", "timestamp": isoformat(now), "data": data})
        assert status == 202, answer

    def case(self, who: str, status: str = "open") -> Any:
        [found] = self.dev.cases(f"email:{who}@example.com", status)
        return self.dev.api(f"cases/{found['case_key']}")

    def ring(self, event: str, **data: Any) -> None:
        """As BottleCRM's worker does, which calls no loopback address itself."""
        told = {"id": "d-1", "event": event, "created_at": datetime.now(UTC).isoformat(), "org_id": "o-1", "data": data}
        body, moment = json.dumps(told).encode(), str(int(time.time()))
        proof = hmac.digest(HOOK.encode(), f"{moment}.".encode() + body, hashlib.sha256).hex()
        headers = {"content-type": "application/json", "x-bottlecrm-signature": f"t={moment},v1={proof}"}
        assert self.dev.ask("POST", "/webhooks/crm/bottlecrm", body, headers)[0] == 202


def until(met: Callable[[], Any]) -> Any:
    """What it gives as soon as it gives something."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if found := met():
            return found
        time.sleep(0.5)
    raise AssertionError("it did not come")


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with running() as found:
        yield found


@pytest.fixture(scope="module")
def scene(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    office = Office(site.url, site.new_org())
    office.set_up()
    crm = {"name": "bottlecrm", "instance_url": site.url, "coalesce_minutes": 0, "enrich_minutes": 1}
    config = {"brands": {"acme": {"own_ids": []}}, "sources": [{"channel": "standard_webhooks", "name": "default", "brand": "acme"}], "crm": crm}
    secrets = {**SECRETS, "crm/bottlecrm": {"token": office.token, "webhook_secrets": [HOOK]}}
    dev = Dev(tmp_path_factory.mktemp("product") / "home", config, secrets).prepare().start()
    yield Scene(dev, office)
    dev.stop()


def test_a_signal_becomes_a_ticket_with_priority_reasons_and_note(scene: Scene) -> None:
    account = scene.office.add_account("Harbour Group", "strategic", "2000000", (datetime.now(UTC) + timedelta(days=20)).date().isoformat())
    contact = scene.office.add_contact(account, "Ida", "ida@example.com")
    scene.say("p-1", "ida")
    scene.dev.settle()
    case = scene.case("ida")
    assert (case["crm"]["name"], case["crm"]["sync"]) == ("bottlecrm", "synced"), case["crm"]
    ticket = scene.office.ticket(case["crm"]["id"])
    row, custom = ticket["cases_obj"], ticket["cases_obj"]["custom_fields"]
    assert row["priority"] == {"P1": "Urgent", "P2": "High", "P3": "Normal", "P4": "Low"}[case["priority"]["band"]] == "Urgent"
    assert (row["account"]["id"], [each["id"] for each in row["contacts"]], row["status"]) == (account, [contact], "New")
    assert (custom["cx_case_key"], custom["cx_score"], custom["cx_band"]) == (case["case_key"], case["priority"]["score"], "P1")
    missing = [line for line in case["priority"]["lines"] if line["text"].removesuffix(")") not in custom["cx_reasons"]]
    assert missing == [] and case["case_key"] in custom["cx_link"], custom["cx_reasons"]
    assert ANGRY in row["description"] and ticket["internal_notes"] == ticket["comments"] == []


def test_the_next_signal_is_a_note_of_the_same_ticket(scene: Scene) -> None:
    scene.say("p-2", "ida", "Still no parcel, and no answer either. I am furious.")
    scene.dev.settle()
    case = scene.case("ida")
    ticket = until(lambda: _noted(scene, case["crm"]["id"], "I am furious"))
    texts = _words(ticket)
    assert Counter(sum(text.count(words) for text in texts) for words in (ANGRY, "I am furious")) == {1: 2}
    assert len(scene.office.tickets()) == 1


def _words(ticket: Any) -> list[str]:
    told = ticket["cases_obj"]["custom_fields"].get("cx_notes") or ""
    return [ticket["cases_obj"]["description"], told, *(note["comment"] for note in ticket["internal_notes"])]


def _noted(scene: Scene, crm_id: str, words: str) -> Any:
    """Later words stand in a field of ours."""
    ticket = scene.office.ticket(crm_id)
    return ticket if words in _words(ticket)[1] else None


def test_what_people_do_there_comes_back(scene: Scene) -> None:
    """First by the poll of each minute, then at once by webhook."""
    crm_id = scene.case("ida")["crm"]["id"]
    scene.office.change(crm_id, priority="Low")
    scene.office.comment(crm_id, "We found the parcel and called Ida.", public=True)
    scene.dev.let_pass(minutes=1)
    until(lambda: scene.case("ida")["priority"]["band"] == "P4")
    entries = until(lambda: [entry for entry in scene.dev.timeline("email:ida@example.com") if "called Ida" in str(entry.get("summary"))])
    assert [entry["type"] for entry in entries] == ["note"]
    scene.say("p-3", "ida", "The parcel is still lost! This is unacceptable.")
    scene.dev.settle()
    until(lambda: _noted(scene, crm_id, "still lost"))
    assert scene.office.ticket(crm_id)["cases_obj"]["priority"] == "Low", "what a person set stands"
    scene.office.change(crm_id, status="Closed", custom_fields={"cx_outcome": "valid"})
    scene.ring("ticket.updated", id=crm_id, status="Closed")
    began = time.monotonic()
    until(lambda: scene.dev.cases("email:ida@example.com", "closed"))
    assert time.monotonic() - began < 50, "the webhook was not waited for"
    assert len([entry for entry in scene.dev.timeline("email:ida@example.com") if "called Ida" in str(entry.get("summary"))]) == 1


def test_the_customer_s_state_is_written_to_contact_and_account(scene: Scene) -> None:
    [contact] = scene.office.contacts("ida@example.com")
    scene.dev.let_pass(minutes=1)
    custom = until(lambda: _with(scene.office.contacts("ida@example.com")[0]["custom_fields"], "cx_last_contact"))
    assert contact["id"] and custom["cx_sentiment"] < 0


def _with(custom: dict[str, Any], key: str) -> Any:
    return custom if key in custom else None


def test_a_case_that_was_deleted_there_is_closed_here(scene: Scene) -> None:
    scene.say("d-1", "dora")
    scene.dev.settle()
    crm_id = until(lambda: scene.case("dora")["crm"].get("id"))
    scene.office.delete(crm_id)
    scene.ring("ticket.updated", id=crm_id)
    until(lambda: scene.dev.cases("email:dora@example.com", "closed"))


def test_saves_that_are_killed_and_repeated_make_no_second_ticket(scene: Scene) -> None:
    """The product dies in the middle of saving, again and again, and the same webhooks come twice."""
    people = {f"killed{number}": text for number, text in enumerate(TROUBLES)}
    for round_ in range(3):
        for who in people:
            scene.say(f"k-{who}-{round_ // 2}", who, people[who])
        until(lambda many=round_: len(scene.office.tickets("New")) > many)
        scene.dev.stop(signal.SIGKILL)
        scene.dev.start()
    scene.dev.let_pass(minutes=2)  # who died held a lease
    scene.dev.settle(PATIENCE)
    until(lambda: all(scene.case(who)["crm"].get("sync") == "synced" for who in people))
    keys = Counter(ticket["custom_fields"]["cx_case_key"] for ticket in scene.office.tickets())
    assert set(keys.values()) == {1} and {scene.case(who)["case_key"] for who in people} <= set(keys)
    for who in people:
        texts = " ".join(_words(scene.office.ticket(scene.case(who)["crm"]["id"])))
        assert texts.count("[cx:") == len(set(part.partition("]")[0] for part in texts.split("[cx:")[1:])), "a note twice"
