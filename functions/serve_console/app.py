"""The console's pages, behind the authoriser. Rendered here; a page loads nothing but the files served here, too."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl

from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError as NoSuchRoute
from caseline.console.pages import Console, Frame, read_static
from caseline.errors import ConflictError, ForbiddenError, NotFoundError, QueryError, UnavailableError
from caseline.identity import guess_identity
from caseline.people import check_writer, read_person
from caseline.wiring import wiring

logger = Logger()
app = APIGatewayRestResolver()
POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY, "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin", "Cache-Control": "no-store",
}
FOREVER = {"Cache-Control": "private, max-age=31536000, immutable"}  # a file's address holds its hash
CHANGES = ("status", "band", "reason", "owner", "queue", "outcome", "category", "note")
DONE = {
    "replay": "Sent back through its channel.", "drop": "Dropped.",
    "merge": "Joined: timelines and cases are one from now on.", "split": "Split: each has its own timeline and cases again.",
}  # fmt: skip


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return app.resolve(event, context)


@app.get("/console")
def show_queue() -> Response[str]:
    return page(console().show_queue(query()))


@app.get("/console/cases/<case_key>")
def show_case(case_key: str) -> Response[str]:
    return page(console().show_case(case_key, saved="saved" in query()))


@app.post("/console/cases/<case_key>")
def change_case(case_key: str) -> Response[str]:
    person, typed = check_writer(app.current_event.raw_event), form()
    try:
        console().desk.change_case(case_key, read_changes(typed, person.name), by=person.name)
    except (QueryError, ConflictError) as error:
        status = HTTPStatus.CONFLICT if isinstance(error, ConflictError) else HTTPStatus.BAD_REQUEST
        return page(console().show_case(case_key, problem=say(error), typed=typed), status)
    return redirect(f"/console/cases/{case_key}?saved=1")


@app.get("/console/customers")
def find_customer() -> Response[str]:
    identity = guess_identity(query().get("identity", "").strip())
    found = console().find_customer(identity) if identity else []
    if len(found) == 1:
        return redirect(f"/console/customers/{found[0]['customer_id']}")
    return page(console().show_search(identity, found))


@app.get("/console/customers/<customer_id>")
def show_customer(customer_id: str) -> Response[str]:
    return page(console().show_customer(customer_id, query(), saved=DONE.get(query().get("done", ""), "")))


@app.post("/console/customers/<customer_id>")
def change_customer(customer_id: str) -> Response[str]:
    person, typed = check_writer(app.current_event.raw_event), form()
    do = {"merge": console().desk.merge_customers, "split": console().desk.split_customer}.get(typed.get("do", ""))
    if do is None:
        raise QueryError("do", "choose merge or split")
    try:
        do(customer_id, {"with": typed.get("with", ""), "identity": typed.get("identity", ""), "why": typed.get("why", "")}, person.name)
    except (QueryError, NotFoundError, ConflictError) as error:
        status = HTTPStatus.CONFLICT if isinstance(error, ConflictError) else HTTPStatus.BAD_REQUEST
        return page(console().show_customer(customer_id, {}, problem=say(error), typed=typed), status)
    return redirect(f"/console/customers/{customer_id}?done={typed['do']}")


@app.get("/console/channels")
def show_channels() -> Response[str]:
    return page(console().show_channels(query(), saved=DONE.get(query().get("done", ""), "")))


@app.get("/console/quarantine/<quarantine_id>")
def show_quarantined(quarantine_id: str) -> Response[str]:
    return page(console().show_quarantined(quarantine_id))


@app.post("/console/quarantine/<quarantine_id>")
def decide_quarantined(quarantine_id: str) -> Response[str]:
    check_writer(app.current_event.raw_event)
    desk, wanted = console().desk, form().get("do", "")
    decisions = {"replay": desk.replay_quarantined, "drop": desk.drop_quarantined}
    if wanted not in decisions:
        raise QueryError("do", "choose replay or drop")
    try:
        decisions[wanted](quarantine_id)
    except ConflictError as error:
        return page(console().show_channels({}, problem=say(error)), HTTPStatus.CONFLICT)
    return redirect(f"/console/channels?done={wanted}")


@app.get("/console/static/<name>")
def serve_static(name: str) -> Response[str]:
    found = read_static(name)
    if found is None:
        raise NotFoundError("no such file")
    return Response(200, found[0], found[1], HEADERS | FOREVER)


@app.exception_handler(QueryError)
def refuse_query(error: QueryError) -> Response[str]:
    return problem(HTTPStatus.BAD_REQUEST, "That cannot be shown", say(error))


@app.exception_handler([NotFoundError, NoSuchRoute])
def refuse_unknown(_: Exception) -> Response[str]:
    return problem(HTTPStatus.NOT_FOUND, "Not here", "There is no such page, case or customer. It may have been erased, or the link is incomplete.")


@app.exception_handler(ForbiddenError)
def refuse_forbidden(error: ForbiddenError) -> Response[str]:
    return problem(HTTPStatus.FORBIDDEN, "Not allowed", f"{say(error)}.")


@app.exception_handler(UnavailableError)
def refuse_unavailable(error: UnavailableError) -> Response[str]:
    logger.warning("a service did not answer", extra={"reason": str(error)})
    return problem(HTTPStatus.SERVICE_UNAVAILABLE, "Try again in a moment", "A service behind the console did not answer. Nothing is lost.")


def read_changes(typed: dict[str, str], me: str) -> dict[str, Any]:
    """The fields of a form that were filled in; an empty owner is a choice, an empty note is none."""
    wanted: dict[str, Any] = {name: typed[name] for name in CHANGES if name in typed and (typed[name].strip() or name == "owner")}
    if "mine" in typed:
        wanted["owner"] = me
    if typed.get("do") == "note" and "note" not in wanted:
        raise QueryError("note", "write something first")
    if typed.get("seen", "").isdecimal() and {"status", "band"} & set(wanted):
        wanted["version"] = int(typed["seen"])
    return wanted


def console() -> Console:
    return Console(wiring().desk, frame())


def frame() -> Frame:
    event = app.current_event.raw_event
    return Frame(read_person(event), wiring().clock(), base_path(event))


def base_path(event: dict[str, Any]) -> str:
    """What stands before our paths in the browser: the stage, where the API has no domain of its own."""
    full, path = (event.get("requestContext") or {}).get("path") or "", event["path"]
    return full.removesuffix(path).rstrip("/") if full.endswith(path) else ""


def query() -> dict[str, str]:
    return dict(app.current_event.query_string_parameters or {})


def form() -> dict[str, str]:
    try:
        return dict(parse_qsl(app.current_event.decoded_body or "", keep_blank_values=True, max_num_fields=50))
    except ValueError:
        raise QueryError("form", "this form has too many fields") from None


def say(error: Exception) -> str:
    text = str(error)
    return text[:1].upper() + text[1:]


def page(html: str, status: int = HTTPStatus.OK) -> Response[str]:
    return Response(int(status), "text/html; charset=utf-8", html, HEADERS)


def problem(status: int, title: str, text: str) -> Response[str]:
    return page(frame().show_problem(title, text, app.current_event.request_context.request_id or ""), status)


def redirect(path: str) -> Response[str]:
    return Response(303, "text/plain", "", HEADERS | {"Location": base_path(app.current_event.raw_event) + path})
