"""What Caseline needs in an organisation: compared with what is there, and added where the Web API can."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from caseline.crm import Finding, Step
from caseline.crm._batch import Part
from caseline.crm._http import Answer
from caseline.crm._schema import SchemaField
from caseline.crm.dynamics._api import Api, checked, rows_of
from caseline.crm.dynamics._odata import url
from caseline.crm.dynamics._settings import Settings
from caseline.errors import CrmConflictError, CrmRejectedError

TABLES = {"case": "incident", "contact": "contact", "account": "account"}
ENGLISH = 1033
CRM = "Microsoft.Dynamics.CRM"
Known = dict[str, set[str]]


class Setup:
    def __init__(self, api: Api, settings: Settings) -> None:
        self._api, self._settings = api, settings

    def check(self, schema: Sequence[SchemaField]) -> list[Finding]:
        answers = [answer[0] for answer in self._api.batch(self._parts())]
        findings = self._hidden(answers[:6])
        if findings:
            return findings
        columns, keys = _columns(answers[:3]), _keys(answers[3:6])
        return [*self._missing(schema, columns), *self._keyless(schema, columns, keys), *self._customer(answers[6:])]

    def plan(self, schema: Sequence[SchemaField]) -> list[Step]:
        answers = [checked(answer[0]) for answer in self._api.batch(self._parts()[:6])]
        columns, keys = _columns(answers[:3]), _keys(answers[3:6])
        added = [self._column_step(field) for field in schema if self._column(field) not in columns[TABLES[field.entity]]]
        keyed = [self._key_step(field) for field in schema if field.unique and self._column(field) not in keys[TABLES[field.entity]]]
        return [*added, *keyed]

    def apply(self, step: Step) -> None:
        """What was there already is refused in several ways: then it is looked for."""
        try:
            self._api.call("POST", step.data["path"], body=step.data["body"])
        except (CrmRejectedError, CrmConflictError):
            if not self._is_there(step):
                raise

    def _is_there(self, step: Step) -> bool:
        rows = rows_of(self._api.call("GET", url(step.data["path"], select="SchemaName")))
        return step.data["body"]["SchemaName"].lower() in {str(row.get("SchemaName")).lower() for row in rows}

    def _parts(self) -> list[Part]:
        columns = [Part("GET", url(f"{_table(table)}/Attributes", select="LogicalName,AttributeType")) for table in TABLES.values()]
        keys = [Part("GET", url(f"{_table(table)}/Keys", select="KeyAttributes,EntityKeyIndexStatus")) for table in TABLES.values()]
        customer = [Part("GET", url(f"/{self._settings.default_customer}", select="createdon"))] if self._settings.default_customer else []
        return [*columns, *keys, *customer]

    # ---- what is wrong

    def _hidden(self, answers: Sequence[Answer]) -> list[Finding]:
        refused = next((answer for answer in answers if answer.status == 403), None)
        if refused is None:
            for answer in answers:
                checked(answer)
            return []
        return [Finding("error", "permissions", "the application user may not read the definitions of tables", "give it the role Caseline Integration")]

    def _missing(self, schema: Sequence[SchemaField], columns: Known) -> list[Finding]:
        absent = [field for field in schema if self._column(field) not in columns[TABLES[field.entity]]]
        return [self._finding(field, "the column is missing", "import the solution of infra/crm/dynamics, or run `caseline crm apply`") for field in absent]

    def _keyless(self, schema: Sequence[SchemaField], columns: Known, keys: Known) -> list[Finding]:
        there = [field for field in schema if field.unique and self._column(field) in columns[TABLES[field.entity]]]
        without = [field for field in there if self._column(field) not in keys[TABLES[field.entity]]]
        problem, fix = "its alternate key is missing or not active", "run `caseline crm apply`, and wait until the key is active"
        return [self._finding(field, problem, fix) for field in without]

    def _finding(self, field: SchemaField, problem: str, fix: str) -> Finding:
        severity = "error" if field.is_required and (problem.startswith("the column") or self._settings.key == "alternate") else "warning"
        return Finding(severity, f"{TABLES[field.entity]}.{self._column(field)}", f"{problem}: {field.about}", fix)

    def _customer(self, answers: Sequence[Answer]) -> list[Finding]:
        name = "crm.default_customer"
        if not answers:
            return [Finding("warning", name, "cases of customers whom the CRM does not know cannot be saved", "make an account for them and set its id")]
        gone = answers[0].status == 404
        return [Finding("error", name, "there is no such record", "set the id of an account for customers whom the CRM does not know")] if gone else []

    # ---- what to add

    def _column(self, field: SchemaField) -> str:
        settings, facts = self._settings, self._settings.fact_fields
        theirs = {"tier": facts["tier"], "product_tier": facts["product_tier"], "lifecycle": facts["lifecycle_stage"]}
        names = {"case": settings.case_fields, "contact": settings.contact_fields, "account": {**settings.account_fields, **theirs}}
        return names[field.entity].get(field.key) or f"cx_{field.key.replace('_', '')}"

    def _column_step(self, field: SchemaField) -> Step:
        table, column = TABLES[field.entity], self._column(field)
        body = {**_TYPES[field.type](field, self._settings), "SchemaName": column, "DisplayName": _label(field.label), "Description": _label(field.about)}
        body["RequiredLevel"] = {"Value": "None"}
        return Step(f"{table}.{column}", f"add the column {field.label} ({field.type})", "api", data={"path": f"{_table(table)}/Attributes", "body": body})

    def _key_step(self, field: SchemaField) -> Step:
        table, column = TABLES[field.entity], self._column(field)
        body = {"SchemaName": f"{column}_key", "DisplayName": _label(field.label), "KeyAttributes": [column]}
        return Step(f"{table}.{column} key", f"make {field.label} an alternate key", "api", data={"path": f"{_table(table)}/Keys", "body": body})


def _table(table: str) -> str:
    return f"/EntityDefinitions(LogicalName='{table}')"


def _columns(answers: Sequence[Answer]) -> Known:
    found = zip(TABLES.values(), answers, strict=True)
    return {table: {str(row.get("LogicalName")).lower() for row in rows_of(answer)} for table, answer in found}


def _keys(answers: Sequence[Answer]) -> Known:
    """Columns that are an active key by themselves."""
    found = {table: rows_of(answer) for table, answer in zip(TABLES.values(), answers, strict=True)}
    alone = {table: [row for row in rows if row.get("EntityKeyIndexStatus") == "Active" and len(row["KeyAttributes"]) == 1] for table, rows in found.items()}
    return {table: {str(row["KeyAttributes"][0]).lower() for row in rows} for table, rows in alone.items()}


def _label(text: str) -> dict[str, Any]:
    return {"@odata.type": f"{CRM}.Label", "LocalizedLabels": [{"@odata.type": f"{CRM}.LocalizedLabel", "Label": text, "LanguageCode": ENGLISH}]}


def _text(field: SchemaField, settings: Settings) -> dict[str, Any]:
    form = {"Value": "Url" if field.type == "url" else "Text"}
    return {"@odata.type": f"{CRM}.StringAttributeMetadata", "MaxLength": field.length or 500, "FormatName": form}


def _memo(field: SchemaField, settings: Settings) -> dict[str, Any]:
    return {"@odata.type": f"{CRM}.MemoAttributeMetadata", "MaxLength": field.length, "Format": "TextArea"}


def _number(field: SchemaField, settings: Settings) -> dict[str, Any]:
    highest = min(10**field.digits - 1, 2_147_483_647)
    return {"@odata.type": f"{CRM}.IntegerAttributeMetadata", "MinValue": -highest, "MaxValue": highest, "Format": "None"}


def _decimal(field: SchemaField, settings: Settings) -> dict[str, Any]:
    highest = 10 ** (field.digits - field.places)
    return {"@odata.type": f"{CRM}.DecimalAttributeMetadata", "MinValue": -highest, "MaxValue": highest, "Precision": field.places}


def _choice(field: SchemaField, settings: Settings) -> dict[str, Any]:
    options = [{"Value": settings.option_base + place, "Label": _label(value)} for place, value in enumerate(field.values)]
    choices = {"@odata.type": f"{CRM}.OptionSetMetadata", "IsGlobal": False, "OptionSetType": "Picklist", "Options": options}
    return {"@odata.type": f"{CRM}.PicklistAttributeMetadata", "OptionSet": choices}


def _moment(field: SchemaField, settings: Settings) -> dict[str, Any]:
    return {"@odata.type": f"{CRM}.DateTimeAttributeMetadata", "Format": "DateAndTime", "DateTimeBehavior": {"Value": "UserLocal"}}


_TYPES: Mapping[str, Callable[[SchemaField, Settings], dict[str, Any]]] = {
    "text": _text, "url": _text, "long_text": _memo, "number": _number, "decimal": _decimal, "choice": _choice, "datetime": _moment,
}  # fmt: skip
