"""The tables and fields that a ServiceNow instance with Customer Service Management has by itself, as far as they matter here."""

from __future__ import annotations

from collections.abc import Mapping

# Which table a table extends; fields are inherited.
EXTENDS: Mapping[str, str] = {
    "sn_customerservice_case": "task", "customer_contact": "sys_user", "customer_account": "core_company", "incident": "task",
}  # fmt: skip
SYSTEM = {
    "sys_id": "GUID", "sys_created_on": "glide_date_time", "sys_created_by": "string", "sys_updated_on": "glide_date_time", "sys_updated_by": "string",
    "sys_mod_count": "integer",
}  # fmt: skip
# field: type, with >table for a reference and :length for a limit
FIELDS: Mapping[str, Mapping[str, str]] = {
    "task": {
        "number": "string", "short_description": "string:160", "description": "string:4000", "state": "integer", "priority": "integer",
        "assigned_to": "reference>sys_user", "assignment_group": "reference>sys_user_group", "active": "boolean", "correlation_id": "string:100",
        "correlation_display": "string:100", "comments": "journal_input", "work_notes": "journal_input", "close_notes": "string:4000",
        "opened_at": "glide_date_time",
    },
    "sn_customerservice_case": {
        "account": "reference>customer_account", "contact": "reference>customer_contact", "consumer": "reference>csm_consumer",
        "contact_type": "string", "resolution_code": "integer",
    },
    "sys_user": {
        "name": "string", "first_name": "string:50", "last_name": "string:50", "email": "string:100", "phone": "string:40", "mobile_phone": "string:40",
        "user_name": "string:40", "time_zone": "string:40", "active": "boolean",
    },
    "customer_contact": {"account": "reference>customer_account"},
    "core_company": {"name": "string:80", "revenue_per_year": "currency", "contact": "reference>sys_user"},
    "customer_account": {"number": "string"},
    "ast_contract": {
        "number": "string", "account": "reference>customer_account", "state": "string", "starts": "glide_date", "ends": "glide_date", "total_cost": "currency",
    },
    "sn_install_base_sold_product": {"account": "reference>customer_account", "product": "string"},
    "sys_user_group": {"name": "string"},
    "sys_journal_field": {"name": "string", "element": "string", "element_id": "string", "value": "journal_input"},
    "sys_audit_delete": {"tablename": "string", "documentkey": "string", "display_value": "string"},
    "sys_dictionary": {
        "name": "string", "element": "string", "internal_type": "string", "column_label": "string", "max_length": "integer", "comments": "string",
        "active": "boolean", "unique": "boolean", "choice": "integer", "reference": "string",
    },
    "sys_choice": {"name": "string", "element": "string", "value": "string", "label": "string", "sequence": "integer"},
    "incident": {},
    "csm_consumer": {
        "name": "string", "first_name": "string:50", "last_name": "string:50", "email": "string:100", "mobile_phone": "string:40",
        "business_phone": "string:40", "home_phone": "string:40",
    },
}  # fmt: skip
JOURNALS = ("comments", "work_notes")
PREFIX = {"sn_customerservice_case": "CS", "customer_account": "ACCT", "incident": "INC", "ast_contract": "CNTR"}
CLOSED = ("3", "6", "7")
