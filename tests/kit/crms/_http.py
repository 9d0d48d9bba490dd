"""What the worlds of CRMs that are reached over HTTP have in common."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar

from caseline.crm import open_crm
from caseline.crm._http import Limits
from caseline.sources import Source
from caseline.web import WebhookRequest

from tests.kit.crms import IMPATIENT, NOW


class HttpWorld:
    """`name` is the adapter's module, `secret` what it logs in with; `simulator` goes by the world's clock, and knows its tokens and the calls of its API."""

    name: ClassVar[str]
    secret: ClassVar[Mapping[str, str]]
    simulator: Any
    now = NOW

    def clock(self) -> datetime:
        return self.now

    def tick(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def settings(self) -> Mapping[str, Any]:
        """Of an adapter for this CRM, next to its address."""
        return {}

    def adapter(self, impatient: bool = False, session: Any = None, **settings: Any) -> Any:
        given = {"instance_url": self.simulator.url, **self.settings(), **settings}
        return open_crm(self.name).create(given, self.secret, session=session, clock=self.clock, limits=IMPATIENT if impatient else Limits())

    def calls(self) -> int:
        return len(self.simulator.api_calls())

    def expire_login(self) -> None:
        self.simulator.tokens.clear()


def sent_with_password(now: datetime, body: Any, url: str, secret: str, settings: Mapping[str, Any]) -> tuple[WebhookRequest, Source]:
    """As a CRM sends it that knows no signatures: with a user name and a password."""
    credentials = base64.b64encode(f"caseline:{secret}".encode()).decode()
    headers = {"content-type": "application/json", "authorization": f"Basic {credentials}"}
    return WebhookRequest("POST", url, headers, json.dumps(body).encode(), now), Source("main", "acme", secrets=(secret,), settings=settings)
