"""Any CRM is told how customers feel, and of customers it does not know."""

from __future__ import annotations

from dataclasses import replace

import pytest
from caseline.crm import NewContact, ProfileEvent
from caseline.crm._erasing import HISTORY_STANDS, VALUES_STAND

from tests.kit.crms import World
from tests.kit.scenes import NEW, OF_ACCOUNTS, VALUES, a_profile, plain, stored_texts, without_a_field

SAID = "complaint about delivery"
EVENTS = tuple(ProfileEvent(f"e-{number}", "2026-11-21T09:30:00.000000Z", "x", "post", SAID, -0.5, "nps 2/10") for number in range(3))


def test_writes_how_a_customer_feels(world: World) -> None:
    profile, bystander = a_profile(world), world.add_contact(world.add_account("Initech"), "Bob", "bob@example.com")
    for _ in range(2):
        world.adapter().write_profile(profile)
    assert plain(world.contact_values(profile.contact_id)) == plain(VALUES)
    assert plain(world.account_values(profile.account_id)) == plain({name: VALUES[name] for name in VALUES if name in OF_ACCOUNTS})
    assert plain(world.contact_values(bystander)) == {}


def test_what_is_unknown_of_a_customer_is_not_written(world: World) -> None:
    profile = a_profile(world)
    world.adapter().write_profile(profile)
    world.adapter().write_profile(replace(profile, values={"sentiment": 0.5, "unanswered": 0}))
    assert plain(world.contact_values(profile.contact_id)) == plain({**VALUES, "sentiment": 0.5, "unanswered": 0})
    assert plain(world.account_values(profile.account_id))["health"] == 35


@pytest.mark.parametrize("missing", ["contact_id", "account_id"])
def test_a_profile_may_be_of_a_contact_or_an_account_alone(world: World, missing: str) -> None:
    profile = a_profile(world)
    world.adapter().write_profile(replace(profile, **{missing: ""}))
    written = [bool(plain(world.contact_values(profile.contact_id))), bool(plain(world.account_values(profile.account_id)))]
    assert written == [missing != "contact_id", missing != "account_id"]


def test_a_profile_has_its_history(world: World) -> None:
    profile = replace(a_profile(world), events=EVENTS)
    for _ in range(2):
        world.adapter().write_profile(profile)
    assert plain(world.contact_values(profile.contact_id)) == plain(VALUES)


@without_a_field("contact.health")
def test_a_field_that_is_missing_is_left_out_of_a_profile(world: World, entity: str, key: str) -> None:
    profile = a_profile(world)
    world.drop_field(entity, key)
    crm = world.adapter()
    for _ in range(2):
        crm.write_profile(profile)
    assert plain(world.contact_values(profile.contact_id)) == plain({name: value for name, value in VALUES.items() if name != key})


@pytest.mark.parametrize("kind", ["contact", "lead"])
def test_creates_a_contact_once(world: World, kind: str) -> None:
    before = world.contacts()
    made = [world.adapter().create_contact(replace(NEW, kind=kind)) for _ in range(3)]
    assert world.contacts() == before + 1
    assert made[0].contact_id and len({each.contact_id for each in made}) == 1
    other = world.adapter().create_contact(NewContact(kind, "cu-78", "Dan", ("email:dan@example.com",), "email"))
    assert world.contacts() == before + 2 and other.contact_id != made[0].contact_id


def test_a_contact_that_is_there_is_not_made_again(world: World) -> None:
    account = world.add_account("Globex")
    contact = world.add_contact(account, "Cleo", "cleo@example.com")
    before = world.contacts()
    found = world.adapter().create_contact(NEW)
    assert (found.contact_id, found.account_id, world.contacts()) == (contact, account, before)


def test_a_contact_may_have_no_address(world: World) -> None:
    before = world.contacts()
    made = [world.adapter().create_contact(NewContact("contact", "cu-79", "", ("x:779",), "x")) for _ in range(2)]
    assert made[0].contact_id == made[1].contact_id and world.contacts() == before + 1


def test_what_was_written_of_a_customer_is_taken_back_or_said_to_stand(world: World) -> None:
    """The records stay, and so does what people wrote there; afterwards the next may be written as ever."""
    profile = replace(a_profile(world), events=EVENTS)
    world.adapter().write_profile(profile)
    before = world.contacts()
    assert plain(world.contact_values(profile.contact_id)) == plain(VALUES)
    for _ in range(2):
        remains = world.adapter().erase_profile(profile.contact_id, profile.account_id, tuple(VALUES))
        assert all(line and line == line.strip() for line in remains)
        left = [plain(world.contact_values(profile.contact_id)), plain(world.account_values(profile.account_id))]
        assert left == [{}, {}] or VALUES_STAND in remains
    assert not stored_texts(world, SAID) or remains
    assert world.contacts() == before
    world.adapter().write_profile(profile)
    assert plain(world.contact_values(profile.contact_id)) == plain(VALUES)


@without_a_field("contact.health")
def test_what_a_crm_lacks_keeps_nothing_from_being_taken_back(world: World, entity: str, key: str) -> None:
    profile = a_profile(world)
    world.adapter().write_profile(profile)
    world.drop_field(entity, key)
    assert VALUES_STAND not in world.adapter().erase_profile(profile.contact_id, profile.account_id, tuple(VALUES))
    assert set(plain(world.contact_values(profile.contact_id))) <= {key}


def test_of_a_contact_that_is_gone_nothing_is_left_to_take_back(world: World) -> None:
    assert not set(world.adapter().erase_profile("no-such-contact", "", tuple(VALUES))) - {HISTORY_STANDS, VALUES_STAND}
