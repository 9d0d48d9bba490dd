"""A customer whom the CRM does not know becomes a contact or a lead there, where the policy says so, once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from caseline.cases.inbound import account_key
from caseline.crm import Account, Crm, NewContact
from caseline.crm._guard import URGENT_BAND
from caseline.customers import Claimed, link, load_customer
from caseline.errors import CrmAuthError, CrmNotFoundError, CrmRejectedError
from caseline.metrics import emit
from caseline.policy import Policy
from caseline.policy_parts import BANDS
from caseline.signals import isoformat, parse_time
from caseline.table import ConditionFailed, Item, Table

AGAIN = timedelta(hours=1)  # until a contact is tried again that the CRM refused to make

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
        if customer is None or customer.get("match") != "none" or self._is_refused(customer) or not self._claim(customer, case["case_key"]):
            return {}
        made = self._make(customer, case)
        if made is None:
            return {}
        self._keep(customer, made)
        return {"account_id": made.account_id, "contact_id": made.contact_id}

    def _make(self, customer: Item, case: Item) -> Account | None:
        """None where the CRM refuses it: the case is worth more than its contact, and goes there without one."""
        origin = f"{case['channels'][0]} of {case['brand']}" if case["channels"] else case["brand"]
        name, urgent = customer.get("name") or "", case["priority"]["band"] == URGENT_BAND
        try:
            return self.crm.create_contact(NewContact(self.policy.crm.create, customer["customer_id"], name, customer["identities"], origin, urgent))
        except (CrmRejectedError, CrmNotFoundError, CrmAuthError) as error:
            now = self.clock()
            self.table.update(customer["PK"], customer["SK"], "SET refused_at = :now", now=isoformat(now))
            emit({"CrmContactRefused": 1}, f"crm/{self.crm.name}", now, reason=type(error).__name__)
            return None

    def _is_refused(self, customer: Item) -> bool:
        """A while ago: it would be again."""
        return bool(customer.get("refused_at")) and self.clock() < parse_time(str(customer["refused_at"])) + AGAIN

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
        for found in filter(None, dict.fromkeys((made.contact_id, made.account_id))):
            self.table.put(account_key(self.crm.name, found, customer["customer_id"]) | {"type": "crm_account"})
