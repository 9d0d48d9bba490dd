"""What a portal holds: records with their history, associations, properties, a bin."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from tests.kit.hubspot.errors import HubSpotError, bad_properties, not_found
from tests.kit.hubspot.schema import CREATED, IDS, LONGEST, MODIFIED, REQUIRED, complain, define, read_time, show_time, standard

PORTAL_ID, APP_ID = "62515", "54321"
APP = {"sourceType": "INTEGRATION", "sourceId": APP_ID, "sourceLabel": "Caseline"}
PERSON = {"sourceType": "CRM_UI", "sourceId": "userId:77", "updatedByUserId": 77}
MILLISECOND = timedelta(milliseconds=1)
# from, to -> type, and the type back
TYPES = {
    ("tickets", "contacts"): (16, 15), ("tickets", "companies"): (26, 25), ("notes", "tickets"): (228, 227), ("contacts", "companies"): (1, 2),
    ("deals", "companies"): (5, 6), ("emails", "tickets"): (224, 223),
}  # fmt: skip
COUNTRY_CODES = ("44", "49", "353", "1")
# The copies of its company that a contact carries, as the portal's property sync keeps them.
COPIED = {
    "name": "name", "tier": "cx_tier", "product_tier": "cx_product_tier", "lifecycle_stage": "lifecyclestage", "deal_value": "total_revenue",
    "renewal_date": "cx_renewal_date", "contract_status": "cx_contract_status", "purchases": "cx_purchases", "open_cases": "cx_open_cases",
    "annual_revenue": "annualrevenue", "owner": "hubspot_owner_id",
}  # fmt: skip
COPY_NAMES = tuple(COPIED)


@dataclass
class Record:
    kind: str
    id: str
    created: datetime
    updated: datetime
    properties: dict[str, str] = field(default_factory=dict)
    history: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    associations: dict[str, dict[str, int]] = field(default_factory=dict)
    archived: datetime | None = None


class Portal:
    """`lag` is how many seconds the search index is late, `locked` how often writes to a record are refused yet. `nulls` shows what is not set as null."""

    def __init__(self, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.clock, self.lag, self.nulls, self.copies = clock, 0.0, False, True
        self.records: dict[str, dict[str, Record]] = {kind: {} for kind in IDS}
        self.properties = {kind: standard(kind) for kind in IDS}
        self.locked: dict[str, int] = {}
        self.merged: dict[str, str] = {}
        self._last_id = 1_000

    # Definitions.
    def add_property(self, kind: str, given: Mapping[str, Any]) -> dict[str, Any]:
        known = self.properties[kind]
        if given["name"] in known:
            raise HubSpotError(409, "OBJECT_ALREADY_EXISTS", f'A property named "{given["name"]}" already exists.')
        known[given["name"]] = define({**given, "createdAt": show_time(self.clock()), "updatedAt": show_time(self.clock())})
        return known[given["name"]]

    def drop_property(self, kind: str, name: str) -> None:
        self.properties[kind].pop(name, None)
        for record in self.records[kind].values():
            record.properties.pop(name, None)

    # Records.
    def live(self, kind: str) -> list[Record]:
        return [record for record in self.records[kind].values() if not record.archived]

    def find(self, kind: str, record_id: str, by: str = "", archived: bool = False) -> Record:
        """By id or by a unique property."""
        if by and by not in ("hs_object_id", "id"):
            self._check_unique(kind, by)
            found = next((record for record in self.live(kind) if record_id and _same(by, record, record_id)), None)
        else:
            found = self.records[kind].get(record_id)
        if found is None or bool(found.archived) != archived:
            raise not_found(kind, record_id)
        return found

    def _check_unique(self, kind: str, name: str) -> None:
        if not self.properties[kind].get(name, {}).get("hasUniqueValue"):
            code = "PROPERTY_DOESNT_EXIST" if name not in self.properties[kind] else "NOT_UNIQUE"
            raise bad_properties([(code, name, f"{name} is no unique property")])

    def create(self, kind: str, values: Mapping[str, str], author: Mapping[str, Any], associations: Sequence[Mapping[str, Any]] = ()) -> Record:
        missing = [name for name in REQUIRED.get(kind, ()) if not values.get(name)]
        if missing:
            raise HubSpotError(400, "VALIDATION_ERROR", f"Error creating {kind}. Some required properties were not set.", context={"properties": missing})
        self._check(kind, values, None)
        ends = [self._end(kind, each) for each in associations]
        self._last_id += 1
        now = self.clock()
        record = self.records[kind][str(self._last_id)] = Record(kind, str(self._last_id), now, now)
        self._write(record, values, author, now)
        for other, type_id in ends:
            self.associate(record, other, type_id)
        return record

    def update(self, record: Record, values: Mapping[str, str], author: Mapping[str, Any]) -> Record:
        if self.locked.get(record.id):
            self.locked[record.id] -= 1
            raise HubSpotError(423, "LOCKED", "The record is locked for another request.")
        self._check(record.kind, values, record)
        self._write(record, values, author, max(self.clock(), record.updated + MILLISECOND))
        return record

    def archive(self, record: Record) -> None:
        record.archived = record.updated = max(self.clock(), record.updated + MILLISECOND)

    def merge(self, kind: str, primary: str, other: str, author: Mapping[str, Any]) -> Record:
        """The primary record stays and remembers the other's id, which leads nowhere from then on."""
        kept, gone = self.find(kind, primary), self.find(kind, other)
        del self.records[kind][gone.id]
        self.merged[gone.id] = kept.id
        ids = [*filter(None, kept.properties.get("hs_merged_object_ids", "").split(";")), gone.id]
        self._write(kept, {"hs_merged_object_ids": ";".join(ids)}, author, max(self.clock(), kept.updated + MILLISECOND))
        for to, ends in gone.associations.items():
            kept.associations.setdefault(to, {}).update(ends)
            for end in ends:
                self.records[to][end].associations.setdefault(kind, {})[kept.id] = 0
        return kept

    def _write(self, record: Record, values: Mapping[str, str], author: Mapping[str, Any], at: datetime) -> None:
        for name, value in values.items():
            shown = show_time(moment) if self.properties[record.kind][name]["type"] == "datetime" and (moment := read_time(value)) else value
            shown = shown.lower() if name == "email" else shown
            record.properties[name] = shown
            record.history.setdefault(name, []).insert(0, {"value": shown, "timestamp": show_time(at), **author})
        record.updated = at

    def _check(self, kind: str, values: Mapping[str, str], record: Record | None) -> None:
        known = self.properties[kind]
        complaints = [("PROPERTY_DOESNT_EXIST", name, f'Property "{name}" does not exist') for name in values if name not in known]
        complaints += [found for name, value in values.items() if name in known and (found := complain(known[name], value))]
        if complaints:
            raise bad_properties(complaints)
        for name, value in values.items():
            if known[name]["hasUniqueValue"] and value:
                self._check_taken(kind, name, value, record)

    def _check_taken(self, kind: str, name: str, value: str, record: Record | None) -> None:
        taken = next((other for other in self.live(kind) if other is not record and _same(name, other, value)), None)
        if taken and name == "email":
            raise HubSpotError(409, "CONFLICT", f"Contact already exists. Existing ID: {taken.id}")
        if taken:
            raise bad_properties([("CONFLICTING_UNIQUE_VALUE", name, "another record already has that value")])

    # Associations.
    def _end(self, kind: str, given: Mapping[str, Any]) -> tuple[Record, int]:
        type_id, to = given["types"][0]["associationTypeId"], given["to"]["id"]
        other = next((end for (start, end), (there, _) in TYPES.items() if start == kind and there == type_id), None)
        if other is None:
            raise HubSpotError(400, "VALIDATION_ERROR", f"{type_id} is no association type of {kind}", subCategory="crm.associations.INVALID_ASSOCIATION_TYPE")
        if to not in self.records[other] or self.records[other][to].archived:
            errors = [{"message": f"{to} is not valid", "code": "INVALID_OBJECT_IDS", "context": {other: [to]}}]
            raise HubSpotError(400, "VALIDATION_ERROR", "One or more associations are not valid.", errors=errors)
        return self.records[other][to], type_id

    def associate(self, record: Record, other: Record, type_id: int = 0) -> None:
        there, back = TYPES.get((record.kind, other.kind), (0, 0))
        record.associations.setdefault(other.kind, {})[other.id] = type_id or there
        other.associations.setdefault(record.kind, {})[record.id] = back

    def linked(self, record: Record, kind: str) -> list[Record]:
        found = [self.records[kind].get(other) for other in record.associations.get(kind, {})]
        return [other for other in found if other and not other.archived]

    # Looking.
    def values(self, record: Record) -> dict[str, str]:
        """All properties with a value, those that HubSpot computes with them."""
        created = {CREATED.get(record.kind, "createdate"): show_time(record.created)}
        own = {"hs_object_id": record.id, MODIFIED.get(record.kind, "hs_lastmodifieddate"): show_time(record.updated), **created}
        computed = {"contacts": self._of_contact, "companies": self._of_company}.get(record.kind, lambda record: {})(record)
        found = {**record.properties, **computed, **own}
        return {name: value for name, value in found.items() if value != "" and name in self.properties[record.kind]}

    def _of_contact(self, record: Record) -> dict[str, str]:
        pairs = (("phone", "hs_searchable_calculated_phone_number"), ("mobilephone", "hs_searchable_calculated_mobile_number"))
        phones = {to: national(record.properties.get(name, "")) for name, to in pairs}
        company = next(iter(self.linked(record, "companies")), None)
        if company is None:
            return phones
        values = self.values(company) if self.copies else {}
        copies = {f"cx_account_{name}": values.get(source, "") for name, source in COPIED.items()}
        return {**phones, "associatedcompanyid": company.id, **copies}

    def _of_company(self, record: Record) -> dict[str, str]:
        won = [Decimal(deal.properties.get("amount") or 0) for deal in self.linked(record, "deals") if deal.properties.get("dealstage") == "closedwon"]
        open_tickets = [ticket for ticket in self.linked(record, "tickets") if ticket.properties.get("hs_pipeline_stage") != "4"]
        return {"total_revenue": str(sum(won)) if won else "", "cx_open_cases": str(len(open_tickets))}

    def show(self, record: Record, names: Sequence[str] = (), history: Sequence[str] = ()) -> dict[str, Any]:
        """As an answer shows it. Names that do not exist are left out without a word."""
        values, by_itself = self.values(record), ("hs_object_id", CREATED.get(record.kind, "createdate"), MODIFIED.get(record.kind, "hs_lastmodifieddate"))
        asked = [name for name in dict.fromkeys([*names, *by_itself]) if name in self.properties[record.kind]]
        shown = {name: values.get(name) for name in asked if self.nulls or name in values}
        body = {
            "id": record.id, "properties": shown, "createdAt": show_time(record.created), "updatedAt": show_time(record.updated),
            "archived": bool(record.archived),
            "url": f"https://app.hubspot.com/contacts/{PORTAL_ID}/record/{IDS[record.kind]}/{record.id}",
        }  # fmt: skip
        if record.archived:
            body["archivedAt"] = show_time(record.archived)
        if history:
            body["propertiesWithHistory"] = {name: record.history.get(name, []) for name in history if name in self.properties[record.kind]}
        return body


def national(phone: str) -> str:
    """The digits without the country's code."""
    digits = re.sub(r"\D", "", phone)
    if not phone.strip().startswith("+"):
        return digits.lstrip("0")
    code = next((code for code in COUNTRY_CODES if digits.startswith(code)), "")
    return digits[len(code) :]


def _same(name: str, record: Record, value: str) -> bool:
    if name == "email":
        return value.lower() in [record.properties.get("email", ""), *record.properties.get("hs_additional_emails", "").lower().split(";")]
    return record.properties.get(name) == value


__all__ = ["APP", "APP_ID", "LONGEST", "PERSON", "PORTAL_ID", "Portal", "Record"]
