"""The user who Caseline is in Zendesk: whose changes are no news, and who solves what nobody has. And which of the others are customers."""

from __future__ import annotations

from collections.abc import Iterable

from caseline.crm.zendesk._api import Api, Row, member, rows, text
from caseline.crm.zendesk._settings import Settings


class Self:
    def __init__(self, api: Api, settings: Settings) -> None:
        self._api, self._user_id = api, settings.user_id

    @property
    def user_id(self) -> str:
        """Asked for once where the settings do not name it."""
        self._user_id = self._user_id or str(self.ask()["id"])
        return self._user_id

    def ask(self) -> Row:
        return member(self._api.call("GET", "/users/me.json"), "user")


CUSTOMER, ASKED = "end-user", 100


class Roles:
    """Asked for once of each: an address in copy answers like an agent does, and is none."""

    def __init__(self, api: Api) -> None:
        self._api, self._known = api, dict[str, str]()

    def customers(self, user_ids: Iterable[str]) -> set[str]:
        asked = list(dict.fromkeys(user_ids))
        for start in range(0, len(fresh := [each for each in asked if each not in self._known]), ASKED):
            wanted = fresh[start : start + ASKED]
            found = rows(self._api.get("/users/show_many.json", ids=",".join(wanted)), "users")
            self._known |= {**dict.fromkeys(wanted, ""), **{text(row, "id"): text(row, "role") for row in found}}
        return {each for each in asked if self._known[each] == CUSTOMER}
