"""Contacts as HubSpot keeps them: how they are looked for, and what identities one has."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from caseline.crm._match import Contact
from caseline.crm.hubspot._api import Filter, Record, compare, one_of, text_of
from caseline.crm.hubspot._settings import Settings
from caseline.identity import normalise_identities, normalise_identity

EMAIL, MORE_EMAILS, COMPANY = "email", "hs_additional_emails", "associatedcompanyid"
PHONES = ("phone", "mobilephone")
# HubSpot's own search forms of the two: digits without the country's code.
SEARCHED_PHONES = ("hs_searchable_calculated_phone_number", "hs_searchable_calculated_mobile_number")
LONGEST_CODE = 3
ALONE = "contact:"
NAMES = ("firstname", "lastname", "company")


def contact_properties(settings: Settings) -> list[str]:
    return [EMAIL, MORE_EMAILS, COMPANY, *PHONES, *NAMES, *filter(None, [settings.contact_fields["handles"]])]


def filters_for(wanted: Sequence[str], handles_field: str) -> list[list[Filter]]:
    """Groups of which any may match. What they find is compared in normal form by the caller: HubSpot splits texts into words."""
    emails, phones = _native(wanted, "email"), _native(wanted, "phone")
    groups = [[one_of(EMAIL, emails)]] if emails else []
    groups += [[compare(MORE_EMAILS, "CONTAINS_TOKEN", email)] for email in emails if "*" not in email]
    groups += [[one_of(name, _national(phones))] for name in SEARCHED_PHONES if phones]
    others = [identity for identity in wanted if not identity.startswith(("email:", "phone:"))]
    return groups + [[compare(handles_field, "CONTAINS_TOKEN", word)] for word in dict.fromkeys(map(_word, others)) if word and handles_field]


def read_contact(record: Record, settings: Settings) -> Contact:
    """A contact without company stands for itself; HubSpot numbers contacts and companies alike."""
    emails = [text_of(record, EMAIL), *text_of(record, MORE_EMAILS).split(";")]
    phones = [_phone(text_of(record, name), settings.phone_country_code) for name in PHONES]
    handles = text_of(record, settings.contact_fields["handles"]).split(";")
    identities = normalise_identities([*(f"email:{email}" for email in emails if email), *phones, *handles])
    return Contact(record["id"], account_of(record), full_name(record), identities)


def account_of(record: Record) -> str:
    return text_of(record, COMPANY) or f"{ALONE}{record['id']}"


def full_name(record: Record) -> str:
    return " ".join(filter(None, [text_of(record, "firstname"), text_of(record, "lastname")]))


def split_name(name: str) -> tuple[str, str]:
    first, _, last = name.strip().partition(" ")
    return first, last.strip()


def _phone(stored: str, code: str) -> str:
    """As an identity; a number without country code is read as the portal's own country's."""
    digits = "".join(filter(str.isdigit, stored)).lstrip("0")
    return normalise_identity(f"phone:{stored}") or (f"phone:+{code}{digits}" if code and digits else "")


def _national(phones: Iterable[str]) -> list[str]:
    """How the numbers may stand there: whole, and without one to three digits, as nobody tells how long the country's code is."""
    digits = [re.sub(r"\D", "", phone) for phone in phones]
    return list(dict.fromkeys(number[cut:] for number in digits for cut in range(LONGEST_CODE + 1)))


def _word(identity: str) -> str:
    """What of a handle can be searched for; a star would match anything."""
    native = identity.partition(":")[2].replace("*", " ").strip(" @")
    return native if any(map(str.isalnum, native)) else ""


def _native(wanted: Sequence[str], namespace: str) -> list[str]:
    return [identity.partition(":")[2] for identity in wanted if identity.startswith(f"{namespace}:")]
