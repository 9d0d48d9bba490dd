"""What somebody wrote in an e-mail: HTML as text, without what they quoted and without their signature.

Rules of our own, line by line and in linear time: every line is looked at a bounded number of times, whatever a stranger sends. What is not
surely a quotation or a signature stays. Attributions, headers and signatures are known in English, German, French, Spanish, Italian and Portuguese.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

HTML_LIMIT = 300_000  # characters that are read
TEXT_LIMIT = 100_000
_LINE_LIMIT = 400  # a longer line is never an attribution
_BLOCKS = frozenset("address article blockquote br div dl dt dd fieldset footer form h1 h2 h3 h4 h5 h6 header hr li ol p pre section table tr ul".split())

_TAG = re.compile(r"<!--|<(/?[a-zA-Z][a-zA-Z0-9]*)[^<>]*>|<[!?/][^<>]*>")
_COMMENT_END = re.compile("-->")
_ENDS = {name: re.compile(f"</{name}[^<>]*>", re.IGNORECASE) for name in ("script", "style", "head", "title", "template")}
_LONG_NUMBER = re.compile(r"&#[xX]?[0-9a-fA-F]{9,};?")

_VERB = re.compile(r"\b(?:wrote|writes|schrieb|schrieben|geschrieben|a écrit|escribió|ha scritto|escreveu)\b", re.IGNORECASE)
_OPENER = re.compile(r"(?:On|Am|Le|El|Il|Em|No dia|Il giorno)\b", re.IGNORECASE)
_WHEN = re.compile(r"\b(?:19|20)\d\d\b|\b\d{1,2}[:.h]\d\d\b")
_BRACKETED = re.compile(r"<[^<>\s@]+@[^<>\s@]+>")
_ADDRESS = re.compile(r"[^\s<>@]@[^\s<>@]")
_DATED_SENDER = re.compile(r"(?:\d{4}-\d\d-\d\d|\d{1,2}[./]\d{1,2}[./]\d{2,4})\b.*<[^<>\s]+@[^<>\s]+>:\Z")
_SEPARATOR = re.compile(
    r"\s*-{2,}\s*(?:Original Message|Original[ -]?Nachricht|Ursprüngliche Nachricht|Message d['’]origine|Message original|Mensaje original"
    r"|Messaggio originale|Mensagem original)\s*-{2,}\s*\Z",
    re.IGNORECASE,
)
_LABELS = {
    "from": "from|von|de|da",
    "date": "sent|date|gesendet|datum|envoyé|enviado|enviado el|enviada em|fecha|data|inviato",
    "subject": "subject|betreff|objet|asunto|oggetto|assunto",
}
_HEADERS = {name: re.compile(rf"\s*\**(?:{words})\s?\**:\**(?:\s|\Z)", re.IGNORECASE) for name, words in _LABELS.items()}
_RULE = re.compile(r"\s*[_\-=*]{5,}\s*\Z")
_DASHES = re.compile(r"--\s*\Z")
_DEVICE = re.compile(
    r"\s*(?:Sent from (?:my|Yahoo|Outlook|Mail|Gmail|Samsung|Proton)\b|Get Outlook for\b|Von meinem\b.*\bgesendet|Gesendet (?:von|mit)\b"
    r"|(?:Holen Sie sich )?Outlook für\b|Diese Nachricht wurde von meinem\b|Envoyé (?:de|depuis|à partir de)\b|Télécharger Outlook\b"
    r"|Enviado (?:desde|do|de|a partir do)\b|Obtener Outlook\b|Obter o Outlook\b|Inviato (?:da|dal)\b|Scarica Outlook\b|Ottieni Outlook\b)",
    re.IGNORECASE,
)
_CLOSING = re.compile(
    r"\s*(?:(?:best|kind|warm|many)(?: regards| wishes)|kindest regards|regards|yours (?:sincerely|faithfully|truly)|sincerely(?: yours)?"
    r"|mit (?:freundlichen|besten|lieben|herzlichen) grü(?:ß|ss)en|(?:freundliche|viele|beste|liebe|herzliche) grü(?:ß|ss)e|mfg|vg|lg"
    r"|(?:bien )?cordialement|(?:sincères|meilleures|cordiales) salutations|bien à vous|(?:un )?(?:cordial )?saludos?(?: cordiales)?|atentamente"
    r"|(?:cordiali|distinti) saluti|cordialmente|atenciosamente|(?:com os )?(?:melhores )?cumprimentos)[\s,.!]*\Z",
    re.IGNORECASE,
)
_SIGNATURE_LINES, _SIGNATURE_WIDTH, _DEVICE_WIDTH = 8, 70, 120
_BLANKS = re.compile(r"[ \t\r\f\v\u00a0]+")


def html_to_text(html: str) -> str:
    """The words of an HTML body, a line for each block; what it quotes is marked with `>`, as in plain text.

    Not by html.parser: text that strangers wrote makes it raise, or take time that grows with the square of the length.
    """
    from html import unescape

    parts: list[str] = []
    quoted = 0
    for tag, words in _read_tags(html[:HTML_LIMIT]):
        quoted = min(max(quoted + {"blockquote": 1, "/blockquote": -1}.get(tag, 0), 0), 3)
        parts += ["\n" + "> " * quoted] if tag.lstrip("/") in _BLOCKS else []
        parts.append(re.sub(r"\s+", " ", unescape(_LONG_NUMBER.sub("\ufffd", words))))
    return tidy("".join(parts))


def _read_tags(html: str) -> Iterator[tuple[str, str]]:
    """Each tag's name (`/p` where it ends) with the words after it. What is in comments, scripts and styles is passed over."""
    tag, position = "", 0
    while (found := _TAG.search(html, position)) is not None:
        yield tag, html[position : found.start()]
        tag, position = (found[1] or "").lower(), found.end()
        closing = _COMMENT_END if found[0] == "<!--" else _ENDS.get(tag)
        if closing is not None:
            end = closing.search(html, position)
            if end is None:
                return
            tag, position = "", end.end()
    yield tag, html[position:]


