"""Which account and which contact a customer's identities point to; the same rule for every CRM."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from caseline.crm import Account, Match
from caseline.identity import normalise_identity


@dataclass(frozen=True)
class Contact:
    """A contact that one of the wanted identities was found at. `identities` are normalised."""

    contact_id: str
    account_id: str
    name: str = ""
    identities: Sequence[str] = ()


def stored_phone(stored: str, code: str) -> str:
    """A number as a CRM has it, as an identity; without a country code it is read as of the country with this one, "" where none is known."""
    digits = "".join(filter(str.isdigit, stored)).lstrip("0")
    return normalise_identity(f"phone:{stored}") or (f"phone:+{code}{digits}" if code and digits else "")


def contacts_by_account(wanted: Sequence[str], contacts: Iterable[Contact]) -> dict[str, Contact | None]:
    """For each account the contact that matched best, or None where several match alike and one would be a guess."""
    grouped: dict[str, list[Contact]] = {}
    for contact in contacts:
        if _hits(wanted, contact):
            grouped.setdefault(contact.account_id, []).append(contact)
    return {account_id: _best(wanted, group) for account_id, group in grouped.items()}


def to_match(accounts: Sequence[Account]) -> Match:
    """One account is exact, several are candidates of which none is taken by guess."""
    if not accounts:
        return Match("none")
    return Match("exact", accounts[0]) if len(accounts) == 1 else Match("ambiguous", candidates=tuple(accounts))


def _hits(wanted: Sequence[str], contact: Contact) -> list[int]:
    return [place for place, identity in enumerate(wanted) if identity in contact.identities]


def _best(wanted: Sequence[str], contacts: Sequence[Contact]) -> Contact | None:
    """Most identities matched, then the earlier ones (the native id comes first); an equal set of hits decides nothing."""
    ranked = sorted(contacts, key=lambda contact: (-len(_hits(wanted, contact)), _hits(wanted, contact)))
    if len(ranked) > 1 and _hits(wanted, ranked[0]) == _hits(wanted, ranked[1]):
        return None
    return ranked[0]
