"""Need: whether a signal calls for a case, and why. Pure; decided while recording and stored with the row."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

from caseline.assessment import MIXED, POSITIVE, Assessment
from caseline.need_words import LINK, is_machine, is_news, is_spam, tells_trouble
from caseline.policy import Policy
from caseline.signals import AUTO_REPLY, DELETED, OUTBOUND, OWN_CHANNEL, POINTER, PRIVATE_KINDS, Signal

DUE, NONE = "due", "none"
SURE = 0.6  # P(positive) from which praise outweighs what it is about
LOOKED_AT = 4000  # characters of a text that the patterns read

REASONS = {
    "found": "found on schedule: a renewal comes, and something is wrong",
    "complaint": "the customer complains",
    "trouble": "something does not work, however kindly it is said",
    "low-rating": "a low rating",
    "category": "an issue of a kind that always needs a case",
    "question": "the customer asks something",
    "outbound": "the brand said it",
    "deleted": "it was deleted",
    "backfill": "history, imported without cases",
    "spam": "spam",
    "news": "a report about the brand: nobody speaks of himself",
    "auto-reply": "a machine wrote it: an automatic answer, a bounce",
    "pointer": "a notice whose words are being fetched",
    "not-completed": "a notice whose words could not be fetched",
    "quiet-kind": "a reaction or a repost: reach, not a case",
    "no-words": "neither words nor a rating",
    "rating-only": "a rating without words",
    "courtesy": "thanks or goodbye",
    "event": "an event without a complaint",
    "praise": "praise",
    "unscored": "not scored, and nothing is asked",
    "no-ask": "nothing is asked",
}

_LINKS = re.compile(r"https?://\S+")
_WORDS = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_REQUEST = re.compile(
    r"\b(?:how (?:do|can|could|should|would) (?:i|we)\b"
    r"|(?:can|could|would|will) (?:you|someone|anyone|somebody) "
    r"(?:please|pls|help|tell|check|fix|look|explain|confirm|send|call|contact|reply|respond|advise|let|give|link|direct|show|share|update)"
    r"|(?:please|pls|kindly) (?:help|advise|check|call|fix|respond|reply|answer|send|confirm|contact|explain|tell|cancel|refund|look|let)"
    r"|(?:^|[.!?,] )help me\b|need (?:some |your )?help|is there (?:a|any) way|any (?:update|news|eta)\b|let me know"
    r"|wie kann ich|bitte (?:helf|antwort|um)|könn(?:t ihr|en sie)|comment (?:puis-je|faire)|aidez|cómo puedo|ayuda\b|como posso|ajuda\b)"
)
_QUESTION = re.compile(r"([^.!?？؟\n]*)[?？؟]")
_ENQUIRY = re.compile(
    r"\b(?:how (?:much|many|long|often|far|soon|do|does|can)|do (?:you|y'?all|i|we)|does (?:it|this|that|the|your)|is there|are there|are you"
    r"|(?:when|where|what|why) (?:is|are|do|does|can|will|time|did|was)|will (?:you|there|it|the|my|this)|(?:can|could|should|may) (?:i|we))\b"
)
_SPOKEN_TO = re.compile(r"\b(?:you|your|i|we|my|our|us|me|anyone|someone|ihr|sie|ich|mein|vous|votre|je|mon|usted|mi|yo|você|meu)\b")
_COURTESY = frozenset(_WORDS.findall(
    "thanks thank thx ty cheers bye goodbye ok okay great perfect cool awesome got it all good you u so very much many a lot have nice day the team guys "
    "for your help that worked works now solved sorted resolved fixed received fine it's is am i'm happy well done anyway regards best sincerely cu later both "
    "appreciate appreciated hilfe vielen lieben dank danke super prima alles gut klar tschüss merci beaucoup gracias muchas bien bueno adios "
    "obrigado obrigada tudo bem grazie mille muito ciao bedankt dankjewel groetjes"
))  # fmt: skip

_NOTHING_MORE = re.compile(
    r"\bno (?:problems?|worries|(?:more |further |other )?(?:issues?|questions?))(?: at all| any ?more)?\b"
    r"|\b(?:please |you can |you may )*close (?:the|this|my) (?:ticket|case|request)\b|\b(?:kind|best|warm) (?:regards|wishes)\b"
)

Test = Callable[["Item"], bool]


@dataclass(frozen=True)
class Need:
    """`state` is due or none; `reason` is a key of REASONS; `category` is one of the policy's."""

    state: str
    reason: str
    category: str = "unknown"

    @property
    def text(self) -> str:
        return REASONS[self.reason]


@dataclass(frozen=True)
class Item:
    """A signal with what was said of it, under a policy."""

    policy: Policy
    signal: Signal
    assessment: Assessment

    @cached_property
    def text(self) -> str:
        return _LINKS.sub(LINK, (self.signal.text or "")[:LOOKED_AT].casefold().replace("’", "'"))

    @cached_property
    def words(self) -> Sequence[str]:
        return _WORDS.findall(self.text)


