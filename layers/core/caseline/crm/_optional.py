"""Fields a CRM may lack: what is found missing is left out from then on, and reported once."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import TypeVar

from caseline.errors import CrmRejectedError

log = logging.getLogger(__name__)
T = TypeVar("T")
_WHAT = "does not exist or is hidden from the integration user; install it or grant it"


class MissingFieldError(CrmRejectedError):
    """The CRM lacks the field (or, with `column` empty, the entity), or our user may not see it. `advice` says how it gets there."""

    def __init__(self, entity: str, column: str, advice: str = "") -> None:
        self.entity, self.column = entity, column
        super().__init__(f"{_WHAT}{advice and ' '}{advice}", f"{entity}.{column}" if column else entity)


class OptionalFields:
    """`missing` holds `case.cx_version__c` for a field and `contract` for an entity, in folded case."""

    def __init__(self, crm: str) -> None:
        self._crm = crm
        self.missing: set[str] = set()

    def of(self, entity: str, columns: Iterable[str]) -> list[str]:
        """The columns that exist as far as is known, each once."""
        return [column for column in dict.fromkeys(filter(None, columns)) if f"{entity}.{column}".casefold() not in self.missing]

    def has(self, entity: str, column: str = "") -> bool:
        return (f"{entity}.{column}" if column else entity).casefold() not in self.missing

    def lacks(self, entity: str, column: str = "") -> None:
        """What was found missing by another way than an error; reported once."""
        name = f"{entity}.{column}" if column else entity
        if name.casefold() not in self.missing:
            self._report(name)

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
            raise error from None
        self._report(name)

    def _report(self, name: str) -> None:
        self.missing.add(name.casefold())
        log.warning("%s lacks %s: it is left out until the next start", self._crm, name)
