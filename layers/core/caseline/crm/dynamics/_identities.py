"""Who a contact is, by the columns of its row: the same for a row that was read and one that was pushed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from caseline.crm.dynamics._settings import Settings
from caseline.identity import normalise_identities, normalise_identity


def identities_of(row: Mapping[str, Any], settings: Settings) -> tuple[str, ...]:
    emails = [f"email:{row[name]}" for name in settings.email_fields if row.get(name)]
    phones = [_phone(str(row[name]), settings.phone_country_code) for name in settings.phone_fields if row.get(name)]
    handles = re.split(r"[;\n]", str(row.get(settings.contact_fields["handles"]) or ""))
    return normalise_identities([*emails, *phones, *handles])


def _phone(stored: str, country: str) -> str:
    """A number without country code is read as the organisation's own country's."""
    digits = "".join(filter(str.isdigit, stored)).lstrip("0")
    return normalise_identity(f"phone:{stored}") or (f"phone:+{country}{digits}" if country else "")