def decide_need(policy: Policy, signal: Signal, assessment: Assessment) -> Need:
    """The first rule that holds and is not switched off: what never needs a case, what does, and then why not."""
    item = Item(policy, signal, assessment)
    for state, rules in ((NONE, NEVER), (DUE, ALWAYS), (NONE, OTHERWISE)):
        for reason, holds in rules:
            if reason not in policy.need.off and holds(item):
                return Need(state, reason, find_category(policy, assessment, state))
    raise AssertionError("the last rule always holds")


def find_category(policy: Policy, assessment: Assessment, state: str = DUE) -> str:
    """A case is never about praise: words that praise beside a rating of one star are about something unknown."""
    category = policy.known_category(assessment.category)
    return "unknown" if state == DUE and category == "praise" else category


def is_star_only(signal: Signal) -> bool:
    """A rating without words."""
    return signal.rating is not None and not (signal.text or "").strip()


def is_low_rating(item: Item) -> bool:
    """Counts even where analysis is unsure or the words praise: the rating is the customer's own figure."""
    rating = item.signal.rating
    if rating is None or (is_star_only(item.signal) and not item.policy.need.star_only):
        return False
    limit: float | None = getattr(item.policy.need.low_rating, rating.metric, None)
    return limit is not None and rating.fraction <= limit + 1e-9


def is_complaint(item: Item) -> bool:
    """Negative enough; or mixed about an issue that has a name."""
    named = item.policy.known_category(item.assessment.category) not in ("unknown", "praise", "how_to")
    return item.assessment.strength >= item.policy.need.negative_from or (item.assessment.sentiment == MIXED and named)


def is_praise(item: Item) -> bool:
    return item.assessment.sentiment == POSITIVE or item.assessment.category == "praise"


def is_event(item: Item) -> bool:
    return item.signal.kind in item.policy.need.event_kinds


def is_grave_category(item: Item) -> bool:
    """Unless it is surely praise: "so glad nobody was hurt" may still be a safety report."""
    surely_praise = item.assessment.sentiment == POSITIVE and item.assessment.positive >= SURE
    return item.assessment.category in item.policy.need.categories and not surely_praise and not is_event(item)


def asks_something(item: Item) -> bool:
    """A request or an enquiry in words, also beside praise; any question put to the brand; a how-to issue."""
    if not item.policy.need.questions or is_event(item):
        return False
    if _REQUEST.search(item.text):
        return True
    questions = [found for found in _QUESTION.findall(item.text) if _WORDS.search(found)]
    if is_praise(item):
        return any(_ENQUIRY.search(question) for question in questions)
    return item.assessment.category == "how_to" or _puts_question(item, questions)


def is_courtesy(item: Item) -> bool:
    words = _WORDS.findall(_NOTHING_MORE.sub(" ", item.text))
    few = len(item.words) <= 12 and bool(item.words) and all(word in _COURTESY for word in words)
    return few and "?" not in item.text and not is_low_rating(item) and item.assessment.strength < 0.5


def is_report(item: Item) -> bool:
    """A headline in public; a review or a survey is somebody's own."""
    return item.signal.public and item.signal.rating is None and item.signal.kind in ("post", "comment", "mention") and is_news(item.text)


def is_by_machine(item: Item) -> bool:
    """As its channel says; a mail that came another way says so itself."""
    return bool(item.signal.attributes.get(AUTO_REPLY)) or (item.signal.kind in ("email", "ticket") and is_machine(item.text))


def is_unwanted(item: Item) -> bool:
    known = bool(item.signal.attributes.get("spam")) or item.assessment.category == "spam"
    return known or (item.signal.rating is None and not is_event(item) and is_spam(item.text))


def _puts_question(item: Item, questions: Sequence[str]) -> bool:
    """Written to the brand, any question counts; in an open post only one that speaks to somebody."""
    if item.signal.kind in PRIVATE_KINDS or item.signal.kind in ("mention", "comment", "review"):
        return bool(questions)
    return any(_SPOKEN_TO.search(question) for question in questions)


NEVER: Sequence[tuple[str, Test]] = (
    ("outbound", lambda item: item.signal.direction == OUTBOUND),
    ("deleted", lambda item: item.signal.action == DELETED),
    ("backfill", lambda item: bool(item.signal.attributes.get("backfill"))),
    ("spam", is_unwanted),
    ("pointer", lambda item: item.signal.kind == POINTER),
    ("auto-reply", is_by_machine),
    ("quiet-kind", lambda item: item.signal.kind in item.policy.need.quiet_kinds),
    ("no-words", lambda item: item.signal.rating is None and not (item.signal.text or "").strip()),
    ("rating-only", lambda item: is_star_only(item.signal) and not is_low_rating(item)),
    ("news", is_report),
    ("courtesy", is_courtesy),
)
ALWAYS: Sequence[tuple[str, Test]] = (
    ("found", lambda item: item.signal.channel == OWN_CHANNEL),
    ("low-rating", is_low_rating),
    ("complaint", is_complaint),
    ("category", is_grave_category),
    ("trouble", lambda item: not is_event(item) and tells_trouble(item.text)),
    ("question", asks_something),
)
OTHERWISE: Sequence[tuple[str, Test]] = (
    ("event", is_event),
    ("praise", is_praise),
    ("unscored", lambda item: item.assessment.sentiment is None),
    ("no-ask", lambda _item: True),
)
