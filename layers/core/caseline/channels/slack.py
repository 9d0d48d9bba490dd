"""Slack: messages and reactions in the channels an app was asked into, by the Events API. Credential: the app's signing secret.

Facts: docs.slack.dev, "Verifying requests from Slack", "Events API", "message" and its subtypes. The platform waits three seconds and tries again three
times. A message is named by its channel and time; ids of people are those of a workspace. `own_ids` may name people, apps (B...) and whole workspaces
(T...): in channels shared with customers the rest is theirs. Names and addresses of people are not sent.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from caseline.batches import Item, read_batch
from caseline.errors import PayloadError
from caseline.identity import normalise_identities
from caseline.markup import unescape_signs
from caseline.payloads import Field, read_json, settle_time
from caseline.schemes import TimedScheme
from caseline.signals import DELETED, INBOUND, OUTBOUND, UPDATED, Signal, Unreadable, isoformat
from caseline.sources import Source
from caseline.web import WebhookRequest, WebhookResponse

NAMESPACE = "slack"
ANSWER_SECONDS = 3
DIRECT = "D"  # how the ids of direct messages begin: each is one person's own
SPOKEN = frozenset({"", "file_share", "thread_broadcast", "me_message", "bot_message"})
# What the platform notes in a channel.
NOTES = frozenset(
    "channel_join channel_leave channel_topic channel_purpose channel_name channel_archive channel_unarchive channel_convert_to_private channel_canvas_updated "
    "channel_convert_to_public channel_posting_permissions group_join group_leave group_topic group_purpose group_name group_archive group_unarchive "
    "bot_add bot_remove bot_enable bot_disable pinned_item unpinned_item message_replied reply_broadcast reminder_add ekm_access_denied tombstone "
    "assistant_app_thread huddle_thread file_comment file_mention joiner_notification joiner_notification_for_inviter sh_room_created".split()
)
# Events about channels, people, files and the app itself: nothing is said in them.
SILENT = frozenset(
    "app_home_opened app_uninstalled app_uninstalled_team app_installed app_requested app_deleted app_rate_limited tokens_revoked scope_granted scope_denied "
    "email_domain_changed emoji_changed link_shared grid_migration_started grid_migration_finished message_metadata_posted message_metadata_updated "
    "message_metadata_deleted resources_added resources_removed assistant_thread_started assistant_thread_context_changed function_executed "
    "user_change user_huddle_changed user_profile_changed user_status_changed user_resource_granted user_resource_denied user_resource_removed".split()
)
SILENT_FAMILIES = (
    "channel_", "group_", "im_", "mpim_", "member_", "team_", "file_", "pin_", "star_", "subteam_", "dnd_", "shared_channel_", "call_", "workflow_",
)
EMOJIS = {
    "+1": "👍", "thumbsup": "👍", "-1": "👎", "thumbsdown": "👎", "heart": "❤️", "rage": "😡", "angry": "😠", "cry": "😢", "sob": "😭", "disappointed": "😞",
    "joy": "😂", "tada": "🎉", "pray": "🙏", "clap": "👏", "fire": "🔥", "eyes": "👀", "white_check_mark": "✅", "x": "❌", "warning": "⚠️",
}
_MARKED = re.compile(r"<([@#!]?)([^<>|]{1,2000})(?:\|([^<>|]{0,2000}))?>")
_SCHEME = TimedScheme("x-slack-request-timestamp", "x-slack-signature")
verify, sign = _SCHEME.verify, _SCHEME.sign


def challenge(request: WebhookRequest, source: Source) -> WebhookResponse | None:
    """The handshake comes as a signed event: its challenge is sent back as plain text."""
    if request.method != "POST" or b"url_verification" not in request.body:
        return None
    try:
        body = read_json(request.body)
        text = body["challenge"].text() if body["type"].value == "url_verification" else None
    except PayloadError:
        return None
    return None if text is None else WebhookResponse(200, text, {"Content-Type": "text/plain", "X-Content-Type-Options": "nosniff"})


def parse(request: WebhookRequest, source: Source) -> list[Signal | Unreadable]:
    body = read_json(request.body)
    kind = body["type"].text()
    if kind in ("url_verification", "app_rate_limited"):
        return []
    if kind != "event_callback":
        raise PayloadError(f"{kind!r} is not a known type", "type")
    return read_batch(_Reader(body, source, request.received_at).read_event(body["event"]))


class _Reader:
    def __init__(self, body: Field, source: Source, received_at: datetime) -> None:
        self.body, self.source, self.received_at = body, source, received_at

    def read_event(self, event: Field) -> Iterator[Item]:
        kind = event["type"].text()
        if kind in ("message", "app_mention"):
            yield event, partial(self.read_message, event)
        elif kind in ("reaction_added", "reaction_removed"):
            yield event, partial(self.read_reaction, event)
        elif kind not in SILENT and not kind.startswith(SILENT_FAMILIES):
            event["type"].refuse(f"{kind!r} is not a known event")

    def read_message(self, event: Field) -> Signal | None:
        subtype, channel = event["subtype"].text_or_none() or "", event["channel"].id()
        if subtype == "message_deleted":
            return self._signal(channel, event["deleted_ts"], event["previous_message"], action=DELETED)
        if subtype == "message_changed":
            return self._read_change(channel, event["message"], event)
        if subtype in NOTES:
            return None
        if subtype not in SPOKEN:
            event["subtype"].refuse(f"{subtype!r} is not a known subtype")
        return self._signal(channel, event["ts"], event, **_read_content(event))

    def _read_change(self, channel: str, message: Field, event: Field) -> Signal | None:
        """An edit; an unfurled link or a new answer below changes no words. A thread's first message is hidden, not removed, once it is deleted."""
        if message["subtype"].text_or_none() == "tombstone":
            return self._signal(channel, message["ts"], event["previous_message"], action=DELETED)
        if "edited" not in message and message["text"].value == event["previous_message"]["text"].value:
            return None
        moment = _read_time(message["edited"]["ts"] if "edited" in message else event["event_ts"])
        return self._signal(channel, message["ts"], message, action=UPDATED, revision=isoformat(moment), **_read_content(message))

    def read_reaction(self, event: Field) -> Signal | None:
        """It may be taken back and made anew, each at its time."""
        item, name = event["item"], event["reaction"].text()
        if item["type"].text() != "message":
            return None
        target, user, moment = _name(item["channel"].id(), item["ts"]), event["user"].id(), self._settle(event["event_ts"])
        mine, addressee = self._is_own(event), event["item_user"].id_or_none()
        what: dict[str, Any] = {"action": DELETED} if event["type"].value == "reaction_removed" else {"text": EMOJIS.get(name.partition("::")[0], f":{name}:")}
        return Signal(
            channel="slack", source=self.source.name, native_id=f"{target}/{user}/{name}", kind="reaction", direction=OUTBOUND if mine else INBOUND,
            occurred_at=moment, received_at=self.received_at, revision=isoformat(moment), parent_id=target, agent=user if mine else None,
            identities=_identities(addressee if mine and not self.source.owns("slack", addressee) else None if mine else user), **what,
        )

    def _signal(self, channel: str, stamp: Field, message: Field, **facts: Any) -> Signal:
        user, bot, native_id = message["user"].id_or_none(), message["bot_id"].id_or_none(), _name(channel, stamp)
        if user is None and bot is None and "action" not in facts:
            message["user"].refuse("is required")
        parent = _name(channel, message["thread_ts"]) if "thread_ts" in message else native_id
        mine, profile = bot is not None or self._is_own(message), message["user_profile"]
        return Signal(
            channel="slack", source=self.source.name, native_id=native_id, kind="mention" if self._names_us(message) else "message",
            direction=OUTBOUND if mine else INBOUND, occurred_at=self._settle(stamp), received_at=self.received_at,
            thread_id=parent if parent != native_id else channel if channel.startswith(DIRECT) else None, parent_id=parent if parent != native_id else None,
            identities=() if mine else _identities(user), agent=(user or bot) if mine else None,
            author_name=None if mine else profile["real_name"].text_or_none() or profile["display_name"].text_or_none(), **facts,
        )

    def _is_own(self, message: Field) -> bool:
        """A person of the brand, or of a workspace that is the brand's."""
        team = next((message[name].id_or_none() for name in ("user_team", "source_team", "team") if name in message), None)
        return any(self.source.owns("slack", who) for who in (message["user"].id_or_none(), message["bot_id"].id_or_none(), team))

    def _names_us(self, message: Field) -> bool:
        """Whether the app is addressed: the same for a message that comes as such and as a mention."""
        apps = [each["user_id"].id() for each in self.body["authorizations"].each() if each["is_bot"].boolean_or_none()]
        text = message["text"].text_or_none() or ""
        return message["type"].value == "app_mention" or any(f"<@{app}>" in text for app in apps)

    def _settle(self, stamp: Field) -> datetime:
        return settle_time(_read_time(stamp), self.received_at, stamp.path)


