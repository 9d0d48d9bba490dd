"""The running product with Salesforce at the other end: what goes there, what people do there, its silence, the count of both sides."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from caseline.crm._guard import OPENS_AT

from tests.kit.crms.salesforce import SECRET, WEBHOOK_SECRET, SalesforceWorld
from tests.kit.dev import TROUBLES, Dev
from tests.kit.salesforce import Simulator
from tests.kit.salesforce.org import Org
from tests.kit.simulated import serving
from tests.simulation.test_running_product import KEY, SECRETS, generic

ANGRY = "Your service is down again, this is the third outage. I am furious and nobody answers."
HOOK = f"/webhooks/crm/salesforce?token={WEBHOOK_SECRET}"
REFUSED = [{"errorCode": "SERVER_UNAVAILABLE", "message": "try again"}]


class Today(Org):
    """An org whose clock is the wall's."""

    now = property(lambda self: datetime.now(UTC), lambda self, _: None)


@pytest.fixture(scope="module")
def world() -> Iterator[SalesforceWorld]:
    simulator = Simulator(Today())
    with serving(simulator):
        yield SalesforceWorld(simulator)


@pytest.fixture(scope="module")
def dev(world: SalesforceWorld, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dev]:
    crm = {"name": "salesforce", "instance_url": world.simulator.url, "phone_country_code": "44", "changes_minutes": 0.05}
    config = {"brands": {"acme": {}}, "sources": [{"channel": "standard_webhooks", "brand": "acme"}], "crm": crm, "policy": "policy.yaml"}
    secrets = {KEY: SECRETS[KEY], "crm/salesforce": {**SECRET, "webhook_secrets": [WEBHOOK_SECRET]}}
    account = world.add_account("Brightwater Ferries", "strategic", "2500000", (datetime.now(UTC) + timedelta(days=20)).date().isoformat())
    world.add_contact(account, "Roth", "ines@brightwater.example")
    running = Dev(tmp_path_factory.mktemp("crm") / "home", config, secrets).prepare()
    (running.home / "policy.yaml").write_text("version: 1\nstorms: {active: false}\n")  # several people say the same words here
    yield running.start()
    running.stop()


