"""GitHub: issues and discussions and the comments on them. Credential: the webhook's secret.

Facts: docs.github.com, "Webhook events and payloads", "Validating webhook deliveries". The header `X-GitHub-Event` tells the event and is not signed;
without it the body's own shape does. The brand's own are owners, members and collaborators of the repository, and bots. An issue or discussion is the
thread of its comments. Not confirmed: that the platform never sends a delivery again by itself.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from caseline.errors import PayloadError
from caseline.identity import normalise_identities
from caseline.payloads import Field, read_json, settle_time
from caseline.schemes import BodyScheme
from caseline.signals import CREATED, DELETED, INBOUND, OUTBOUND, UPDATED, Signal, Unreadable, isoformat
from caseline.sources import Source
from caseline.web import WebhookRequest

NAMESPACE = "github"
KEPT_HEADERS = ("x-github-event", "x-github-delivery")
ANSWER_SECONDS = 10
# Where an event's item and the thread it stands in are: an issue or discussion is its own thread.
PLACES = {
    "issues": ("issue", "issue"), "discussion": ("discussion", "discussion"),
    "issue_comment": ("comment", "issue"), "discussion_comment": ("comment", "discussion"),
}
SILENT_EVENTS = frozenset({"ping", "meta", "installation", "installation_repositories", "installation_target", "github_app_authorization"})
ACTIONS = {"opened": CREATED, "created": CREATED, "edited": UPDATED, "deleted": DELETED}
# What those who run the repository did to an item.
SILENT_ACTIONS = frozenset(
    "answered assigned category_changed closed demilestoned labeled locked milestoned pinned reopened transferred typed unanswered unassigned unlabeled "
    "unlocked unpinned untyped parent_issue_added parent_issue_removed sub_issue_added sub_issue_removed field_added field_removed".split()
)
STAFF = frozenset({"OWNER", "MEMBER", "COLLABORATOR"})
_SCHEME = BodyScheme("x-hub-signature-256", "sha256=")
verify, sign = _SCHEME.verify, _SCHEME.sign


def parse(request: WebhookRequest, source: Source) -> list[Signal | Unreadable]:
    body = read_json(request.body)
    event = request.headers.get("x-github-event") or _guess_event(body)
    if event in SILENT_EVENTS:
        return []
    if event not in PLACES:
        raise PayloadError(f"{event[:64]!r} is not an event this channel reads", "x-github-event")
    action = body["action"].text()
    if action in SILENT_ACTIONS:
        return []
    if action not in ACTIONS:
        body["action"].refuse(f"{action!r} is not a known action")
    return [_Item(body, *PLACES[event], source, request.received_at).read(ACTIONS[action])]


def _guess_event(body: Field) -> str:
    """By the body alone: a comment stands beside what it is on."""
    if "zen" in body:
        return "ping"
    event = next((event for event, places in reversed(PLACES.items()) if all(place in body for place in places)), None)
    return event or body["issue"].refuse("is required")


class _Item:
    """An issue, a discussion or a comment (`item`) on one of them (`thread`)."""

    def __init__(self, body: Field, item: str, thread: str, source: Source, received_at: datetime) -> None:
        self.body, self.item, self.thread, self.source, self.received_at = body, body[item], body[thread], source, received_at
        self.is_comment, self.thread_id = item != thread, self.thread["id"].id()

    def read(self, action: str) -> Signal:
        item, private, kind = self.item, self.body["repository"]["private"].boolean_or_none(), "comment" if self.is_comment else "post"
        made, changed = (item[name].time_or_none() or self.received_at for name in ("created_at", "updated_at"))
        return Signal(
            channel="github", source=self.source.name, native_id=item["id"].id(), kind=kind, action=action, public=not private, received_at=self.received_at,
            occurred_at=settle_time(made, self.received_at, item["created_at"].path), revision=isoformat(changed) if action == UPDATED else "",
            url=item["html_url"].text_or_none(), thread_id=self.thread_id, parent_id=self._parent(), **self._people(action),
            **({} if action == DELETED else self._content()),
        )

    def _parent(self) -> str | None:
        """The comment that it answers, which only discussions tell, or what the thread began with."""
        return self.item["parent_id"].id_or_none() or self.thread_id if self.is_comment else None

    def _people(self, action: str) -> dict[str, Any]:
        """A comment of the brand's answers whoever opened the thread, unless it stands under another comment."""
        user = self.item["user"]
        if not self._is_own(self.item):
            if action != DELETED:
                user["id"].id()
            return {"direction": INBOUND, "identities": _identities(user), "author_name": None if action == DELETED else user["login"].text_or_none()}
        asked = self.is_comment and self._parent() == self.thread_id and not self._is_own(self.thread)
        return {"direction": OUTBOUND, "agent": user["login"].text_or_none(), "identities": _identities(self.thread["user"]) if asked else ()}

    def _is_own(self, item: Field) -> bool:
        user = item["user"]
        login = user["login"].text_or_none() or ""
        named = self.source.owns("github", user["id"].id_or_none()) or self.source.owns("github", f"@{login.casefold()}")
        return named or item["author_association"].text_or_none() in STAFF or user["type"].text_or_none() == "Bot"

    def _content(self) -> dict[str, Any]:
        title = None if self.is_comment else self.item["title"].text()
        words = [part for part in (title, self.item["body"].text_or_none()) if part and part.strip()]
        counts = [count for count in (self.item["reactions"]["total_count"].count_or_none(), self.item["comments"].count_or_none()) if count is not None]
        facts = {
            "repository": self.body["repository"]["full_name"].text_or_none(), "number": self.thread["number"].count_or_none(),
            "labels": [label["name"].text() for label in self.thread["labels"].each()], "pull_request": "pull_request" in self.thread,
        }
        attributes = {name: value for name, value in facts.items() if value}
        return {"text": "\n\n".join(words) or None, "engagement": sum(counts) if counts else None, "attributes": attributes}


def _identities(user: Field) -> tuple[str, ...]:
    user_id, login = user["id"].id_or_none(), user["login"].text_or_none()
    return normalise_identities([*([f"github:{user_id}"] if user_id else []), *([f"github:@{login}"] if login else [])])
