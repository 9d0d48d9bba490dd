"""The fields that Caseline keeps in a CRM: Caseline's words for them, and reading infra/crm/schema.yaml, which describes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from caseline.errors import ConfigError

OF_CASES = ("case_key", "version", "score", "band", "headline", "reasons", "category", "queue", "link", "outcome")
OF_ACCOUNTS = ("sentiment", "sentiment_trend", "unanswered", "last_contact", "health")  # how their people feel: keys of `Profile.values`
OF_CONTACTS = (*OF_ACCOUNTS, "last_nps", "last_csat", "last_ces", "channels")
OUTCOMES = ("valid", "not_an_issue")


@dataclass(frozen=True)
class SchemaField:
    """`type` is text, long_text, number, decimal, choice, url or datetime; `side` ours or theirs; `need` required or optional.

    `searched`: records are looked for by what the text contains, which some CRMs cannot do in long texts.
    """

    entity: str
    key: str
    label: str
    type: str
    side: str
    need: str
    about: str
    length: int = 0
    digits: int = 0
    places: int = 0
    values: Sequence[str] = ()
    unique: bool = False
    searched: bool = False

    @property
    def is_required(self) -> bool:
        return self.need == "required"


def read_schema(data: Mapping[str, Any], part: str = "fields") -> list[SchemaField]:
    """Of the file's content: the `fields` of a CRM's own entities, or of our `history` there. ConfigError for a field that is not understood."""
    try:
        return [SchemaField(**row) for row in data[part]]
    except (KeyError, TypeError) as error:
        raise ConfigError(f"infra/crm/schema.yaml: {error}") from None
