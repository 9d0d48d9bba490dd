"""A customer whom the CRM does not know becomes a contact or a lead there, where the policy says so, once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from caseline.cases.inbound import account_key
from caseline.crm import Account, Crm, NewContact
from caseline.crm._guard import URGENT_BAND
from caseline.customers import Claimed, link, load_customer
from caseline.policy import Policy
from caseline.policy_parts import BANDS
from caseline.signals import isoformat
from caseline.table import ConditionFailed, Item, Table


@dataclass(frozen=True)
class Newcomers:
    table: Table
    crm: Crm
    policy: Policy
    clock: Callable[[], datetime]

    def welcome(self, case: Item) -> Item:
        """The ids of the contact that was made for the case's customer, to be written with the case; nothing where none is to be made."""
        rules = self.policy.crm
        if rules.create == "never" or case.get("contact_id") or BANDS.index(case["priority"]["band"]) > BANDS.index(rules.create_from):
            return {}
        customer = load_customer(self.table, case["customer_id"])
        if customer is None or customer.get("match") != "none" or not self._claim(customer, case["case_key"]):
            return {}
        origin = f"{case['channels'][0]} of {case['brand']}" if case["channels"] else case["brand"]
        name, urgent = customer.get("name") or "", case["priority"]["band"] == URGENT_BAND
        made = self.crm.create_contact(NewContact(rules.create, customer["customer_id"], name, customer["identities"], origin, urgent))
        self._keep(customer, made)
        return {"account_id": made.account_id, "contact_id": made.contact_id}

    def _claim(self, customer: Item, case_key: str) -> bool:
        """Of two cases at once, one makes the contact."""
        try:
            condition = "attribute_not_exists(newcomer_of) OR newcomer_of = :case_key"
            self.table.update(customer["PK"], customer["SK"], "SET newcomer_of = :case_key", condition, case_key=case_key)
        except ConditionFailed:
            return False
        return True

    def _keep(self, customer: Item, made: Account) -> None:
        now = isoformat(self.clock())
        provenance = f"crm:{self.crm.name}:{made.contact_id}"
        link(self.table, Claimed(customer["identities"], provenance, now, "verified", None, made.contact_id, customer.get("scope", "")))
        self.table.update(
            customer["PK"], customer["SK"], "SET account = :account, account_as_of = :now, #m = :match", names={"#m": "match"},
            account=made.to_json(), now=now, match="exact",
        )  # fmt: skip
        self.table.put(account_key(self.crm.name, made.contact_id, customer["customer_id"]) | {"type": "crm_account"})
