"""What somebody wrote in an e-mail, without what they quoted and without their signature.

Rules of our own, line by line and in linear time: every line is looked at a bounded number of times, whatever a stranger sends. What is not
surely a quotation or a signature stays. The languages that are known stand in caseline.mail.words.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from caseline.mail.words import CLOSING, DEVICE, HEADERS, OPENER, SEPARATOR, VERB

TEXT_LIMIT = 100_000
_LINE_LIMIT = 400  # a longer line is never an attribution

_WHEN = re.compile(r"\b(?:19|20)\d\d\b|\b\d{1,2}[:.h]\d\d\b")
_BRACKETED = re.compile(r"<[^<>\s@]+@[^<>\s@]+>")
_ADDRESS = re.compile(r"[^\s<>@]@[^\s<>@]")
_SENDER_LAST = re.compile(r"<[^<>\s]+@[^<>\s]+>\s?[:：]\Z")
_RULE = re.compile(r"\s*[_\-=*]{5,}\s*\Z")
_DASHES = re.compile(r"--\s*\Z")
_SIGNATURE_LINES, _SIGNATURE_WIDTH, _DEVICE_WIDTH = 8, 70, 120
_BLANKS = re.compile(r"[ \t\r\f\v\u00a0]{2,}|[\t\r\f\v\u00a0]")  # what is not one space already
_EMPTY_LINES = re.compile(r"\n{3,}")


def tidy(text: str) -> str:
    """Lines ended by a newline, without blanks at their ends; never more than one empty line, none at the ends."""
    lines = _BLANKS.sub(" ", text.replace("\r\n", "\n").replace("\r", "\n")).split("\n")
    return _EMPTY_LINES.sub("\n\n", "\n".join(map(str.strip, lines))).strip()[:TEXT_LIMIT]


def strip_reply(text: str) -> str:
    """What is new in an e-mail's text, which is tidy. Empty if all of it is quoted."""
    lines = strip_signature(_drop_quotes(text.split("\n")))
    return tidy("\n".join(lines))


def strip_signature(lines: Sequence[str]) -> list[str]:
    """Without what stands after `--`, a closing formula with a few short lines, or the device's own line at the end."""
    dashes = next((index for index, line in enumerate(lines) if _DASHES.match(line) and any(lines[:index])), len(lines))
    kept = _without_device(list(lines[:dashes]))
    written = [index for index, line in enumerate(kept) if line]
    for index in written[-_SIGNATURE_LINES - 1 :]:
        if CLOSING.match(kept[index]) and all(len(line) <= _SIGNATURE_WIDTH for line in kept[index:]) and any(kept[:index]):
            return _without_device(kept[:index])
    return kept


def _without_device(lines: list[str]) -> list[str]:
    while lines and (not lines[-1] or _RULE.match(lines[-1]) or (len(lines[-1]) <= _DEVICE_WIDTH and DEVICE.match(lines[-1]))):
        lines.pop()
    return lines


def _drop_quotes(lines: Sequence[str]) -> list[str]:
    """Up to the first quotation whose end cannot be seen; of one that is marked with `>` only the marked lines go, as answers may stand between."""
    kept: list[str] = []
    index, marked = 0, False
    while index < len(lines):
        line = lines[index]
        length = _attribution_length(lines, index)
        if SEPARATOR.match(line) or _is_header_block(lines, index):
            return _without_rule(kept)
        if length and _is_quote(_next_written(lines, index + length)):
            marked = True
        elif length and _is_certain(" ".join(lines[index : index + length])):
            return _without_rule(kept)
        else:
            length = 1
            if not (_is_quote(line) and (marked or _is_run(lines, index))):
                kept.append(line)
        index += length
    return kept


def _attribution_length(lines: Sequence[str], index: int) -> int:
    """How many lines, at most three, say who wrote what follows; 0 if they do not."""
    length = next((count for count in (1, 2, 3) if _at(lines, index + count - 1).endswith((":", "："))), 0)
    said = lines[index : index + length]
    words = " ".join(said)
    if not said or not all(said) or any(map(_is_quote, said)) or len(words) > _LINE_LIMIT:
        return 0
    begins = "<" in said[0] or OPENER.match(said[0]) or VERB.search(said[0])
    return length if begins and (VERB.search(words) or (_WHEN.search(words) and _SENDER_LAST.search(words))) else 0


def _is_certain(words: str) -> bool:
    """What a mail program puts there and people hardly do: when, or an address in brackets."""
    return bool(_BRACKETED.search(words) or (OPENER.match(words) and (_WHEN.search(words) or _ADDRESS.search(words))))


def _is_header_block(lines: Sequence[str], index: int) -> bool:
    """Outlook's From, Sent, To and Subject. A date and a subject must be among them: people write "From: Rome, To: Paris" themselves."""
    if not HEADERS["sender"].match(lines[index]):
        return False
    following = lines[index + 1 : index + 9]
    end = following.index("") if "" in following else len(following)
    return all(any(HEADERS[name].match(line) for line in following[:end]) for name in ("date", "subject"))


def _is_quote(line: str) -> bool:
    return line.startswith(">")


def _is_run(lines: Sequence[str], index: int) -> bool:
    """A single line that begins with `>` may be an arrow or "more than"."""
    return _is_quote(_at(lines, index - 1)) or _is_quote(_at(lines, index + 1)) or _at(lines, index - 1).endswith(":")


def _at(lines: Sequence[str], index: int) -> str:
    return lines[index] if 0 <= index < len(lines) else ""


def _next_written(lines: Sequence[str], index: int) -> str:
    return _at(lines, index) or _at(lines, index + 1)


def _without_rule(lines: list[str]) -> list[str]:
    while lines and (not lines[-1] or _RULE.match(lines[-1])):
        lines.pop()
    return lines
