"""What needs no paid call: language, issue category, urgency and the customer's emotion."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

from caseline.assessment import Assessment
from caseline.assessment.language import identify_language
from caseline.assessment.taxonomy import Taxonomy, default_taxonomy
from caseline.assessment.text import clean_text, primary_language, why_unscored


@dataclass(frozen=True)
class Rules:
    taxonomy: Taxonomy

    def find_language(self, text: str, stated: str | None) -> str | None:
        """What the platform said, else what the text looks like; None for a text without words."""
        return primary_language(stated) or (identify_language(text) if why_unscored(text) is None else None)

    def complete(self, text: str, stated: str | None, scored: Assessment) -> Assessment:
        """The assessment with language, category and urgency; `text` may be raw."""
        cleaned = clean_text(text)
        language = scored.language or self.find_language(cleaned, stated)
        category = self.taxonomy.find_category(cleaned, language, scored)
        return replace(scored, language=language, category=category, urgency=self.taxonomy.find_urgency(cleaned, category, scored))


@lru_cache(maxsize=1)
def default_rules() -> Rules:
    return Rules(default_taxonomy())
