"""Which language a text is in: its script, else a hashed linear model over words and letters, helped by the letters that few languages have."""

from __future__ import annotations

import re

from caseline.assessment.embedded.features import tokenise
from caseline.assessment.embedded.model import load_model

_SCRIPTS = {  # the first that holds most of the letters
    "ja": re.compile("[\u3040-\u30ff]"), "ko": re.compile("[\u1100-\u11ff\uac00-\ud7af]"), "zh": re.compile("[\u4e00-\u9fff]"),
    "ru": re.compile("[\u0400-\u04ff]"), "ar": re.compile("[\u0600-\u06ff]"), "he": re.compile("[\u0590-\u05ff]"),
    "hi": re.compile("[\u0900-\u097f]"), "th": re.compile("[\u0e00-\u0e7f]"), "el": re.compile("[\u0370-\u03ff]"),
}
_LETTERS = {code: re.compile(f"[{letters}]") for code, letters in (
    ("de", "äöüß"), ("es", "ñ¿¡"), ("fr", "âêëèœû"), ("it", "òùì"), ("pl", "łąęśżźćń"), ("pt", "ãõ"),
)}  # fmt: skip
_LETTER_FAVOUR = 2.0  # added to the logit of a language whose own letters occur; this and the next chosen on development sets
_ENGLISH_FAVOUR = 0.5  # added to the logit of English
_NO_LANGUAGE = frozenset("amp gt haha hahaha http https lol lt quot rt user via".split())
_SAMPLE = 600  # characters that are looked at


def identify_language(text: str) -> str:
    """An ISO 639-1 code. A script or a language that the model does not know may come out as its nearest."""
    sample = text[:_SAMPLE]
    return _find_script(sample) or _find_latin(sample)


def _find_script(sample: str) -> str | None:
    letters = sum(map(str.isalpha, sample))
    if sample.isascii() or not letters:
        return None
    counts = {code: len(script.findall(sample)) for code, script in _SCRIPTS.items()}
    if counts["ja"]:
        counts["ja"] += counts["zh"]  # Japanese mixes its syllables with Chinese characters
    code = max(counts, key=lambda c: counts[c])
    return code if counts[code] > 0.4 * letters else None


def _find_latin(sample: str) -> str:
    head = load_model().heads["language"]
    words = [token for token in tokenise(sample) if token[0].isalpha() and token not in _NO_LANGUAGE]
    favours = _find_favours(sample)
    logits = [logit + favours.get(label, 0.0) for label, logit in zip(head.labels, head.logits(words), strict=True)]
    return head.labels[logits.index(max(logits))]


def _find_favours(sample: str) -> dict[str, float]:
    if sample.isascii():
        return {"en": _ENGLISH_FAVOUR}
    lowered = sample.lower()
    return {"en": _ENGLISH_FAVOUR} | {code: _LETTER_FAVOUR for code, letters in _LETTERS.items() if letters.search(lowered)}
