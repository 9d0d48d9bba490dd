"""The ticket fields of ours, which Zendesk knows by number alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from caseline.crm import CaseRecord
from caseline.crm._desk import own_values
from caseline.crm.zendesk._api import Api, Row, text
from caseline.crm.zendesk._settings import CASE_FIELDS, Settings, option_of, title_of

CHOICES: Mapping[str, tuple[str, ...]] = {"band": ("P1", "P2", "P3", "P4"), "outcome": ("valid", "not_an_issue")}


class TicketFields:
    """Numbers come from the settings; one that is not named there is looked up by its title, with all others, once."""

    def __init__(self, api: Api, settings: Settings) -> None:
        self._api, self._given = api, settings.case_fields
        self._found: dict[str, str] | None = None

    @property
    def numbers(self) -> Mapping[str, str]:
        """By Caseline's words; "" for a field that is not there."""
        if self._found is None:
            self._found = self._look_up() if set(CASE_FIELDS) - set(self._given) else {}
            self._found |= self._given
        return self._found

    def _look_up(self) -> dict[str, str]:
        titles = {text(row, "title"): text(row, "id") for row in self._api.all("/ticket_fields.json", "ticket_fields") if row.get("active") is not False}
        return {name: titles.get(title_of(name), "") for name in CASE_FIELDS}

    def write(self, values: Mapping[str, Any]) -> list[dict[str, Any]]:
        """As `custom_fields` takes them; what has no field is left out."""
        known = [(self.numbers.get(name), name, value) for name, value in values.items()]
        return [{"id": int(number), "value": option_of(name, value) if name in CHOICES and value else value} for number, name, value in known if number]

    def own(self, record: CaseRecord) -> list[dict[str, Any]]:
        return self.write(own_values(record))

    def read(self, row: Row) -> dict[str, Any]:
        """What stands in the fields of ours."""
        names = {number: name for name, number in self.numbers.items() if number}
        listed = row.get("custom_fields") or []
        return {name: self.plain(name, each.get("value")) for each in listed if (name := names.get(str(each.get("id")), ""))}

    def name_of(self, number: str) -> str:
        return next((name for name, known in self.numbers.items() if known and known == number), "")

    def plain(self, name: str, value: Any) -> Any:
        """A choice in Caseline's words."""
        return next((choice for choice in CHOICES[name] if option_of(name, choice) == value), "") if name in CHOICES else value
