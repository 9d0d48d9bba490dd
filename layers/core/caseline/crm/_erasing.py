"""Taking back what a case was told, where it may have been merged into another, and where our user may not."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from caseline.crm import NOTES_STAND
from caseline.crm._optional import MissingFieldError
from caseline.errors import CrmAuthError, CrmRejectedError

MERGED = "it was merged there into another case, and the subject and first text of both stand: erase in them what names the customer"
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
