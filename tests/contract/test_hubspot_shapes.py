"""Every exchange with HubSpot has the shape that its own description gives."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from caseline.crm import NewContact, Note, Profile
from caseline.errors import CrmRateLimitError

from tests.kit.crms import RECORD
from tests.kit.crms.hubspot import HubSpotWorld
from tests.kit.hubspot import PERSON, Portal, Simulator
from tests.kit.hubspot.shapes import faults
from tests.kit.scenes import SCHEMA, later
from tests.kit.simulated import Call, Reply, in_process


class Checked(Simulator):
    """Compares every exchange with the models that HubSpot generates from the description of its API."""

    def __init__(self, portal: Portal | None = None) -> None:
        super().__init__(portal)
        self.found, self.checked = list[str](), 0

    def answer(self, call: Call) -> Reply:
        reply = super().answer(call)
        if not call.path.startswith("/oauth/"):
            self.checked += 1
            self.found += faults(call, reply)
        return reply


def test_every_exchange_has_the_shape_that_hubspot_describes() -> None:
    simulator = Checked()
    there = HubSpotWorld(simulator)
    simulator.url = "http://127.0.0.1"
    account = there.add_account("Globex", tier="strategic", deal_value="120000")
    contact = there.add_contact(account, "Ann", "ann@example.com", "+44 20 7946 0000", "x:12345")
    for options in ({}, {"notes": "activity"}):
        work(there, account, contact, options)
        there.portal.copies = False
    there.drop_field("case", "headline")
    crm = there.adapter(session=in_process(simulator))
    crm.save_case(replace(RECORD, case_key="cx-9", first=True, contact_id="999"))
    for step in crm.plan(SCHEMA):
        crm.apply(step)
        crm.apply(step)
    simulator.daily = 0
    with pytest.raises(CrmRateLimitError):
        crm.list_cases()
    assert simulator.found == [] and simulator.checked > 60


def work(there: HubSpotWorld, account: str, contact: str, given: dict[str, Any]) -> None:
    crm, key = there.adapter(session=in_process(there.simulator), **given), f"cx-{len(given)}"
    crm.find_account(["x:12345", "email:ann@example.com", "phone:+442079460000"])
    _, cursor = crm.read_changes()
    there.tick(1)
    record = replace(RECORD, case_key=key, account_id=account, contact_id=contact)
    saved = crm.save_case(replace(record, first=True, notes=(Note("n-1", "words"),)))
    crm.save_case(replace(record, first=True))
    crm.save_case(later(saved, record=record))
    crm.save_case(later(saved, 3, record=record, band="P2", status="closed", notes=(Note("n-2", "more"),)))
    crm.save_case(replace(record, version=4, band="P2"))
    crm.write_profile(Profile(contact, account, {"sentiment": -0.5, "last_contact": "2026-11-21T09:00:00.000000Z", "unanswered": 2, "channels": "x"}))
    crm.create_contact(NewContact("contact", key, "Bob Hill", (f"email:{key}@example.com", "x:9"), "x"))
    crm.create_contact(NewContact("lead", key, "Bob Hill", (f"email:{key}@example.com",), "x"))
    there.comment(saved.crm_id, "called back")
    there.comment(saved.crm_id, "we are sorry", public=True)
    there.set_tier(account, "smb" if given else "mid")
    there.reopen_case(saved.crm_id)
    there.lose_case(crm.save_case(replace(record, case_key=f"{key}-lost")).crm_id)
    there.portal.create("notes", {"hs_timestamp": "2026-11-21T10:00:00Z", "hs_note_body": "of no ticket"}, PERSON)
    assert {change.kind for change in crm.read_changes(cursor)[0]} >= {"case", "comment", "account", "deleted"}
    crm.list_cases()
    crm.check(SCHEMA)
