"""What X's webhooks hold: posts of both generations, direct messages and deletions, as signals."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from caseline.errors import PayloadError
from caseline.identity import normalise_identities
from caseline.markup import unescape_signs
from caseline.payloads import Field, settle_time
from caseline.signals import DELETED, INBOUND, OUTBOUND, UPDATED, Signal
from caseline.sources import Source


class Reader:
    """`account` is the id of the brand's account that the items were sent for."""

    def __init__(self, source: Source, received_at: datetime, account: str | None = None) -> None:
        self.source, self.received_at, self.account = source, received_at, account

    def read_post(self, post: Field, includes: Field, mention: bool = False) -> Signal:
        """A v2 post. `referenced_tweets` says whether it is a reply, a quote or a repost; an edit has a new id, its item the first."""
        author_id, edits = post["author_id"].id(), [edit.id() for edit in post["edit_history_tweet_ids"].each()]
        users = {user["id"].id(): user for user in map(_unwrap, includes["users"].each())}
        author = users.get(author_id, Field(None, includes["users"].path))
        references = {item["type"].text(): item["id"].id() for item in post["referenced_tweets"].each()}
        return self._signal(
            edits[0] if edits else post["id"].id(), author_id, author["username"].text_or_none(), post["created_at"].time(),
            kind="repost" if "retweeted" in references else "mention" if mention else "post", addressee=post["in_reply_to_user_id"].id_or_none(),
            users={user_id: user["username"].text_or_none() for user_id, user in users.items()},
            author_name=author["name"].text_or_none(), text=_read_text(post["note_tweet"]["text"], post["text"]), language=_language(post["lang"]),
            thread_id=post["conversation_id"].id_or_none(),
            parent_id=references.get("retweeted") or references.get("replied_to") or post["in_reply_to_tweet_id"].id_or_none() or references.get("quoted"),
            reach=author["public_metrics"]["followers_count"].count_or_none(),
            engagement=_engagement(post["public_metrics"], "like_count", "reply_count", "retweet_count", "quote_count"),
            **({"action": UPDATED, "revision": f"{len(edits):03d}"} if len(edits) > 1 else {}),
        )

    def read_tweet(self, tweet: Field) -> Signal:
        """A v1.1 tweet, as the Account Activity API sends it."""
        user = tweet["user"]
        retweeted = tweet["retweeted_status"]["id_str"].id_or_none()
        text = _read_text(tweet["extended_tweet"]["full_text"], tweet["full_text"], tweet["text"])
        return self._signal(
            tweet["id_str"].id(), user["id_str"].id(), user["screen_name"].text_or_none(), _read_legacy_time(tweet["created_at"]),
            kind="repost" if retweeted else "post", addressee=tweet["in_reply_to_user_id_str"].id_or_none(),
            users={mention["id_str"].id(): mention["screen_name"].text_or_none() for mention in tweet["entities"]["user_mentions"].each()},
            author_name=user["name"].text_or_none(), text=text, language=_language(tweet["lang"]), reach=user["followers_count"].count_or_none(),
            parent_id=retweeted or tweet["in_reply_to_status_id_str"].id_or_none() or tweet["quoted_status_id_str"].id_or_none(),
            engagement=_engagement(tweet, "favorite_count", "reply_count", "retweet_count", "quote_count"),
        )

    def read_like(self, event: Field) -> Signal:
        """One per person and tweet, as it is never told that a like was taken back."""
        user, tweet = event["user"], event["favorited_status"]
        target, liker, author = tweet["id_str"].id(), user["id_str"].id(), tweet["user"]
        return self._signal(
            f"{target}/{liker}", liker, user["screen_name"].text_or_none(), event["timestamp_ms"].moment(), kind="reaction",
            addressee=author["id_str"].id_or_none(), users={author["id_str"].id_or_none() or "": author["screen_name"].text_or_none()},
            author_name=user["name"].text_or_none(), text="❤️", parent_id=target, reach=user["followers_count"].count_or_none(), url=None,
        )

    def read_message(self, users: Field, event: Field) -> Signal:
        """A direct message. Its thread is the customer, as the platform names none."""
        message = event["message_create"]
        sender, recipient = message["sender_id"].id(), message["target"]["recipient_id"].id()
        mine = self._is_own(sender)
        customer = recipient if mine else sender
        people = {who: _unwrap(users[who]) for who in (sender, recipient)}
        handles = {who: _handle(person) for who, person in people.items()}
        return Signal(
            channel="x", source=self.source.name, native_id=event["id"].id(), kind="message", direction=OUTBOUND if mine else INBOUND,
            occurred_at=self._settle(event["created_timestamp"].epoch(0.001), event["created_timestamp"].path), received_at=self.received_at,
            identities=_identities(customer, handles[customer]), author_name=None if mine else people[sender]["name"].text_or_none(),
            agent=_agent(sender, handles[sender]) if mine else None, text=_read_text(message["message_data"]["text"]), thread_id=f"dm:{customer}",
            reach=None if mine else _followers(people[sender]),
        )

    def read_deletion(self, post_id: Field, author_id: Field, moment: datetime | None = None) -> Signal:
        author = author_id.id_or_none()
        who: dict[str, Any] = {"direction": OUTBOUND, "agent": author} if self._is_own(author) else {"identities": _identities(author, None)}
        return Signal(
            channel="x", source=self.source.name, native_id=post_id.id(), kind="post", action=DELETED, public=True, received_at=self.received_at,
            occurred_at=self._settle(moment or self.received_at, post_id.path), **who,
        )

    def read_legacy_deletion(self, event: Field) -> Signal:
        status, moment = event["status"], event["timestamp_ms"]
        return self.read_deletion(status["id"], status["user_id"], moment.epoch(0.001) if moment.value is not None else None)

    def _signal(
        self, native_id: str, author_id: str, handle: str | None, moment: datetime, kind: str,
        addressee: str | None, users: Mapping[str, str | None], author_name: str | None, **facts: Any,
    ) -> Signal:
        mine = self._is_own(author_id) or self.source.owns("x", f"@{(handle or '').casefold()}")
        if mine:
            to = None if addressee is None or self._is_own(addressee) else addressee
            who: dict[str, Any] = {"direction": OUTBOUND, "agent": _agent(author_id, handle), "identities": _identities(to, users.get(to or "")), "reach": None}
        else:
            who = {"direction": INBOUND, "author_name": author_name, "identities": _identities(author_id, handle)}
        return Signal(
            channel="x", source=self.source.name, native_id=native_id, kind=kind, public=True, occurred_at=self._settle(moment, "created_at"),
            received_at=self.received_at, **{"url": f"https://x.com/{handle or 'i'}/status/{native_id}", **facts, **who},
        )

    def _is_own(self, user_id: str | None) -> bool:
        return user_id is not None and (user_id == self.account or self.source.owns("x", user_id))

    def _settle(self, moment: datetime, path: str) -> datetime:
        return settle_time(moment, self.received_at, path)


