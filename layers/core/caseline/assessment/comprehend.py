"""Amazon Comprehend for sentiment, in batches by language; everything it lacks comes from our rules.

Limits: BatchDetectSentiment takes 25 documents of one language, each of at most 5,000 UTF-8 bytes
(Comprehend Developer Guide, guidelines and limits; API reference, BatchDetectSentiment). Its result and error lists name documents by index.
"""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from caseline.assessment import MIXED, NEGATIVE, NEUTRAL, POSITIVE, Assessment, Text, unscored
from caseline.assessment.embedded import find_emotion
from caseline.assessment.embedded.features import pair_slots, tokenise
from caseline.assessment.embedded.lexicon import read_facts
from caseline.assessment.embedded.model import Model, load_model
from caseline.assessment.rules import Rules, default_rules
from caseline.assessment.text import clean_text, cut_bytes, own_words, why_unscored
from caseline.errors import UnavailableError

MOST_DOCUMENTS = 25
MOST_BYTES = 5000
LANGUAGES = frozenset({"de", "en", "es", "it", "pt", "fr", "ja", "ko", "hi", "ar", "zh", "zh-TW"})
NAME = "comprehend-20171127"
PAUSES = (0.2, 0.6)  # seconds before the second and the third try; then the queue waits
CACHE_SIZE = 10_000
_DOCUMENT_FAULTS = frozenset({"TextSizeLimitExceededException", "InvalidRequestException", "UnsupportedLanguageException", "ValidationException"})
_TRANSIENT = frozenset(
    {"ThrottlingException", "Throttling", "TooManyRequestsException", "ProvisionedThroughputExceededException", "InternalServerException",
     "ServiceUnavailableException", "RequestTimeout"}
)


@dataclass(frozen=True)
class Prepared:
    """A text ready to send. `key` is the same for texts that Comprehend would answer alike."""

    document: str
    language: str | None
    reason: str | None

    @property
    def key(self) -> str:
        return hashlib.sha256(f"{self.language}:{self.document}".encode()).hexdigest()


@dataclass
class Answers:
    """The last answers by key; the one longest unused goes first."""

    size: int = CACHE_SIZE
    _kept: OrderedDict[str, Assessment] = field(default_factory=OrderedDict)

    def get(self, key: str) -> Assessment | None:
        if key in self._kept:
            self._kept.move_to_end(key)
        return self._kept.get(key)

    def keep(self, key: str, answer: Assessment) -> None:
        self._kept[key] = answer
        while len(self._kept) > self.size:
            self._kept.popitem(last=False)


