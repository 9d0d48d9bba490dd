"""Messenger and Instagram's direct messages: what is written, edited and unsent, buttons, reactions, and feedback that was asked for.

Facts: developers.facebook.com, "Messenger Platform: webhook events". What a feedback form answers stands under names that the form gave; the events
that carry it are described as in development.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from caseline.answers import SCALES, Answers
from caseline.identity import normalise_identities
from caseline.payloads import Field, settle_time
from caseline.signals import CREATED, DELETED, INBOUND, OUTBOUND, UPDATED, Signal, isoformat

SILENT = frozenset(
    "read delivery optin referral account_linking pass_thread_control take_thread_control request_thread_control app_roles policy_enforcement".split()
)
VERDICTS = {"good response": "👍", "bad response": "👎"}


class Conversation:
    """The messages of one account. `namespace` is that of its customers' ids, `is_own` says whether an id is the brand's."""

    def __init__(self, source: str, namespace: str, is_own: Callable[[str, str], bool], received_at: datetime) -> None:
        self.source, self.namespace, self.is_own, self.received_at = source, namespace, is_own, received_at

    def read(self, event: Field) -> Signal | None:
        for name, read in READERS.items():
            if name in event:
                return read(self, event, event[name])
        return None if SILENT & event.object().keys() else event.refuse("is not a known messaging event")

    def read_message(self, event: Field, message: Field, action: str = CREATED) -> Signal:
        kinds = [item["type"].text_or_none() or "file" for item in message["attachments"].each()]
        what: dict[str, Any] = {"action": action, "text": message["text"].text_or_none(), "attributes": {"attachments": kinds} if kinds else {}}
        if message["is_deleted"].boolean_or_none():
            what = {"action": DELETED}
        elif action == UPDATED:
            what["revision"] = isoformat(self._time(event))
        agent = f"app:{message['app_id'].id()}" if "app_id" in message else None
        return self._signal(
            event, message["mid"].id(), bool(message["is_echo"].boolean_or_none()), agent, parent_id=message["reply_to"]["mid"].id_or_none(), **what,
        )

    def read_edit(self, event: Field, message: Field) -> Signal:
        return self.read_message(event, message, UPDATED)

    def read_button(self, event: Field, button: Field) -> Signal:
        native_id = button["mid"].id_or_none() or f"{event['sender']['id'].id()}/{event['timestamp'].id()}"
        return self._signal(event, native_id, text=button["title"].text_or_none())

    def read_reaction(self, event: Field, reaction: Field) -> Signal:
        """One per person and message; it may be taken back and made anew."""
        gone = reaction["action"].text() == "unreact"
        emoji = reaction["emoji"].text_or_none() or reaction["reaction"].text_or_none()
        return self._react(event, reaction["mid"].id(), "", **({"action": DELETED} if gone else {"text": emoji}))

    def read_verdict(self, event: Field, verdict: Field) -> Signal:
        """A thumb up or down below one of the brand's messages."""
        said = verdict["feedback"].text()
        return self._react(event, verdict["mid"].id(), "/feedback", text=VERDICTS.get(said.lower(), said))

    def read_feedback(self, event: Field, feedback: Field) -> Signal:
        """The answers to a feedback form: scores, each with words that may follow it."""
        answers = Answers()
        for question in (each for screen in feedback["feedback_screens"].each() for _, each in screen["questions"].members()):
            for answer in (question, question["follow_up"]):
                kind, value = answer["type"].text_or_none() or "", answer["payload"]
                if kind in SCALES and value.value is not None:
                    answers.rate(kind, value.value, value.path)
                else:
                    answers.say(value.text_or_none())
        facts = answers.facts(f"{self.namespace}:{event['sender']['id'].id()}")
        native_id = f"{event['sender']['id'].id()}/{event['timestamp'].id()}"
        return self._signal(event, native_id, kind="survey_response", text=facts["text"], rating=facts["rating"], attributes=facts["attributes"])

    def _react(self, event: Field, target: str, mark: str, **what: Any) -> Signal:
        return self._signal(
            event, f"{target}/{event['sender']['id'].id()}{mark}", kind="reaction", parent_id=target, revision=isoformat(self._time(event)), **what,
        )

    def _signal(self, event: Field, native_id: str, echo: bool = False, agent: str | None = None, kind: str = "message", **facts: Any) -> Signal:
        sender, recipient = event["sender"]["id"].id(), event["recipient"]["id"].id()
        mine = echo or self.is_own(self.namespace, sender)
        customer = f"{self.namespace}:{recipient if mine else sender}"
        return Signal(
            channel="meta", source=self.source, native_id=native_id, kind=kind, direction=OUTBOUND if mine else INBOUND,
            occurred_at=self._time(event), received_at=self.received_at,
            identities=normalise_identities([customer]), agent=(agent or sender) if mine else None, thread_id=customer, **facts,
        )

    def _time(self, event: Field) -> datetime:
        return settle_time(event["timestamp"].moment(), self.received_at, event["timestamp"].path)


READERS: dict[str, Callable[[Conversation, Field, Field], Signal]] = {
    "message": Conversation.read_message, "message_edit": Conversation.read_edit, "postback": Conversation.read_button,
    "reaction": Conversation.read_reaction, "response_feedback": Conversation.read_verdict, "messaging_feedback": Conversation.read_feedback,
}
