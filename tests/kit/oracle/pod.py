"""The state of a pod: records by resource, messages below service requests, and Fusion's rules when writing them."""

from __future__ import annotations

import base64
import binascii
import copy
import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from tests.kit.oracle.errors import AdfError, locked, not_found, unknown_attribute
from tests.kit.oracle.schema import ATTRIBUTES, FINAL, KEYS, LOOKUPS, READ_ONLY, STAMPS

BRIDGE, PERSON = "CX.BRIDGE", "MIRA.HOLT"
Row = dict[str, Any]


class Pod:
    """`clock` is its time; `locked` says how many more writes to a service request are refused; `unique` are attributes that an upsert matches too."""

    def __init__(self, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.clock, self.next_id, self.locked = clock, 300_000_000_000_001, dict[str, int]()
        self.tables: dict[str, dict[int, Row]] = {resource: {} for resource in ATTRIBUTES}
        self.custom: dict[str, dict[str, str]] = {resource: {} for resource in ATTRIBUTES}
        self.unique: set[tuple[str, str]] = set()

    def attributes(self, resource: str) -> dict[str, str]:
        if resource not in ATTRIBUTES:
            raise not_found(resource)
        return {**ATTRIBUTES[resource], **STAMPS, **self.custom[resource]}

    def check(self, resource: str, name: str) -> str:
        """The type of an attribute, by its exact name."""
        known = self.attributes(resource)
        if name not in known:
            raise unknown_attribute(resource, name)
        return known[name].partition(":")[0]

    def add_field(self, resource: str, name: str, kind: str) -> None:
        self.custom[resource][name] = kind

    def drop_field(self, resource: str, name: str) -> None:
        del self.custom[resource][name]
        for row in self.tables[resource].values():
            row.pop(name, None)

    # Records.
    def rows(self, resource: str) -> list[Row]:
        self.attributes(resource)
        return list(self.tables[resource].values())

    def find(self, resource: str, key: str) -> Row:
        name = KEYS[resource][1] if resource in KEYS else ""
        found = next((row for row in self.rows(resource) if str(row[name]) == key), None)
        if found is None:
            raise not_found(resource)
        return found

    def by_id(self, resource: str, record_id: str) -> Row:
        return self.tables[resource][int(record_id)]

    def create(self, resource: str, values: Mapping[str, Any], user: str, parent: Row | None = None) -> Row:
        own, number, prefix = KEYS[resource]
        kept, children = self._kept(resource, values)
        record_id, self.next_id = self.next_id, self.next_id + 1
        row: Row = {own: record_id, **({number: f"{prefix}{record_id % 10**10:010d}"} if number != own else {})}
        row |= {"CreationDate": self._now(), "CreatedBy": user}
        if resource == "serviceRequests":
            row |= {"StatusCd": "ORA_SVC_NEW", "SeverityCd": "ORA_SVC_SEV3"}
            if not kept.get("Title"):
                raise AdfError(400, "Attribute Title in ServiceRequest is required.", "27014", "/Title")
        if resource == "contacts" and not kept.get("LastName"):
            raise AdfError(400, "Attribute LastName in Contact is required.", "27014", "/LastName")
        if parent is not None:
            row["SrId"] = parent["SrId"]
        self._check_unique(resource, kept, record_id)
        self.tables[resource][record_id] = row
        self._store(resource, row, kept, user)
        for message in children:
            self.create("messages", message, user, row)
        if parent is not None:
            self._stamp(parent, user)
        return row

    def update(self, resource: str, row: Row, values: Mapping[str, Any], user: str) -> Row:
        kept, children = self._kept(resource, values)
        self._check_open(resource, row)
        self._check_unique(resource, kept, row[KEYS[resource][0]])
        self._store(resource, row, kept, user)
        for message in children:
            self.create("messages", message, user, row)
        return row

    def upsert(self, resource: str, values: Mapping[str, Any], user: str) -> tuple[Row, bool]:
        """By the number, or by attributes that are unique."""
        names = [KEYS[resource][1], *(name for known, name in self.unique if known == resource)]
        for row in self.rows(resource):
            if any(values.get(name) and row.get(name) == values[name] for name in names):
                return self.update(resource, row, values, user), False
        return self.create(resource, values, user), True

    def delete(self, resource: str, row: Row) -> None:
        del self.tables[resource][row[KEYS[resource][0]]]

    def messages(self, row: Row) -> list[Row]:
        return [message for message in self.rows("messages") if message["SrId"] == row["SrId"]]

    @contextmanager
    def whole(self) -> Iterator[None]:
        """All or nothing."""
        before, next_id = copy.deepcopy(self.tables), self.next_id
        try:
            yield
        except AdfError:
            self.tables, self.next_id = before, next_id
            raise

    def add_message(self, row: Row, values: Mapping[str, Any], user: str) -> Row:
        self._check_open("serviceRequests", row)
        return self.create("messages", values, user, row)

    def delete_message(self, row: Row, message: Row, user: str) -> None:
        self._check_open("serviceRequests", row)
        self.delete("messages", message)
        self._stamp(row, user)

    def etag(self, row: Row) -> str:
        return hashlib.md5(repr(sorted(row.items(), key=str)).encode(), usedforsecurity=False).hexdigest()

    # What a value must be.
    def _kept(self, resource: str, values: Mapping[str, Any]) -> tuple[Row, list[Mapping[str, Any]]]:
        kept, children = dict[str, Any](), list[Mapping[str, Any]]()
        for name, value in values.items():
            if resource == "serviceRequests" and name == "messages":
                children = value.get("items", []) if isinstance(value, Mapping) else value
                continue
            kind = self.check(resource, name)
            if name in STAMPS or name in READ_ONLY or (name == KEYS[resource][0] and resource != "messages"):
                raise AdfError(400, f"Attribute {name} in {resource} is read-only.", "27009", f"/{name}")
            kept[name] = self._value(resource, name, kind, value)
        return kept, children

    def _value(self, resource: str, name: str, kind: str, value: Any) -> Any:
        if value is None:
            return None
        wrong = AdfError(400, f"The value of attribute {name} is not valid.", "27011", f"/{name}")
        if kind in ("integer", "number"):
            if isinstance(value, bool) or not isinstance(value, int | float) or (kind == "integer" and not isinstance(value, int)):
                raise wrong
            return value
        if not isinstance(value, str) or (name in LOOKUPS and value not in LOOKUPS[name]):
            raise wrong
        length = self.attributes(resource)[name].partition(":")[2]
        if (length and len(value.encode()) > int(length) * 4) or "\x00" in value or any("\ud800" <= char <= "\udfff" for char in value):
            raise AdfError(400, f"The value of attribute {name} is too long or has characters that cannot be kept.", "27010", f"/{name}")
        return self._convert(kind, value, wrong)

    def _convert(self, kind: str, value: str, wrong: AdfError) -> str:
        try:
            if kind == "lob":
                return base64.b64decode(value, validate=True).decode()
            if kind in ("datetime", "date"):
                datetime.fromisoformat(value)
        except (binascii.Error, ValueError):
            raise wrong from None
        return value

    def _check_unique(self, resource: str, values: Mapping[str, Any], record_id: int) -> None:
        for name in (name for known, name in self.unique if known == resource and values.get(name)):
            if any(row.get(name) == values[name] and key != record_id for key, row in self.tables[resource].items()):
                raise AdfError(400, f"JBO-25013: A record with that value of {name} already exists.", "25013", f"/{name}")

    def _check_open(self, resource: str, row: Row) -> None:
        if resource != "serviceRequests":
            return
        if self.locked.get(row["SrNumber"], 0) > 0:
            self.locked[row["SrNumber"]] -= 1
            raise locked()
        if row["StatusCd"] == FINAL:
            raise AdfError(400, "You can't update a closed service request.", "SVC-2360174")

    def _store(self, resource: str, row: Row, values: Mapping[str, Any], user: str) -> None:
        row |= values
        if resource == "contacts":
            row["ContactName"] = " ".join(filter(None, [row.get("FirstName"), row.get("LastName")]))
            row |= {f"Formatted{name}": row.get(name) for name in ("MobileNumber", "WorkPhoneNumber")}
        self._stamp(row, user)

    def _stamp(self, row: Row, user: str) -> None:
        row |= {"LastUpdateDate": self._now(), "LastUpdatedBy": user}

    def _now(self) -> str:
        moment = self.clock().astimezone(UTC)
        return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}+00:00"
