"""What an instance needs: fields of ours, roles, a user in UTC. A field that is missing is dropped silently when written: the dictionary tells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from caseline.crm import Finding, Step
from caseline.crm._schema import SchemaField
from caseline.crm.servicenow._api import Api, Part, checked, list_part, rows_of, table_path
from caseline.crm.servicenow._errors import NoTableError, error_of
from caseline.crm.servicenow._query import is_value
from caseline.crm.servicenow._rows import DELETIONS, JOURNAL, text_of
from caseline.crm.servicenow._settings import Settings
from caseline.errors import CrmForbiddenError

DICTIONARY, CHOICES, USERS = "sys_dictionary", "sys_choice", "sys_user"
# ServiceNow's type and length of ours.
TYPES: Mapping[str, tuple[str, int]] = {
    "text": ("string", 40), "long_text": ("string", 4_000), "url": ("url", 1_024), "number": ("integer", 40), "decimal": ("decimal", 15),
    "choice": ("string", 40), "datetime": ("glide_date_time", 40),
}  # fmt: skip
LOGS = {JOURNAL: "comments of agents are not seen", DELETIONS: "deletions are seen only by the nightly reconciliation"}
MANY = 1_000


class SetUp:
    def __init__(self, api: Api, settings: Settings, user: str) -> None:
        self._api, self._settings, self._user = api, settings, user

    def check(self, schema: Sequence[SchemaField]) -> list[Finding]:
        parts = [self._dictionary(schema), *(list_part(name, "", ["sys_id"], 1) for name in self._tables()), *self._me()]
        answers = self._api.batch(parts)
        asked = {part.table: answer for part, answer in zip(parts[1:], answers[1:], strict=True)}
        return [*self._check_fields(schema, parts[0], answers[0]), *self._check_tables(asked), *self._check_zone(asked)]

    def plan(self, schema: Sequence[SchemaField]) -> list[Step]:
        part = self._dictionary(schema)
        known = self._known(checked(self._api.call(part.method, part.path, part.table), part.table))
        return [self._step(field) for field in schema if (name := self._name(field)) and name.startswith("u_") and (self._table(field), name) not in known]

    def apply(self, step: Step) -> None:
        """The choices first: with the field itself the step is done."""
        part = list_part(DICTIONARY, f"name={step.data['name']}^element={step.data['element']}", ["name", "element"], 1)
        if rows_of(self._api.call(part.method, part.path, part.table)):
            return
        choices = [Part("POST", table_path(CHOICES), CHOICES, choice) for choice in step.data["choices"]]
        for answer in self._api.batch([*choices, Part("POST", table_path(DICTIONARY), DICTIONARY, step.data["field"])]):
            checked(answer, DICTIONARY)

    # What is there.

    def _dictionary(self, schema: Sequence[SchemaField]) -> Part:
        """By element: native fields stand with the table that theirs extends."""
        names = ",".join(sorted({name for field in schema if (name := self._name(field))}))
        return list_part(DICTIONARY, f"elementIN{names}", ["name", "element"], MANY)

    def _known(self, answer: Any) -> set[tuple[str, str]]:
        """(table, field); one of ServiceNow's own counts for every table."""
        found = {(text_of(row, "name"), text_of(row, "element")) for row in rows_of(answer)}
        tables = (self._settings.case_table, self._settings.contact_table, self._settings.account_table)
        return found | {(table, element) for _, element in found if not element.startswith("u_") for table in tables}

    def _tables(self) -> list[str]:
        settings = self._settings
        tables = (settings.case_table, settings.contact_table, settings.account_table, settings.contract_table, settings.purchase_table)
        return [*filter(None, tables), *LOGS]

    def _me(self) -> list[Part]:
        return [list_part(USERS, f"user_name={self._user}", ["time_zone"], 1)] if is_value(self._user) else []

    def _table(self, field: SchemaField) -> str:
        settings = self._settings
        return {"case": settings.case_table, "contact": settings.contact_table, "account": settings.account_table}[field.entity]

    def _name(self, field: SchemaField) -> str:
        """What the instance calls a field of ours, "" where it is switched off."""
        settings = self._settings
        facts = {**settings.fact_fields, "lifecycle": settings.fact_fields.get("lifecycle_stage", "")}
        names = {
            "case": {**settings.case_fields, "case_key": settings.case_key},
            "contact": {**settings.contact_profile, "handles": settings.handles_field, "customer_key": settings.customer_key_field},
            "account": {**facts, **settings.account_profile},
        }  # fmt: skip
        return names[field.entity].get(field.key, "")

    # What is wrong.

    def _check_fields(self, schema: Sequence[SchemaField], part: Part, answer: Any) -> list[Finding]:
        if answer.status == 403:
            problem, fix = "the integration user may not read it: which fields are missing is not known", "give it the role personalize_read_dictionary"
            return [Finding("warning", DICTIONARY, problem, fix)]
        known = self._known(checked(answer, part.table))
        missing = [field for field in schema if (name := self._name(field)) and "." not in name and (self._table(field), name) not in known]
        return [self._finding(field) for field in missing]

    def _finding(self, field: SchemaField) -> Finding:
        problem = f"there is no such field, and what is written to it is dropped: {field.about}"
        return Finding("error" if field.is_required else "warning", f"{self._table(field)}.{self._name(field)}", problem, "run caseline crm apply")

    def _check_tables(self, asked: Mapping[str, Any]) -> list[Finding]:
        found = []
        for name in (name for name in self._tables() if asked[name].status != 200):
            error = error_of(asked[name], name)
            if not isinstance(error, CrmForbiddenError | NoTableError):
                raise error
            needed = name in (self._settings.case_table, self._settings.contact_table)
            fix = "activate its plugin" if isinstance(error, NoTableError) else "give the integration user a role that reads it"
            found.append(Finding("error" if needed else "warning", name, LOGS.get(name, "it cannot be read"), fix))
        return found

    def _check_zone(self, asked: Mapping[str, Any]) -> list[Finding]:
        """Some instances read times in the user's own zone; and whose writes are ours must be known."""
        if not self._user:
            return [Finding("warning", "crm.user", "our own writes come back as changes", "set it to the login name of the integration user")]
        rows = rows_of(asked[USERS]) if USERS in asked and asked[USERS].status == 200 else []
        zone = text_of(rows[0], "time_zone") if rows else ""
        if zone in ("", "GMT", "UTC", "Etc/UTC"):
            return []
        return [Finding("warning", f"time zone of {self._user}", "changes are read by UTC times", "set the integration user's time zone to GMT")]

    def _step(self, field: SchemaField) -> Step:
        table, name = self._table(field), self._name(field)
        kind, length = TYPES[field.type]
        row = {
            "name": table, "element": name, "column_label": f"Caseline {field.label.lower()}", "internal_type": kind, "max_length": str(field.length or length),
            "comments": field.about, "active": "true", **({"unique": "true"} if field.unique else {}), **({"choice": "1"} if field.values else {}),
        }  # fmt: skip
        choices = [{"name": table, "element": name, "value": value, "label": value, "sequence": str(place)} for place, value in enumerate(field.values)]
        data = {"name": table, "element": name, "field": row, "choices": choices}
        return Step(f"{table}.{name}", f"Field {field.label}: {field.about}", "api", data=data)
