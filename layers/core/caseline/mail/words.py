"""What mail programs write around somebody's words, by language: a row of patterns each. Another language is another row."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Language:
    """Patterns without regard to case: what says that somebody wrote (`On Monday Ann wrote:`), with what such a line begins, what stands between dashes over
    a quoted mail, the labels of its headers, how telephones and programs name themselves, and how letters are closed."""

    verb: str = ""
    opener: str = ""
    separator: str = ""
    sender: str = ""
    date: str = ""
    subject: str = ""
    device: str = ""
    closing: str = ""


LANGUAGES = {
    "English": Language(
        "wrote|writes", "On", "Original Message", "from", "sent|date", "subject",
        r"Sent from (?:my|Yahoo|Outlook|Mail|Gmail|Samsung|Proton)\b|Get Outlook for\b",
        "(?:best|kind|warm|many)(?: regards| wishes)|kindest regards|regards|yours (?:sincerely|faithfully|truly)|sincerely(?: yours)?",
    ),
    "German": Language(
        "schrieb|schrieben|geschrieben", "Am", "Original[ -]?Nachricht|Ursprüngliche Nachricht", "von", "gesendet|datum", "betreff",
        r"Von meinem\b.*\bgesendet|Gesendet (?:von|mit)\b|(?:Holen Sie sich )?Outlook für\b|Diese Nachricht wurde von meinem\b",
        "mit (?:freundlichen|besten|lieben|herzlichen) grü(?:ß|ss)en|(?:freundliche|viele|beste|liebe|herzliche) grü(?:ß|ss)e|mfg|vg|lg",
    ),
    "French": Language(
        "a écrit", "Le", "Message d['’]origine|Message original", "de", "envoyé|date", "objet",
        r"Envoyé (?:de|depuis|à partir de)\b|Télécharger Outlook\b",
        "(?:bien )?cordialement|(?:sincères|meilleures|cordiales) salutations|bien à vous",
    ),
    "Spanish": Language(
        "escribió", "El", "Mensaje original", "de", "enviado(?: el)?|fecha", "asunto", r"Enviado (?:desde|de)\b|Obtener Outlook\b",
        "(?:un )?(?:cordial )?saludos?(?: cordiales)?|atentamente",
    ),
    "Italian": Language(
        "ha scritto", "Il|Il giorno", "Messaggio originale", "da", "inviato|data", "oggetto", r"Inviato (?:da|dal)\b|(?:Scarica|Ottieni) Outlook\b",
        "(?:cordiali|distinti) saluti|cordialmente",
    ),
    "Portuguese": Language(
        "escreveu", "Em|No dia", "Mensagem original", "de", "enviad[ao](?: em)?|data", "assunto", r"Enviado (?:do|a partir do)\b|Obter o Outlook\b",
        "atenciosamente|(?:com os )?(?:melhores )?cumprimentos",
    ),
    "Dutch": Language(
        "schreef|het volgende geschreven", "Op", "Oorspronkelijk bericht", "van", "verzonden|datum", "onderwerp",
        r"(?:Verzonden|Verstuurd) (?:vanaf|vanuit|met|via) (?:mijn|Outlook)\b|Outlook voor\b", "(?:met )?(?:vriendelijke|hartelijke) groet(?:en)?|mvg",
    ),
    "Swedish": Language(
        "skrev", "Den", "Ursprungligt meddelande", "från", "skickat|datum", "ämne", r"Skickat från (?:min|Outlook)\b|Hämta Outlook\b",
        "(?:med )?(?:vänliga?|bästa) hälsning(?:ar)?|mvh",
    ),
    "Danish and Norwegian": Language(
        "skrev", "Den", "Oprindelig meddelelse|Opprinnelig melding", "fra", "sendt|dato", "emne", r"Sendt fra (?:min|Outlook)\b|Hent Outlook\b",
        "(?:med )?(?:venlig|vennlig) hilsen",
    ),
    "Polish": Language(
        "napisała?", "W dniu|Dnia", "Wiadomość oryginalna|Oryginalna wiadomość", "od", "wysłano|data", "temat", r"Wysła(?:ne|no) z\b|Pobierz program Outlook\b",
        "z poważaniem|pozdrawiam",
    ),
    "Czech": Language("napsala?", "Dne", "Původní zpráva", "od", "odesláno|datum", "předmět", r"Odesláno z\b|Získat Outlook\b", "s (?:přátelským )?pozdravem"),
    "Russian": Language(
        "пишет|написала?", "", "Исходное сообщение", "от|от кого", "отправлено|дата", "тема", r"Отправлено (?:с|из)\b",
        "с (?:уважением|наилучшими пожеланиями)",
    ),
    "Chinese": Language(
        "写道|寫道", "在", "原始邮件|原始郵件", "发件人|寄件者|寄件人", "发送时间|日期|寄件日期|傳送時間", "主题|主旨", "发自我的|從我的.*傳送",
    ),
    "Japanese": Language("", "", "元のメッセージ", "差出人", "送信日時|日付", "件名", ".{2,20}から送信"),
}  # fmt: skip


def _any(field: str) -> str:
    return "|".join(words for language in LANGUAGES.values() if (words := getattr(language, field)))


VERB = re.compile(rf"(?:\b|(?<=\d))(?:{_any('verb')})(?!\w)", re.IGNORECASE)
OPENER = re.compile(rf"(?:{_any('opener')})\b", re.IGNORECASE)
SEPARATOR = re.compile(rf"\s*-{{2,}}\s*(?:{_any('separator')})\s*-{{2,}}\s*\Z", re.IGNORECASE)
HEADERS = {name: re.compile(rf"\s*\**(?:{_any(name)})\s?\**(?::\**(?:\s|\Z)|：)", re.IGNORECASE) for name in ("sender", "date", "subject")}
DEVICE = re.compile(rf"\s*(?:{_any('device')})", re.IGNORECASE)
CLOSING = re.compile(rf"\s*(?:{_any('closing')})[\s,.!]*\Z", re.IGNORECASE)
