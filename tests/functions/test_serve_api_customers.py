"""Customers over the API: found by any identity, their timeline page by page, merges, splits, export and erasure."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import count
from typing import Any

from caseline.customers import Claimed, link
from caseline.signals import isoformat
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.kit.api import Caller, furnish
from tests.kit.office import Office

NUMBERS = count()


def test_customers_are_found_by_any_identity_in_any_case(office: Office, call: Caller) -> None:
    customer_id, _ = furnish(office)
    for identity in ("x:41", "email:ines@halden.example", "email:Ines@Halden.example"):
        found = call("/customers", identity=identity)["customers"]
        assert found == [{"customer_id": customer_id, "name": "Ines Falk", "identities": ["x:41", "email:ines@halden.example"]}]
    assert call("/customers", identity="x:nobody") == {"customers": []}


def test_a_customer_has_account_facts_with_their_origin_metrics_and_open_cases(office: Office, call: Caller) -> None:
    customer_id, case_key = furnish(office)
    customer = call(f"/customers/{customer_id}")
    assert customer["account"]["name"] == "Halden Mills" and customer["account"]["match"] == "exact"
    assert set(customer["account"]["facts"]["tier"]) == {"value", "source", "as_of"}
    assert customer["metrics"]["signals"] == 3 and customer["metrics"]["sentiment"] == {"negative": 1, "neutral": 1}
    assert [case["case_key"] for case in customer["open_cases"]] == [case_key]


def test_the_timeline_merges_identities_newest_first_and_only_signals_have_text(office: Office, call: Caller) -> None:
    customer_id, case_key = furnish(office)
    entries = call(f"/customers/{customer_id}/timeline")["entries"]
    assert [entry["type"] for entry in entries] == ["signal", "case", "signal", "signal", "link"] or [entry["type"] for entry in entries] == [
        "signal",
        "signal",
        "case",
        "signal",
        "link",
    ]
    assert [entry["occurred_at"] for entry in entries] == sorted((entry["occurred_at"] for entry in entries), reverse=True)
    assert all(("text" in entry) == (entry["type"] == "signal") and ("summary" in entry) == (entry["type"] != "signal") for entry in entries)
    signal = next(entry for entry in entries if entry["type"] == "signal" and entry["case_key"])
    assert signal["case_key"] == case_key and signal["need"] == "due" and signal["assessment"]["sentiment"] == "negative" and signal["direction"] == "inbound"


def test_long_texts_come_back_whole(office: Office, call: Caller) -> None:
    customer_id = office.customer("Long Writer", ["x:77"])
    office.signal("x:77", 3, "word " * 2000)
    assert call(f"/customers/{customer_id}/timeline")["entries"][0]["text"] == "word " * 2000


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(times=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 20)), max_size=25, unique=True), limit=st.integers(1, 7))
def test_pages_show_each_entry_once_in_order(office: Office, times: list[tuple[int, int]], limit: int) -> None:
    number = next(NUMBERS)  # another person in each example
    identities = [f"x:{number}", f"phone:{number}", f"email:{number}@b.example"]
    customer_id = office.customer("Three Ways", identities)
    for identity, minutes in times:
        office.signal(identities[identity], minutes, "hello", 0.0)
    seen = [(entry["occurred_at"], entry["signal_id"]) for entry in every_entry(office, customer_id, limit) if entry["type"] == "signal"]
    assert len(seen) == len(set(seen)) == len(times)
    assert [at for at, _ in seen] == sorted((at for at, _ in seen), reverse=True)


def every_entry(office: Office, customer_id: str, limit: int) -> Iterator[dict[str, Any]]:
    desk, cursor = office.desk(), None
    while True:
        page = desk.read_timeline(customer_id, str(limit), cursor)
        assert len(page["entries"]) <= limit
        yield from page["entries"]
        cursor = page["next"]
        if not cursor:
            return


def test_pages_do_not_shift_when_new_entries_arrive(office: Office, call: Caller) -> None:
    customer_id = office.customer("Busy", ["x:5"])
    for minutes in range(10, 16):
        office.signal("x:5", minutes, f"{minutes}", 0.0)
    first = call(f"/customers/{customer_id}/timeline", limit="3")
    office.signal("x:5", 1, "late arrival", 0.0)
    second = call(f"/customers/{customer_id}/timeline", limit="200", before=first["next"])
    assert [entry["text"] for entry in first["entries"] + second["entries"] if entry["type"] == "signal"] == ["10", "11", "12", "13", "14", "15"]


def test_after_a_merge_the_older_id_stands_and_the_other_still_resolves(office: Office, call: Caller) -> None:
    older = office.customer("Ann", ["x:1"], minutes=900)
    younger = office.customer("Ann M", ["email:ann@b.example"], minutes=100)
    complaint = office.signal("email:ann@b.example", 50, "Broken.")
    case_key = office.case(younger, [complaint])
    link(office.table, Claimed(["x:1", "email:ann@b.example"], "crm:builtin:7", isoformat(office.now), "verified"))
    assert call(f"/customers/{younger}")["customer_id"] == older == call(f"/customers/{older}")["customer_id"]
    assert call("/cases")["cases"][0]["customer_id"] == call(f"/cases/{case_key}")["customer_id"] == older
    assert [entry["text"] for entry in call(f"/customers/{younger}/timeline")["entries"] if entry["type"] == "signal"] == ["Broken."]


def test_people_join_customers_and_split_them_again(office: Office, call: Caller) -> None:
    ann, other = office.customer("Ann", ["x:1"], minutes=900), office.customer("Ann M", ["email:ann@b.example"], minutes=100)
    _, kept = call.post(f"/customers/{other}/merge", {"with": ann, "why": "same voice"})
    assert kept["customer_id"] == ann and [(link["identity"], link["why"]) for link in kept["links"]] == [("x:1", None), ("email:ann@b.example", "same voice")]
    _, parted = call.post(f"/customers/{ann}/split", {"identity": "email:Ann@B.example", "why": "her mother"})
    assert parted == {"stayed": ann, "left": other} and call(f"/customers/{other}")["identities"] == ["email:ann@b.example"]
    assert call.post(f"/customers/{ann}/merge", {})[1]["error"]["field"] == "with"
    [split] = call(f"/customers/{ann}")["splits"]
    assert split["other"] == other and split["text"].startswith("split by ana@acme.example: her mother; they had been joined on 2026-11-21 by ana@acme.example")
    assert call.post(f"/customers/{ann}/merge", {"with": "x:nobody"})[0] == 404
    again = call.post(f"/customers/{ann}/merge", {"with": "email:ann@b.example", "why": "it was her"})[1]
    assert sorted(entry["what"] for entry in call(f"/customers/{ann}/timeline")["entries"]) == ["linked", "split"], "told on both timelines, shown once"
    assert again["links"][-1]["text"] == "joined on 2026-11-21 by ana@acme.example: it was her" and again["splits"][0]["other"] is None
    assert call.post(f"/customers/{ann}/split", {})[0] == 409


def test_a_person_is_exported_and_erased(office: Office, call: Caller) -> None:
    customer = office.customer("Ann", ["x:1"])
    office.signal("x:1", 5, "A wombat broke it.")
    assert "wombat" in json.dumps(call(f"/customers/{customer}/export"))
    assert call.post(f"/customers/{customer}/erase", {})[1]["error"]["field"] == "confirm"
    status, told = call.post(f"/customers/{customer}/erase", {"confirm": customer})
    assert status == 200 and told["erased"]["signal"] == 1 and call.post(f"/customers/{customer}/erase", {"confirm": customer})[0] == 404
