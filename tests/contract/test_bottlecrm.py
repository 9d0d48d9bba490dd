"""What is BottleCRM's own: names that may not be taken, tickets that are only hidden, a feed that shows fifty, webhooks that only point."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from caseline.crm import NewContact, Note, bottlecrm
from caseline.crm.bottlecrm import _cases
from caseline.errors import ConfigError, CrmRateLimitError, SignatureError
from caseline.signals import isoformat, parse_time
from caseline.sources import Source
from caseline.web import WebhookRequest

from tests.kit.bottlecrm import Member
from tests.kit.crms import RECORD
from tests.kit.crms.bottlecrm import BottleWorld
from tests.kit.saving import quick
from tests.kit.scenes import SCHEMA, later, the_case, told

SAMPLES = sorted((Path(__file__).parents[2] / "events" / "crm" / "bottlecrm").glob("*.json"))


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_a_webhook_that_bottlecrm_signed_is_read_as_its_sample_says(path: Path) -> None:
    sample = json.loads(path.read_text())
    sent = sample["request"]
    request = WebhookRequest(sent["method"], sent["url"], sent["headers"], sent["body"].encode(), parse_time(sample["received_at"]))
    source = Source("bottlecrm", "acme", secrets=tuple(sample["secrets"]))
    bottlecrm.verify(request, source)
    assert [asdict(change) | {"at": isoformat(change.at)} for change in bottlecrm.parse(request, source)] == sample["expected"]["changes"]
    with pytest.raises(SignatureError):
        bottlecrm.verify(replace(request, received_at=parse_time("2026-03-14T09:40:00Z")), source)


def test_a_new_case_of_a_known_customer_takes_two_calls_and_its_account_one(there: BottleWorld) -> None:
    account = there.add_account("Globex", tier="strategic", deal_value="120000.5", renewal_date="2026-12-15")
    there.add_contact(account, "Ann", "ann@example.com", "+44 20 7946 0000", "x:12345")
    crm, before = there.adapter(handle_fields={"email": ""}), there.calls()
    found = crm.find_account(["x:12345", "email:ann@example.com", "phone:+442079460000"]).account
    facts = {name: fact.value for name, fact in found.facts.items()}
    assert facts == {"tier": "strategic", "deal_value": "120000.5", "currency": "USD", "purchases": 1, "renewal_date": "2026-12-15", "open_cases": 0}
    crm.save_case(replace(RECORD, first=True, account_id=found.account_id, contact_id=found.contact_id))
    assert there.calls() - before == 3


def test_addresses_of_one_domain_are_one_call(there: BottleWorld) -> None:
    there.add_contact(there.add_account("Globex"), "Ann", "ann@example.com")
    crm, before = there.adapter(handle_fields={"email": ""}), there.calls()
    assert crm.find_account([f"email:{name}@example.com" for name in ("bob", "cleo", "ann")]).kind == "exact"
    assert there.calls() - before == 2


def test_a_save_whose_answer_was_lost_is_found_by_its_name(there: BottleWorld) -> None:
    """Also where the retry does not know of the first try."""
    saved = [quick(there).save_case(replace(RECORD, first=True, notes=(Note("n-1", "first words"),))) for _ in range(3)]
    assert [each.created for each in saved] == [True, False, False] and len({each.crm_id for each in saved}) == 1
    assert told(the_case(there), "first words") == 1


def test_two_keys_with_one_mark_are_two_cases(there: BottleWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    marks = {8: "00000000"}
    monkeypatch.setattr(_cases, "_mark", lambda key, size=8: marks.get(size, f"{key:>16}"[-16:]))
    saved = [quick(there).save_case(replace(RECORD, case_key=key, first=True)) for key in ("cx-1", "cx-2", "cx-2")]
    assert [each.created for each in saved] == [True, True, False] and saved[1].crm_id == saved[2].crm_id != saved[0].crm_id


def test_a_case_that_was_deleted_in_a_list_is_told_and_comes_back_when_it_is_needed(there: BottleWorld) -> None:
    """BottleCRM only hides it, and keeps its name from others."""
    crm = quick(there)
    saved, (_, cursor) = crm.save_case(RECORD), crm.read_changes("")
    there.tick(1)
    there.hide_case(saved.crm_id)
    changes, _ = quick(there).read_changes(cursor)
    assert [(change.kind, change.crm_id, change.case_key) for change in changes] == [("deleted", saved.crm_id, RECORD.case_key)]
    assert there.cases() == []
    again = quick(there).save_case(later(saved, version=2, band="P2", notes=(Note("n-1", "first words"),)))
    assert again.created and again.crm_id == saved.crm_id
    assert (the_case(there).version, the_case(there).band, told(the_case(there), "first words")) == (2, "P2", 1)


def test_a_merge_is_no_close(there: BottleWorld) -> None:
    crm = quick(there)
    one, other = (crm.save_case(replace(RECORD, case_key=key)) for key in ("cx-1", "cx-2"))
    _, cursor = crm.read_changes("")
    there.merge_case(one.crm_id, other.crm_id)
    changes, _ = quick(there).read_changes(cursor)
    assert [(change.kind, change.crm_id, change.by, dict(change.fields)) for change in changes] == [
        ("merged", one.crm_id, "ann", {"entity": "case", "into": other.crm_id})
    ]


def test_an_account_that_is_gone_is_left_out_of_a_case(there: BottleWorld) -> None:
    gone = "0c5d7d53-9a51-4f0b-8f0e-6d5a3b1f2c02"
    assert quick(there).save_case(replace(RECORD, first=True, account_id=gone, contact_id=gone)).created and len(there.cases()) == 1


def test_what_bottlecrm_refuses_of_a_person_stands_among_the_handles(there: BottleWorld) -> None:
    new = NewContact("contact", "cu-1", "Cleo", ("email:cleo@localhost", "phone:+442079460077", "x:77"), "email")
    made = quick(there).create_contact(new)
    assert made.contact_id == quick(there).create_contact(new).contact_id and there.contacts() == 1
    assert {"phone:+442079460077", "x:77"} <= set(made.identities)


def test_many_activities_of_others_hide_none(there: BottleWorld) -> None:
    """The feed shows fifty; the others are looked for, ticket by ticket, and those closed long ago are left alone."""
    crm = quick(there)
    saved = [crm.save_case(replace(RECORD, case_key=f"cx-{number}", first=True)) for number in range(70)]
    there.close_case(saved[0].crm_id)
    there.tick(5 * 86_400)
    _, cursor = crm.read_changes("")
    there.tick(1)
    for each in saved[1:]:
        there.set_band(each.crm_id, "P4")
        there.tick(1)
    there.simulator.calls.clear()
    told_of: Counter[str] = Counter()
    while True:
        changes, cursor = quick(there).read_changes(cursor)
        told_of.update(change.crm_id for change in changes)
        if not changes:
            break
    assert told_of == Counter(each.crm_id for each in saved[1:])
    assert not any(saved[0].crm_id in call.path for call in there.simulator.calls)


def test_checks_of_duplicates_that_are_too_many_wait(there: BottleWorld) -> None:
    there.wire.answer("contacts/duplicates", 429, {"Retry-After": "17"})
    with pytest.raises(CrmRateLimitError) as caught:
        quick(there).find_account(["phone:+442079460000"])
    assert caught.value.retry_after == 17.0


def test_a_token_of_no_administrator_is_found(there: BottleWorld) -> None:
    mine = there.simulator.caseline
    there.simulator.caseline = Member(mine.token, mine.user, mine.profile, mine.name, role="USER")
    assert [finding.severity for finding in quick(there).check(SCHEMA)] == ["error"]


WRONG = ({"case_fields": {"case_key": ""}}, {"account_fields": {"tier": "Bad Key"}}, {"instance_url": "http://crm.example.com"}, {"x": 1})


@pytest.mark.parametrize("settings", WRONG)
def test_wrong_settings_say_what_to_write(settings: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=r"write|without"):
        bottlecrm.create({"instance_url": "https://crm.example.com", **settings}, {"token": "bcrm_pat_x"})


def test_a_secret_without_token_is_refused() -> None:
    with pytest.raises(ConfigError, match="token"):
        bottlecrm.create({"instance_url": "https://crm.example.com"}, {})
