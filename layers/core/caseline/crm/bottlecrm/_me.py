"""Who Caseline is in BottleCRM."""

from __future__ import annotations

from dataclasses import dataclass

from caseline.crm.bottlecrm._api import Api, object_in, text_of
from caseline.errors import CrmUnavailableError


@dataclass(frozen=True)
class Self:
    """The feed of activities knows people by user, a ticket's by profile."""

    user_id: str
    profile_id: str
    role: str

    def is_author(self, author_id: str) -> bool:
        return author_id in (self.user_id, self.profile_id)


class Me:
    def __init__(self, api: Api) -> None:
        self._api, self._known = api, None  # type: tuple[Api, Self | None]

    def read(self) -> Self:
        """Asked once."""
        if self._known is None:
            row = object_in(self._api.get("profile"), "user_obj")
            known = Self(text_of(object_in(row, "user_details"), "id"), text_of(row, "id"), text_of(row, "role"))
            if not known.user_id or not known.profile_id:
                raise CrmUnavailableError("BottleCRM does not say who we are")
            self._known = known
        return self._known
