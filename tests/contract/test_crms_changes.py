"""What people do in any CRM is read, in order, at least once; and all cases can be listed."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from caseline.crm import CLOSED, OPEN, Change, Note, StandingCase, open_crm

from tests.kit.crms import NOW, RECORD, World
from tests.kit.saving import quick
from tests.kit.scenes import BEFORE, MANY, a_profile, later, where_it_can


def _begin(world: World) -> str:
    """The cursor of now, long after all that happened before."""
    world.tick(3600)
    changes, cursor = quick(world).read_changes("")
    assert changes == []
    world.tick(1)
    return str(cursor)


def _read_all(world: World, cursor: str) -> tuple[list[Change], str]:
    """All pages, each by another process that has nothing but the cursor as it was kept."""
    found: list[Change] = []
    for _ in range(MANY):
        changes, cursor = quick(world).read_changes(json.dumps(json.loads(cursor)))
        if not changes:
            return found, cursor
        found += changes
    raise AssertionError("the changes never end")


def _fields(changes: Sequence[Change], crm_id: str) -> dict[str, Any]:
    """What was told of a case in all."""
    return {name: value for change in changes if change.kind == "case" and change.crm_id == crm_id for name, value in change.fields.items()}


def test_people_close_cases_and_open_them_again(world: World) -> None:
    saved = quick(world).save_case(RECORD)
    cursor = _begin(world)
    world.close_case(saved.crm_id, "not_an_issue")
    changes, cursor = _read_all(world, cursor)
    assert _fields(changes, saved.crm_id)["status"] == CLOSED
    assert _fields(changes, saved.crm_id)["outcome"] == "not_an_issue"
    assert all(change.at.tzinfo and change.at >= NOW and change.case_key == RECORD.case_key for change in changes if change.kind == "case")
    world.tick(60)
    world.reopen_case(saved.crm_id)
    assert _fields(_read_all(world, cursor)[0], saved.crm_id)["status"] == OPEN


def test_people_set_priority_and_owner(world: World) -> None:
    saved = quick(world).save_case(RECORD)
    cursor = _begin(world)
    world.set_band(saved.crm_id, "P4")
    changes, cursor = _read_all(world, cursor)
    assert _fields(changes, saved.crm_id)["band"] == "P4"
    world.tick(60)
    world.set_owner(saved.crm_id, "ann")
    assert _fields(_read_all(world, cursor)[0], saved.crm_id)["owner"]


def test_people_write_comments(world: World) -> None:
    saved = quick(world).save_case(RECORD)
    cursor = _begin(world)
    world.comment(saved.crm_id, "called back & <sorted> it")
    world.tick(1)
    world.comment(saved.crm_id, "we are sorry", public=True)
    comments = [change for change in _read_all(world, cursor)[0] if change.kind == "comment"]
    assert [(change.crm_id, change.case_key, change.fields["text"].strip()) for change in comments] == [
        (saved.crm_id, RECORD.case_key, "called back & <sorted> it"), (saved.crm_id, RECORD.case_key, "we are sorry"),
    ]  # fmt: skip
    assert comments[0].fields["public"] is False and isinstance(comments[1].fields["public"], bool)
    assert len({change.fields["comment_id"] for change in comments}) == 2


def _told_of(world: World, cursor: str, kind: str, crm_id: str) -> list[Change]:
    """By polling, or by the CRM's own webhook."""
    sent = world.webhook(kind, crm_id)
    pushed = open_crm(world.adapter().name).parse(*sent) if sent else []
    return [change for change in (*_read_all(world, cursor)[0], *pushed) if change.kind == kind and change.crm_id == crm_id]


def test_accounts_change(world: World) -> None:
    account = world.add_account("Globex", tier="smb")
    world.add_contact(account, "Ann", "ann@example.com")
    cursor = _begin(world)
    world.set_tier(account, "strategic")
    changes = _told_of(world, cursor, "account", account)
    assert changes and all(change.fields.get("tier", "strategic") == "strategic" for change in changes)
    assert quick(world).find_account(["email:ann@example.com"]).account.facts["tier"].value == "strategic"


