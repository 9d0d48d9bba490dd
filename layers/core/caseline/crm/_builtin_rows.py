"""Keys and shapes of the built-in CRM's rows, in the one table."""

from __future__ import annotations

from typing import Any

Row = dict[str, Any]
ACCOUNT_FIELDS = ("tier", "deal_value", "currency", "renewal_date", "contract_status", "lifecycle_stage", "product_tier")
NUMBERS = ("CRM#NUMBERS", "CASES")
CHANGES = "CRM#CHANGES"
ID_LIMIT = 512  # bytes; a sort key holds two of them and more


def account_key(account_id: str) -> tuple[str, str]:
    return f"CRM#ACCOUNT#{account_id}", "ACCOUNT"


def contact_key(contact_id: str) -> tuple[str, str]:
    return f"CRM#CONTACT#{contact_id}", "CONTACT"


def identity_key(identity: str, contact_id: str) -> tuple[str, str]:
    return f"CRM#IDENTITY#{identity}", contact_id


def case_key_of(crm_id: str) -> tuple[str, str]:
    return f"CRM#CASE#{crm_id}", "CASE"


def note_key(crm_id: str, note_id: str) -> tuple[str, str]:
    return f"CRM#CASE#{crm_id}", f"NOTE#{note_id}"


def keyed(key: tuple[str, str], **values: Any) -> Row:
    return {"PK": key[0], "SK": key[1], **values}


def is_id(text: str) -> bool:
    """Whether a row can have it in its key; what strangers name may not be."""
    try:
        return 0 < len(text.encode()) <= ID_LIMIT
    except UnicodeEncodeError:
        return False
