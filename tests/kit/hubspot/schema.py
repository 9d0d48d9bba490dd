"""The properties of a portal: those that HubSpot has by itself, as far as they matter here, and what a value of each type must be."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

IDS = {"contacts": "0-1", "companies": "0-2", "deals": "0-3", "tickets": "0-5", "notes": "0-46", "emails": "0-49"}
SINGULAR = {"contacts": "contact", "companies": "company", "deals": "deal", "tickets": "ticket", "notes": "note", "emails": "email"}
MODIFIED = {"contacts": "lastmodifieddate"}
CREATED = {"notes": "hs_createdate", "emails": "hs_createdate"}
LONGEST = 65_536
STAGES = {"1": "New", "2": "Waiting on contact", "3": "Waiting on us", "4": "Closed"}
# name: type, whose values are read-only where it begins with "-", unique with "!"
_SHARED = {
    "hs_object_id": "-number",
    "hs_lastmodifieddate": "-datetime",
    "hs_merged_object_ids": "-string",
    "hubspot_owner_id": "enumeration",
    "hs_createdate": "-datetime",
}
_STANDARD = {
    "contacts": {
        "email": "!string", "hs_additional_emails": "string", "phone": "string", "mobilephone": "string", "firstname": "string", "lastname": "string",
        "company": "string", "lifecyclestage": "enumeration", "associatedcompanyid": "-number", "lastmodifieddate": "-datetime", "createdate": "-datetime",
        "hs_searchable_calculated_phone_number": "-string", "hs_searchable_calculated_mobile_number": "-string",
    },
    "companies": {
        "name": "string", "domain": "string", "lifecyclestage": "enumeration", "annualrevenue": "number", "total_revenue": "-number", "createdate": "-datetime",
        "num_associated_deals": "-number",
    },
    "deals": {
        "dealname": "string", "amount": "number", "dealstage": "enumeration", "closedate": "datetime", "hs_is_closed_won": "-bool", "createdate": "-datetime",
    },
    "tickets": {
        "subject": "string", "content": "string", "hs_pipeline": "enumeration", "hs_pipeline_stage": "enumeration", "hs_ticket_priority": "enumeration",
        "createdate": "-datetime", "closed_date": "datetime",
    },
    "notes": {"hs_note_body": "string", "hs_timestamp": "datetime"},
    "emails": {
        "hs_email_text": "string", "hs_email_html": "string", "hs_email_subject": "string", "hs_email_direction": "enumeration", "hs_timestamp": "datetime",
        "hs_email_status": "enumeration",
    },
}  # fmt: skip
_OPTIONS = {
    "hs_ticket_priority": ("LOW", "MEDIUM", "HIGH", "URGENT"), "hs_pipeline": ("0",), "hs_pipeline_stage": tuple(STAGES),
    "lifecyclestage": ("subscriber", "lead", "marketingqualifiedlead", "salesqualifiedlead", "opportunity", "customer", "evangelist", "other"),
    "hs_email_direction": ("EMAIL", "INCOMING_EMAIL", "FORWARDED_EMAIL"),
    "hs_email_status": ("BOUNCED", "FAILED", "SCHEDULED", "SENDING", "SENT"),
}  # fmt: skip
# What each kind must be given when it is created.
REQUIRED = {"tickets": ("subject", "hs_pipeline_stage"), "notes": ("hs_timestamp",)}


def standard(kind: str) -> dict[str, dict[str, Any]]:
    return {name: _definition(name, text) for name, text in {**_SHARED, **_STANDARD[kind]}.items()}


def _definition(name: str, text: str) -> dict[str, Any]:
    return define({
        "name": name, "label": name, "type": text.lstrip("-!"), "fieldType": "text", "groupName": "information", "hasUniqueValue": text.startswith("!"),
        "options": [{"label": value, "value": value, "hidden": False} for value in _OPTIONS.get(name, ())], "hubspotDefined": True,
    }, read_only=text.startswith("-"))  # fmt: skip


def define(given: Mapping[str, Any], read_only: bool = False) -> dict[str, Any]:
    """As HubSpot shows a property."""
    shown = {"description": "", "options": [], "hasUniqueValue": False, "hidden": False, "formField": False, "displayOrder": -1, "calculated": False}
    modification = {"archivable": True, "readOnlyDefinition": False, "readOnlyValue": read_only}
    return {**shown, "archived": False, "hubspotDefined": False, "modificationMetadata": modification, **given}


def complain(definition: Mapping[str, Any], value: str) -> tuple[str, str, str] | None:
    """Why the property cannot have the value: code, property, message."""
    name, code = definition["name"], ""
    if definition["modificationMetadata"]["readOnlyValue"]:
        code = "READ_ONLY_VALUE"
    elif len(value) > LONGEST:
        code = "INVALID_LENGTH"
    elif value and definition["type"] == "number" and not re.fullmatch(r"-?\d+(\.\d+)?([eE]\+?\d+)?", value):
        code = "INVALID_LONG"
    elif value and definition["type"] in ("date", "datetime") and read_time(value) is None:
        code = "INVALID_DATE"
    elif value and definition["options"] and value not in [option["value"] for option in definition["options"]]:
        code = "INVALID_OPTION"
    elif name == "email" and value and not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", value):
        code = "INVALID_EMAIL"
    elif re.search("[\ud800-\udfff\x00]", value):
        code = "INVALID_STRING"
    return (code, name, f'"{value[:50]}" is not valid for {name}') if code else None


def read_time(text: str) -> datetime | None:
    """Epoch milliseconds, or ISO 8601."""
    try:
        moment = datetime.fromtimestamp(int(text) / 1_000, UTC) if re.fullmatch(r"-?\d+", text) else datetime.fromisoformat(text.replace("Z", "+00:00"))
    except (ValueError, OverflowError, OSError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def show_time(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
