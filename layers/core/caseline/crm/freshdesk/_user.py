"""The agent who Caseline is in Freshdesk: whose notes are no news."""

from __future__ import annotations

from caseline.crm.freshdesk._api import Api, Row, row_of, text
from caseline.crm.freshdesk._settings import Settings


class Self:
    def __init__(self, api: Api, settings: Settings) -> None:
        self._api, self._user_id = api, settings.user_id

    @property
    def user_id(self) -> str:
        """Asked for once where the settings do not name it."""
        self._user_id = self._user_id or text(self.ask(), "id")
        return self._user_id

    def ask(self) -> Row:
        return row_of(self._api.call("GET", "/agents/me"))
