"""Discourse: posts of a forum, and likes of them. Credential: the web hook's secret. Setting `url`: the forum's address, for links.

Facts: the web hook events of Discourse's source (post_created, post_edited, post_destroyed, post_recovered, post_liked). Topics come with their first
post, so topic events say nothing more. The headers that name event and forum are not signed; without them the body's own shape tells. A delivery that
is repeated has a new id, so a post's id and version count. User ids are those of one forum: sources other than `default` have a namespace of their own.
Never answer 404 or 410, which turn the hook off. Not confirmed: the fields of a like.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from caseline.errors import PayloadError
from caseline.identity import normalise_identities
from caseline.markup import strip_tags
from caseline.payloads import Field, read_json, settle_time
from caseline.schemes import BodyScheme
from caseline.signals import CREATED, DELETED, INBOUND, OUTBOUND, UPDATED, Signal, Unreadable
from caseline.sources import Source
from caseline.web import WebhookRequest

NAMESPACE = "discourse"
KEPT_HEADERS = ("x-discourse-event", "x-discourse-event-type", "x-discourse-event-id", "x-discourse-instance")
ACTIONS = {"post_created": CREATED, "post_edited": UPDATED, "post_recovered": UPDATED, "post_destroyed": DELETED}
# What a body is about, where that is no post and no like: what is said there comes as a post, too, or is said by nobody.
SILENT = frozenset(
    "ping topic user group category tag badge user_badge notification reviewable flag queued_post group_user user_promoted solved assign".split()
)
REGULAR = 1  # the others are notes of moderators, small actions and whispers among the staff
_ADDRESS = re.compile(r"https?://[A-Za-z0-9.-]+(:[0-9]+)?(/[A-Za-z0-9._~/-]*)?\Z")
_SCHEME = BodyScheme("x-discourse-event-signature", "sha256=")
verify, sign = _SCHEME.verify, _SCHEME.sign


def parse(request: WebhookRequest, source: Source) -> list[Signal | Unreadable]:
    body = read_json(request.body)
    reader = _Reader(source, request.received_at, str(source.settings.get("url") or request.headers.get("x-discourse-instance") or ""))
    if "post" in body:
        signal = reader.read_post(body["post"], request.headers.get("x-discourse-event"))
        return [signal] if signal else []
    if "like" in body:
        return [reader.read_like(body["like"])]
    if body.object().keys() & SILENT:
        return []
    raise PayloadError("is none this channel reads", "x-discourse-event-type")


class _Reader:
    def __init__(self, source: Source, received_at: datetime, address: str) -> None:
        self.source, self.received_at = source, received_at
        self.address = address.rstrip("/") if _ADDRESS.match(address) else None
        self.namespace = "discourse" if source.name == "default" else f"discourse.{source.name}"

    def read_post(self, post: Field, event: str | None) -> Signal | None:
        action = self._read_action(post, event)
        if (post["post_type"].count_or_none() or REGULAR) != REGULAR:
            return None
        opens = post["post_number"].count_or_none() == 1
        private = post["topic_archetype"].text_or_none() == "private_message"
        dated = action == UPDATED or (action == DELETED and "deleted_at" not in post)  # what its author took back comes again as a later version
        return self._signal(
            post, post["id"].id(), kind="message" if private else "post" if opens else "comment", public=not private, action=action,
            revision=f"{post['version'].count_or_none() or 0:06d}" if dated else "", at=post["created_at"].time_or_none(),
            **{**self._people(post), **({"author_name": None} if action == DELETED else _content(post, opens))},
        )

    def read_like(self, like: Field) -> Signal:
        """Named by the post and who likes it, as it has no id of its own."""
        post, user = like["post"], like["user"]
        native_id = post["id"].id()
        return self._signal(
            post, f"{native_id}/{user['id'].id()}", kind="reaction", public=True, text="❤️", parent_id=native_id, at=like["created_at"].time_or_none(),
            **self._author(user, user["id"].id(), user["username"].text_or_none(), user),
        )

    def _read_action(self, post: Field, event: str | None) -> str:
        """As the header says; by itself a post is gone, edited or new. One that its author took back stays as a note that it is gone."""
        if event is not None and event not in ACTIONS:
            raise PayloadError(f"{event[:64]!r} is not a known event", "x-discourse-event")
        if post["user_deleted"].boolean_or_none() or "deleted_at" in post:
            return DELETED
        return ACTIONS[event] if event else UPDATED if (post["version"].count_or_none() or 1) > 1 else CREATED

    def _people(self, post: Field) -> dict[str, Any]:
        who = self._author(post, post["user_id"].id(), post["username"].text_or_none(), post)
        asked = post["reply_to_user"]
        to = self._identities(asked["id"].id_or_none(), asked["username"].text_or_none())
        return {**who, "identities": to} if who["direction"] == OUTBOUND and not self._owns(asked) else who

    def _author(self, flags: Field, user_id: str, handle: str | None, named: Field) -> dict[str, Any]:
        """The brand's own are those who run the forum, and whom the configuration names."""
        runs = any(flags[role].boolean_or_none() for role in ("staff", "admin", "moderator"))
        if runs or self._owns(Field({"id": user_id, "username": handle}, "")):
            return {"direction": OUTBOUND, "agent": handle or user_id}
        return {"direction": INBOUND, "identities": self._identities(user_id, handle), "author_name": named["name"].text_or_none() or handle}

    def _owns(self, user: Field) -> bool:
        handle = f"@{(user['username'].text_or_none() or '').casefold()}"
        ids = [value for value in (user["id"].id_or_none(), handle) if value]
        return any(self.source.owns(namespace, value) for namespace in ("discourse", self.namespace) for value in ids)

    def _identities(self, user_id: str | None, handle: str | None) -> tuple[str, ...]:
        namespace = self.namespace
        return normalise_identities([*([f"{namespace}:{user_id}"] if user_id else []), *([f"{namespace}:@{handle}"] if handle else [])])

    def _signal(self, post: Field, native_id: str, at: datetime | None, **facts: Any) -> Signal:
        topic, slug, number = post["topic_id"].id_or_none(), post["topic_slug"].text_or_none() or "-", post["post_number"].count_or_none() or 1
        return Signal(
            channel="discourse", source=self.source.name, native_id=native_id, occurred_at=settle_time(at or self.received_at, self.received_at, "created_at"),
            received_at=self.received_at, thread_id=f"topic/{topic}" if topic else None,
            url=f"{self.address}/t/{slug}/{topic}/{number}" if self.address and topic else None, **facts,
        )


def _content(post: Field, opens: bool) -> dict[str, Any]:
    """The text as it was written; where the forum sends only the page's, that without its tags."""
    raw = post["raw"].text_or_none() or strip_tags(post["cooked"].text_or_none() or "")
    title = post["topic_title"].text_or_none() if opens else None
    counts = [count for name in ("reply_count", "like_count") if (count := post[name].count_or_none()) is not None]
    number = post["reply_to_post_number"].count_or_none()
    facts = {
        "category": post["category_slug"].text_or_none(), "reply_to_post_number": number, "trust_level": post["trust_level"].count_or_none(),
        "opens_thread": opens or None,  # so that an answer to the topic finds who asked
    }
    return {
        "text": "\n\n".join(part for part in (title, raw) if part and part.strip()) or None, "engagement": sum(counts) if counts else None,
        "attributes": {name: value for name, value in facts.items() if value is not None},
    }
