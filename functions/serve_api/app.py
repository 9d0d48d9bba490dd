"""The JSON API, behind the authoriser: customers, timelines, cases, channels and counts to read; cases and quarantine to work."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError as NoSuchRoute
from caseline.desk import Desk, read_body
from caseline.errors import ConflictError, ForbiddenError, NotFoundError, QueryError, UnavailableError
from caseline.people import check_writer
from caseline.wiring import wiring

logger = Logger()
app = APIGatewayRestResolver()
HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return app.resolve(event, context)


@app.get("/api/v1/customers")
def find_customers() -> Response[str]:
    return answer(desk().find_customers(query().get("identity")))


@app.get("/api/v1/customers/<customer_id>")
def show_customer(customer_id: str) -> Response[str]:
    return answer(desk().show_customer(customer_id))


@app.get("/api/v1/customers/<customer_id>/timeline")
def read_timeline(customer_id: str) -> Response[str]:
    return answer(desk().read_timeline(customer_id, query().get("limit"), query().get("before")))


@app.post("/api/v1/customers/<customer_id>/merge")
def merge_customers(customer_id: str) -> Response[str]:
    person = check_writer(app.current_event.raw_event)
    return answer(desk().merge_customers(customer_id, read_body(app.current_event.decoded_body), by=person.name))


@app.post("/api/v1/customers/<customer_id>/split")
def split_customer(customer_id: str) -> Response[str]:
    person = check_writer(app.current_event.raw_event)
    return answer(desk().split_customer(customer_id, read_body(app.current_event.decoded_body), by=person.name))


@app.get("/api/v1/customers/<customer_id>/export")
def export_customer(customer_id: str) -> Response[str]:
    check_writer(app.current_event.raw_event)
    return answer(desk().export_customer(customer_id))


@app.post("/api/v1/customers/<customer_id>/erase")
def erase_customer(customer_id: str) -> Response[str]:
    check_writer(app.current_event.raw_event)
    return answer(desk().erase_customer(customer_id, read_body(app.current_event.decoded_body)))


@app.get("/api/v1/signals/<signal_id>")
def show_signal(signal_id: str) -> Response[str]:
    return answer(desk().show_signal(signal_id))


@app.get("/api/v1/cases")
def list_cases() -> Response[str]:
    return answer(desk().list_cases(query()))


@app.get("/api/v1/cases/<case_key>")
def show_case(case_key: str) -> Response[str]:
    return answer(desk().show_case(case_key))


@app.post("/api/v1/cases/<case_key>")
def change_case(case_key: str) -> Response[str]:
    person = check_writer(app.current_event.raw_event)
    return answer(desk().change_case(case_key, read_body(app.current_event.decoded_body), by=person.name))


@app.get("/api/v1/channels")
def list_channels() -> Response[str]:
    return answer(desk().list_channels())


@app.get("/api/v1/stats")
def read_stats() -> Response[str]:
    return answer(desk().read_stats())


@app.get("/api/v1/metrics")
def read_metrics() -> Response[str]:
    return answer(desk().read_metrics(query()))


@app.get("/api/v1/metrics/facts")
def read_facts() -> Response[str]:
    return answer(desk().read_facts(query()))


@app.post("/api/v1/policy/simulate")
def try_policy() -> Response[str]:
    """It changes nothing, so that whoever may read may ask."""
    return answer(desk().try_policy(read_body(app.current_event.decoded_body)))


@app.get("/api/v1/crm")
def show_crm() -> Response[str]:
    return answer(desk().show_crm())


@app.post("/api/v1/crm/reconcile")
def reconcile() -> Response[str]:
    check_writer(app.current_event.raw_event)
    return answer(desk().reconcile(), HTTPStatus.ACCEPTED)


@app.post("/api/v1/crm/import")
def import_accounts() -> Response[str]:
    check_writer(app.current_event.raw_event)
    return answer(desk().import_accounts(app.current_event.decoded_body or ""))


@app.get("/api/v1/quarantine")
def list_quarantine() -> Response[str]:
    return answer(desk().list_quarantine(query().get("limit"), query().get("before")))


@app.get("/api/v1/quarantine/<quarantine_id>")
def show_quarantined(quarantine_id: str) -> Response[str]:
    return answer(desk().show_quarantined(quarantine_id))


@app.post("/api/v1/quarantine/<quarantine_id>/replay")
def replay_quarantined(quarantine_id: str) -> Response[str]:
    check_writer(app.current_event.raw_event)
    return answer(desk().replay_quarantined(quarantine_id), HTTPStatus.ACCEPTED)


@app.post("/api/v1/quarantine/<quarantine_id>/drop")
def drop_quarantined(quarantine_id: str) -> Response[str]:
    check_writer(app.current_event.raw_event)
    return answer(desk().drop_quarantined(quarantine_id))


@app.exception_handler(QueryError)
def refuse_query(error: QueryError) -> Response[str]:
    return refusal(HTTPStatus.BAD_REQUEST, "bad_request", error.message, error.field)


@app.exception_handler([NotFoundError, NoSuchRoute])
def refuse_unknown(error: Exception) -> Response[str]:
    return refusal(HTTPStatus.NOT_FOUND, "not_found", str(error) if isinstance(error, NotFoundError) else "there is nothing here")


@app.exception_handler(ForbiddenError)
def refuse_forbidden(error: ForbiddenError) -> Response[str]:
    return refusal(HTTPStatus.FORBIDDEN, "forbidden", str(error))


@app.exception_handler(ConflictError)
def refuse_conflict(error: ConflictError) -> Response[str]:
    return refusal(HTTPStatus.CONFLICT, "conflict", str(error))


@app.exception_handler(UnavailableError)
def refuse_unavailable(error: UnavailableError) -> Response[str]:
    logger.warning("a service did not answer", extra={"reason": str(error)})
    return refusal(HTTPStatus.SERVICE_UNAVAILABLE, "unavailable", "a service behind the API did not answer; try again", headers={"Retry-After": "5"})


def desk() -> Desk:
    return wiring().desk


def query() -> dict[str, str]:
    return dict(app.current_event.query_string_parameters or {})


def answer(body: dict[str, Any], status: int = HTTPStatus.OK, headers: dict[str, str] | None = None) -> Response[str]:
    known = HEADERS | {"X-Correlation-Id": correlation_id()}
    return Response(int(status), "application/json", app._serializer(body), known | (headers or {}))


def refusal(status: int, code: str, message: str, field: str = "", headers: dict[str, str] | None = None) -> Response[str]:
    error = {"code": code, "message": message, "field": field, "correlation_id": correlation_id()}
    return answer({"error": error}, status, headers)


def correlation_id() -> str:
    return app.current_event.request_context.request_id or ""
