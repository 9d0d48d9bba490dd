"""What a page of a Reddit listing says: posts, crossposts and comments."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from caseline.errors import PayloadError
from caseline.identity import normalise_identities
from caseline.payloads import Field, settle_time
from caseline.signals import CREATED, DELETED, INBOUND, OUTBOUND, UPDATED, Signal, Unreadable, isoformat
from caseline.sources import Source
from caseline.watch import name_raw

GONE = ("[deleted]", "[removed]")


def read_times(body: Field) -> list[float]:
    """When each item of the page was made, where that can be read."""
    data = [child["data"].value for child in body["data"]["children"].each() if isinstance(child.value, dict)]
    made = [item.get("created_utc") for item in data if isinstance(item, dict)]
    return [float(moment) for moment in made if isinstance(moment, int | float) and not isinstance(moment, bool)]


def read_page(body: Field, source: Source, received_at: datetime) -> Iterator[tuple[str, int, Signal | Unreadable]]:
    """Each item with its name and a mark of its version."""
    if body["data"]["children"].value is None:
        body["data"]["children"].refuse("is required")
    for child in body["data"]["children"].each():
        try:
            signal = _read_item(child["kind"].text(), child["data"], source, received_at)
        except PayloadError as error:
            yield name_raw(child.value), 0, Unreadable(error.message, error.field, {"data": {"children": [child.value]}})
        else:
            gone = signal.action == DELETED
            yield signal.native_id, -1 if gone else int(_edited(child["data"]) or 0), signal


def _read_item(kind: str, data: Field, source: Source, received_at: datetime) -> Signal:
    """A post (`t3`), a crosspost or a comment (`t1`)."""
    if kind not in ("t1", "t3"):
        data.refuse(f"{kind!r} is neither a post nor a comment")
    name, edited = data["name"].id(), _edited(data)
    action = DELETED if _is_gone(data) else UPDATED if edited else CREATED
    original = data["crosspost_parent"].id_or_none()
    link = data["permalink"].text_or_none()
    return Signal(
        channel="reddit", source=source.name, native_id=name, kind="comment" if kind == "t1" else "repost" if original else "post", action=action, public=True,
        occurred_at=settle_time(data["created_utc"].epoch(), received_at, data["created_utc"].path), received_at=received_at,
        revision=isoformat(data["edited"].epoch()) if action == UPDATED else "", url=f"https://www.reddit.com{link}" if link else None,
        thread_id=data["link_id"].id() if kind == "t1" else name, parent_id=data["parent_id"].id() if kind == "t1" else original,
        **_read_people(data, source, action), **({} if action == DELETED else _read_content(kind, data)),
    )


def _edited(data: Field) -> float | None:
    """When it was edited, in epoch seconds; of very old items Reddit says only that."""
    value = data["edited"].value
    return None if value is None or isinstance(value, bool) else data["edited"].epoch().timestamp()


def _is_gone(data: Field) -> bool:
    texts = [data[name].text_or_none() for name in ("author", "selftext", "body")]
    return any(text in GONE for text in texts) or data["removed_by_category"].text_or_none() is not None


def _read_people(data: Field, source: Source, action: str) -> dict[str, Any]:
    """The brand's own accounts are those that own_ids names, by id (`t2_...`), by handle (`@name`) or by name (`name`, `u/name`)."""
    author, account = data["author"].text(), data["author_fullname"].id_or_none()
    if author in GONE:
        return {"direction": INBOUND}
    if source.owns("reddit", account) or source.owns("reddit", f"@{author}") or _names(source) & {author.casefold(), f"u/{author.casefold()}"}:
        return {"direction": OUTBOUND, "agent": author}
    identities = normalise_identities([*([f"reddit:{account}"] if account else []), f"reddit:@{author}"])
    return {"direction": INBOUND, "identities": identities, "author_name": None if action == DELETED else author}


def _names(source: Source) -> set[str]:
    return {own.removeprefix("reddit:").removeprefix("/").casefold() for own in source.own_ids}


def _read_content(kind: str, data: Field) -> dict[str, Any]:
    """The reach of a post is that of its subreddit; a score may be below zero."""
    words = [data["body"].text()] if kind == "t1" else [data["title"].text(), data["selftext"].text_or_none()]
    score, comments = data["score"].integer_or_none(), data["num_comments"].count_or_none()
    facts = {"subreddit": data["subreddit"].text_or_none(), "flair": data["link_flair_text"].text_or_none()}
    return {
        "text": "\n\n".join(part for part in words if part and part.strip()) or None, "reach": data["subreddit_subscribers"].count_or_none(),
        "engagement": None if score is None and comments is None else max(score or 0, 0) + (comments or 0),
        "attributes": {name: value for name, value in facts.items() if value},
    }