def test_contacts_are_added(world: World) -> None:
    account = world.add_account("Globex")
    cursor = _begin(world)
    contact = world.add_contact(account, "Ann", "ann@example.com", handles="x:12345")
    changes = _told_of(world, cursor, "contact", contact)
    assert changes and all(set(change.fields.get("identities", ())) <= {"email:ann@example.com", "x:12345"} for change in changes)
    assert all(change.fields.get("account_id", account) == account for change in changes)


def test_cases_are_deleted(world: World) -> None:
    saved = quick(world).save_case(RECORD)
    cursor = _begin(world)
    world.lose_case(saved.crm_id)
    changes = _told_of(world, cursor, "deleted", saved.crm_id)
    assert changes and all(change.fields["entity"] == "case" for change in changes)


@where_it_can("merge")
def test_cases_are_merged(world: World) -> None:
    saved, into = (quick(world).save_case(replace(RECORD, case_key=case_key)) for case_key in ("cx-1", "cx-2"))
    cursor = _begin(world)
    world.merge_case(saved.crm_id, into.crm_id)
    changes = _told_of(world, cursor, "merged", saved.crm_id)
    assert changes and all((change.fields["entity"], change.fields["into"]) == ("case", into.crm_id) for change in changes)


def test_what_happened_before_the_first_reading_is_not_told(world: World) -> None:
    saved = quick(world).save_case(RECORD)
    world.close_case(saved.crm_id)
    world.comment(saved.crm_id, "called back")
    assert _read_all(world, _begin(world))[0] == []


def test_what_people_did_before_the_first_reading_of_all_is_told(world: World) -> None:
    """The first case was saved, and answered, before anybody polled."""
    world.tick(3600)
    saved = quick(world).save_case(RECORD)
    world.tick(20)
    world.comment(saved.crm_id, "called back")
    world.close_case(saved.crm_id)
    world.tick(100)
    begun, cursor = quick(world).read_changes("")
    changes = [*begun, *_read_all(world, cursor)[0]]
    assert _fields(changes, saved.crm_id)["status"] == CLOSED
    assert [change.fields["text"].strip() for change in changes if change.kind == "comment"] == ["called back"]


def test_what_we_wrote_is_no_change(world: World) -> None:
    profile, cursor = a_profile(world), _begin(world)
    cursor = _read_all(world, cursor)[1]
    crm = quick(world)
    saved = crm.save_case(replace(RECORD, first=True, account_id=profile.account_id, contact_id=profile.contact_id, notes=(Note("n-1", "first words"),)))
    crm.save_case(later(saved, band="P2", notes=(Note("n-2", "second words"),)))
    crm.add_note(saved.crm_id, "n-3", "third words")
    crm.write_profile(profile)
    crm.save_case(later(saved, version=3, before={**BEFORE, "band": "P2"}, band="P2", status=CLOSED))
    world.tick(60)
    assert _read_all(world, cursor)[0] == []


def test_what_a_person_did_is_known_though_we_wrote_after_it(world: World) -> None:
    """By reading, or by what saving answers."""
    crm, saved = quick(world), quick(world).save_case(RECORD)
    cursor = _begin(world)
    world.close_case(saved.crm_id)
    world.tick(1)
    answer = crm.save_case(later(saved, score=85))
    world.tick(1)
    assert answer.status == CLOSED or _fields(_read_all(world, cursor)[0], saved.crm_id).get("status") == CLOSED


def test_reading_is_at_least_once_and_goes_on_where_it_ended(world: World) -> None:
    saved = quick(world).save_case(RECORD)
    start = _begin(world)
    told_so_far: list[str] = []
    cursor = start
    for number in range(5):
        world.comment(saved.crm_id, f"words {number}")
        changes, cursor = _read_all(world, cursor)
        told_so_far += [change.fields["text"].strip() for change in changes if change.kind == "comment"]
        world.tick(7)
    assert told_so_far == [f"words {number}" for number in range(5)]
    again = quick(world).read_changes(start)
    assert again[0] and again[0] == quick(world).read_changes(start)[0] and again[1] == quick(world).read_changes(start)[1]
    assert [change.fields["text"].strip() for change in _read_all(world, start)[0] if change.kind == "comment"] == told_so_far
    assert _read_all(world, cursor)[0] == []


