"""What agents said: notes of a ticket, and the e-mails that they sent from it, which the customer sees."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from caseline.crm import Change
from caseline.crm._marks import MARK
from caseline.crm.hubspot._api import Api, Record, text_of
from caseline.crm.hubspot._place import read_time
from caseline.markup import strip_tags

COMMENT_COLUMNS = {
    "notes": ("hs_note_body", "hs_createdate", "hubspot_owner_id"),
    "emails": ("hs_email_text", "hs_createdate", "hubspot_owner_id", "hs_email_direction", "hs_email_status"),
}  # fmt: skip
SENT_BY_AGENT = "EMAIL"
UNSENT = ("SCHEDULED", "FAILED", "BOUNCED")  # nobody has read it


class Comments:
    def __init__(self, api: Api, key: str) -> None:
        self._api, self._key = api, key

    def tell(self, kind: str, rows: Sequence[Record]) -> Iterator[Change]:
        """Of tickets of ours alone, and neither what we wrote nor what the customer did."""
        texts = {row["id"]: text for row in rows if (text := _words(kind, row))}
        tickets = self._api.associated(kind, "tickets", list(texts))
        keys = self._keys(sorted(set(tickets.values())))
        for row in rows:
            ticket_id = tickets.get(row["id"], "")
            if keys.get(ticket_id):
                told = {"comment_id": row["id"], "text": texts[row["id"]], "public": _is_public(row)}
                at = read_time(text_of(row, "hs_createdate"))
                yield Change("comment", ticket_id, at, keys[ticket_id], told, text_of(row, "hubspot_owner_id"), row["id"])

    def _keys(self, ids: Sequence[str]) -> dict[str, str]:
        return {ticket["id"]: text_of(ticket, self._key) for ticket in self._api.read_many("tickets", ids, [self._key])} if ids else {}


def _is_public(row: Record) -> bool:
    return text_of(row, "hs_email_direction") == SENT_BY_AGENT and text_of(row, "hs_email_status") not in UNSENT


def _words(kind: str, row: Record) -> str:
    """A note's body is HTML, an e-mail has its plain text beside it; one that came in is the customer's."""
    text = text_of(row, COMMENT_COLUMNS[kind][0])
    if kind == "emails":
        return text.strip() if _is_public(row) else ""
    return "" if MARK in text else strip_tags(text)
