"""Issue category and urgency by phrases that an administrator can read and change."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.resources import files
from typing import Any

from caseline.assessment import NEGATIVE, NEUTRAL, POSITIVE, Assessment
from caseline.assessment.text import fold_words
from caseline.errors import ConfigError

UNKNOWN, PRAISE, HOW_TO = "unknown", "praise", "how_to"
_SURE = 0.6  # from this P(positive) on, words of praise outweigh the mention of a topic
_GRAVE = frozenset({"safety", "legal", "security", "outage", "cancel"})  # never outweighed by praise
_NOTHING = re.compile(r"(?!)")

Phrases = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Category:
    """`phrases` by language; those of `en` are tried for every language."""

    name: str
    phrases: Phrases
    exceptions: re.Pattern[str]


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
    _compiled: dict[tuple[str, str], re.Pattern[str]] = field(default_factory=dict, compare=False, repr=False)

    @property
    def names(self) -> list[str]:
        return [category.name for category in self.categories] + [PRAISE, UNKNOWN]

    def find_category(self, text: str, language: str | None, scored: Assessment) -> str:
        """The first category whose phrases are found; praise where the customer is pleased and nothing grave is said."""
        folded = fold_words(text)
        found = next((c.name for c in self.categories if self._matches(c, language, folded)), UNKNOWN)
        if found not in _GRAVE and self._is_praise(found, folded, language, scored):
            return PRAISE
        return found

    def find_urgency(self, text: str, category: str, scored: Assessment) -> str:
        """critical, high, normal or low. Level phrases count only where there is trouble."""
        folded = fold_words(text)
        for level in self.levels:
            if category in level.categories or (_is_troubled(category, scored) and level.phrases.search(folded)):
                return level.name
        return "normal" if scored.sentiment == NEGATIVE or category not in (PRAISE, UNKNOWN) or "?" in folded else "low"

    def _matches(self, category: Category, language: str | None, folded: str) -> bool:
        pattern = self._pattern(category.name, category.phrases, language)
        return bool(pattern.search(folded)) and bool(pattern.search(category.exceptions.sub(" ", folded)))

    def _is_praise(self, found: str, folded: str, language: str | None, scored: Assessment) -> bool:
        if scored.sentiment not in (POSITIVE, None) or scored.positive < (_SURE if found != UNKNOWN else 0.0):
            return False
        return bool(self._pattern(PRAISE, self.praise, language).search(folded)) or (found == UNKNOWN and scored.sentiment == POSITIVE)

    def _pattern(self, name: str, phrases: Phrases, language: str | None) -> re.Pattern[str]:
        key = (name, language if language and language in phrases else "en")
        if key not in self._compiled:
            own = phrases[key[1]] if key[1] != "en" and key[1] in phrases else ()
            self._compiled[key] = compile_phrases([*phrases.get("en", ()), *own])
        return self._compiled[key]


def _is_troubled(category: str, scored: Assessment) -> bool:
    """Upset, or not known to be calm; a neutral text only where it names a trouble."""
    calm = scored.sentiment == NEUTRAL and category in (UNKNOWN, HOW_TO)
    return category != PRAISE and scored.sentiment != POSITIVE and not calm


def compile_phrases(phrases: Iterable[str]) -> re.Pattern[str]:
    """One pattern for folded text. Raises ConfigError naming the phrase that cannot be read."""
    parts = [_read_phrase(phrase) for phrase in phrases]
    return re.compile(f" (?:{'|'.join(parts)})(?= )") if parts else _NOTHING


def _read_phrase(phrase: str) -> str:
    grouped = re.sub(r"\((?!\?)", "(?:", phrase.strip().lower().replace("'", ""))
    pattern = grouped.replace("~ ", r"(?:\S+ ){0,4}").replace("*", r"\w*")
    try:
        re.compile(pattern)
    except re.error as error:
        raise ConfigError(f"taxonomy: cannot read the phrase {phrase!r}: {error}") from error
    return pattern


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
        compile_phrases(phrases)
    return Category(row["name"], row["phrases"], compile_phrases(row.get("except", ())))


def _read_level(name: str, row: Mapping[str, Any]) -> Level:
    return Level(name, frozenset(row.get("categories", ())), compile_phrases(row.get("phrases", ())))


@lru_cache(maxsize=1)
def default_taxonomy() -> Taxonomy:
    """The shipped one, taxonomy.yaml beside this module."""
    return load_taxonomy(read_default())


def read_default() -> dict[str, Any]:
    """The shipped taxonomy as data, to start a policy's own from."""
    from ruamel.yaml import YAML  # a dozen ms that only the first use pays

    data: dict[str, Any] = YAML(typ="safe", pure=True).load(files(__package__).joinpath("taxonomy.yaml").read_text(encoding="utf-8"))
    return data
