"""What strangers write is never more than a value."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from caseline.crm import NewContact, Note, ProfileEvent
from caseline.errors import CrmError, CrmRejectedError

from tests.kit.crms import RECORD, World
from tests.kit.saving import quick
from tests.kit.scenes import BEFORE, NASTY, TYPED, a_profile, later, plain, the_case


def test_any_text_can_be_saved(world: World) -> None:
    crm = quick(world)
    for number, text in enumerate(NASTY):
        words = {"subject": text, "headline": text, "reasons": (text, text), "category": text, "queue": text, "brand": text, "channels": (text,)}
        record = replace(RECORD, case_key=f"cx-{number}", **words)
        saved = crm.save_case(replace(record, first=True, notes=(Note("n-0", text),)))
        crm.add_note(saved.crm_id, "n-1", text)
        crm.save_case(later(saved, record=record, band="P2", notes=(Note("n-2", text),), before={"status": "open", "band": "P1", "queue": text, "owner": text}))
    assert [(case.version, case.band) for case in world.cases()] == [(2, "P2")] * len(NASTY)
    assert all(case.notes for case in world.cases())


def test_no_argument_is_more_than_a_value(world: World) -> None:
    """Whatever is named, it is done, found not to be there, or refused; and nobody else is touched."""
    crm, profile = quick(world), a_profile(world)
    crm.save_case(RECORD)
    crm.write_profile(profile)
    before = the_case(world), plain(world.contact_values(profile.contact_id)), world.contacts()
    for text in NASTY:
        for action in (
            lambda text=text: crm.add_note(text, "n-1", "text"),
            lambda text=text: crm.write_profile(replace(profile, contact_id=text, account_id="", values={"sentiment": 1})),
            lambda text=text: crm.write_profile(replace(profile, contact_id="", account_id=text, values={"sentiment": 1})),
            lambda text=text: crm.save_case(replace(RECORD, case_key=f"cx-{text}"[:64], account_id=text, contact_id=text, owner=text, url=f"https://e.example/{text}")),
            lambda text=text: crm.save_case(replace(RECORD, case_key=f"cy-{text}"[:64], crm_id=text, before=BEFORE, version=2)),
        ):
            try:
                action()
            except CrmError as error:
                assert text not in str(error)
    assert (the_case(world), plain(world.contact_values(profile.contact_id)), world.contacts()) == before
    assert all(count == 1 for count in Counter(case.case_key for case in world.cases()).values())


def test_any_person_can_be_made_a_contact(world: World) -> None:
    before = world.contacts()
    for number, text in enumerate(NASTY):
        for _ in range(2):
            try:
                quick(world).create_contact(NewContact("contact", f"cu-{number}", text, (f"email:{text}@example.com", f"x:{text}", f"phone:{text}"), text))
            except CrmRejectedError as error:
                assert text not in str(error)
    assert before < world.contacts() <= before + len(NASTY)


def test_accounts_and_contacts_may_have_any_name(world: World) -> None:
    for number, name in enumerate(text.lstrip("=")[:50] for text in TYPED):
        account = world.add_account(name, tier="smb")
        world.add_contact(account, name, f"ann-{number}@example.com")
        found = quick(world).find_account([f"email:ann-{number}@example.com"]).account
        assert found and (found.account_id, found.name) == (account, name)


def test_what_people_write_is_read_as_they_wrote_it(world: World) -> None:
    saved = quick(world).save_case(RECORD)
    world.tick(3600)
    cursor, heard = quick(world).read_changes("")[1], list[str]()
    for text in TYPED:
        world.tick(1)
        world.comment(saved.crm_id, text)
        changes, cursor = quick(world).read_changes(cursor)
        heard += [change.fields["text"] for change in changes if change.kind == "comment"]
    assert list(map(_words, heard)) == list(map(_words, TYPED))


def _words(text: str) -> str:
    return " ".join(text.split())


def test_any_text_can_stand_in_a_profile(world: World) -> None:
    for text in NASTY:
        profile = a_profile(world, channels=text, sentiment=0.25)
        events = (ProfileEvent("e-1", "2026-11-21T09:30:00.000000Z", text, text, text, None, text),)
        quick(world).write_profile(replace(profile, events=events))
        assert plain(world.contact_values(profile.contact_id))["sentiment"] == 0.25
