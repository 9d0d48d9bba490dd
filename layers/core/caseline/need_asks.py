"""Whether somebody is asked something that he can answer: requests and enquiries, and what only looks like one. Pure.

All texts are in lower case. A question mark alone asks nothing: "really?", "promise?", "lol what?" are put to nobody.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

FEWEST = 3  # words of a question that names what it asks for

_REQUEST = re.compile(
    r"\b(?:how (?:do|can|could|should|would|to) (?:i|we)\b"
    r"|(?:can|could|would|will) (?:you|u|y'?all|someone|anyone|somebody) (?:guys |just )?"
    r"(?:please|pls|plz|help|tell|check|fix|look|explain|confirm|send|call|contact|reply|respond|advise|let|give|link|direct|show|share|update|assist)"
    r"|(?:please|pls|plz|kindly) (?:help|advise|check|call|fix|respond|reply|answer|send|confirm|contact|explain|tell|cancel|refund|look|let|allow"
    r"|enable|review|add|remove|restore|bring|update|unblock|unlock)\b"
    r"|(?:^|[.!?,] )help me\b|(?<!to )(?<!could )(?<!can )(?<!would )(?<!will )(?<!did )(?<!who )(?<!they )help (?:me|us) (?:with|fix|out|get|find"
    r"|understand)\b|need (?:some |your )?help|\bsend help\b"
    r"|\b(?:help|advice|assistance|support)(?: is| would be)? (?:appreciated|needed|wanted)\b|is there (?:a|any) way|any (?:update|news|eta)\b|let me know"
    r"|\bwondering (?:if|when|where|what|why|how|whether)\b|\b(?:do|does) (?:you|anyone|anybody) know (?:if|when|where|what|why|how|whether)\b"
    r"|\b(?:any|a) way to (?:fix|solve|get|change|stop|avoid|find)\b|\b(?:have|got) a (?:quick )?question\b|\bfix (?:this|it|that|your)\b|(?:^"
    r"|[.!] )help\s*(?:[!.#@]|$)"
    r"|\bwhy (?:is|are|do|does|did|was|were|has|have|can't|cant|won't|wont|am) (?!we\b)|\bhow many (?:\w+ )?can i\b"
    r"|\bwhere(?:'s| is| are) (?:my|our)\b|\bwhen (?:will|do|can|does|is) (?:i|we|my|our)\b"
    r"|\bi(?:'d| would)? (?:want|like|need) to (?:change|cancel|return|exchange|know|speak|talk to|update|remove|request|report)\b"
    r"|wie kann ich|bitte (?:helf|antwort|um)|könn(?:t ihr|en sie)|comment (?:puis-je|faire)|aidez|cómo puedo|ayuda\b|como posso|ajuda\b)"
)
_CONTACT = re.compile(  # about the way to talk, not about a matter
    r"\b(?:(?:can|could|would|will) (?:you|u|y'?all) )?(?:please |pls |plz |kindly )*(?:(?:d\.?m|e?mail|message|inbox|p\.?m)(?: me| us)(?: back"
    r"| here)?|follow(?: me| us| back)+|check (?:your |ur )?d\.?ms?)\b"
)
_QUESTION = re.compile(r"([^.!?？؟\n]*)[?？؟]")
_ENQUIRY = re.compile(
    r"\b(?:how (?:much|many|long|often|far|soon|early|late|old|big|do|does|can)|do (?:you|y'?all|i|we)|does (?:it|this|that|the|your)|is there"
    r"|are there|are you"
    r"|(?:when|where|what|why) (?:is|are|do|does|can|will|time|did|was)|will (?:you|there|it|the|my|this)|(?:can|could|should|may) (?:i|we))\b"
)
_PLAIN = re.compile(  # as people ask who want to know
    r"\b(?:wh(?:at|ere|en|o)(?:'?s| is) (?:the|your|my|our)|what (?:\w+ )?(?:terminal|gate|number|time|day|days|hours|size|price|fee|fees|policy|name"
    r"|address)|any idea (?:when|where|what|why|how|if)"
    r"|(?:is|are|was|were|do|does|did|has|have|will) (?:the|my|our|your|all|these|those|this|that|\w+s) [\w' ]{3,}|(?:can|could|would|will) (?:you|u"
    r"|y'?all|someone) \w+ (?:\w+ )?(?:the|my|our|us|me|a|an|this|it|with)"
    r"|(?:is )?(?:any|some)(?:one|body) (?:there|here|home|listening|alive|working)|is it (?:possible|true|ok|okay|allowed|safe)|possible to"
    r"|status (?:of|on|for)|which)\b"
)
_SPOKEN_TO = re.compile(r"\b(?:you|your|i|we|my|our|us|me|anyone|someone|ihr|sie|ich|mein|vous|votre|je|mon|usted|mi|yo|você|meu)\b")
_ASKED = re.compile(
    r"\b(?:wh(?:at|en|ere|o|ich|ose)(?:'?s|'?re|'?ll|'?d)?|why|how(?:'?s)?|is|are|was|were|does|do|did|has|have|can|could|will|would|should|may"
    r"|any (?:chance|idea|ideas|update|updates|news|info|word|thoughts|way|plans?|tips|advice|suggestions?|option|options)|status|possible|help)\b"
)
_OWN = re.compile(r"\d|\b(?:i|i'[mdv]e?|i'll|my|mine|me|myself|we|we'[rv]e|we'[dl]+|our|ours|us)\b")  # his own matter, or one that has a number
_BANTER = re.compile(
    r"\bwhat(?:'s| is)? (?:up|new|gives|the (?:hell|heck|fuck))\b|\bwhat(?:'s| is)? (?:up|new) (?:with|w/?) (?:you|u)\b|\b(?:what|how) (?:can"
    r"|could) (?:you|i) (?:not|say)\b"
    r"|\b(?:who|what) (?:knew|else)\b|\bwho (?:cares|wouldn'?t|doesn'?t)\b|\bwhy not\b|\b(?:lol|lmao|wut|amirite|jk)\b"
    r"|\bhow about\b|\b(?:contest|giveaway|raffle|sweepstakes?|enter to win)\b|\bguess (?:who|what)\b|\b(?:did|do) (?:you|u) (?:know|hear"
    r"|see)\b(?! (?:if|when|where|what|how|why|who|my|our))"
)
_WORDS = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_NAMES = re.compile(r"[@#]\w+|\"[^\"]*\"")


def find_questions(text: str) -> Sequence[str]:
    """What stands before each question mark, without whom it is put to."""
    found = (_NAMES.sub(" ", question) for question in _QUESTION.findall(_CONTACT.sub(" ", text)))
    return [question for question in found if _WORDS.search(question)]


def is_request(text: str) -> bool:
    return bool(_REQUEST.search(_CONTACT.sub(" ", text)))


def is_enquiry(question: str) -> bool:
    """So plainly one that it counts also beside praise."""
    return bool(_ENQUIRY.search(question))


def is_spoken_to(question: str) -> bool:
    """It speaks to somebody, or of himself."""
    return bool(_SPOKEN_TO.search(question))


def asks_for_something(question: str, text: str) -> bool:
    """An English question that names what it wants to know, of his own matter or in a plain form; no word or two ("seriously?"), no banter."""
    if len(_WORDS.findall(question)) < FEWEST or _BANTER.search(question):
        return False
    return is_enquiry(question) or bool(_PLAIN.search(question)) or bool(_ASKED.search(question) and _OWN.search(text))


def is_mere_enquiry(text: str) -> bool:
    """A question without a plain request, of a text as it was written."""
    lower = text.casefold().replace("’", "'")
    return bool(find_questions(lower)) and not is_request(lower)
