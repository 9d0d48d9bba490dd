"""People work cases of the built-in CRM while Caseline goes on writing to them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from caseline.crm import builtin
from caseline.errors import CrmConflictError, CrmNotFoundError, CrmRejectedError
from caseline.table import Table

from tests.kit.aws import aws
from tests.kit.crms import NOW, RECORD


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> Any:
        self.now += timedelta(seconds=1)
        return self.now


@pytest.fixture
def crm() -> Iterator[builtin.BuiltinCrm]:
    with aws() as cloud:
        yield builtin.create(table=Table(cloud.client("dynamodb"), cloud.table), clock=Clock())


def test_numbers_are_for_people(crm: builtin.BuiltinCrm) -> None:
    keys = ("cx-1", "cx-1", "cx-2", "cx-1", "cx-3")
    assert [crm.save_case(replace(RECORD, case_key=key)).number for key in keys] == ["C-000001", "C-000001", "C-000002", "C-000001", "C-000003"]


def test_what_people_set_stands_over_newer_versions(crm: builtin.BuiltinCrm) -> None:
    crm.save_case(RECORD)
    crm.update_case(RECORD.case_key, "ann", status="pending", band="P3", owner="ann", queue="tier-2")
    crm.save_case(replace(RECORD, version=2, status="open", band="P2", score=60, queue="general", subject="Now a refund"))
    case = crm.read_case(RECORD.case_key)
    assert [case[name] for name in ("status", "band", "owner", "queue")] == ["pending", "P3", "ann", "tier-2"]
    assert [case[name] for name in ("auto_band", "score", "subject", "version")] == ["P2", 60, "Now a refund", 2]
    assert case["edits"]["band"]["by"] == "ann" and case["edits"]["band"]["at"].startswith("2026-11-21T10:00")


def test_a_setting_can_be_taken_back(crm: builtin.BuiltinCrm) -> None:
    crm.save_case(RECORD)
    crm.update_case(RECORD.case_key, "ann", band="P4", owner="ann")
    crm.update_case(RECORD.case_key, "bob", band=None)
    case = crm.read_case(RECORD.case_key)
    assert (case["band"], case["owner"], set(case["edits"])) == ("P1", "ann", {"owner"})


def test_closing_and_reopening(crm: builtin.BuiltinCrm) -> None:
    crm.save_case(RECORD)
    change = crm.update_case(RECORD.case_key, "ann", status="closed")
    assert (change.kind, change.case_key, change.fields, change.by) == ("case", RECORD.case_key, {"status": "closed"}, "ann")
    assert [case["case_key"] for case in crm.most_urgent("closed")] == [RECORD.case_key] and crm.most_urgent() == []
    crm.update_case(RECORD.case_key, "ann", status="open")
    assert crm.most_urgent("closed") == [] and len(crm.most_urgent()) == 1


@pytest.mark.parametrize(
    "fields", [{"status": "done"}, {"band": "P5"}, {"band": 1}, {"owner": 7}, {"owner": "x" * 201}, {"case_key": "cx-9"}, {"score": 0}, {"note": "x" * 32_001}]
)
def test_what_cannot_be_set_is_refused_by_name(crm: builtin.BuiltinCrm, fields: dict[str, Any]) -> None:
    saved, cursor = crm.save_case(RECORD), crm.read_changes()[1]
    with pytest.raises(CrmRejectedError) as caught:
        crm.update_case(saved.crm_id, "ann", **fields)
    assert caught.value.field == next(iter(fields))
    assert crm.read_changes(cursor) == ([], cursor)


def test_a_case_that_is_not_there(crm: builtin.BuiltinCrm) -> None:
    for action in (lambda: crm.read_case("no"), lambda: crm.update_case("no", "ann", status="open"), lambda: crm.add_note("no", "n", "text")):
        with pytest.raises(CrmNotFoundError):
            action()


def test_notes_of_people_and_of_caseline(crm: builtin.BuiltinCrm) -> None:
    crm.save_case(RECORD)
    crm.add_note(RECORD.case_key, "n-1", "seen on x")
    change = crm.update_case(RECORD.case_key, "ann", note="called back")
    assert change.kind == "comment"
    assert [(note["text"], note["by"]) for note in crm.read_case(RECORD.case_key)["notes"]] == [("seen on x", "caseline"), ("called back", "ann")]


def test_the_most_urgent_case_comes_first(crm: builtin.BuiltinCrm) -> None:
    later = "2026-11-21T11:00:00.000000Z"
    for key, band, score, opened in (("c", "P3", 40, ""), ("a", "P1", 80, ""), ("b", "P2", 99, ""), ("a2", "P1", 80, later), ("a0", "P1", 100, later)):
        crm.save_case(replace(RECORD, case_key=key, band=band, score=score, opened_at=opened or RECORD.opened_at))
    assert [case["case_key"] for case in crm.most_urgent()] == ["a0", "a", "a2", "b", "c"]
    crm.update_case("c", "ann", band="P1")
    assert [case["case_key"] for case in crm.most_urgent(limit=4)] == ["a0", "a", "a2", "c"]


def test_changes_are_read_from_a_cursor_on_at_least_once(crm: builtin.BuiltinCrm) -> None:
    crm.save_case(RECORD)
    begun = crm.read_changes()[1]
    first = crm.update_case(RECORD.case_key, "ann", status="pending")
    changes, cursor = crm.read_changes(begun)
    assert changes == [first]
    second = crm.update_case(RECORD.case_key, "bob", note="done")
    again, cursor = crm.read_changes(cursor)
    assert again == [second] and crm.read_changes(cursor) == ([], cursor)
    assert crm.read_changes(begun)[0] == [first, second]


def test_edits_at_once_all_stand(crm: builtin.BuiltinCrm) -> None:
    crm.save_case(RECORD)
    people: list[dict[str, Any]] = [{"owner": "ann"}, {"band": "P2"}, {"queue": "tier-2"}]
    threads = [threading.Thread(target=crm.update_case, args=(RECORD.case_key, "ann"), kwargs=fields) for fields in people]
    threads.append(threading.Thread(target=crm.save_case, args=(replace(RECORD, version=2, score=70),)))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    case = crm.read_case(RECORD.case_key)
    assert [case[name] for name in ("owner", "band", "queue", "score", "version")] == ["ann", "P2", "tier-2", 70, 2]


def test_a_case_that_others_never_stop_changing_is_a_conflict(crm: builtin.BuiltinCrm, monkeypatch: pytest.MonkeyPatch) -> None:
    crm.save_case(RECORD)
    monkeypatch.setattr(crm._cases, "_replace", lambda *_: False)
    for action in (lambda: crm.save_case(replace(RECORD, version=2)), lambda: crm.update_case(RECORD.case_key, "ann", status="closed")):
        with pytest.raises(CrmConflictError):
            action()


def test_an_account_that_is_learnt_later_counts_the_case(crm: builtin.BuiltinCrm) -> None:
    crm.save_case(RECORD)
    crm.save_case(replace(RECORD, version=2, account_id="G-1"))
    crm.update_case(RECORD.case_key, "ann", status="closed")
    crm.update_case(RECORD.case_key, "ann", status="open")
    crm.save_case(replace(RECORD, version=3, account_id="G-2"))
    table = crm._cases._table
    counts = {name: (table.get(f"CRM#ACCOUNT#{name}", "ACCOUNT") or {}).get("open_cases") for name in ("G-1", "G-2")}
    assert counts == {"G-1": 0, "G-2": 1}
