"""Outbound messages: SOAP that strangers may send, read without documents' own definitions, so that nothing expands and nothing is fetched."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NoReturn
from xml.etree.ElementTree import Element, ParseError, TreeBuilder, XMLParser

from caseline.errors import PayloadError
from caseline.payloads import clean_text

ENVELOPE = "{http://schemas.xmlsoap.org/soap/envelope/}"
OUTBOUND = "{http://soap.sforce.com/2005/09/outbound}"
TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"
MAX_ELEMENTS, MAX_DEPTH, MAX_NOTIFICATIONS = 20_000, 16, 100
ACK = (
    '<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"><soapenv:Body>'
    '<notificationsResponse xmlns="http://soap.sforce.com/2005/09/outbound"><Ack>true</Ack></notificationsResponse></soapenv:Body></soapenv:Envelope>'
)


class _Builder(TreeBuilder):
    """Refuses what no SOAP message has, at its first sign."""

    def __init__(self) -> None:
        super().__init__()
        self._depth = self._count = 0

    def doctype(self, name: str, pubid: str | None, system: str | None) -> NoReturn:
        raise PayloadError("the body has a document type")

    def start(self, tag: Any, attrs: Any, /) -> Element:
        self._depth, self._count = self._depth + 1, self._count + 1
        if self._depth > MAX_DEPTH or self._count > MAX_ELEMENTS:
            raise PayloadError("the body is nested too deeply or too long")
        return super().start(tag, attrs)

    def end(self, tag: Any, /) -> Element:
        self._depth -= 1
        return super().end(tag)


def read_notifications(body: bytes) -> Element:
    """The message's one `notifications`. PayloadError for anything else."""
    parser = XMLParser(target=_Builder())  # noqa: S314 - without document types there are no entities
    try:
        parser.feed(body)
        root = parser.close()
    except (ParseError, ValueError, LookupError) as error:
        raise PayloadError("the body is not XML") from error
    found = root.find(f"{ENVELOPE}Body/{OUTBOUND}notifications") if root.tag == f"{ENVELOPE}Envelope" else None
    if found is None:
        raise PayloadError("the body is no outbound message")
    return found


def organization_of(notifications: Element) -> str:
    return (notifications.findtext(f"{OUTBOUND}OrganizationId") or "").strip()


def records_of(notifications: Element) -> Iterator[tuple[str, str, dict[str, str]]]:
    """Of each notification its id, the object's name and the fields that were sent, without their namespace."""
    found = notifications.findall(f"{OUTBOUND}Notification")
    if len(found) > MAX_NOTIFICATIONS:
        raise PayloadError("more than 100 notifications")
    for each in found:
        record = each.find(f"{OUTBOUND}sObject")
        if record is None:
            raise PayloadError("is required", "Notification.sObject")
        fields = {field.tag.partition("}")[2] or field.tag: clean_text((field.text or "").strip()) for field in record}
        yield clean_text((each.findtext(f"{OUTBOUND}Id") or "").strip()), (record.get(TYPE) or "").rpartition(":")[2], fields
