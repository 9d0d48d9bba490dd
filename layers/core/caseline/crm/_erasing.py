"""Taking back what a case was told, where it may have been merged into another, and where our user may not; and what a contact was given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

from caseline.crm import NOTES_STAND, Profile
from caseline.crm._optional import MissingFieldError
from caseline.errors import CrmAuthError, CrmNotFoundError, CrmRejectedError

MERGED = "it was merged there into another case, and the subject and first text of both stand: erase in them what names the customer"
VALUES_STAND = "its API does not let us blank what Caseline wrote on the contact; blank there the fields of Caseline"
HISTORY_STANDS = "its API does not let us delete what Caseline wrote in the contact's history; delete there what Caseline made"
DENIED = "our user there may not take them back: its role lacks the right to delete or to change them"


def take_back(erase: Callable[[str], Sequence[str]], subject: str, is_merged: bool) -> Sequence[str]:
    """What remains. The case was read just before, so that a refusal is no matter of the login, and will stand tomorrow: nothing else waits for it."""
    try:
        remains = erase("" if is_merged else subject)
    except MissingFieldError:
        raise
    except (CrmAuthError, CrmRejectedError):
        remains = [NOTES_STAND, DENIED]
    return [*remains, *([MERGED] if subject and is_merged else [])]


class Writing(Protocol):
    def write_profile(self, profile: Profile) -> None: ...


@runtime_checkable
class Telling(Protocol):
    """People of a CRM that has child records for events."""

    def erase_history(self, contact_id: str) -> Sequence[str]:
        """What remains of it."""


def blank(people: Writing, contact_id: str, account_id: str, names: Sequence[str]) -> Sequence[str]:
    """What remains. A refusal will stand tomorrow; where the login fails, it is asked again."""
    profiles = [Profile(contact_id, "", dict.fromkeys(names)), Profile("", account_id, dict.fromkeys(names))]
    return list(dict.fromkeys([*(line for each in profiles for line in _blank(people, each)), *_forget(people, contact_id)]))


def _blank(people: Writing, profile: Profile) -> Sequence[str]:
    """Each record by itself: one that is gone has nothing, and keeps nobody from the other."""
    if not (profile.contact_id or profile.account_id):
        return []
    try:
        people.write_profile(profile)
    except CrmNotFoundError:
        return []
    except CrmRejectedError:
        return [VALUES_STAND]
    return []


def _forget(people: Writing, contact_id: str) -> Sequence[str]:
    if not isinstance(people, Telling):
        return []
    try:
        return people.erase_history(contact_id)
    except CrmNotFoundError:
        return []
    except CrmRejectedError:
        return [HISTORY_STANDS]
