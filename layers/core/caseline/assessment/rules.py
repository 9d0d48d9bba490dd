"""What needs no paid call: language, issue category, urgency and the customer's emotion."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from caseline.assessment import NEGATIVE, NEUTRAL, POSITIVE, Assessment, unscored
from caseline.assessment.grave import FOUND_FROM, MEANT_FROM, UPSET_FROM, find_telling, weigh_grave
from caseline.assessment.language import identify_language
from caseline.assessment.signs import NEWS, SARCASM, find_signs
from caseline.assessment.taxonomy import Taxonomy, default_taxonomy, merge_taxonomy
from caseline.assessment.text import clean_text, fold_words, is_short, primary_language, why_unscored

if TYPE_CHECKING:
    from caseline.assessment.learned import Learned
    from caseline.policy_parts.issues import Categories

MOST_EVIDENCE = 80  # characters of a customer's words that are kept as a reason
PLAIN = 0.6  # probability from which two words take a side
_DOUBTS: Mapping[str, tuple[str, str, dict[str, Any]]] = {  # by what the words seem to be; seven in ten tweets of such praise complain
    POSITIVE: (SARCASM, NEGATIVE, {NEGATIVE: 0.5, NEUTRAL: 0.4, POSITIVE: 0.1}),
    NEGATIVE: (NEWS, NEUTRAL, {NEGATIVE: 0.25, NEUTRAL: 0.5, POSITIVE: 0.25}),
}


@dataclass(frozen=True)
class Rules:
    """`learned` is the tenant's own model, where there is one: it may correct the phrases, but never what they found to be grave.

    `indirect`: whether the small model of grave.py is asked too.
    """

    taxonomy: Taxonomy
    learned: Learned | None = None
    indirect: bool = True

    def find_language(self, text: str, stated: str | None) -> str | None:
        """What the platform said, else what the text looks like; None for a text without words."""
        return primary_language(stated) or (identify_language(text) if why_unscored(text) is None else None)

    def complete(self, text: str, stated: str | None, scored: Assessment) -> Assessment:
        """The assessment with language, category and urgency; `text` may be raw."""
        cleaned = clean_text(text)
        language = scored.language or self.find_language(cleaned, stated)
        category = self._find_category(cleaned, language, scored)
        urgency = self.taxonomy.find_urgency(cleaned, category, scored)
        return replace(scored, language=language, category=category, urgency=urgency, because=self._find_words(cleaned, category, language))

    def doubt(self, cleaned: str, scored: Assessment) -> Assessment:
        """What the words alone would say, less sure where they are few, praise beside a trouble, or news about a company."""
        return self._doubt_short(cleaned, self._doubt_side(cleaned, scored))

    @staticmethod
    def _doubt_side(cleaned: str, scored: Assessment) -> Assessment:
        """ "Awesome, thanks" beside a cancelled flight is likely a complaint, and "CEO battles critics" none; a person may look."""
        wanted = _DOUBTS.get(scored.sentiment or "")
        if wanted is None or wanted[0] not in find_signs(fold_words(cleaned)):
            return scored
        label, shares = wanted[1:]
        return replace(scored, sentiment=label, confidence=shares[label], conflict=True, emotion=None, mixed=0.0, **shares)

    @staticmethod
    def _doubt_short(cleaned: str, scored: Assessment) -> Assessment:
        """Two words ("terrible service") have a sentiment only where they take a side plainly."""
        plain = scored.sentiment in (NEGATIVE, POSITIVE) and scored.confidence >= PLAIN
        return scored if plain or scored.sentiment is None or not is_short(cleaned) else unscored("too short", language=scored.language, model=scored.model)

    def find_by_phrases(self, cleaned: str, language: str | None, scored: Assessment) -> str:
        return self.taxonomy.find_category(cleaned, language, scored)

    def _find_category(self, cleaned: str, language: str | None, scored: Assessment) -> str:
        learned = self.learned if self.learned and self.learned.knows_categories and scored.sentiment is not None else None
        counts = self.taxonomy.count_phrases(cleaned, language) if learned else {}
        found = self._weigh(cleaned, language, scored, self.taxonomy.find_category(cleaned, language, scored, counts if learned else None))
        likely = learned.find_category(cleaned, found, counts, scored) if learned and not self.taxonomy.is_grave(found) else None
        return likely[0] if likely else found

    def _weigh(self, cleaned: str, language: str | None, scored: Assessment, found: str) -> str:
        """What the phrases found, unless the small model is sure of something grave that they miss, or that nothing grave is meant."""
        own = self.taxonomy.is_grave(found) and found not in self.taxonomy.shipped_grave
        if not self.indirect or own or self.taxonomy.is_said_alone(cleaned, found):
            return found
        odds = {matter: value for matter, value in weigh_grave(cleaned).items() if matter in self.taxonomy.shipped_grave}
        likeliest = max(odds, key=odds.__getitem__, default=found)
        if self.taxonomy.is_grave(found):
            meant = not odds or odds[likeliest] >= (UPSET_FROM if scored.sentiment == NEGATIVE else MEANT_FROM)
            return found if meant else self.taxonomy.find_category(cleaned, language, scored, without=self.taxonomy.shipped_grave)
        sure = bool(odds) and odds[likeliest] >= FOUND_FROM and not self.taxonomy.is_excepted(cleaned, likeliest)
        return likeliest if sure else found

    def _find_words(self, cleaned: str, category: str, language: str | None) -> str:
        """The evidence of a grave category, in the customer's words."""
        if not self.taxonomy.is_grave(category):
            return ""
        return (self.taxonomy.find_words(cleaned, category, language) or find_telling(cleaned, category))[:MOST_EVIDENCE]


@lru_cache(maxsize=1)
def default_rules() -> Rules:
    return Rules(default_taxonomy())


def rules_for(categories: Categories, learned: Learned | None = None) -> Rules:
    """Those of a policy's categories and a tenant's own model; the same object for the same ones."""
    return _rules_for(categories.model_dump_json(by_alias=True), learned)


@lru_cache(maxsize=4)
def _rules_for(categories: str, learned: Learned | None) -> Rules:
    wanted = json.loads(categories)
    indirect = wanted.pop("indirect", True)
    return Rules(merge_taxonomy(**wanted) if any(wanted.values()) else default_taxonomy(), learned, indirect)