def until(look: Callable[[], Any], seconds: float = 60) -> Any:
    """What is to be seen sooner or later."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, look
        time.sleep(0.1)
    return found


def push(dev: Dev, world: SalesforceWorld, kind: str, crm_id: str) -> int:
    """What Salesforce sends of a change."""
    sent = world.webhook(kind, crm_id)
    assert sent
    return dev.ask("POST", HOOK, sent[0].body, dict(sent[0].headers))[0]


def console(dev: Dev) -> bytes:
    """Its page of channels and the CRM."""
    status, page = dev.ask("GET", "/console/channels", headers={"authorization": f"Bearer {(dev.home / 'api-token').read_text().strip()}"})
    assert status == 200
    return bytes(page)


def standing(dev: Dev, case_key: str) -> Any:
    return dev.api(f"cases/{case_key}")


def the_case(dev: Dev) -> Any:
    [case] = dev.cases("email:ines@brightwater.example")
    return case


def test_an_angry_key_account_is_a_p1_there_within_seconds(dev: Dev, world: SalesforceWorld) -> None:
    begun = time.monotonic()
    dev.send(KEY, generic("n-1", "ines", ANGRY, identities=["email:ines@brightwater.example"]))
    [stored] = until(world.cases, 20)
    assert time.monotonic() - begun < 10
    assert stored.band == "P1" and stored.native_priority == "High" and "+20 strategic account" in stored.reasons and "renewal in 20 days" in stored.reasons
    assert len(stored.notes) == 1 and ANGRY in stored.notes[0] and "[cx:" in stored.notes[0]
    dev.settle()
    case = the_case(dev)
    assert case["case_key"] == stored.case_key and case["crm"]["id"] == stored.crm_id and case["crm"]["sync"] == "synced"
    assert dev.api("crm") | {"as_of": "", "last_poll": "", "remaining": 0} == {
        "name": "salesforce", "remote": True, "state": "up", "since": None, "until": None, "why": None, "remaining": 0, "allowed": 100_000, "scarce": False,
        "unsynced": 0, "errors": {}, "waiting": [], "last_poll": "", "reconciliation": None, "as_of": "",
    }  # fmt: skip


def test_what_people_do_there_comes_back_by_its_webhooks(dev: Dev, world: SalesforceWorld) -> None:
    case = the_case(dev)
    crm_id = case["crm"]["id"]
    world.set_band(crm_id, "P3")
    assert push(dev, world, "case", crm_id) == 200
    until(lambda: standing(dev, case["case_key"])["priority"]["band"] == "P3", 20)
    world.comment(crm_id, "Called her, she accepts a voucher.", public=True)
    assert push(dev, world, "comment", world.org.all("CaseComment")[-1]["Id"]) == 200
    said = lambda: [entry for entry in dev.timeline("email:ines@brightwater.example") if entry["type"] == "note"]  # noqa: E731
    assert len(until(said, 20)) == 1
    assert dev.ask("POST", "/webhooks/crm/salesforce?token=somebody-elses-guess-here", b"<x/>")[0] == 401
    assert dev.ask("POST", HOOK.replace("salesforce", "hubspot"), b"{}")[0] == 404


def test_what_no_webhook_told_of_comes_back_by_polling(dev: Dev, world: SalesforceWorld) -> None:
    case = the_case(dev)
    dev.stop()
    world.close_case(case["crm"]["id"], "valid")
    dev.start()
    dev.let_pass(minutes=2)
    until(lambda: standing(dev, case["case_key"])["status"] == "closed", 90)
    assert not dev.cases("email:ines@brightwater.example") and dev.api("crm")["last_poll"]


def test_its_silence_loses_nothing_and_is_seen_everywhere(dev: Dev, world: SalesforceWorld) -> None:
    before = len(world.cases())
    world.simulator.faults.add("answer", match="/services/data", status=503, body=REFUSED, times=1_000_000)
    for number in range(OPENS_AT):
        dev.send(KEY, generic(f"s-{number}", f"guest{number}", TROUBLES[number]))
    crm = until(lambda: (seen := dev.api("crm"))["state"] == "down" and seen["unsynced"] == OPENS_AT and seen)
    assert crm["since"] and crm["why"] == "CrmUnavailableError" and {case["error"] for case in crm["waiting"]} <= {None, "CrmUnavailableError"}
    assert "salesforce is down since" in dev.run("doctor").stdout and "salesforce  down since" in dev.run("crm", "status").stdout
    assert b"CRM: Salesforce is down" in console(dev)
    world.simulator.faults.clear()
    dev.let_pass(minutes=1)
    until(lambda: dev.api("crm")["state"] == "up")  # the next poll finds that it answers again
    for case in dev.api("crm")["waiting"]:  # the watcher comes back to them within minutes; who works one need not wait
        dev.api(f"cases/{case['case_key']}", {"note": "Sorry for the delay."})
    until(lambda: len(world.cases()) == before + OPENS_AT and dev.api("crm")["unsynced"] == 0)
    assert len({stored.case_key for stored in world.cases()}) == before + OPENS_AT


def test_both_sides_are_counted_and_each_difference_is_named(dev: Dev, world: SalesforceWorld) -> None:
    done = dev.run("crm", "reconcile")
    assert done.returncode == 0 and ", 0 differences" in done.stdout, done
    with world.org.by(world.person()):
        stray = world.org.add("Case", CX_Case_Key__c="case-of-nobody", Subject="Ours?")
    done = dev.run("crm", "reconcile", "--json")
    [difference] = json.loads(done.stdout)["differences"]
    assert done.returncode == 1 and (difference["kind"], difference["crm_id"]) == ("unknown", stray)
    assert dev.api("crm")["reconciliation"]["count"] == 1 and "1 difference at the count" in dev.run("doctor").stdout
    assert b"1 difference at the last count" in console(dev) and stray.encode() in console(dev)


def test_the_live_crm_is_checked_and_set_up(dev: Dev, world: SalesforceWorld) -> None:
    planned = json.loads(dev.run("crm", "plan", "--json").stdout)["steps"]
    world.drop_field("case", "score")
    missing = dev.run("crm", "check")
    assert "CX_Score__c" in missing.stdout and "fix: " in missing.stdout
    assert len(json.loads(dev.run("crm", "plan", "--json").stdout)["steps"]) == len(planned) + 1
    assert dev.run("crm", "apply").returncode == 1, "nobody said yes"
    applied = dev.run("crm", "apply", "--yes")
    assert "✔ Case.CX_Score__c" in applied.stdout, applied
    assert "CX_Score__c" not in dev.run("crm", "check").stdout
    world.refuse_login()
    refused = dev.run("crm", "check")
    assert refused.returncode == 1 and "✖ login" in refused.stdout