@dataclass
class ComprehendAnalyser:
    client: Any
    model: Model
    rules: Rules
    sleep: Callable[[float], None]
    answers: Answers

    def assess(self, texts: Sequence[Text]) -> list[Assessment]:
        prepared = [self._prepare(text) for text in texts]
        answers = self._ask_all({p.key: p for p in prepared if p.reason is None})
        return [self._complete(text, ready, answers) for text, ready in zip(texts, prepared, strict=True)]

    def _prepare(self, text: Text) -> Prepared:
        cleaned = clean_text(text.text)
        language = self.rules.find_language(cleaned, text.language)
        wire = _wire_language(language, text.language)
        own = own_words(cleaned)
        reason = why_unscored(own) or (None if wire in LANGUAGES else f"unsupported language: {language}")
        return Prepared(cut_bytes(own, MOST_BYTES), wire, reason)

    def _ask_all(self, wanted: Mapping[str, Prepared]) -> dict[str, Assessment]:
        """Answers by key: known ones from the cache, the others from one call for each 25 of a language."""
        found = {key: answer for key in wanted if (answer := self.answers.get(key))}
        missing = {key: ready for key, ready in wanted.items() if key not in found}
        for language in sorted({str(ready.language) for ready in missing.values()}):
            keys = [key for key, ready in missing.items() if ready.language == language]
            for chunk in _chunks(keys, MOST_DOCUMENTS):
                found.update(zip(chunk, self._ask([missing[key].document for key in chunk], language), strict=True))
        for key in missing:
            if found[key].unscored is None:
                self.answers.keep(key, found[key])
        return found

    def _ask(self, documents: Sequence[str], language: str) -> list[Assessment]:
        """One answer for each document. A request refused for what it holds is halved until the culprit stands alone."""
        try:
            return _read_answers(self._call(documents, language), len(documents))
        except ClientError as error:
            code = _code(error)
            if code not in _DOCUMENT_FAULTS:
                raise UnavailableError(f"comprehend refused the call: {code}") from error
            if len(documents) == 1 or code == "UnsupportedLanguageException":
                return [unscored(code)] * len(documents)
            half = len(documents) // 2
            return self._ask(documents[:half], language) + self._ask(documents[half:], language)

    def _call(self, documents: Sequence[str], language: str) -> Mapping[str, Any]:
        """Tries again after a pause while Comprehend is busy or down; UnavailableError in the end."""
        for pause in (*PAUSES, None):
            try:
                answer: Mapping[str, Any] = self.client.batch_detect_sentiment(TextList=list(documents), LanguageCode=language)
                return answer
            except (ClientError, BotoCoreError) as error:
                if isinstance(error, ClientError) and not _is_transient(error):
                    raise
                if pause is None:
                    raise UnavailableError(f"comprehend did not answer: {type(error).__name__}") from error
                self.sleep(pause)
        raise UnavailableError("comprehend did not answer")

    def _complete(self, text: Text, ready: Prepared, answers: Mapping[str, Assessment]) -> Assessment:
        scored = unscored(ready.reason) if ready.reason else answers[ready.key]
        emotion = self._find_emotion(ready.document) if scored.sentiment and ready.language == "en" else None
        return self.rules.complete(text.text, text.language, self.rules.doubt(ready.document, replace(scored, model=NAME, emotion=emotion)))

    def _find_emotion(self, document: str) -> str:
        tokens = tokenise(document)
        return find_emotion(self.model, tokens, read_facts(tokens, document, self.model.lexicons["en"]), pair_slots(tokens))


def _wire_language(language: str | None, stated: str | None) -> str | None:
    """Traditional Chinese has a code of its own; the others are ISO 639-1."""
    traditional = (stated or "").replace("_", "-").lower().startswith(("zh-tw", "zh-hant", "zh-hk"))
    return "zh-TW" if language == "zh" and traditional else language


def _read_answers(answer: Mapping[str, Any], count: int) -> list[Assessment]:
    """In the order of the documents; a document in neither list is unscored, too."""
    found = {row["Index"]: _read_scores(row) for row in answer.get("ResultList", ())}
    found |= {row["Index"]: unscored(row.get("ErrorCode") or "unknown error") for row in answer.get("ErrorList", ())}
    return [found.get(index) or unscored("no answer") for index in range(count)]


def _read_scores(row: Mapping[str, Any]) -> Assessment:
    """MIXED is negative where the negative side weighs as much as the positive one, else neutral; its mass stays in `mixed`."""
    scores: dict[str, Any] = {name: round(float(row["SentimentScore"].get(name.capitalize(), 0.0)), 4) for name in (POSITIVE, NEGATIVE, NEUTRAL, MIXED)}
    label = str(row["Sentiment"]).lower()
    read_as = label if label != MIXED else NEGATIVE if scores[NEGATIVE] >= scores[POSITIVE] else NEUTRAL
    return Assessment(sentiment=read_as, confidence=scores[label], **scores)


def _is_transient(error: ClientError) -> bool:
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return _code(error) in _TRANSIENT or int(status) >= 500 or int(status) == 429


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _chunks(items: Iterable[str], size: int) -> Iterator[list[str]]:
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk


def create(
    *, client: Any, settings: Mapping[str, Any] | None = None, rules: Rules | None = None, sleep: Callable[[float], None] = time.sleep, **_unused: Any
) -> ComprehendAnalyser:
    """`client` is a boto3 Comprehend client; settings: `cache_size` (answers kept, 10,000)."""
    size = int((settings or {}).get("cache_size", CACHE_SIZE))
    return ComprehendAnalyser(client, load_model(), rules or default_rules(), sleep, Answers(size))
