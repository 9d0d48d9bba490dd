"""X: Activity API, filtered-stream webhooks and the older Account Activity API. Credential: the app's consumer (API) secret.

Facts: docs.x.com, "Webhooks", "X Activity API", "Account Activity API". The platform sends no timestamp; posts are deduplicated by their id.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterable
from datetime import datetime
from functools import partial

from caseline.batches import Item, list_items, read_batch
from caseline.channels.x.items import Reader
from caseline.errors import PayloadError, SignatureError
from caseline.payloads import Field, read_json
from caseline.schemes import BodyScheme
from caseline.signals import Signal, Unreadable
from caseline.signatures.hmacs import sign_challenge
from caseline.sources import Source
from caseline.web import WebhookRequest, WebhookResponse

NAMESPACE = "x"
ANSWER_SECONDS = 10
TOKEN = re.compile(r"[A-Za-z0-9+/=_.-]{1,512}\Z")
# Activity events in which nothing is said; their likes, unlike those of the older API, do not name who likes.
IGNORED = ("profile.", "follow.", "spaces.", "chat.", "news.", "like.", "mute.", "block.", "oauth.", "dm.read", "dm.indicate_typing", "user_event")
# The same of the older API, and what stands around its events.
LEGACY_IGNORED = frozenset(
    "follow_events unfollow_events block_events unblock_events mute_events unmute_events user_event replay_job_status "
    "direct_message_indicate_typing_events direct_message_mark_read_events".split()
)
LEGACY_AROUND = frozenset({"for_user_id", "users", "apps", "user_has_blocked"})
_SCHEME = BodyScheme("x-twitter-webhooks-signature", "sha256=", base64=True)
verify, sign = _SCHEME.verify, _SCHEME.sign


def challenge(request: WebhookRequest, source: Source) -> WebhookResponse | None:
    """The CRC: the token signed with the consumer secret; sent when the webhook is made and then hourly.

    The same secret signs bodies in the same way, so a token that could be a body is never signed.
    """
    token = request.query.get("crc_token")
    if request.method != "GET" or token is None:
        return None
    if not TOKEN.match(token):
        raise SignatureError("the CRC token is malformed")
    answer = {"response_token": "sha256=" + base64.b64encode(sign_challenge(source.secrets, token)).decode()}
    return WebhookResponse(200, json.dumps(answer), {"Content-Type": "application/json"})


def acknowledge(request: WebhookRequest, source: Source, signals: list[Signal | Unreadable]) -> WebhookResponse:
    """The platform asks for 200."""
    return WebhookResponse(200, json.dumps({"accepted": len(signals)}), {"Content-Type": "application/json"})


def parse(request: WebhookRequest, source: Source) -> list[Signal | Unreadable]:
    body = read_json(request.body)
    if "event_type" in body["data"]:
        return read_batch(_list_activity(body["data"], source, request.received_at))
    if "data" in body:
        return read_batch([(body, partial(Reader(source, request.received_at).read_post, body["data"], body["includes"]))])
    if "for_user_id" in body or LEGACY_IGNORED & body.object().keys():
        return read_batch(_list_account(body, source, request.received_at))
    raise PayloadError("is neither an activity, a stream match nor an account activity", "data")


def _list_activity(data: Field, source: Source, received_at: datetime) -> Iterable[Item]:
    """One activity: `event_type`, `payload`, `includes`, and whose account it is in `filter.user_id`."""
    event, payload, reader = data["event_type"].text(), data["payload"], Reader(source, received_at, data["filter"]["user_id"].id_or_none())
    includes = data["includes"] if "includes" in data else payload["includes"]
    if event.startswith(IGNORED):
        return []
    if event in ("dm.received", "dm.sent"):
        return _list_events(payload["direct_message_events"], partial(reader.read_message, payload["users"]))
    if event == "post.delete":
        return [(payload, partial(reader.read_deletion, payload["id"], payload["author_id"], data["created_at"].time_or_none()))]
    if event.startswith("post.") and event.endswith(".create"):
        return [(payload, partial(reader.read_post, payload, includes, mention=event.startswith("post.mention")))]
    return data["event_type"].refuse(f"{event!r} is not a known event")


def _list_account(body: Field, source: Source, received_at: datetime) -> Iterable[Item]:
    """What happened to an account, a list for each kind of event."""
    reader, items = Reader(source, received_at, body["for_user_id"].id_or_none()), list[Item]()
    readers: dict[str, Callable[[Field], Signal]] = {
        "tweet_create_events": reader.read_tweet, "tweet_delete_events": reader.read_legacy_deletion,
        "direct_message_events": partial(reader.read_message, body["users"]), "favorite_events": reader.read_like,
    }
    for name, events in body.members():
        if name in readers:
            items += list_items(events, partial(_list_events, events, readers[name]))
        elif name not in LEGACY_IGNORED | LEGACY_AROUND:
            items.append((events, partial(events.refuse, "is not a known kind of event")))
    return items


def _list_events(events: Field, read: Callable[[Field], Signal]) -> list[Item]:
    return [(event, partial(read, event)) for event in events.each()]