def _read_time(stamp: Field) -> datetime:
    """`1731000000.000100`: seconds and microseconds, which together name a message in its channel."""
    seconds, _, fraction = stamp.id().partition(".")
    if not (fraction.isascii() and fraction.isdigit() and len(fraction) == 6):
        stamp.refuse("must be a time such as 1731000000.000100")
    return Field(seconds, stamp.path).epoch() + timedelta(microseconds=int(fraction))


def _name(channel: str, stamp: Field) -> str:
    _read_time(stamp)
    return f"{channel}/{stamp.id()}"


def _identities(user: str | None) -> tuple[str, ...]:
    return normalise_identities([f"slack:{user}"] if user else [])


def _read_content(message: Field) -> dict[str, Any]:
    files = [file["filetype"].text_or_none() or "file" for file in message["files"].each()]
    text = message["text"].text_or_none()
    return {"text": _read_marks(text) if text else None, "attributes": {"attachments": files} if files else {}}


def _read_marks(text: str) -> str:
    """The text as it was typed: links, people and channels by their labels, and without escapes."""
    return unescape_signs(_MARKED.sub(_read_mark, text))


def _read_mark(mark: re.Match[str]) -> str:
    sign, target, label = mark.groups()
    if sign == "!":
        return label or f"@{target.partition('^')[0]}"
    return f"{sign}{label or target}" if sign else label or target
