"""The simulated org: records, rules and locks. State is plain and open to tests; one lock makes each operation whole, as a transaction is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from threading import RLock
from typing import Any

from tests.kit.salesforce.errors import SalesforceError
from tests.kit.salesforce.ids import is_id, long_id, make_id
from tests.kit.salesforce.queries import Queries, Record
from tests.kit.salesforce.schema import Entity, Field, custom_field, default_entities

VERSION_RULE = "CX_Version_Never_Falls: a newer version of this case stands"
Rule = Callable[[Record | None, Record], str | None]


def version_never_falls(before: Record | None, after: Record) -> str | None:
    """What the validation rule of infra/crm/salesforce says."""
    if before and before["CX_Version__c"] is not None and (after["CX_Version__c"] or 0) < before["CX_Version__c"]:
        return VERSION_RULE
    return None


class Org(Queries):
    """`locked` ids answer UNABLE_TO_LOCK_ROW, those of `locked_for` that many times. `hidden` fields exist, but nobody was granted them. `actor` is who
    does what is done: the integration user, or for a while a person (`by`). `find_duplicates(entity, record)` is a duplicate rule: ids of matching records.

    `before_insert` runs between an upsert's lookup and its insert, where races are lost and won. `assignment_owner` is what the org's
    assignment rule sets unless Sforce-Auto-Assign is FALSE. `unindexed` ids are not found by search yet.
    """

    def __init__(self) -> None:
        super().__init__()
        self.entities: dict[str, Entity] = default_entities()
        self.records: dict[str, dict[str, Record]] = {name: {} for name in self.entities}
        self.rules: dict[str, list[Rule]] = {"Case": [version_never_falls]}
        self.locked: set[str] = set()
        self.locked_for: Counter[str] = Counter()
        self.hidden: dict[tuple[str, str], Field] = {}
        self.unindexed: set[str] = set()
        self.find_duplicates: Callable[[str, Record], list[str]] = lambda entity, record: []
        self.duplicates_may_be_saved = True
        self.before_insert: Callable[[], None] = lambda: None
        self.assignment_owner = ""
        self.batch_size = 2_000
        self.lock = RLock()
        self.now = datetime(2026, 11, 21, 10, tzinfo=UTC)
        self._count = 0
        self._undo: list[Callable[[], Any]] | None = None
        self.actor = ""
        self.actor = self.user = self.add("User", Name="Integration User", Username="caseline@acme.example")
        self.add("PermissionSet", Name="Caseline_Integration", Label="Caseline Integration")
        self.add("ValidationRule", ValidationName="CX_Version_Never_Falls", Active=True)

    # What tests and admins do.
    def add(self, entity: str, **values: Any) -> str:
        """Insert past all rules; returns the id."""
        with self.lock:
            return self._insert(self.entities[entity], values)["Id"]

    def drop_field(self, entity: str, name: str) -> None:
        """As if the field were not installed, or hidden from the integration user."""
        del self.entities[entity].fields[name]

    def drop_entity(self, name: str) -> None:
        del self.entities[name]

    def all(self, entity: str) -> list[Record]:
        with self.lock:
            return [dict(record) for record in self.records[entity].values() if not record["IsDeleted"]]

    @contextmanager
    def by(self, user: str) -> Iterator[None]:
        """Who does what is done meanwhile."""
        with self.lock:
            self.actor = user
            try:
                yield
            finally:
                self.actor = self.user

    def change(self, entity: str, record_id: str, **values: Any) -> None:
        """Past all rules."""
        with self.lock:
            record = self.records[entity][record_id]
            record.update(self._derived(self.entities[entity], {**record, **values}), **self._stamp())

    def merge(self, entity: str, record_id: str, into: str) -> None:
        """What hung on the one hangs on the other."""
        with self.lock:
            self.change(entity, record_id, IsDeleted=True, MasterRecordId=into)
            for comment in self.records["CaseComment"].values():
                if comment["ParentId"] == record_id:
                    comment["ParentId"] = into

    def create_field(self, full_name: str, metadata: Mapping[str, Any]) -> None:
        """By the Tooling API: it is there, and nobody sees it."""
        name, _, column = full_name.partition(".")
        if column in self.entity(name).fields or (name, column) in self.hidden:
            raise SalesforceError(400, "DUPLICATE_DEVELOPER_NAME", f"There is already a field named {column.removesuffix('__c')} on {name}.", [])
        self.hidden[name, column] = custom_field(dict(metadata))

    def grant(self, full_name: str, editable: bool) -> None:
        name, _, column = full_name.partition(".")
        field = self.hidden.pop((name, column), None)
        if field:
            self.entities[name].fields[column] = replace(field, writable=editable)
            for record in self.records[name].values():
                record.setdefault(column, None)

    @contextmanager
    def transaction(self) -> Iterator[Callable[[], None]]:
        """What is done in it can be undone by what it gives."""
        with self.lock:
            undo: list[Callable[[], Any]] = []
            self._undo = undo
            try:
                yield lambda: [step() for step in reversed(undo)] and None
            finally:
                self._undo = None

    # Single records.
    def fetch(self, entity: Entity, record_id: str) -> Record:
        record = self.records[entity.name].get(long_id(record_id))
        if not record:
            unknown = "The requested resource does not exist" if is_id(record_id) else "Provided external ID field does not exist or is not accessible: Id"
            raise SalesforceError(404, "NOT_FOUND", unknown)
        if record["IsDeleted"]:
            raise SalesforceError(404, "ENTITY_IS_DELETED", "entity is deleted")
        return record

    def find_external(self, entity: Entity, field: str, value: str) -> list[Record]:
        name = entity.column(field)
        if not name or not entity.fields[name].external_id:
            raise SalesforceError(404, "NOT_FOUND", f"Provided external ID field does not exist or is not accessible: {field}")
        return [r for r in self.records[entity.name].values() if not r["IsDeleted"] and str(r[name] or "").casefold() == value.casefold()]

    def create(self, entity: Entity, values: Mapping[str, Any], headers: Mapping[str, str]) -> Record:
        with self.lock:
            self._check_duplicate_rule(entity, dict(values), headers)
            return self._insert(entity, self._accept(entity, values, None), headers)

    def update(self, entity: Entity, record_id: str, values: Mapping[str, Any], headers: Mapping[str, str]) -> Record:
        with self.lock:
            record = self.fetch(entity, record_id)
            if record["Id"] in self.locked or self._is_locked_now(record["Id"]):
                raise SalesforceError(400, "UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access to this record or 1 records: " + record["Id"], [])
            changed = {**record, **self._accept(entity, values, record)}
            if self._is_assigned(entity, headers):
                changed["OwnerId"] = self.assignment_owner
            if self._undo is not None:
                self._undo.append(lambda before=dict(record): record.update(before))
            record.update(self._derived(entity, changed), **self._stamp())
            return record

    def _is_locked_now(self, record_id: str) -> bool:
        self.locked_for[record_id] -= 1
        return self.locked_for[record_id] >= 0

    def upsert(self, entity: Entity, field: str, value: str, values: Mapping[str, Any], headers: Mapping[str, str]) -> tuple[Record | list[Record], bool]:
        """The record (or, if several match, all of them) and whether it was created."""
        name = entity.column(field)
        if name in {entity.column(given) for given in values} or "Id" in values:
            raise SalesforceError(400, "INVALID_FIELD", f"The {field} field should not be specified in the sobject data.", [field])
        with self.lock:
            found = self.find_external(entity, field, value)
        if len(found) > 1:
            return found, False
        if found:
            return self.update(entity, found[0]["Id"], values, headers), False
        self.before_insert()
        return self.create(entity, {**values, str(name): value}, headers), True

    def delete(self, entity: Entity, record_id: str) -> None:
        with self.lock:
            self.fetch(entity, record_id).update(self._stamp(), IsDeleted=True)

    # What a write goes through.
    def _accept(self, entity: Entity, values: Mapping[str, Any], before: Record | None) -> Record:
        accepted: Record = {}
        for given, value in values.items():
            if given == "attributes":
                continue
            name = entity.column(given)
            if not name:
                raise SalesforceError(400, "INVALID_FIELD", f"No such column '{given}' on sobject of type {entity.name}")
            if not entity.fields[name].writable:
                reason = f"Unable to create/update fields: {name}. Please check the security settings of this field."
                raise SalesforceError(400, "INVALID_FIELD_FOR_INSERT_UPDATE", reason, [name])
            accepted[name] = self._checked(name, entity.fields[name], value)
        self._check_whole(entity, accepted, before)
        return accepted

    def _checked(self, name: str, field: Field, value: Any) -> Any:
        if value is None or value == "":
            return None
        if field.kind == "number" and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise SalesforceError(400, "JSON_PARSER_ERROR", f"Cannot deserialize instance of double from value {value}")
        if field.kind == "boolean" and not isinstance(value, bool):
            raise SalesforceError(400, "JSON_PARSER_ERROR", f"Cannot deserialize instance of boolean from value {value}")
        if field.kind in ("text", "textarea", "email", "phone", "url", "picklist") and _units(str(value)) > field.length:
            raise SalesforceError(400, "STRING_TOO_LONG", f"{name}: data value too large: {str(value)[:80]} (max length={field.length})", [name])
        if field.values and value not in field.values:
            raise SalesforceError(400, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", f"{name}: bad value for restricted picklist field: {value}", [name])
        if field.kind == "reference":
            return self._checked_reference(name, field, str(value))
        return str(value) if field.kind not in ("number", "boolean") else value

    def _checked_reference(self, name: str, field: Field, value: str) -> str:
        if not is_id(value):
            raise SalesforceError(400, "MALFORMED_ID", f"{name}: id value of incorrect type: {value}", [name])
        for target in field.target:
            found = self.records.get(target, {}).get(long_id(value))
            if found and found["IsDeleted"]:
                raise SalesforceError(404, "ENTITY_IS_DELETED", "entity is deleted", [])
            if found:
                return long_id(value)
        raise SalesforceError(400, "INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", [name])

    def _check_whole(self, entity: Entity, accepted: Record, before: Record | None) -> None:
        missing = [name for name, field in entity.fields.items() if field.required and not {**(before or {}), **accepted}.get(name)]
        if missing:
            raise SalesforceError(400, "REQUIRED_FIELD_MISSING", f"Required fields are missing: [{', '.join(missing)}]", missing)
        for name, value in accepted.items():
            self._check_unique(entity, name, value, before)
        for rule in self.rules.get(entity.name, ()):
            if refusal := rule(before, {**self._blank(entity), **(before or {}), **accepted}):
                raise SalesforceError(400, "FIELD_CUSTOM_VALIDATION_EXCEPTION", refusal, [])

    def _check_unique(self, entity: Entity, name: str, value: Any, before: Record | None) -> None:
        if not entity.fields[name].unique or value is None:
            return
        for other in self.records[entity.name].values():
            if other is not before and not other["IsDeleted"] and str(other.get(name) or "").casefold() == str(value).casefold():
                raise SalesforceError(400, "DUPLICATE_VALUE", f"duplicate value found: {name} duplicates value on record with id: {other['Id'][:15]}", [])

    def _check_duplicate_rule(self, entity: Entity, values: Record, headers: Mapping[str, str]) -> None:
        found = self.find_duplicates(entity.name, values)
        allowed = self.duplicates_may_be_saved and "allowsave=true" in headers.get("Sforce-Duplicate-Rule-Header", "").replace(" ", "").casefold()
        if found and not allowed:
            similar = [{"matchConfidence": 100.0, "record": {"attributes": {"type": entity.name}, "Id": record_id}} for record_id in found]
            result = {"allowSave": self.duplicates_may_be_saved, "duplicateRule": f"{entity.name}_Rule", "matchResults": [{"matchRecords": similar}]}
            raise SalesforceError(400, "DUPLICATES_DETECTED", "Use one of these records?", [], duplicateResult=result)

    def _insert(self, entity: Entity, values: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Record:
        self._count += 1
        record = {**self._blank(entity), **values, "Id": make_id(entity.prefix, self._count), "IsDeleted": False}
        if "OwnerId" in entity.fields and (not record["OwnerId"] or self._is_assigned(entity, headers)):
            record["OwnerId"] = self.assignment_owner if self._is_assigned(entity, headers) else self.user
        if entity.name == "Case":
            record["CaseNumber"] = f"{self._count + 1000:08d}"
        stamp = self._stamp()
        record.update(self._derived(entity, record), CreatedDate=stamp["LastModifiedDate"], CreatedById=stamp["LastModifiedById"], **stamp)
        self.records[entity.name][record["Id"]] = record
        if self._undo is not None:
            self._undo.append(lambda: self.records[entity.name].pop(record["Id"]))
        if entity.name == "FieldPermissions":
            self.grant(record["Field"], bool(record["PermissionsEdit"]))
        return record

    def _is_assigned(self, entity: Entity, headers: Mapping[str, str] | None) -> bool:
        return bool(self.assignment_owner) and entity.name == "Case" and headers is not None and headers.get("Sforce-Auto-Assign", "TRUE").upper() != "FALSE"

    def _blank(self, entity: Entity) -> Record:
        return {name: field.default for name, field in entity.fields.items()}

    def _derived(self, entity: Entity, record: Record) -> Record:
        if entity.name == "Case":
            return {**record, "IsClosed": record["Status"] == "Closed"}
        if "FirstName" in entity.fields:
            return {**record, "Name": " ".join(filter(None, (record["FirstName"], record["LastName"])))}
        return record

    def _stamp(self) -> Record:
        moment = self.now.strftime("%Y-%m-%dT%H:%M:%S.000+0000")
        return {"LastModifiedDate": moment, "SystemModstamp": moment, "LastModifiedById": self.actor}


def _units(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2