def _unwrap(user: Field) -> Field:
    """Some events wrap each user in `data`."""
    return user["data"] if "data" in user else user  # noqa: SIM401 - a Field is no dict


def _identities(user_id: str | None, handle: str | None) -> tuple[str, ...]:
    return normalise_identities(([f"x:{user_id}"] if user_id else []) + ([f"x:@{handle}"] if handle else []))


def _agent(user_id: str, handle: str | None) -> str:
    return f"@{handle}" if handle else user_id


def _handle(user: Field) -> str | None:
    return user["username"].text_or_none() or user["screen_name"].text_or_none()


def _followers(user: Field) -> int | None:
    return user["public_metrics"]["followers_count"].count_or_none() if "public_metrics" in user else user["followers_count"].count_or_none()


def _read_text(*fields: Field) -> str | None:
    """The first of them that is there, the longest form first; the platform escapes signs."""
    text = next((text for field in fields if (text := field.text_or_none())), None)
    return unescape_signs(text) if text else None


def _language(field: Field) -> str | None:
    """`und` and the codes of posts without words (`qme`, `zxx`...) are no language."""
    value = field.text_or_none()
    return None if not value or value in ("und", "zxx") or value.startswith("q") else value


def _engagement(metrics: Field, *names: str) -> int | None:
    counts = [count for name in names if (count := metrics[name].count_or_none()) is not None]
    return sum(counts) if counts else None


def _read_legacy_time(field: Field) -> datetime:
    try:
        return datetime.strptime(field.text(), "%a %b %d %H:%M:%S %z %Y").astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise PayloadError("must be a time such as Mon May 19 14:01:46 +0000 2025", field.path) from error
