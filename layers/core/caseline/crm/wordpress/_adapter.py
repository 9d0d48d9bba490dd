"""WP-CRM System as Caseline sees it. A new case takes two calls, a later save one, or two where people may have set something."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from caseline.crm._http import Limits
from caseline.crm._mapped._adapter import Clock, MappedCrm
from caseline.crm.wordpress._settings import read_settings


class WordPress(MappedCrm):
    """The plugin makes one case of a key, whoever saves it at once."""

    name = label = "wordpress"

    def __init__(self, given: Mapping[str, Any], secret: Mapping[str, Any], session: Any, clock: Clock, limits: Limits) -> None:
        super().__init__(read_settings(given), secret, session, clock, limits)
