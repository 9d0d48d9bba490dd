"""Issue category and urgency by phrases that an administrator can read and change."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from importlib.resources import files
from typing import Any

from caseline.assessment import NEGATIVE, NEUTRAL, POSITIVE, Assessment
from caseline.assessment.phrases import check_phrases, compile_phrases
from caseline.assessment.signs import find_signs, find_words
from caseline.assessment.text import fold_words, sole_words
from caseline.errors import ConfigError

EXAMPLES = ("airline", "app", "finance")
UNKNOWN, PRAISE, HOW_TO = "unknown", "praise", "how_to"
_SURE = 0.6  # from this P(positive) on, words of praise outweigh the mention of a topic
_GRAVE = frozenset({"safety", "legal", "security", "outage", "cancel"})  # never outweighed by praise

Phrases = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Category:
    """`phrases` by language; those of `en` are tried for every language. `alone`: words that are enough where they are all that is said.

    `like` is the general category that it is a kind of; `own`: a tenant added to it.
    """

    name: str
    phrases: Phrases
    exceptions: re.Pattern[str]
    like: str = ""
    own: bool = False
    alone: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Level:
    """A degree of urgency: by category, or by phrases."""

    name: str
    categories: frozenset[str]
    phrases: re.Pattern[str]


@dataclass(frozen=True)
class Taxonomy:
    version: str
    categories: Sequence[Category]
    praise: Phrases
    levels: Sequence[Level]
    _compiled: dict[tuple[int, Sequence[str]], re.Pattern[str]] = field(default_factory=dict, compare=False, repr=False)

    @property
    def names(self) -> list[str]:
        return [*dict.fromkeys(category.name for category in self.categories), PRAISE, UNKNOWN]

    @cached_property
    def _kinds(self) -> Mapping[str, str]:
        return {category.name: category.like for category in self.categories if category.like}

    def kind_of(self, category: str) -> str:
        """The general category that a special one is like; itself for a general one."""
        return self._kinds.get(category, category)

    def is_grave(self, category: str) -> bool:
        return self.kind_of(category) in _GRAVE

    def find_category(
        self, text: str, language: str | None, scored: Assessment, counts: Mapping[str, int] | None = None, without: Collection[str] = ()
    ) -> str:
        """The first category whose phrases or signs are found; praise where the customer is pleased and nothing grave is said.

        `counts` are what `count_phrases` says of the text, where that was asked before.
        """
        folded = fold_words(text)
        names = (category.name for category in self._find(folded, language, sole_words(text))) if counts is None else iter(counts)
        found = next((name for name in names if name not in without), UNKNOWN)
        if not self.is_grave(found) and self._is_praise(found, folded, language, scored):
            return PRAISE
        return found

    def count_phrases(self, text: str, language: str | None) -> Mapping[str, int]:
        """How often phrases of each category that is found are, the first one first; signs count once."""
        folded, counts = fold_words(text), Counter[str]()
        for category in self._find(folded, language, sole_words(text)):
            counts[category.name] += self._count(category, language, folded) or 1
        return counts

    def find_words(self, text: str, category: str, language: str | None) -> str:
        """The words by which a category was found; none where neither phrase nor sign named it."""
        folded = fold_words(text)
        asked = (c for c in self.categories if c.name == category)
        matches = (self._pattern(c.phrases, self._languages_of(c, language)).search(c.exceptions.sub(" ", folded)) for c in asked)
        phrase = next((match[0].strip() for match in matches if match), "")
        return phrase or find_words(folded, category) or (sole_words(text) if self.is_said_alone(text, category) else "")

    def is_said_alone(self, text: str, category: str) -> bool:
        """Whether the text is nothing but a word that is enough for it."""
        return any(sole_words(text) in c.alone for c in self.categories if c.name == category)

    def is_excepted(self, text: str, category: str) -> bool:
        """Whether words that the category excepts stand in the text."""
        return any(c.exceptions.search(fold_words(text)) for c in self.categories if c.name == category)

    @cached_property
    def shipped_grave(self) -> frozenset[str]:
        """The grave categories as they are shipped: where a tenant added phrases of his own, those are taken at their word."""
        return frozenset(c.name for c in self.categories if c.name in _GRAVE and not c.own)

    def find_urgency(self, text: str, category: str, scored: Assessment) -> str:
        """critical, high, normal or low. Level phrases count only where there is trouble."""
        folded, category = fold_words(text), self.kind_of(category)
        for level in self.levels:
            if category in level.categories or (_is_troubled(category, scored) and level.phrases.search(folded)):
                return level.name
        return "normal" if scored.sentiment == NEGATIVE or category not in (PRAISE, UNKNOWN) or "?" in folded else "low"

    def _find(self, folded: str, language: str | None, sole: str) -> Iterator[Category]:
        """The categories that are found, in their order."""
        signs = find_signs(folded)
        return (c for c in self.categories if sole in c.alone or self._stands(c, language, folded) or _shows(c, folded, signs))

    def _stands(self, category: Category, language: str | None, folded: str) -> bool:
        languages = self._languages_of(category, language)
        return self._are_said(category.phrases, languages, folded) and self._are_said(category.phrases, languages, category.exceptions.sub(" ", folded))

    def _are_said(self, phrases: Phrases, languages: Sequence[str], folded: str) -> bool:
        """English phrases and others are asked in turn: only who counts them, or wants their words, waits until they are compiled as one."""
        return bool(self._pattern(phrases, languages[:1]).search(folded) or (languages[1:] and self._pattern(phrases, languages[1:]).search(folded)))

    def _count(self, category: Category, language: str | None, folded: str) -> int:
        pattern = self._pattern(category.phrases, self._languages_of(category, language))
        return len(pattern.findall(category.exceptions.sub(" ", folded))) if pattern.search(folded) else 0

    def _languages_of(self, category: Category, language: str | None) -> tuple[str, ...]:
        if language not in (None, "en") and self.is_grave(category.name):  # never missed for a language mistaken
            return ("en", *(code for code in category.phrases if code != "en"))
        return _languages(category.phrases, language)

    def _is_praise(self, found: str, folded: str, language: str | None, scored: Assessment) -> bool:
        if scored.sentiment not in (POSITIVE, None) or scored.positive < (_SURE if found != UNKNOWN else 0.0):
            return False
        return self._are_said(self.praise, _languages(self.praise, language), folded) or (found == UNKNOWN and scored.sentiment == POSITIVE)

    def _pattern(self, phrases: Phrases, languages: Sequence[str]) -> re.Pattern[str]:
        key = (id(phrases), languages)
        if key not in self._compiled:
            self._compiled[key] = compile_phrases([phrase for code in languages for phrase in phrases.get(code, ())])
        return self._compiled[key]


def _languages(phrases: Phrases, language: str | None) -> tuple[str, ...]:
    """English and the language itself, where it has phrases."""
    return ("en", language) if language and language != "en" and language in phrases else ("en",)


def _shows(category: Category, folded: str, signs: frozenset[str]) -> bool:
    """Whether the text shows signs of it, also without what the category excepts."""
    return category.name in signs and category.name in find_signs(category.exceptions.sub(" ", folded))


def _is_troubled(category: str, scored: Assessment) -> bool:
    """Upset, or not known to be calm; a neutral text only where it names a trouble."""
    calm = scored.sentiment == NEUTRAL and category in (UNKNOWN, HOW_TO)
    return category != PRAISE and scored.sentiment != POSITIVE and not calm


def load_taxonomy(data: Mapping[str, Any]) -> Taxonomy:
    """`data` as in taxonomy.yaml. Raises ConfigError that names what is wrong."""
    try:
        categories = [_read_category(row) for row in data["categories"]]
        levels = [_read_level(name, row) for name, row in data.get("urgency", {}).items()]
        return Taxonomy(str(data.get("version", "")), categories, data.get("praise", {}), levels)
    except (KeyError, TypeError, AttributeError) as error:
        raise ConfigError(f"taxonomy: write categories with a name and phrases by language ({error})") from error


def _read_category(row: Mapping[str, Any]) -> Category:
    for phrases in row["phrases"].values():
        check_phrases(phrases)
    return Category(row["name"], row["phrases"], _compile(row.get("except", ())), row.get("like", ""), row.get("own", False), frozenset(row.get("alone", ())))


def _read_level(name: str, row: Mapping[str, Any]) -> Level:
    return Level(name, frozenset(row.get("categories", ())), _compile(row.get("phrases", ())))


def _compile(phrases: Sequence[str]) -> re.Pattern[str]:
    check_phrases(phrases)
    return compile_phrases(phrases)


@lru_cache(maxsize=1)
def default_taxonomy() -> Taxonomy:
    """The shipped one, taxonomy.yaml beside this module."""
    return load_taxonomy(read_default())


def read_default() -> dict[str, Any]:
    """The shipped taxonomy as data, to start a policy's own from."""
    return _read_shipped("taxonomy.yaml")


