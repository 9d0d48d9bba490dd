"""Agents leave and queues are closed: a case whose owner or queue the CRM does not take any more is saved all the same, once, and that is said.

And a priority that people blank is given back: Caseline sets it again.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

import pytest
from caseline.crm import AUTOMATIC
from caseline.errors import CrmRejectedError

from tests.kit.crms import RECORD, open_world
from tests.kit.scenes import BEFORE, later

NOBODY = "999999999"
# CRMs that refuse an assignment to what is not there; the others take it without a word.
STRICT: dict[str, dict[str, Any]] = {
    name: {"owners": {"Mo": NOBODY}, "queues": {RECORD.queue: NOBODY}} for name in ("bottlecrm", "freshdesk", "sap", "zendesk")
}
STRICT["salesforce"] = {"owners": {"Mo": "0055g0000009999AAA"}, "queues": {RECORD.queue: "00G5g0000009999AAA"}}
GUID = "11111111-1111-1111-1111-111111111111"
STRICT["dynamics"] = {"owners": {"Mo": f"systemusers({GUID})"}, "queues": {RECORD.queue: GUID}}


@pytest.mark.parametrize("name", STRICT)
def test_who_is_gone_holds_up_no_case(name: str, caplog: pytest.LogCaptureFixture) -> None:
    with open_world(name) as world, caplog.at_level(logging.WARNING):
        saved = world.adapter(**STRICT[name]).save_case(replace(RECORD, first=True, owner="Mo"))
        assert [(case.crm_id, case.case_key, case.band) for case in world.cases()] == [(saved.crm_id, RECORD.case_key, RECORD.band)]
        assert any("'Mo'" in record.getMessage() for record in caplog.records)


def test_what_is_refused_for_another_reason_is_told_as_it_was() -> None:
    with open_world("zendesk") as world, pytest.raises(CrmRejectedError) as caught:
        world.adapter(priorities={"P1": "at once"}).save_case(replace(RECORD, first=True))
    assert caught.value.field == "priority" and not world.cases()


# CRMs in which a priority can be blank, and what it is then.
BLANK: dict[str, dict[str, Any]] = {
    "hubspot": {"hs_ticket_priority": ""}, "salesforce": {"Priority": None}, "servicenow": {"priority": ""}, "zendesk": {"priority": None},
}  # fmt: skip


@pytest.mark.parametrize("name", BLANK)
def test_a_priority_that_people_blank_is_set_again(name: str) -> None:
    with open_world(name) as world:
        blank = world._work if name == "salesforce" else world._set
        saved = world.adapter().save_case(replace(RECORD, first=True))
        usual = world.cases()[0].native_priority
        world.tick(3600)
        cursor = world.adapter().read_changes("")[1]
        world.tick(60)
        blank(saved.crm_id, **BLANK[name])
        assert [change.fields.get("band") for change in world.adapter().read_changes(cursor)[0] if change.kind == "case"] == [AUTOMATIC]
        world.adapter().save_case(later(saved, before={**BEFORE, "band": ""}))
        assert world.cases()[0].native_priority == usual
