"""Segment: what people do in apps and on sites, by the Webhooks destination. Credential: the destination's shared secret.

Facts: twilio.com/docs/segment, "Webhooks destination", "Spec: Track, Identify, Alias", "V2 Ecommerce Events". Events beyond that specification are named by
the source's setting `events`, `{<event>: {stage: checkout, problem: payment}}` (words of caseline.carts). Which properties are scores is said by the setting
`ratings`, `{<property>: {metric: csat, low: 1, high: 7}}`, beside the usual ones. Not confirmed: how batches are wrapped; a list and `batch` are both read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from caseline.batches import read_batch
from caseline.carts import ACCOUNT_WALL, CANCELLED, CART, CHECKOUT, COUPON, ORDERED, PAYMENT, PAYMENT_ERROR, SHIPPING_COST, STAGES, cart_facts, read_money
from caseline.errors import PayloadError
from caseline.identity import is_own, normalise_identities
from caseline.payloads import Field, read_json, settle_time
from caseline.schemes import BodyScheme
from caseline.signals import METRICS, Rating, Signal, Unreadable, isoformat
from caseline.sources import Source
from caseline.web import WebhookRequest

NAMESPACE = "segment"
SILENT = frozenset({"page", "screen", "group"})
CARTS: Mapping[str, tuple[str, str | None]] = {
    "Cart Viewed": (CART, None), "Product Added": (CART, None), "Product Removed": (CART, None), "Checkout Started": (CHECKOUT, None),
    "Checkout Step Viewed": (CHECKOUT, None), "Checkout Step Completed": (CHECKOUT, None), "Payment Info Entered": (PAYMENT, None),
    "Coupon Entered": (CHECKOUT, None), "Coupon Applied": (CHECKOUT, None), "Coupon Removed": (CHECKOUT, None), "Coupon Denied": (CHECKOUT, COUPON),
    "Order Completed": (ORDERED, None), "Order Updated": (ORDERED, None), "Order Refunded": (CANCELLED, None), "Order Cancelled": (CANCELLED, None),
    "Payment Failed": (PAYMENT, PAYMENT_ERROR), "Shipping Cost Shown": (CHECKOUT, SHIPPING_COST), "Account Required": (CHECKOUT, ACCOUNT_WALL),
}
RATINGS: Mapping[str, tuple[str, float, float]] = {
    "nps": ("nps", 0.0, 10.0), "rating": ("stars", 1.0, 5.0), "stars": ("stars", 1.0, 5.0), "csat": ("csat", 1.0, 5.0), "ces": ("ces", 1.0, 7.0),
}
CART_IDS = ("cart_id", "checkout_id", "order_id")  # the specification asks for another one at each step
WORDS = ("comment", "feedback", "review_body")
OPINION = re.compile(r"feedback|review|survey|rated|rating|\b(?:nps|csat|ces)\b", re.IGNORECASE)  # elsewhere a score is that of a product
_SCHEME = BodyScheme("x-signature", algorithm="sha1")
verify, sign = _SCHEME.verify, _SCHEME.sign


def parse(request: WebhookRequest, source: Source) -> list[Signal | Unreadable]:
    body = read_json(request.body)
    return read_batch((call, partial(_read_call, call, request, source)) for call in _calls(body))


def _calls(body: Field) -> Iterator[Field]:
    if isinstance(body.value, list):
        return body.each()
    return body["batch"].each() if "batch" in body else iter([body])


def _read_call(call: Field, request: WebhookRequest, source: Source) -> Signal | None:
    kind, identities = call["type"].text(), _read_identities(call, source.region)
    if kind in SILENT or any(is_own(identity, source.own_ids) or source.owns("segment", identity.partition(":")[2]) for identity in identities):
        return None
    if kind in ("identify", "alias"):
        return _signal(call, request, source, identities, kind="web_event", attributes={"event": kind}) if len(identities) > 1 else None
    if kind != "track":
        call["type"].refuse(f"{kind!r} is not a known call")
    event, properties = call["event"].text(), call["properties"]
    stage, problem = _find_stage(source, event)
    words = next((text for name in WORDS if (text := properties[name].text_or_none())), None)
    rating = _read_rating(properties, source) if words or OPINION.search(event) else None
    facts: dict[str, Any] = {"text": words, "rating": rating, "attributes": {"event": event}}
    if stage is None:
        return _signal(call, request, source, identities, kind="web_event", **facts)
    facts["attributes"] |= _read_cart(properties, stage, problem, call)
    named_by = next((name for name in CART_IDS if properties[name].id_or_none()), None)
    facts["attributes"] |= {"named_by": named_by} if named_by else {}
    return _signal(call, request, source, identities, kind="cart_event", thread_id=properties[named_by].id() if named_by else None, **facts)


def _find_stage(source: Source, event: str) -> tuple[str | None, str | None]:
    settings = source.settings.get("events")
    said = settings.get(event) if isinstance(settings, Mapping) else None
    if isinstance(said, Mapping):
        return (str(said["stage"]) if said.get("stage") in STAGES else CHECKOUT), (str(said["problem"]) if said.get("problem") else None)
    return CARTS.get(event, (None, None))


def _read_cart(properties: Field, stage: str, problem: str | None, call: Field) -> dict[str, Any]:
    value = next((amount for name in ("total", "value", "revenue", "price") if (amount := read_money(properties[name])) is not None), None)
    goods = [*properties["products"].each(), *([properties] if "name" in properties else [])]
    moment = _read_moment(call)
    return cart_facts(
        stage, value=value, currency=properties["currency"].text_or_none(), items=[good["name"].text_or_none() or "" for good in goods[:20]],
        active_at=isoformat(moment) if moment else None, shipping=read_money(properties["shipping"]), problem=problem,
        coupons=[coupon] if (coupon := properties["coupon"].text_or_none() or properties["coupon_id"].id_or_none()) else [],
        reason=properties["reason"].text_or_none() or properties["error"].text_or_none() if problem else None,
    )


def _read_rating(properties: Field, source: Source) -> Rating | None:
    """The first score there is; one out of its scale is refused, as its scale is another."""
    said = source.settings.get("ratings")
    known = {**RATINGS, **{str(name): scale for name, entry in (said.items() if isinstance(said, Mapping) else ()) if (scale := _scale(entry))}}
    for name, (metric, low, high) in known.items():
        if name in properties:
            value = properties[name].number()
            if not low <= value <= high:
                properties[name].refuse(f"must be between {low:g} and {high:g}")
            return Rating(metric, value, low, high)
    return None


def _scale(entry: Any) -> tuple[str, float, float] | None:
    """What the setting says of a property; None where it says nothing that can be used."""
    if not isinstance(entry, Mapping) or entry.get("metric") not in METRICS:
        return None
    low, high = (entry.get(end) for end in ("low", "high"))
    return (str(entry["metric"]), float(low), float(high)) if isinstance(low, int | float) and isinstance(high, int | float) and low < high else None


def _read_identities(call: Field, region: str) -> tuple[str, ...]:
    """The user's id first, then what the traits say, then the browser's id."""
    traits, context = call["traits"], call["context"]["traits"]
    named = [("segment", call["userId"].id_or_none()), ("segment", call["previousId"].id_or_none())]
    named += [(name, place[name].text_or_none()) for place in (traits, context) for name in ("email", "phone")]
    named += [("segment", call["anonymousId"].id_or_none())]
    return normalise_identities((f"{namespace}:{value}" for namespace, value in named if value), region)


def _read_moment(call: Field) -> Any:
    return call["timestamp"].time_or_none() or call["originalTimestamp"].time_or_none() or call["receivedAt"].time_or_none()


def _signal(call: Field, request: WebhookRequest, source: Source, identities: tuple[str, ...], **facts: Any) -> Signal:
    if not identities:
        raise PayloadError("is required, unless there is an anonymousId", call["userId"].path)
    moment, traits, context = _read_moment(call) or request.received_at, call["traits"], call["context"]
    name = traits["name"].text_or_none() or context["traits"]["name"].text_or_none() or " ".join(
        filter(None, (traits["firstName"].text_or_none(), traits["lastName"].text_or_none())))
    return Signal(
        channel="segment", source=source.name, native_id=call["messageId"].id(), occurred_at=settle_time(moment, request.received_at, call["timestamp"].path),
        received_at=request.received_at, identities=identities, author_name=name or None, language=context["locale"].text_or_none(),
        url=context["page"]["url"].text_or_none(), **facts,
    )
