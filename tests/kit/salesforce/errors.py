"""Salesforce's error shape: an array of {message, errorCode, fields}."""

from __future__ import annotations

from typing import Any


class SalesforceError(Exception):
    def __init__(self, status: int, code: str, message: str, fields: list[str] | None = None, **more: Any) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.fields, self.more = status, code, message, fields, more

    def body(self) -> list[dict[str, Any]]:
        fields = {} if self.fields is None else {"fields": self.fields}
        return [{"message": self.message, "errorCode": self.code, **fields, **self.more}]


CUSTOM = "If you are attempting to use a custom field, be sure to append the '__c' after the custom field name."


def at(query: str, word: str) -> str:
    """Salesforce shows the query and where in it the fault is."""
    return f"\n{query[:120]}\n ^\nERROR at Row:1:Column:{max(1, query.find(word) + 1)}\n"


def malformed(message: str) -> SalesforceError:
    return SalesforceError(400, "MALFORMED_QUERY", message)


def no_column(column: str, entity: str, query: str = "") -> SalesforceError:
    tail = "Please reference your WSDL or the describe call for the appropriate names."
    return SalesforceError(400, "INVALID_FIELD", f"{at(query, column)}No such column '{column}' on entity '{entity}'. {CUSTOM} {tail}")
