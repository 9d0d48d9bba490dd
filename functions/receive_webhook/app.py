"""Takes what platforms send: verified, queued, acknowledged. The steps are in caseline.door."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from aws_lambda_powertools.logging import Logger
from caseline.door import Door
from caseline.wiring import wiring
from chalice.app import Chalice, Response

ANY = {"methods": ["GET", "HEAD", "OPTIONS", "POST"], "content_types": ["*/*"]}  # Chalice would answer 415 to forms and to bodies without a type
if TYPE_CHECKING:
    from caseline.crm_door import CrmDoor

app = Chalice(app_name="receive_webhook")
logger = Logger()


@cache
def door() -> Door:
    return Door(wiring(), logger)


@cache
def crm_door() -> CrmDoor:
    from caseline.crm_door import CrmDoor

    return CrmDoor(wiring(), logger)


@app.route("/webhooks/{channel}", **ANY)
def receive_default(channel: str) -> Response:
    return receive(channel, "default")


@app.route("/webhooks/{channel}/{source}", **ANY)
def receive(channel: str, source: str) -> Response:
    answer = door().receive(channel, source, app.current_request.to_original_event())
    return Response(answer.body, status_code=answer.status, headers={"Content-Type": "text/plain", **answer.headers})


@app.route("/webhooks/crm/{source}", **ANY)
def receive_change(source: str) -> Response:
    """The CRM's own webhooks."""
    answer = crm_door().receive(source, app.current_request.to_original_event())
    return Response(answer.body, status_code=answer.status, headers={"Content-Type": "text/plain", **answer.headers})


@app.route("/healthz", methods=["GET", "HEAD"])
def check_health() -> Response:
    return Response("ok", headers={"Content-Type": "text/plain"})


handler = app
