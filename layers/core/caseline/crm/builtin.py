"""The built-in CRM: accounts and contacts from CSV, cases that people work, all in Caseline's own table.

For teams that try Caseline or have no CRM. It has neither settings nor a secret, needs no setting up and sends no webhooks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NoReturn

from caseline.errors import PayloadError, SignatureError
from caseline.sources import Source
from caseline.web import WebhookRequest

if TYPE_CHECKING:
    from caseline.crm._builtin import BuiltinCrm
    from caseline.table import Table


def utc_now() -> datetime:
    return datetime.now(UTC)


def create(
    settings: Mapping[str, Any] | None = None, secret: Mapping[str, Any] | None = None, *, table: Table, clock: Callable[[], datetime] = utc_now, **_: Any
) -> BuiltinCrm:
    """`table` is Caseline's table."""
    from caseline.crm._builtin import BuiltinCrm

    return BuiltinCrm(table, clock)


def verify(request: WebhookRequest, source: Source) -> NoReturn:
    raise SignatureError("the built-in CRM sends no webhooks")


def parse(request: WebhookRequest, source: Source) -> NoReturn:
    raise PayloadError("the built-in CRM sends no webhooks")
