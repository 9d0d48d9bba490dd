"""Texts as strangers send them, made safe to analyse: bounded, without NUL, control characters and lone surrogates."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from itertools import islice

MOST_CHARACTERS = 5000
FEWEST_LETTERS = 3
FEWEST_WORDS = 3  # below it a text has no sentiment, unless two words take a side plainly; what they are about still counts
LOOKED_AT = 400  # characters, to see whether there are words
_UNSPACED = re.compile("[\u3040-\u30ff\u4e00-\u9fff\u0e00-\u0e7f]")
_UNSAFE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
_NOT_WORDS = re.compile(r"https?://\S+|www\.\S+|[@]\w+|[^\w\s]|[\d_]")
_SPACES = re.compile(r"\s+")
_PASSED_ON = re.compile(  # as people repeat a post: RT @name: ..., “@name: ...”, "@name: ..."
    r"(?<!\w)[RM]T ?:? ?@\w+ ?:.*|\A[RM]T ?:? ?@\w+.*|“\s?@\w+ ?:?[^”]*(?:”|\Z)|\"\s?@\w+ ?:[^\"“”]*(?:[\"”]|\Z)", re.DOTALL
)
_UNKNOWN_LANGUAGES = frozenset({"", "und", "zxx", "mul", "mis", "qme", "qst", "qht", "qam", "qct", "art"})  # BCP 47 and what X sends


def clean_text(text: str) -> str:
    """At most MOST_CHARACTERS of it, with unsafe characters and runs of white space as one space."""
    return _SPACES.sub(" ", _UNSAFE.sub(" ", text[: 4 * MOST_CHARACTERS]))[:MOST_CHARACTERS].strip()


def own_words(text: str) -> str:
    """A text without the posts of others that it repeats: who repeats another's words says nothing of himself by them."""
    if "@" not in text:
        return text
    left = _PASSED_ON.sub(" ", text)
    return text if left == text else _SPACES.sub(" ", left).strip()


@lru_cache(maxsize=16)
def why_unscored(text: str) -> str | None:
    """Why a cleaned text says too little to have a sentiment, or None."""
    if not text:
        return "no text"
    words = _NOT_WORDS.sub(" ", text[:LOOKED_AT])
    letters = len(list(islice(filter(str.isalpha, words), FEWEST_LETTERS)))
    if letters == 0:
        return "no words" if len(text) <= LOOKED_AT else None
    return "too short" if letters < FEWEST_LETTERS or _count_words(words) < FEWEST_WORDS - 1 else None


def is_short(text: str) -> bool:
    """Whether a cleaned text has so few words that only a plain opinion counts."""
    return len(text) < LOOKED_AT and _count_words(_NOT_WORDS.sub(" ", text)) < FEWEST_WORDS


@lru_cache(maxsize=16)
def sole_words(text: str) -> str:
    """The few words of a cleaned text that has no others, in lower case, without marks, mentions, links and numbers; else nothing."""
    return " ".join(_NOT_WORDS.sub(" ", text).lower().split()) if is_short(text) else ""


def _count_words(words: str) -> int:
    """A character of a script without spaces counts as a word: few words are one character, but few texts one word."""
    return len(words.split()) + len(_UNSPACED.findall(words))


def primary_language(tag: str | None) -> str | None:
    """`pt-BR` and `PT_br` -> `pt`; None where the platform did not know either."""
    primary = re.split(r"[-_]", (tag or "").strip().lower(), maxsplit=1)[0]
    return None if primary in _UNKNOWN_LANGUAGES or not primary.isalpha() else {"iw": "he", "in": "id"}.get(primary, primary)


def cut_bytes(text: str, most: int) -> str:
    """The longest start of the text that is at most `most` UTF-8 bytes, cut between characters."""
    return text.encode("utf-8", "replace")[:most].decode("utf-8", "ignore")


@lru_cache(maxsize=16)
def fold_words(text: str) -> str:
    """` the words in lower case , apart `: one space before and after each word and mark, for the phrases of a taxonomy.

    Several readers ask about one text in turn.
    """
    plain = unicodedata.normalize("NFC", text).lower().replace("'", "").replace("’", "")
    return " " + " ".join(re.findall(r"\w+|[?!$€£%]", plain)) + " "
