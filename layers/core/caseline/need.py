"""Need: whether a signal calls for a case, and why. Pure; decided while recording and stored with the row."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

from caseline.assessment import MIXED, NEGATIVE, NEUTRAL, POSITIVE, Assessment
from caseline.assessment.text import own_words
from caseline.need_asks import asks_for_something, find_questions, is_enquiry, is_request, is_spoken_to
from caseline.need_words import LINK, is_about_contact, is_headline, is_machine, is_news, is_shared, is_spam, is_warm, tells_grievance, tells_trouble
from caseline.policy import Policy
from caseline.signals import AUTO_REPLY, DELETED, OUTBOUND, OWN_CHANNEL, POINTER, PRIVATE_KINDS, Signal

DUE, NONE = "due", "none"
SURE = 0.6  # P(positive) from which praise outweighs what it is about
ANGRY = 0.8  # strength that neither the form of a headline nor a kind word outweighs
ASIDE = 0.6  # strength from which a link without a word of his own, or news of a message that was sent, is a complaint
TOLD = 20  # words in which somebody tells what happened, also where no issue is named
UPSET = 0.6  # strength from which any question to the brand counts
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
        """The customer's own words, as the patterns read them."""
        return _LINKS.sub(LINK, own_words((self.signal.text or "")[:LOOKED_AT]).casefold().replace("’", "'"))

    @cached_property
    def words(self) -> Sequence[str]:
        return _WORDS.findall(self.text)

    @property
    def is_named(self) -> bool:
        """Whether it is about an issue that has a name."""
        return self.policy.known_category(self.assessment.category) not in ("unknown", "praise", "how_to")


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
    if is_warm(item.text) and item.assessment.strength < ANGRY:
        return False
    said = item.assessment.sentiment
    told = said in (NEGATIVE, NEUTRAL, MIXED) and tells_grievance(item.text)
    return told or item.assessment.strength >= find_bar(item) or (said == MIXED and item.is_named)


def find_bar(item: Item) -> float:
    """The strength from which it is a complaint: as the tenant's labels taught.

    Else a higher one for a few English words in public that name no issue, or tell of none of his own.
    """
    need = item.policy.need
    if need.learned and item.assessment.complaint_from and not item.assessment.conflict:
        return item.assessment.complaint_from
    if item.signal.kind not in ("post", "comment", "mention") or item.assessment.language not in (None, "en"):
        return need.negative_from
    aside = is_about_contact(item.text) or is_shared(item.text)
    vague = not item.is_named and len(item.words) < TOLD
    return max(need.negative_from, ASIDE if aside else 0.0, need.vague_from if vague else 0.0)


def is_praise(item: Item) -> bool:
    said = item.assessment.sentiment == POSITIVE or item.assessment.category == "praise"
    return said or (is_warm(item.text) and item.assessment.strength < ANGRY)


def is_event(item: Item) -> bool:
    return item.signal.kind in item.policy.need.event_kinds


def is_grave_category(item: Item) -> bool:
    """Unless it is surely praise: "so glad nobody was hurt" may still be a safety report.

    What was weighed and found grave counts also where it is put kindly ("it was nice, we leave").
    """
    surely_praise = item.assessment.sentiment == POSITIVE and item.assessment.positive >= SURE and not item.assessment.because
    return item.assessment.category in item.policy.need.categories and not surely_praise and not is_event(item)


def asks_something(item: Item) -> bool:
    """A request or an enquiry in words, also beside praise; any question put to the brand; a how-to issue."""
    if not item.policy.need.questions or is_event(item):
        return False
    if is_request(item.text):
        return True
    if _is_asked_in_vain(item):
        return False
    questions = find_questions(item.text)
    if is_praise(item):
        return any(map(is_enquiry, questions))
    return item.assessment.category == "how_to" or _puts_question(item, questions)


def is_courtesy(item: Item) -> bool:
    words = _WORDS.findall(_NOTHING_MORE.sub(" ", item.text))
    few = len(item.words) <= 12 and bool(item.words) and all(word in _COURTESY for word in words)
    return few and "?" not in item.text and not is_request(item.text) and not is_low_rating(item) and item.assessment.strength < 0.5


def is_report(item: Item) -> bool:
    """A headline in public; a review or a survey is somebody's own."""
    if not (item.signal.public and item.signal.rating is None and item.signal.kind in ("post", "comment", "mention")):
        return False
    return is_news(item.text) or (item.assessment.strength < ANGRY and is_headline(_LINKS.sub(LINK, (item.signal.text or "")[:LOOKED_AT])))


def is_by_machine(item: Item) -> bool:
    """As its channel says; a mail that came another way says so itself."""
    return bool(item.signal.attributes.get(AUTO_REPLY)) or (item.signal.kind in ("email", "ticket") and is_machine(item.text))


def is_unwanted(item: Item) -> bool:
    known = bool(item.signal.attributes.get("spam")) or item.assessment.category == "spam"
    return known or (item.signal.rating is None and not is_event(item) and is_spam(item.text))


def _is_asked_in_vain(item: Item) -> bool:
    """In public, where the tenant's labels taught that enquiries of calm customers are no cases."""
    learned = item.policy.need.learned and item.signal.kind in ("post", "comment", "mention")
    return learned and item.assessment.strength < item.assessment.question_from


def _puts_question(item: Item, questions: Sequence[str]) -> bool:
    """Written to the brand alone, any question counts; in an open post only one that speaks to somebody; named in public, one that wants to know."""
    kind = item.signal.kind
    if kind in PRIVATE_KINDS or kind == "review":
        return bool(questions)
    if kind not in ("mention", "comment"):
        unread = (item.assessment.unscored or "").startswith("unsupported language")  # whom it speaks to cannot be told, and is not to be missed
        return bool(questions) if unread else any(map(is_spoken_to, questions))
    known = item.assessment.language in (None, "en")
    return bool(questions) and (not known or item.assessment.strength >= UPSET or any(asks_for_something(question, item.text) for question in questions))


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
