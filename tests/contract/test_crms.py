"""The one contract that every CRM adapter keeps. A CRM is found by its module; it needs a kit of the same name in tests/kit/crms.

Here: how it is opened, and how it finds accounts. The other parts are in test_crms_*.py.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from caseline.crm import crm_names

from tests.kit.crms import RECORD, World
from tests.kit.scenes import NASTY, without_a_field

CORE = Path(__file__).parents[2] / "layers" / "core"
HEAVY = {"boto3", "botocore", "pydantic", "requests", "urllib3", "jwt", "cryptography", "ruamel"}


@pytest.mark.parametrize("name", crm_names())
def test_opening_a_crm_loads_nothing_heavy(name: str) -> None:
    """The door opens it for its webhooks, and has none of these."""
    code = (
        "import sys; from caseline.door import Door; from caseline.crm import open_crm; before = set(sys.modules); "
        f"open_crm({name!r}); print(*sorted({{each.partition('.')[0] for each in sys.modules.keys() - before}} & {HEAVY!r}))"
    )
    done = subprocess.run([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": str(CORE)}, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_finds_an_account_by_each_identity_of_its_contact(world: World) -> None:
    account = world.add_account("Globex", tier="strategic")
    contact = world.add_contact(account, "Ann", "ann@example.com", "+44 20 7946 0000", "x:12345;x:@ann")
    for identity in ("email:ann@example.com", "email:ANN@Example.com", "phone:+442079460000", "x:12345", "x:@Ann"):
        match = world.adapter().find_account([identity])
        assert match.kind == "exact" and match.account, identity
        assert (match.account.account_id, match.account.contact_id, match.account.name) == (account, contact, "Globex")
        assert set(match.account.identities) == {"email:ann@example.com", "phone:+442079460000", "x:12345", "x:@ann"}


def test_finds_none(world: World) -> None:
    world.add_contact(world.add_account("Globex"), "Ann", "ann@example.com", handles="x:12345")
    for identities in ([], ["email:bob@example.com"], ["x:1234"], ["x:123456"], ["no identity"], ["standard_webhooks:u-1"]):
        assert world.adapter().find_account(identities).kind == "none"


def test_contacts_of_two_accounts_are_ambiguous(world: World) -> None:
    first, second = world.add_account("Globex"), world.add_account("Initech")
    world.add_contact(first, "Ann", "ann@example.com")
    world.add_contact(second, "Ann", handles="x:12345")
    match = world.adapter().find_account(["x:12345", "email:ann@example.com"])
    assert (match.kind, match.account) == ("ambiguous", None)
    assert {candidate.account_id for candidate in match.candidates} == {first, second}


def test_contacts_of_one_account_are_that_account(world: World) -> None:
    account = world.add_account("Globex")
    world.add_contact(account, "Ann", "ann@example.com", handles="x:1")
    best = world.add_contact(account, "Bob", "bob@example.com", handles="x:2")
    match = world.adapter().find_account(["x:1", "x:2", "email:bob@example.com"])
    assert match.kind == "exact" and match.account and match.account.contact_id == best


def test_a_shared_identity_names_the_account_and_no_contact(world: World) -> None:
    account = world.add_account("Globex")
    world.add_contact(account, "Ann", "info@example.com")
    world.add_contact(account, "Bob", "info@example.com")
    match = world.adapter().find_account(["email:info@example.com"])
    assert match.kind == "exact" and match.account
    assert (match.account.account_id, match.account.contact_id, tuple(match.account.identities)) == (account, "", ())


def test_facts_say_where_and_when_they_were_read(world: World) -> None:
    account = world.add_account("Globex", tier="strategic", deal_value="120000.5", renewal_date="2026-12-15")
    world.add_contact(account, "Ann", "ann@example.com")
    found = world.adapter().find_account(["email:ann@example.com"]).account
    assert found
    facts = found.facts
    values = [facts[name].value for name in ("tier", "deal_value", "renewal_date", "open_cases")]
    assert values == ["strategic", "120000.5", "2026-12-15", 0]
    assert all(fact.source.lower().startswith(world.adapter().name) and fact.as_of == "2026-11-21T10:00:00.000000Z" for fact in facts.values())


def test_open_cases_are_counted_while_they_are_open(world: World) -> None:
    account = world.add_account("Globex")
    world.add_contact(account, "Ann", "ann@example.com")
    crm = world.adapter()
    count = lambda: crm.find_account(["email:ann@example.com"]).account.facts["open_cases"].value  # noqa: E731
    record = replace(RECORD, account_id=account)
    crm.save_case(record)
    crm.save_case(replace(record, case_key="cx-other"))
    assert count() == 2
    crm.save_case(replace(record, version=2, status="closed"))
    assert count() == 1


def test_an_account_value_that_is_unknown_is_no_fact(world: World) -> None:
    world.add_contact(world.add_account("Globex"), "Ann", "ann@example.com")
    found = world.adapter().find_account(["email:ann@example.com"]).account
    assert found and not {"tier", "deal_value", "renewal_date"} & set(found.facts)


def test_what_strangers_write_finds_only_itself(world: World) -> None:
    world.add_contact(world.add_account("Globex"), "Ann", "ann@example.com", handles="x:@ann")
    crm = world.adapter()
    for text in NASTY:
        for identity in (f"email:{text}@example.com", f"x:{text}", f"x:@{text}", f"phone:{text}", text):
            assert crm.find_account([identity]).kind == "none", identity[:80]


def test_a_quote_in_an_address_is_found(world: World) -> None:
    account = world.add_account("Globex")
    world.add_contact(account, "Bríd", "o'brien@example.com", handles="x:@50%_off")
    for identity in ("email:o'brien@example.com", "x:@50%_off"):
        found = world.adapter().find_account([identity]).account
        assert found and found.account_id == account


def test_a_customer_may_be_known_by_many_names(world: World) -> None:
    account = world.add_account("Globex")
    contact = world.add_contact(account, "Ann", "ann@example.com", handles="x:12345")
    others = [f"email:ann.{number}.of.a.long.name@subsidiary.of.globex.example.com" for number in range(6)] + [f"x:{number}" for number in range(6)]
    crm, before = world.adapter(), world.calls()
    match = crm.find_account([*others, "email:ann@example.com", "x:12345"])
    assert match.account and (match.kind, match.account.contact_id) == ("exact", contact)
    assert world.calls() - before <= 8


@without_a_field("contact.handles", "account.tier", "account.product_tier", "account.lifecycle")
def test_an_account_is_found_without_a_field_of_ours(world: World, entity: str, key: str) -> None:
    account = world.add_account("Globex", deal_value="1000")
    contact = world.add_contact(account, "Ann", "ann@example.com")
    world.drop_field(entity, key)
    for identity in ("email:ann@example.com", "email:ann@example.com"):
        found = world.adapter().find_account(["x:12345", identity]).account
        assert found and (found.account_id, found.contact_id, found.facts["deal_value"].value) == (account, contact, "1000")