def test_what_comes_late_is_not_missed(world: World) -> None:
    """A transaction that began before the last reading and ended after it."""
    saved = quick(world).save_case(RECORD)
    cursor = _begin(world)
    world.tick(60)
    world.comment(saved.crm_id, "in time")
    first, cursor = _read_all(world, cursor)
    world.tick(-5)
    world.comment(saved.crm_id, "late")
    world.tick(5)
    second, cursor = _read_all(world, cursor)
    assert [change.fields["text"].strip() for change in (*first, *second) if change.kind == "comment"] == ["in time", "late"]
    assert _read_all(world, cursor)[0] == []


def test_what_happens_at_the_same_instant_is_told_once_each(world: World) -> None:
    crm = quick(world)
    saved = [crm.save_case(replace(RECORD, case_key=f"cx-{number}", first=True)).crm_id for number in range(MANY)]
    cursor = _begin(world)
    for crm_id in saved:
        world.set_owner(crm_id, "ann")
    changes, cursor = _read_all(world, cursor)
    assert Counter(change.crm_id for change in changes if change.kind == "case") == Counter(saved)
    world.set_band(saved[-1], "P4")
    again, cursor = _read_all(world, cursor)
    assert {change.crm_id for change in again} == {saved[-1]} and _read_all(world, cursor)[0] == []
    assert len(cursor) < 32_000


def test_comments_of_the_same_instant_are_told_once_each(world: World) -> None:
    saved = quick(world).save_case(RECORD)
    cursor = _begin(world)
    for number in range(MANY):
        world.comment(saved.crm_id, f"words {number}.")
    changes, cursor = _read_all(world, cursor)
    texts = Counter(change.fields["text"].strip() for change in changes if change.kind == "comment")
    assert texts == Counter(f"words {number}." for number in range(MANY)) and _read_all(world, cursor)[0] == []


def test_a_person_is_heard_behind_all_that_we_wrote(world: World) -> None:
    """No changes means that all is read: a page of nothing but ours is not the end."""
    crm, cursor = quick(world), _begin(world)
    saved = [crm.save_case(replace(RECORD, case_key=f"cx-{number}", first=True)).crm_id for number in range(MANY)]
    world.tick(1)
    world.set_owner(saved[0], "ann")
    world.comment(saved[0], "called back")
    changes = _read_all(world, cursor)[0]
    assert {(change.kind, change.crm_id) for change in changes} == {("case", saved[0]), ("comment", saved[0])}


def test_the_order_of_changes_is_that_of_time(world: World) -> None:
    saved = quick(world).save_case(RECORD)
    cursor = _begin(world)
    for number in range(10):
        world.comment(saved.crm_id, f"words {number}")
        world.tick(1)
        world.set_owner(saved.crm_id, f"ann{number % 2}")
        world.tick(1)
    comments = [change for change in _read_all(world, cursor)[0] if change.kind == "comment"]
    assert [change.at for change in comments] == sorted(change.at for change in comments)
    assert [change.fields["text"].strip() for change in comments] == [f"words {number}" for number in range(10)]


def test_lists_every_case_of_ours_once(world: World) -> None:
    crm = quick(world)
    saved = {crm.save_case(replace(RECORD, case_key=f"cx-{number}", first=True)).crm_id: f"cx-{number}" for number in range(MANY)}
    gone, closed = list(saved)[:2]
    world.lose_case(gone)
    world.close_case(closed)
    listed = _list_all(world)
    assert Counter((case.crm_id, case.case_key) for case in listed) == Counter((key, value) for key, value in saved.items() if key != gone)
    assert {case.crm_id for case in listed if case.status == CLOSED} == {closed}
    assert {case.band for case in listed} <= {"P1", None} and {case.version for case in listed} <= {1, None}


def test_lists_nothing_where_nothing_is(world: World) -> None:
    world.add_contact(world.add_account("Globex"), "Ann", "ann@example.com")
    assert _list_all(world) == []


def _list_all(world: World) -> list[StandingCase]:
    listed, cursor = quick(world).list_cases()
    while cursor:
        page, cursor = quick(world).list_cases(json.loads(json.dumps(cursor)))
        listed += page
    return listed
