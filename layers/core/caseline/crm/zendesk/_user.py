"""The user who Caseline is in Zendesk: whose changes are no news, and who solves what nobody has."""

from __future__ import annotations

from caseline.crm.zendesk._api import Api, Row, member
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
