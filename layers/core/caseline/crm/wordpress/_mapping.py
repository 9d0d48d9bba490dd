"""The routes of infra/crm/wordpress/caseline.php, as a mapping."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from caseline.crm._schema import OF_ACCOUNTS, OF_CONTACTS

OWN = {name: f"{{{name}}}" for name in ("version", "score", "band", "headline", "reasons", "category", "queue", "link")}
SHARED = {"status": "{status}", "priority": "{priority}", "owner": "{owner}", "note": "{notes}", "answer": "{answers}", "caseline": OWN}
MOOD = {name: f"{{{name}}}" for name in OF_ACCOUNTS}
SINCE = {"after": "{after}", "after_id": "{after_id}", "limit": "{limit}"}
CASE = {
    "id": "id", "key": "case_key", "status": "status", "url": "url", "version": "caseline.version", "band": "caseline.band", "queue": "caseline.queue",
    "priority": "priority", "owner": "owner", "notes": "notes", "outcome": "outcome", "at": "at", "by": "by",
}  # fmt: skip
FACTS = {
    name: name for name in ("tier", "product_tier", "renewal_date", "contract_status", "deal_value", "open_cases")
} | {"lifecycle_stage": "lifecycle"}  # fmt: skip
PERSON = {
    "id": "id", "name": "name", "emails": "emails", "phones": "phones", "handles": "handles", "account_id": "account.id", "account": "account",
    "customer_key": "customer_key", "at": "at", "by": "by",
}  # fmt: skip
NEW_PERSON = {name: f"{{{name}}}" for name in ("name", "first_name", "last_name", "email", "phone", "handles", "customer_key", "origin")}
SEARCH = {"email[]": "{emails}", "phone[]": "{phone_digits}", "handle[]": "{handles}", "key": "{customer_key}"}
PEOPLE = {
    "find": [{"path": "/people", "query": SEARCH, "rows": "people"}], "fields": PERSON,
    "create": {"method": "POST", "path": "/people", "body": NEW_PERSON},
    "profile": {"method": "POST", "path": "/people/{contact_id}", "body": {name: f"{{{name}}}" for name in OF_CONTACTS}},
}  # fmt: skip
ACCOUNTS = {
    "fields": {"id": "id", "name": "name", "url": "url", "facts": FACTS, "at": "at", "by": "by"},
    "profile": {"method": "POST", "path": "/accounts/{account_id}", "body": MOOD},
}
NEW_CASE = {
    "case_key": "{case_key}", "subject": "{subject}", "description": "{description}", "contact_id": "{contact_id}", "account_id": "{account_id}", **SHARED,
}  # fmt: skip
CASES = {
    "unique": True, "fields": CASE,
    "find": {"path": "/cases", "query": {"key": "{case_key}"}, "rows": "cases"}, "read": {"path": "/cases/{crm_id}"},
    "list": {"path": "/cases", "rows": "cases", "paging": {"kind": "after", "parameter": "after", "size": 200}},
    "create": {"method": "POST", "path": "/cases", "body": NEW_CASE},
    "update": {"method": "POST", "path": "/cases/{crm_id}", "body": SHARED},
    "erase": {"method": "POST", "path": "/cases/{crm_id}/erase", "body": {"subject": "{subject}"}},
}  # fmt: skip
KINDS = ("cases", "people", "accounts", "comments", "deleted")
CHANGES = {
    **{kind: {"path": f"/changes/{kind}", "query": SINCE, "rows": "rows"} for kind in KINDS},
    "comment": {"id": "id", "case_id": "case_id", "case_key": "case_key", "text": "text", "public": "public", "at": "at", "by": "by"},
    "deletion": {"id": "id", "entity": "entity", "at": "at", "by": "by"},
}
WEBHOOK = {
    "kind": "hmac", "header": "X-Caseline-Signature", "prefix": "sha256=", "time": "X-Caseline-Time", "rows": "events",
    "events": [{"when": f"kind == '{kind}'", "is": kind, "row": "row"} for kind in KINDS],
}  # fmt: skip
ERRORS = [
    {"status": 409, "when": "code == 'caseline_duplicate'", "is": "duplicate"},
    {"status": 400, "when": "code == 'caseline_stranger'", "is": "stranger"},
    {"status": 400, "is": "rejected", "field": "keys(data.params)[0]"},
]


def mapping_of(user: str, words: Mapping[str, Any]) -> dict[str, Any]:
    """`words` are priorities, statuses, owners and tiers."""
    return {
        "login": {"kind": "basic"}, "user": user, "words": words, "check": {"path": "/status"}, "errors": ERRORS,
        "people": PEOPLE, "accounts": ACCOUNTS, "cases": CASES, "changes": CHANGES, "webhook": WEBHOOK,
    }  # fmt: skip
