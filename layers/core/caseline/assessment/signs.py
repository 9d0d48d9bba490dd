"""Signs of what must never be missed: concepts that stand near each other, however a customer puts them. What they are: signs.txt."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.resources import files
from itertools import product

REACH = 10  # words between which concepts belong together, where a sign does not say
AROUND = 15  # words to both sides in which a harmless reading is looked for
MOST_CACHED = 50_000
MOST_SPOTS = 50  # of the rarest concept of a sign, that a text of one word again and again costs no more than others
SARCASM, NEWS = "sarcasm", "news"  # no categories: praise that is none, and what no customer tells of themselves
_ELIDED = re.compile(r"^(?:dell|nell|all|qu|un|[ldjnc])(?=[aeiouyàâéèêëîïôûh]\w{4})")  # fold_words writes l'hôpital as lhôpital
_LIST = re.compile(r"\s*,\s*")

Places = Mapping[str, Sequence[int]]


@dataclass(frozen=True)
class Sign:
    """`needs` within `reach` words of each other, in any order, and none of `harmless` around them."""

    category: str
    needs: tuple[str, ...]
    reach: int
    harmless: tuple[str, ...]

    def stands_in(self, places: Places) -> bool:
        return self.find_spots(places) is not None

    def find_spots(self, places: Places) -> tuple[int, ...] | None:
        """Where the words of its needs stand; the first place that nothing makes harmless."""
        if not all(need in places for need in self.needs):
            return None
        anchor, *others = sorted((places[need] for need in self.needs), key=len)
        meetings = (spots for spot in anchor[:MOST_SPOTS] for spots in self._meet(spot, others))
        return next((spots for spots in meetings if self._is_meant(spots, places)), None)

    def _meet(self, anchor: int, others: Sequence[Sequence[int]]) -> Iterator[tuple[int, ...]]:
        """Places of all needs, each another word, within reach of each other."""
        near = [spots[bisect_left(spots, anchor - self.reach) : bisect_right(spots, anchor + self.reach)] for spots in others]
        for spots in product((anchor,), *near):
            if len(set(spots)) == len(spots) and max(spots) - min(spots) <= self.reach:
                yield spots

    def _is_meant(self, spots: Sequence[int], places: Places) -> bool:
        low, high = min(spots) - AROUND, max(spots) + AROUND
        return not any(low <= spot <= high for concept in self.harmless for spot in places.get(concept, ()))


@dataclass(frozen=True)
class Lexicon:
    """Which concepts a word, or a run of words, names. `runs` by their first two words; a word that ends in `*` is a beginning."""

    words: Mapping[str, frozenset[str]]
    beginnings: Mapping[str, frozenset[str]]
    runs: Mapping[str, Mapping[str, Sequence[tuple[Sequence[str], str]]]]
    _known: dict[str, frozenset[str]] = field(default_factory=dict, compare=False, repr=False)

    def find(self, words: Sequence[str]) -> Places:
        """Where each concept is named."""
        places: dict[str, list[int]] = {}
        for index, word in enumerate(words):
            for concept in self._name(word):
                places.setdefault(concept, []).append(index)
            if (seconds := self.runs.get(word)) and index + 1 < len(words):
                for concept in _follow(seconds, words, index + 1):
                    places.setdefault(concept, []).append(index)
        return places

    def _name(self, word: str) -> frozenset[str]:
        found = self._known.get(word)
        if found is None:
            if len(self._known) >= MOST_CACHED:
                self._known.clear()
            forms = (word, word.removesuffix("s"), _ELIDED.sub("", word, count=1))  # "the site's down" is folded to sites
            found = self._known[word] = next(filter(None, map(self._look_up, forms)), frozenset())
        return found

    def _look_up(self, word: str) -> frozenset[str]:
        starts = (self.beginnings.get(word[:end], frozenset()) for end in range(3, len(word) + 1))
        return self.words.get(word, frozenset()).union(*starts)


def _follow(seconds: Mapping[str, Sequence[tuple[Sequence[str], str]]], words: Sequence[str], index: int) -> Iterator[str]:
    """The concepts of the runs whose further words stand from `index` on."""
    for rest, concept in (*seconds.get(words[index], ()), *seconds.get("*", ())):
        after = words[index : index + len(rest)]
        if len(after) == len(rest) and all(map(_is_put, after, rest)):
            yield concept


def _is_put(word: str, wanted: str) -> bool:
    return word == wanted or (wanted[-1] == "*" and word.startswith(wanted[:-1]))


@dataclass(frozen=True)
class Signs:
    """`by_concept` holds each sign under the one of its needs that the fewest signs share, so that few are looked at for a text."""

    lexicon: Lexicon
    by_concept: Mapping[str, Sequence[Sign]]

    def find(self, folded: str) -> frozenset[str]:
        """The categories that a folded text shows signs of."""
        return self.find_in(self.lexicon.find(folded.split()))

    def find_in(self, places: Places) -> frozenset[str]:
        return frozenset(sign.category for concept in places for sign in self.by_concept.get(concept, ()) if sign.stands_in(places))

    def find_spots(self, places: Places, category: str) -> tuple[int, ...]:
        shown = (sign.find_spots(places) for concept in places for sign in self.by_concept.get(concept, ()) if sign.category == category)
        return next(filter(None, shown), ())


def read_signs(lines: Iterable[str]) -> Signs:
    """Of text as in signs.txt."""
    named: list[tuple[str, str]] = []
    signs: list[Sign] = []
    for line in lines:
        concept, colon, entries = line.partition(":")
        category, equals, meaning = line.partition(" = ")
        if line.startswith("#") or not line.strip():
            continue
        if equals and not colon:
            signs.append(_read_sign(category, meaning))
        else:
            named += [(entry, concept) for entry in _LIST.split(entries.strip()) if entry]
    return Signs(_build_lexicon(named), _sort_signs(signs))


def _sort_signs(signs: Sequence[Sign]) -> dict[str, list[Sign]]:
    shared = Counter(need for sign in signs for need in sign.needs)
    sorted_signs: dict[str, list[Sign]] = {}
    for sign in signs:
        sorted_signs.setdefault(min(sign.needs, key=lambda need: (shared[need], need)), []).append(sign)
    return sorted_signs


def _read_sign(category: str, meaning: str) -> Sign:
    meaning, _, harmless = meaning.partition("!")
    needs, _, reach = meaning.partition("/")
    return Sign(category.strip(), tuple(_list(needs, "&")), int(reach or REACH), tuple(_list(harmless, ",")))


def _list(text: str, mark: str) -> list[str]:
    return [part.strip() for part in text.split(mark) if part.strip()]


def _build_lexicon(named: Iterable[tuple[str, str]]) -> Lexicon:
    words: dict[str, set[str]] = {}
    beginnings: dict[str, set[str]] = {}
    runs: dict[str, dict[str, list[tuple[Sequence[str], str]]]] = {}
    for entry, concept in named:
        first, *rest = entry.split()
        if rest:
            second = "*" if rest[0].endswith("*") else rest[0]
            runs.setdefault(first, {}).setdefault(second, []).append((tuple(rest), concept))
        elif first.endswith("*"):
            beginnings.setdefault(first[:-1], set()).add(concept)
        else:
            words.setdefault(first, set()).add(concept)
    return Lexicon(_freeze(words), _freeze(beginnings), runs)


def _freeze(found: Mapping[str, set[str]]) -> dict[str, frozenset[str]]:
    return {key: frozenset(value) for key, value in found.items()}


@lru_cache(maxsize=1)
def shipped_signs() -> Signs:
    return read_signs(files(__package__).joinpath("signs.txt").read_text(encoding="utf-8").splitlines())


@lru_cache(maxsize=64)
def find_places(folded: str) -> Places:
    """Where the shipped concepts stand in a folded text; a text is asked about more than once."""
    return shipped_signs().lexicon.find(folded.split())


@lru_cache(maxsize=64)
def find_signs(folded: str) -> frozenset[str]:
    """What the shipped signs show in a folded text."""
    return shipped_signs().find_in(find_places(folded))


def find_words(folded: str, category: str) -> str:
    """The words that show a category, in the order of the text; none where no sign does."""
    spots = shipped_signs().find_spots(find_places(folded), category)
    words = folded.split()
    return " ".join(words[spot] for spot in sorted(set(spots)))
