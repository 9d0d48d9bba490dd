"""Takes what AWS hands over: objects that were stored, notifications, bus events, device messages. The steps are in caseline.arrivals."""

from __future__ import annotations

from functools import cache
from typing import Any

from aws_lambda_powertools.logging import Logger
from caseline.arrivals import Arrivals
from caseline.wiring import wiring

logger = Logger()


@cache
def arrivals() -> Arrivals:
    return Arrivals(wiring(), logger)


def handler(event: dict[str, Any], context: object) -> dict[str, int]:
    return {"accepted": arrivals().receive(event)}