def tidy(text: str) -> str:
    """Lines ended by a newline, without blanks at their ends; never more than one empty line, none at the ends."""
    lines = [_BLANKS.sub(" ", line).strip() for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n")]
    kept = [line for line, before in zip(lines, ["", *lines], strict=False) if line or before]
    return "\n".join(kept).strip()[:TEXT_LIMIT]


def strip_reply(text: str) -> str:
    """What is new in an e-mail's text. Empty if all of it is quoted."""
    lines = strip_signature(_drop_quotes(tidy(text).split("\n")))
    return tidy("\n".join(lines))


def strip_signature(lines: Sequence[str]) -> list[str]:
    """Without what stands after `--`, a closing formula with a few short lines, or the device's own line at the end."""
    dashes = next((index for index, line in enumerate(lines) if _DASHES.match(line) and any(lines[:index])), len(lines))
    kept = _without_device(list(lines[:dashes]))
    written = [index for index, line in enumerate(kept) if line]
    for index in written[-_SIGNATURE_LINES - 1 :]:
        if _CLOSING.match(kept[index]) and all(len(line) <= _SIGNATURE_WIDTH for line in kept[index:]) and any(kept[:index]):
            return _without_device(kept[:index])
    return kept


def _without_device(lines: list[str]) -> list[str]:
    while lines and (not lines[-1] or _RULE.match(lines[-1]) or (len(lines[-1]) <= _DEVICE_WIDTH and _DEVICE.match(lines[-1]))):
        lines.pop()
    return lines


def _drop_quotes(lines: Sequence[str]) -> list[str]:
    """Up to the first quotation whose end cannot be seen; of one that is marked with `>` only the marked lines go, as answers may stand between."""
    kept: list[str] = []
    index, marked = 0, False
    while index < len(lines):
        length = _attribution_length(lines, index)
        follows = _is_quote(_next_written(lines, index + length))
        words = " ".join(lines[index : index + length])
        if _SEPARATOR.match(lines[index]) or _is_header_block(lines, index) or (length and not follows and _is_certain(words)):
            return _without_rule(kept)
        if length and follows:
            marked = True
        elif not (_is_quote(lines[index]) and (marked or _is_run(lines, index))):
            kept.append(lines[index])
        index += max(length if follows else 1, 1)
    return kept


def _attribution_length(lines: Sequence[str], index: int) -> int:
    """How many lines, at most three, say who wrote what follows; 0 if they do not."""
    words = ""
    for length in range(1, min(3, len(lines) - index) + 1):
        line = lines[index + length - 1]
        words = f"{words} {line}".strip()
        if not line or len(words) > _LINE_LIMIT or _is_quote(line):
            return 0
        if line.endswith(":"):
            return length if _VERB.search(words) or _DATED_SENDER.match(words) else 0
        if length == 1 and not (_OPENER.match(line) or "<" in line or _VERB.search(line)):
            return 0
    return 0


def _is_certain(words: str) -> bool:
    """What a mail program puts there and people hardly do: when, or an address in brackets."""
    return bool(_BRACKETED.search(words) or (_OPENER.match(words) and (_WHEN.search(words) or _ADDRESS.search(words))))


def _is_header_block(lines: Sequence[str], index: int) -> bool:
    """Outlook's From, Sent, To and Subject. A date and a subject must be among them: people write "From: Rome, To: Paris" themselves."""
    if not _HEADERS["from"].match(lines[index]):
        return False
    following = lines[index + 1 : index + 9]
    end = following.index("") if "" in following else len(following)
    return all(any(_HEADERS[name].match(line) for line in following[:end]) for name in ("date", "subject"))


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
