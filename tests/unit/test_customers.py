"""Who a customer is, when identities become known one after the other, too many of them, or two at the same instant."""

import pytest
from caseline.customers import FAN_IN_CAP, Claimed, customer_id_of, link, load_customer, new_nodes
from caseline.table import Table

from tests.kit.aws import aws
from tests.kit.pipeline import FakeCrm, Pipeline, a_signal

PHONE, EMAIL = "phone:+441632960001", "email:ida@birch.example"


@pytest.fixture
def table():
    with aws() as cloud:
        yield Table(cloud.client("dynamodb"), cloud.table, sleep=lambda _: None)


def see(table, *identities, at="2026-11-21T10:00:00.000000Z"):
    """As recording does: insert what is new, then link if anybody was known."""
    claimed = Claimed(identities, "signal:sig_1", at)
    table.insert_many(new_nodes(claimed))
    return link(table, claimed)


def customer(table, identity):
    return load_customer(table, customer_id_of(identity))


def test_an_identity_learned_later_is_on_the_customers_list(table):
    see(table, PHONE)
    see(table, PHONE, EMAIL)
    assert customer(table, EMAIL)["customer_id"] == customer_id_of(PHONE)
    assert customer(table, PHONE)["identities"] == [PHONE, EMAIL]


def test_past_the_cap_an_identity_is_a_customer_of_its_own(table):
    emails = [f"email:person{number}@birch.example" for number in range(FAN_IN_CAP + 5)]
    for email in emails:
        see(table, PHONE, email)
    assert len(customer(table, PHONE)["identities"]) == FAN_IN_CAP
    assert customer(table, emails[-1])["identities"] == [emails[-1]]
    see(table, PHONE, emails[-1])
    assert customer(table, emails[-1])["identities"] == [emails[-1]]


def test_a_signal_with_more_identities_than_a_transaction_takes(table):
    see(table, PHONE)
    see(table, PHONE, *(f"email:person{number}@birch.example" for number in range(300)))
    assert len(customer(table, PHONE)["identities"]) == FAN_IN_CAP


def test_two_first_sightings_at_one_instant_make_one_customer(table):
    """Each inserted its alias before the other's customer: the rows point to each other."""
    one, other = (Claimed(identities, "signal:sig_1", "2026-11-21T10:00:00.000000Z") for identities in ((PHONE, EMAIL), (EMAIL, PHONE)))
    table.insert_many([new_nodes(one)[1], new_nodes(other)[1]])
    assert customer(table, PHONE) == customer(table, EMAIL)
    assert link(table, one)[0] == link(table, other)[0]
    assert set(customer(table, PHONE)["identities"]) == {PHONE, EMAIL} and "merged_into" not in customer(table, EMAIL)


def test_a_handle_that_another_account_took_over_joins_nobody(table):
    see(table, "x:71", "x:@ida", EMAIL)
    see(table, "x:71", "x:@ida_b", at="2026-11-22T10:00:00.000000Z")
    see(table, "x:99", "x:@ida", at="2026-11-23T10:00:00.000000Z")
    assert customer(table, "x:@ida_b")["customer_id"] == customer(table, "x:71")["customer_id"] != customer(table, "x:99")["customer_id"]
    assert customer(table, "x:99")["identities"] == ["x:99"]
    link(table, Claimed(["x:55", "x:@ida"], "crm:builtin:C-1", "2026-11-24T10:00:00.000000Z", contact="C-1"))
    assert customer(table, "x:55")["identities"] == ["x:55"]


def test_of_two_customers_it_names_a_claim_joins_the_first(table):
    link(table, Claimed([EMAIL], "crm:builtin:C-1", "2026-11-21T10:00:00.000000Z", contact="C-1"))
    link(table, Claimed([PHONE], "crm:builtin:C-2", "2026-11-21T10:00:00.000000Z", contact="C-2"))
    see(table, "x:1", PHONE, EMAIL, at="2026-11-23T10:00:00.000000Z")
    assert customer(table, "x:1")["contact"] == "C-2" and customer(table, EMAIL)["contact"] == "C-1"


def test_an_office_phone_joins_no_more_customers_than_the_policy_says():
    with aws() as cloud:
        pipeline = Pipeline(cloud, FakeCrm(), policy="version: 1\nidentities: {fan_in: 3}\n")
        for number in range(8):
            pipeline.send(a_signal(f"c-{number}", "Thank you!", identities=(f"email:p{number}@birch.example", PHONE)))
            pipeline.settle()
        assert len(customer(pipeline.table, PHONE)["identities"]) == 4
        assert customer(pipeline.table, "email:p7@birch.example")["identities"] == ["email:p7@birch.example"]
