"""What the org lacks, what setting up would change, and doing it: by the org's own description of its objects and the Tooling API."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from caseline.crm import Finding, Step
from caseline.crm._schema import SchemaField
from caseline.crm.salesforce._api import Api, Record, read_object, read_records
from caseline.crm.salesforce._metadata import PERMISSION_SET, RULE, field_metadata, field_name, installed, rule_metadata
from caseline.crm.salesforce._settings import Settings
from caseline.crm.salesforce._soql import is_id, quote, quote_list
from caseline.crm.salesforce._wishes import QUEUE_PREFIX
from caseline.errors import CrmConflictError, CrmNotFoundError, CrmRejectedError

ERROR, WARNING = "error", "warning"
USED = {"Opportunity": "deal value and purchases", "Contract": "renewal date and contract status", "CaseComment": "notes"}
INSTALL = "run `caseline crm apply`, or deploy infra/crm/salesforce"
GRANT = f"grant it by the permission set {PERMISSION_SET}"
THERE = ("DUPLICATE_DEVELOPER_NAME", "DUPLICATE_VALUE")
Described = Mapping[str, Mapping[str, Record]]


class Setup:
    def __init__(self, api: Api, settings: Settings) -> None:
        self._api, self._settings = api, settings

    def check(self, schema: Sequence[SchemaField]) -> list[Finding]:
        described = self._describe(schema)
        return [*self._check_fields(schema, described), *self._check_objects(), *self._check_values(described.get("Case", {})), *self._check_queues()]

    def plan(self, schema: Sequence[SchemaField]) -> list[Step]:
        described = self._describe(schema)
        missing = [(entity, field) for entity, name, field in self._wanted(schema) if name not in described[entity] and name == field_name(field.key)]
        return [*(_field_step(entity, field) for entity, field in missing), *self._plan_rule(schema)]

    def apply(self, step: Step) -> None:
        """A new field is seen by nobody until it is granted."""
        self._create(f"/tooling/sobjects/{step.data['type']}", {"FullName": step.data["name"], "Metadata": step.data["metadata"]})
        if step.data["type"] == "CustomField":
            grant = {"ParentId": self._permission_set(), "SobjectType": step.data["name"].partition(".")[0], "Field": step.data["name"]}
            self._create("/sobjects/FieldPermissions", {**grant, "PermissionsRead": True, "PermissionsEdit": step.data["editable"]})

    # What is there.

    def _describe(self, schema: Sequence[SchemaField]) -> dict[str, dict[str, Record]]:
        return {entity: self._fields_of(entity) for entity in dict.fromkeys(entity for entity, _ in installed(schema))}

    def _fields_of(self, entity: str) -> dict[str, Record]:
        try:
            body = read_object(self._api.call("GET", f"/sobjects/{entity}/describe"))
        except CrmNotFoundError:
            return {}
        return {field["name"]: field for field in read_records(body, "fields")}

    def _wanted(self, schema: Sequence[SchemaField]) -> Iterator[tuple[str, str, SchemaField]]:
        """Object, the field's name by the settings, and the field; none that is switched off."""
        for entity, field in installed(schema):
            if name := self._name(field):
                yield entity, name, field

    def _name(self, field: SchemaField) -> str:
        own = {"handles": self._settings.handles_field, "customer_key": self._settings.customer_key_field, "lifecycle": "lifecycle_stage"}
        if field.entity == "case":
            return self._settings.case_fields.get(field.key, "")
        if field.entity == "contact":
            return own.get(field.key) or self._settings.contact_profile.get(field.key, "")
        read = self._settings.account_fields.get(own.get(field.key, field.key), "") if field.side == "theirs" else ""
        return read or self._settings.account_profile.get(field.key, "")

    # What is wrong.

    def _check_fields(self, schema: Sequence[SchemaField], described: Described) -> Iterator[Finding]:
        for entity, name, field in self._wanted(schema):
            if "." not in name:
                yield from _check_field(f"{entity}.{name}", field, described[entity].get(name))

    def _check_objects(self) -> Iterator[Finding]:
        found = {row.get("name") for row in read_records(read_object(self._api.call("GET", "/sobjects")), "sobjects")}
        for name in ("Case", "Contact", "Account"):
            if name not in found:
                yield Finding(ERROR, name, "the object is hidden from our user", GRANT)
        for name, what in USED.items():
            if name not in found:
                yield Finding(WARNING, name, f"the object is hidden from our user: no {what}", GRANT)

    def _check_values(self, case: Mapping[str, Record]) -> Iterator[Finding]:
        """A restricted picklist refuses a value that it does not list."""
        settings = self._settings
        used = {"Priority": [*settings.priorities.values()], "Status": [settings.status_new, settings.status_closed, settings.status_reopened]}
        for column, values in used.items():
            listed = {value.get("value") for value in case.get(column, {}).get("picklistValues") or ()}
            for value in dict.fromkeys(values):
                if listed and value not in listed:
                    yield Finding(ERROR, f"Case.{column}", f"{value!r} is not in the list", "add the value there, or name another in the settings")

    def _check_queues(self) -> Iterator[Finding]:
        queues = self._settings.queues
        keys = [key for key in queues.values() if is_id(key, QUEUE_PREFIX)]
        rows = self._api.query(f"SELECT Id FROM Group WHERE Type = 'Queue' AND Id IN {quote_list(keys)}") if keys else []
        found = {str(row["Id"])[:15] for row in rows}
        for name, key in queues.items():
            if key[:15] not in found:
                yield Finding(ERROR, f"crm.queues.{name}", "there is no such queue, or our user does not see it", "write the id of a queue, 00G...")

    # What to do.

    def _plan_rule(self, schema: Sequence[SchemaField]) -> Iterator[Step]:
        if self._settings.case_fields["version"] != field_name("version") or not any(field.key == "version" for field in schema):
            return
        soql = f"SELECT Id FROM ValidationRule WHERE ValidationName = {quote(RULE)}"
        if not read_records(read_object(self._api.call("GET", "/tooling/query", params={"q": soql}))):
            yield _step("ValidationRule", f"Case.{RULE}", "a rule on Case: an older version never overwrites a newer one", rule_metadata())

    def _create(self, path: str, body: Mapping[str, Any]) -> None:
        try:
            self._api.call("POST", path, body=body)
        except (CrmRejectedError, CrmConflictError) as error:
            if not any(code in str(error) for code in THERE):
                raise

    def _permission_set(self) -> str:
        """Ours, made and assigned to our user where it is not there yet."""
        rows = self._api.query(f"SELECT Id FROM PermissionSet WHERE Name = {quote(PERMISSION_SET)}")
        if rows:
            return str(rows[0]["Id"])
        made = read_object(self._api.call("POST", "/sobjects/PermissionSet", body={"Name": PERMISSION_SET, "Label": PERMISSION_SET.replace("_", " ")}))
        self._create("/sobjects/PermissionSetAssignment", {"AssigneeId": self._api.user_id, "PermissionSetId": made["id"]})
        return str(made["id"])


def _check_field(name: str, field: SchemaField, found: Record | None) -> Iterator[Finding]:
    severity = ERROR if field.is_required else WARNING
    if found is None:
        yield Finding(severity, name, f"the field is missing or hidden from our user: {field.about}", f"{INSTALL}; {GRANT}")
        return
    if field.unique and not (found.get("externalId") and found.get("unique")):
        yield Finding(severity, name, "the field is not an external id, or not unique: two runs could make two records", "tick External ID and Unique")
    if field.side == "ours" and not (found.get("createable") and found.get("updateable")):
        yield Finding(severity, name, "our user may not write the field", GRANT)


def _field_step(entity: str, field: SchemaField) -> Step:
    what = f"the field {field.label} on {entity}: {field.about}"
    return _step("CustomField", f"{entity}.{field_name(field.key)}", what, field_metadata(field), editable=field.side == "ours" or entity != "Account")


def _step(kind: str, name: str, what: str, metadata: Mapping[str, Any], **more: Any) -> Step:
    return Step(name, what, "api", data={"type": kind, "name": name, "metadata": metadata, **more})
