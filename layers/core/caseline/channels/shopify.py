"""Shopify: carts, checkouts and orders. Credential: the app's client secret.

Facts: shopify.dev, "Deliver webhooks through HTTPS", "Webhooks: ignore duplicates" and the topics' payloads. Only the body is signed: the topic stands in a
header beside it. A cart names nobody; its token is the thread of its checkout and its order. Abandonment is the absence of an order, so it is decided
later, not here. Requests of the privacy topics (`customers/redact` and others) are kept for people to see to.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from caseline.carts import CANCELLED, CART, CHECKOUT, ORDERED, add_up, cart_facts, read_money
from caseline.identity import is_own, normalise_identities
from caseline.payloads import Field, read_json, settle_time
from caseline.schemes import BodyScheme
from caseline.signals import CREATED, DELETED, UPDATED, Signal, Unreadable, isoformat
from caseline.sources import Source
from caseline.web import WebhookRequest, WebhookResponse

NAMESPACE = "shopify"
TOPIC = "x-shopify-topic"
ANSWER_SECONDS = 5
KEPT_HEADERS = (TOPIC, "x-shopify-shop-domain", "x-shopify-triggered-at")
TOPICS: Mapping[str, tuple[str, str]] = {
    "carts/create": (CART, CREATED), "carts/update": (CART, UPDATED),
    "checkouts/create": (CHECKOUT, CREATED), "checkouts/update": (CHECKOUT, UPDATED), "checkouts/delete": (CHECKOUT, DELETED),
    "orders/create": (ORDERED, CREATED), "orders/updated": (ORDERED, UPDATED), "orders/paid": (ORDERED, UPDATED), "orders/delete": (ORDERED, DELETED),
    "orders/fulfilled": (ORDERED, UPDATED), "orders/partially_fulfilled": (ORDERED, UPDATED), "orders/cancelled": (CANCELLED, UPDATED),
}
ITEMS = 20  # names of goods that are kept
_SCHEME = BodyScheme("x-shopify-hmac-sha256", base64=True)
verify, sign = _SCHEME.verify, _SCHEME.sign


def acknowledge(request: WebhookRequest, source: Source, signals: list[Signal | Unreadable]) -> WebhookResponse:
    """The platform asks for 200 within 5 s."""
    return WebhookResponse(200)


def parse(request: WebhookRequest, source: Source) -> list[Signal | Unreadable]:
    topic, body = Field(request.headers.get(TOPIC), TOPIC), read_json(request.body)
    if topic.text() not in TOPICS:
        topic.refuse("is not a topic this channel reads")
    stage, action = TOPICS[topic.text()]
    facts: dict[str, Any] = {
        "channel": "shopify", "source": source.name, "native_id": body["id"].id(), "kind": "cart_event", "action": action, "received_at": request.received_at,
    }
    if action == DELETED:
        return [Signal(**facts, occurred_at=request.received_at)]
    identities = _read_identities(body)
    if any(is_own(identity, source.own_ids) or source.owns("shopify", identity.partition(":")[2]) for identity in identities):
        return []  # somebody of the brand tries the shop
    return [Signal(**facts, **_read_facts(body, stage, action, request), identities=identities)]


def _read_facts(body: Field, stage: str, action: str, request: WebhookRequest) -> dict[str, Any]:
    active_at = body["updated_at"].time_or_none() or body["created_at"].time_or_none() or request.received_at
    created = body["created_at"].time_or_none() or active_at
    return {
        "occurred_at": settle_time(created, request.received_at, "created_at"), "revision": isoformat(active_at) if action == UPDATED else "",
        "text": body["note"].text_or_none() or None, "language": body["customer_locale"].text_or_none(), "author_name": _read_name(body["customer"]),
        "url": body["abandoned_checkout_url"].text_or_none() or body["order_status_url"].text_or_none(),
        "thread_id": body["cart_token"].id_or_none() or (body["token"].id_or_none() if stage == CART else None),
        "parent_id": body["checkout_id"].id_or_none(), "attributes": _read_attributes(body, stage, isoformat(active_at)),
    }


def _read_attributes(body: Field, stage: str, active_at: str) -> dict[str, Any]:
    items = list(body["line_items"].each())
    finished = stage == CHECKOUT and body["completed_at"].time_or_none() is not None
    total = read_money(body["total_price"]) if "total_price" in body else add_up(read_money(item["line_price"]) or _price(item) for item in items)
    return cart_facts(
        ORDERED if finished else stage, active_at=active_at, value=total, currency=body["currency"].text_or_none(),
        empty=(stage == CART and "line_items" in body and not items) or None,
        items=[item["title"].text_or_none() or "" for item in items[:ITEMS]], coupons=[code["code"].id() for code in body["discount_codes"].each()],
        shipping=add_up(read_money(line["price"]) for line in body["shipping_lines"].each()), gateway=body["gateway"].text_or_none(),
        order=body["name"].text_or_none() if stage in (ORDERED, CANCELLED) else None, reason=body["cancel_reason"].text_or_none(),
    )


def _price(item: Field) -> float | None:
    price, quantity = read_money(item["price"]), item["quantity"].count_or_none()
    return None if price is None else price * min(1 if quantity is None else quantity, 1_000_000)


def _read_identities(body: Field) -> tuple[str, ...]:
    customer = body["customer"]
    emails, phones = ([place[name].text_or_none() for place in (body, customer)] for name in ("email", "phone"))
    named = [("shopify", customer["id"].id_or_none()), *(("email", value) for value in emails), *(("phone", value) for value in phones)]
    return normalise_identities(f"{namespace}:{value}" for namespace, value in named if value)


def _read_name(customer: Field) -> str | None:
    return " ".join(filter(None, (customer["first_name"].text_or_none(), customer["last_name"].text_or_none()))) or None
