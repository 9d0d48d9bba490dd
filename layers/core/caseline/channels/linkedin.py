"""LinkedIn: what members do on an organisation's posts, and mentions of it. Credential: the app's client secret.

Facts: learn.microsoft.com/linkedin, "Webhook Validation", "Organization Social Action Notifications". A request brings up to ten notifications,
each again every five minutes for eight hours until it is answered 2xx; the handshake comes every two hours and waits three seconds. Members are
named by URN alone. Not confirmed: that the signature may carry the prefix `hmacsha256=`, that a comment's text may stand under `message`, and what
a reaction, an edit and a deletion bring besides the fields all notifications have: they are read if they are there.
"""

from __future__ import annotations

import json
import re
from datetime import datetime
from functools import partial
from typing import Any

from caseline.batches import read_batch
from caseline.errors import SignatureError
from caseline.identity import normalise_identities
from caseline.payloads import Field, read_json, settle_time
from caseline.signals import CREATED, DELETED, INBOUND, OUTBOUND, UPDATED, Signal, Unreadable, isoformat
from caseline.signatures.hmacs import sign_challenge, sign_prefixed, verify_prefixed
from caseline.sources import Source
from caseline.web import WebhookRequest, WebhookResponse

NAMESPACE = "linkedin"
ANSWER_SECONDS = 3
HEADER, PREFIX = "x-li-signature", "hmacsha256="
TYPE = "ORGANIZATION_SOCIAL_ACTION_NOTIFICATIONS"
MAX_CODE = 256  # characters; a type-4 UUID has 36
KINDS = {
    "COMMENT": ("comment", CREATED), "ADMIN_COMMENT": ("comment", CREATED), "COMMENT_EDIT": ("comment", UPDATED), "COMMENT_DELETE": ("comment", DELETED),
    "LIKE": ("reaction", CREATED), "SHARE": ("repost", CREATED), "SHARE_MENTION": ("mention", CREATED),
}
MAKER = re.compile(r"urn:li:(?:like|reaction):\((urn:li:(?:person|organization):[^,()]{1,100}),")


def verify(request: WebhookRequest, source: Source) -> None:
    """The prefix is part of what is signed, not of the header; one that stands in the header all the same is passed over."""
    prefix = PREFIX if str(request.headers.get(HEADER, "")).startswith(PREFIX) else ""
    verify_prefixed(request.headers, HEADER, prefix, PREFIX.encode() + request.body, source.secrets)


def sign(request: WebhookRequest, source: Source) -> WebhookRequest:
    """The request as the platform would send it, with the newest secret; for samples."""
    return request.with_headers(sign_prefixed(HEADER, "", PREFIX.encode() + request.body, source.secrets[0]))


def challenge(request: WebhookRequest, source: Source) -> WebhookResponse | None:
    """The handshake: the code signed with the client secret.

    The same secret signs bodies, which begin with the prefix, so a code that begins with it is never signed.
    """
    code = request.query.get("challengeCode")
    if request.method != "GET" or code is None:
        return None
    if not (0 < len(code) <= MAX_CODE and code.isascii() and code.isprintable()) or code.startswith(PREFIX):
        raise SignatureError("the challenge code is malformed")
    answer = {"challengeCode": code, "challengeResponse": sign_challenge(source.secrets, code).hex()}
    return WebhookResponse(200, json.dumps(answer), {"Content-Type": "application/json"})


def parse(request: WebhookRequest, source: Source) -> list[Signal | Unreadable]:
    body = read_json(request.body)
    if body["type"].text() != TYPE:
        body["type"].refuse(f"is not {TYPE}")
    if body["notifications"].value is None:
        body["notifications"].refuse("is required")
    return read_batch((item, partial(_read_notification, item, source, request.received_at)) for item in body["notifications"].each())


def _read_notification(item: Field, source: Source, received_at: datetime) -> Signal:
    event, post = item["action"].text(), item["sourcePost"].id_or_none()
    if event not in KINDS:
        item["action"].refuse(f"{event!r} is not a known action")
    kind, action = KINDS[event]
    made, moment = _read_made(item), _read_moment(item["lastModifiedAt"], received_at)
    author = made["owner"].id_or_none() or made["actor"].id_or_none() or _find_maker(item["generatedActivity"].id_or_none() or "")
    native_id = _comment_id(item, made) if kind == "comment" else _activity_id(item, kind, post)
    parent = made["parentComment"].id_or_none() or post
    return Signal(
        channel="linkedin", source=source.name, native_id=native_id, kind=kind, action=action, public=True, occurred_at=moment, received_at=received_at,
        revision=isoformat(moment) if action == UPDATED else "", url=f"https://www.linkedin.com/feed/update/{post}" if post else None, thread_id=post,
        parent_id=parent if parent != native_id else None, text=None if action == DELETED else _read_text(made), **_read_people(item, event, author, source),
    )


def _read_people(item: Field, event: str, author: str | None, source: Source) -> dict[str, Any]:
    """The organisation's own comments come back as ADMIN_COMMENT, or with the organisation as the author."""
    organization = item["organizationalEntity"].id()
    if event == "ADMIN_COMMENT" or author == organization or source.owns("linkedin", author):
        return {"direction": OUTBOUND, "agent": author or organization}
    return {"direction": INBOUND, "identities": normalise_identities([f"linkedin:{author}"] if author else [])}


def _read_made(item: Field) -> Field:
    """The comment or share that the action made; a reaction makes none."""
    made = item["decoratedGeneratedActivity"]
    return next((made[name] for name in ("comment", "share", "like", "reaction") if made[name].value is not None), Field(None, made.path))


def _activity_id(item: Field, kind: str, post: str | None) -> str:
    """What the action made; where a reaction names only the post it stands on, the notification."""
    made = item["generatedActivity"].id_or_none()
    return made if made and (kind != "reaction" or made != post) else item["notificationId"].id()


def _find_maker(urn: str) -> str | None:
    """The one who reacted, whom the reaction's own name may say."""
    found = MAKER.match(urn)
    return found[1] if found else None


def _comment_id(item: Field, made: Field) -> str:
    """Of `urn:li:comment:(urn:li:activity:1,2)` and its short form `urn:li:comment:(activity:1,2)` the long one, as both name one comment."""
    urn = made["entity"].id_or_none() or item["generatedActivity"].id()
    head, mark, rest = urn.partition("urn:li:comment:(")
    return f"{mark}urn:li:{rest}" if mark and not head and not rest.startswith("urn:li:") else urn


def _read_text(made: Field) -> str | None:
    return made["text"].text_or_none() if "text" in made or "message" not in made else _read_message(made["message"])


def _read_message(message: Field) -> str | None:
    return message.value if isinstance(message.value, str) else message["text"].text_or_none()


def _read_moment(field: Field, received_at: datetime) -> datetime:
    return received_at if field.value is None else settle_time(field.epoch(0.001), received_at, field.path)
