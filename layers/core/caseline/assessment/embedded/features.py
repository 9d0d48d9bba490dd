"""What the hashed linear model sees of a text: words, word pairs and the characters inside words.

Every slot is CRC32 of a tagged string, never `hash()`, so that training and scoring agree in every process.
Training imports this module: whoever changes it must train again, and raise VERSION in the training script.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from zlib import crc32

BITS = 15
MASK = (1 << BITS) - 1
CHARS_WEIGHT, PAIRS_WEIGHT = 0.7, 1.0
BESIDE_WEIGHT = 0.5
LONGEST_WORD = 24  # a longer "word" is a paste, and would cost a slot for each of its characters
URL, MENTION, NUMBER = "<url>", "<user>", "<num>"

_TOKEN = re.compile(
    r"https?://\S+|www\.\S+|@\w+|[:;=]['-]?[()DPpoO/\\|*]+|<3|\d+(?:[.,:/]\d+)*|[^\W\d_]+(?:'[^\W\d_]+)*|[!?]|[^\w\s.,;:'\"()/&#*_-]"
)
_STRETCHED = re.compile(r"(\w)\1{2,}")
_NEGATORS = (
    "not no never none nobody nothing neither nor without cannot cant can't dont don't doesnt doesn't didnt didn't isnt isn't arent aren't "
    "wasnt wasn't werent weren't wont won't wouldnt wouldn't couldnt couldn't shouldnt shouldn't havent haven't hasnt hasn't hadnt hadn't aint ain't "
    "nicht kein keine keinen nie pas jamais aucun rien sans ningún ninguna nunca jamás sin non mai nessuno senza não nem sem niet geen nooit"
)
NEGATORS = frozenset(_NEGATORS.split())
NEGATION_REACH = 3
_CLAUSE_ENDS = frozenset({"!", "?", "but", "aber", "mais", "pero", "ma", "mas", "maar"})


@lru_cache(maxsize=16)
def tokenise(text: str) -> tuple[str, ...]:
    """Lower-cased tokens; links, mentions and numbers become one token each, `soooo` becomes `soo`. Several readers ask about one text in turn."""
    plain = _STRETCHED.sub(r"\1\1", text.lower().replace("’", "'"))
    return tuple([_name_token(token) for token in _TOKEN.findall(plain)])


def _name_token(token: str) -> str:
    first = token[0]
    if first == "@":
        return MENTION
    if first.isdigit():
        return NUMBER
    return URL if token.startswith(("http:", "https:", "www.")) else token[:LONGEST_WORD]


def slot(tag: str, value: str) -> int:
    return crc32(f"{tag}:{value}".encode("utf-8", "replace")) & MASK


@lru_cache(maxsize=2048)
def char_slots(word: str) -> list[int]:
    """Slots of the 3-, 4- and 5-grams of a word with its edges marked; none for a word of one character. Each head asks for them in turn."""
    if len(word) < 2 or not word[0].isalpha():
        return []
    edged = f"_{word}_"
    return [slot("c", edged[i : i + n]) for n in (3, 4, 5) for i in range(len(edged) - n + 1)]


@lru_cache(maxsize=65536)
def pair_slot(first: str, second: str) -> int:
    return slot("b", f"{first} {second}")


@lru_cache(maxsize=32768)
def negated_slot(word: str) -> int:
    return slot("n", word)


@lru_cache(maxsize=16)
def pair_slots(tokens: tuple[str, ...]) -> Sequence[int]:
    """Neighbouring words, and each word that a negation reaches."""
    pairs = [pair_slot(a, b) for a, b in pairwise(tokens)]
    return pairs + [negated_slot(token) for token, negated in zip(tokens, mark_negated(tokens), strict=True) if negated]


@lru_cache(maxsize=16)
def mark_negated(tokens: tuple[str, ...]) -> Sequence[bool]:
    """Whether one of the last words, within the clause, was a negator."""
    marks, reach = [], 0
    for token in tokens:
        if token in _CLAUSE_ENDS:
            reach = 0
        marks.append(reach > 0)
        reach = NEGATION_REACH if token in NEGATORS else reach - 1
    return marks
