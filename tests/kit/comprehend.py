"""A Comprehend client that behaves: BatchDetectSentiment with AWS's limits and error shapes, answered by the embedded model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError
from caseline.assessment import Text
from caseline.assessment.embedded import create

LANGUAGES = ("en", "es", "fr", "de", "it", "pt", "ar", "hi", "ja", "ko", "zh", "zh-TW")
MOST_DOCUMENTS, MOST_BYTES = 25, 5000
_STATUS = {"InternalServerException": 500, "ServiceUnavailableException": 503}


class FakeComprehend:
    """`fail(code, times)` refuses the next calls; `fail_document(text, code)` puts that document into every ErrorList.

    `calls` has (language, documents) of each call that was answered, `attempts` counts those refused, too.
    """

    def __init__(self) -> None:
        self.calls: list[tuple[str, list[str]]] = []
        self.attempts = 0
        self._failures: list[str] = []
        self._bad_documents: dict[str, str] = {}
        self._embedded = create()

    def fail(self, code: str, times: int = 1) -> None:
        self._failures += [code] * times

    def fail_document(self, text: str, code: str = "INTERNAL_SERVER_ERROR") -> None:
        self._bad_documents[text] = code

    def batch_detect_sentiment(self, *, TextList: Sequence[str], LanguageCode: str) -> dict[str, Any]:  # noqa: N803
        self.attempts += 1
        if self._failures:
            raise refuse(self._failures.pop(0))
        check_request(TextList, LanguageCode)
        self.calls.append((LanguageCode, list(TextList)))
        rows = [self._answer(index, text, LanguageCode) for index, text in enumerate(TextList)]
        return {
            "ResultList": [row for row in rows if "Sentiment" in row],
            "ErrorList": [row for row in rows if "ErrorCode" in row],
            "ResponseMetadata": {"HTTPStatusCode": 200},
        }

    def _answer(self, index: int, text: str, language: str) -> dict[str, Any]:
        if text in self._bad_documents:
            return {"Index": index, "ErrorCode": self._bad_documents[text], "ErrorMessage": "the document could not be read"}
        return {"Index": index, **self._read(text, language)}

    def _read(self, text: str, language: str) -> Mapping[str, Any]:
        said = self._embedded.assess([Text(text, language)])[0]
        if said.sentiment is None:
            return {"Sentiment": "NEUTRAL", "SentimentScore": {"Positive": 0.0, "Negative": 0.0, "Neutral": 1.0, "Mixed": 0.0}}
        scores = {"Positive": said.positive, "Negative": said.negative, "Neutral": said.neutral, "Mixed": said.mixed}
        return {"Sentiment": said.sentiment.upper(), "SentimentScore": scores}


def check_request(documents: Sequence[str], language: str) -> None:
    """What AWS checks before it reads a document."""
    if not documents or any(not isinstance(document, str) or not document for document in documents):
        raise refuse("ValidationException")
    if len(documents) > MOST_DOCUMENTS:
        raise refuse("BatchSizeLimitExceededException")
    if language not in LANGUAGES:
        raise refuse("UnsupportedLanguageException")
    if any(len(document.encode("utf-8")) > MOST_BYTES for document in documents):
        raise refuse("TextSizeLimitExceededException")


def refuse(code: str) -> ClientError:
    status = _STATUS.get(code, 400)
    return ClientError({"Error": {"Code": code, "Message": code}, "ResponseMetadata": {"HTTPStatusCode": status}}, "BatchDetectSentiment")
