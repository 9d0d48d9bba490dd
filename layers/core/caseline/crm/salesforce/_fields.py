"""Fields an org may lack: what is found missing is left out from then on, and reported once."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import TypeVar

from caseline.crm.salesforce._errors import MissingFieldError
from caseline.errors import CrmRejectedError

log = logging.getLogger(__name__)
T = TypeVar("T")


class OptionalFields:
    """`missing` holds `Case.CX_Version__c` for a field and `Contract` for an object."""

    def __init__(self) -> None:
        self.missing: set[str] = set()

    def of(self, entity: str, columns: Iterable[str]) -> list[str]:
        """The columns that exist as far as is known, each once."""
        return [column for column in dict.fromkeys(filter(None, columns)) if f"{entity}.{column}".casefold() not in self.missing]

    def has(self, entity: str) -> bool:
        return entity.casefold() not in self.missing

    def attempt(self, request: Callable[[], T], required: Iterable[str] = ()) -> T:
        """Make the request again without each field it stumbles over; a required one is an error that says what to install."""
        while True:
            try:
                return request()
            except MissingFieldError as error:
                self._note(error, required)

    def _note(self, error: MissingFieldError, required: Iterable[str]) -> None:
        name = f"{error.entity}.{error.column}" if error.column else error.entity
        if name in required or name.casefold() in self.missing:
            raise CrmRejectedError(str(error), name) from None
        self.missing.add(name.casefold())
        log.warning("Salesforce lacks %s: it is left out until the next start", name)