def read_example(name: str) -> dict[str, Any]:
    """One of EXAMPLES as data: categories of a trade, each like a general one."""
    return _read_shipped(f"taxonomies/{name}.yaml")


def _read_shipped(path: str) -> dict[str, Any]:
    from ruamel.yaml import YAML  # a dozen ms that only the first use pays

    data: dict[str, Any] = YAML(typ="safe", pure=True).load(files(__package__).joinpath(path).read_text(encoding="utf-8"))
    return data


def merge_taxonomy(examples: Sequence[str] = (), own: Sequence[Mapping[str, Any]] = (), without: Iterable[str] = ()) -> Taxonomy:
    """The shipped one with examples and a tenant's own over it: the grave categories first, then the tenant's, the examples', and the rest.

    An own category that has the name of another one adds its phrases to that one.
    """
    shipped, shown = read_default(), [read_example(name) for name in examples]
    dropped = {*without, *(name for example in shown for name in example.get("without", ()))}
    known = [row for source in (shipped, *shown) for row in source["categories"] if row["name"] not in dropped]
    added = {row["name"]: row for row in own}
    rows = [_add_phrases(row, added[row["name"]]) if row["name"] in added else row for row in known]
    new = [row for row in own if row["name"] not in {row["name"] for row in known}]
    grave = [row for row in rows if row["name"] in _GRAVE]
    special = [row for row in rows if row.get("like")]
    rest = [row for row in rows if row["name"] not in _GRAVE and not row.get("like")]
    return load_taxonomy({**shipped, "categories": [*grave, *new, *special, *rest]})


def _add_phrases(row: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    phrases = {language: [*row["phrases"].get(language, ()), *more["phrases"].get(language, ())] for language in {**row["phrases"], **more["phrases"]}}
    return {**row, "own": True, "phrases": phrases, "except": [*row.get("except", ()), *more.get("except", ())]}
