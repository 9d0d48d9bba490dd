"""Cloud for Customer: OData v2 of one service, Basic login, CSRF tokens for every write, results in `d`, times in milliseconds, numbers as texts."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit
from uuid import uuid4

from tests.kit.sap.batch import answer_batch
from tests.kit.sap.filters import bad_query, select
from tests.kit.sap.tenant import APP, Row, SapError, Sessions, Table, Tenant
from tests.kit.sap.v2 import ACCOUNT, CASE, PROFILE, _texts, extensions
from tests.kit.simulated import Call, Reply
from tests.kit.simulated import Simulator as Base

ROOT, MOST, LONG, SHORT = "/sap/c4c/odata/v1/c4codataapi", 1_000, 60_000, 255
STAMPS = ("EntityLastChangedOn", "ChangedBy")
_STAMPED = {"EntityLastChangedOn": "time", "ChangedBy": "string"}
_MILLIS = re.compile(r"/Date\((-?\d+)\)/")
_TARGET = re.compile(r"(\w+Collection)(?:\((?:ObjectID=)?'((?:[^']|'')*)'\))?")
CASES, TEXTS, CONTACTS, ACCOUNTS, LEADS, DEALS, CONTRACTS = (
    "ServiceRequestCollection", "ServiceRequestTextCollectionCollection", "ContactCollection", "CorporateAccountCollection", "LeadCollection",
    "OpportunityCollection", "ContractCollection",
)  # fmt: skip
NUMBERED = {CASES: "ID", CONTACTS: "ContactID", ACCOUNTS: "AccountID", LEADS: "ID"}
EXPAND = "ServiceRequestTextCollection"
LONG_COLUMNS = ("CXReasons_KUT", "CXHandles_KUT", "CXLink_KUT", "Text")


def tables() -> dict[str, Table]:
    case = {
        **_texts(
            "ObjectID", "ID", "Name", "ProcessingTypeCode", "DataOriginTypeCode", "ServicePriorityCode", "ServiceRequestUserLifeCycleStatusCode",
            "ProcessorPartyID", "ProcessorPartyName", "ServiceSupportTeamPartyID", "BuyerPartyID", "BuyerMainContactPartyID",
        ), EXPAND: "list", **_STAMPED, **extensions(CASE, "{}_KUT"),
    }  # fmt: skip
    contact = {
        **_texts("ObjectID", "ContactID", "AccountID", "Name", "FirstName", "LastName", "Email", "Phone", "Mobile", "NormalisedPhone", "NormalisedMobile"),
        **_STAMPED, **extensions(("handles", "customer_key", *PROFILE), "{}_KUT"),
    }  # fmt: skip
    account = {**_texts("ObjectID", "AccountID", "Name", "OwnerName"), **_STAMPED, **extensions(ACCOUNT, "{}_KUT")}
    lead = {**_texts("ObjectID", "ID", "Name", "ContactFirstName", "ContactLastName", "ContactEMail", "ContactPhone"), **_STAMPED}
    text = {**_texts("ObjectID", "ParentObjectID", "TypeCode", "Text", "CreatedBy"), "UpdatedOn": "time"}
    deal = {**_texts("ObjectID", "ProspectPartyID", "LifeCycleStatusCode", "ExpectedRevenueAmountCurrencyCode"), "ExpectedRevenueAmount": "number", **_STAMPED}
    contract = {**_texts("ObjectID", "BuyerPartyID", "LifeCycleStatusCode"), "EndDate": "time", **_STAMPED}
    fixed = ("ObjectID", *_STAMPED)
    return {
        CASES: Table("ServiceRequest", "ObjectID", case, STAMPS, ("Name",), (*fixed, "ID", "ProcessorPartyName")),
        TEXTS: Table(
            "ServiceRequestTextCollection", "ObjectID", text, ("UpdatedOn", "CreatedBy"), ("TypeCode", "Text"), ("ObjectID", "UpdatedOn", "CreatedBy")
        ),
        CONTACTS: Table("Contact", "ObjectID", contact, STAMPS, ("LastName",), (*fixed, "ContactID", "Name")),
        ACCOUNTS: Table("CorporateAccount", "ObjectID", account, STAMPS, (), (*fixed, "AccountID")),
        LEADS: Table("Lead", "ObjectID", {**lead, **extensions(("customer_key",), "{}_KUT")}, STAMPS, ("Name",), (*fixed, "ID")),
        DEALS: Table("Opportunity", "ObjectID", deal, STAMPS),
        CONTRACTS: Table("Contract", "ObjectID", contract, STAMPS),
    }


_METADATA = """<?xml version="1.0" encoding="utf-8"?>
<edmx:Edmx Version="1.0" xmlns:edmx="http://schemas.microsoft.com/ado/2007/06/edmx" xmlns:sap="http://www.sap.com/Protocols/SAPData"
  xmlns:m="http://schemas.microsoft.com/ado/2007/08/dataservices/metadata"><edmx:DataServices m:DataServiceVersion="2.0">
<Schema Namespace="c4codataapi" xmlns="http://schemas.microsoft.com/ado/2008/09/edm">{types}
<Association Name="Case_Texts">{kinds}</Association>
<EntityContainer Name="c4codataapi" m:IsDefaultEntityContainer="true">{sets}
<AssociationSet Name="Case_TextsSet" Association="c4codataapi.Case_Texts">{places}</AssociationSet></EntityContainer>
</Schema></edmx:DataServices></edmx:Edmx>"""
_EDM = {"string": 'Type="Edm.String"', "number": 'Type="Edm.Decimal" Precision="28" Scale="6"', "time": 'Type="Edm.DateTimeOffset"'}


def _entity_type(table: Table) -> str:
    properties = "".join(
        f'<Property Name="{column}" {_EDM[kind]} Nullable="{str(column != table.key).lower()}"/>' for column, kind in table.columns.items() if kind != "list"
    )
    link = (
        f'<NavigationProperty Name="{EXPAND}" Relationship="c4codataapi.Case_Texts" FromRole="ServiceRequest" ToRole="{EXPAND}"/>'
        if table.name == "ServiceRequest"
        else ""
    )
    return f'<EntityType Name="{table.name}"><Key><PropertyRef Name="{table.key}"/></Key>{properties}{link}</EntityType>'


class C4c(Base):
    content_type = "application/json; charset=utf-8"
    has_batches = True

    def __init__(self, clock: Callable[[], datetime]) -> None:
        super().__init__()
        self.tenant, self.sessions, self.logins = Tenant(tables(), clock, lambda: uuid4().hex.upper()), Sessions(), 0

    def answer(self, call: Call) -> Reply:
        if not self.sessions.is_user(call):
            return Reply(401, "<html><body>Logon failed</body></html>", {"WWW-Authenticate": 'Basic realm="SAP"', "Content-Type": "text/html"})
        try:
            return self._with_csrf(call)
        except SapError as error:
            return _refusal(error)

    def _with_csrf(self, call: Call) -> Reply:
        if call.method == "GET" and (call.headers.get("x-csrf-token") or "").lower() == "fetch":
            self.logins += 1
            cookie, token = self.sessions.begin()
            reply = self._route(call)
            cookies = f"SAP_SESSIONID={cookie}; path=/; secure; HttpOnly, sap-usercontext=sap-client=041; path=/"
            return Reply(reply.status, reply.body, {**reply.headers, "x-csrf-token": token, "Set-Cookie": cookies})
        if call.method != "GET" and not self.sessions.may_write(call):
            return Reply(403, "CSRF token validation failed", {"x-csrf-token": "Required", "Content-Type": "text/plain"})
        if call.path == f"{ROOT}/$batch":
            return answer_batch(call, ROOT, self._answer_part, self.tenant)
        return self._route(call)

    def _answer_part(self, call: Call) -> Reply:
        try:
            if self.part_fails():
                raise SapError(503, "BUSY", "The server is too busy for this part")
            return self._route(call)
        except SapError as error:
            return _refusal(error)

    def _route(self, call: Call) -> Reply:
        target = unquote(call.path.removeprefix(f"{ROOT}/"))
        options = {name[1:]: value for name, value in parse_qsl(urlsplit(call.target).query, keep_blank_values=True) if name.startswith("$")}
        if target == "$metadata":
            return Reply(200, self._describe(), {"Content-Type": "application/xml"})
        if target == "":
            return Reply(200, {"d": {"EntitySets": list(self.tenant.tables)}})
        found = _TARGET.fullmatch(target)
        table = self.tenant.tables.get(found[1]) if found else None
        if not found or table is None:
            raise SapError(404, "005056A509B11EE1B9A8FEC11C21578E", f"Invalid resource path {target}")
        if call.method == "GET" and options.get("format") != "json":
            return Reply(200, "<feed/>", {"Content-Type": "application/atom+xml"})
        return self._collection(call, found[1], table, options) if found[2] is None else self._record(call, found[1], table, found[2], options)

    def _collection(self, call: Call, name: str, table: Table, options: dict[str, str]) -> Reply:
        if call.method == "POST":
            row = self._create(name, table, call.body)
            return Reply(201, {"d": {"results": self._show(name, table, row)}}, {"location": f"{self.url}{ROOT}/{name}('{row['ObjectID']}')"})
        rows, count = select(table, options, True, MOST)
        shown = {"results": [self._show(name, table, row, options.get("expand", "")) for row in rows]}
        return Reply(200, {"d": {**shown, **({"__count": str(count)} if options.get("inlinecount") == "allpages" else {})}})

    def _record(self, call: Call, name: str, table: Table, object_id: str, options: Mapping[str, str]) -> Reply:
        row = table.rows.get(object_id)
        if row is None:
            raise SapError(404, "NOT_FOUND", f"Resource not found for {table.name}")
        if call.method == "GET":
            return Reply(200, {"d": {"results": self._show(name, table, row, options.get("expand", ""))}}, {"etag": self._etag(row)})
        if call.method == "DELETE":
            self.tenant.delete(name, object_id)
            return Reply(204)
        if (call.headers.get("If-Match") or "*") not in ("*", self._etag(row)):
            raise SapError(412, "PRECONDITION_FAILED", "The condition of the request was not met")
        self.tenant.refuse_locked(object_id, 400)
        values = self._values(table, call.body)
        self.tenant.edit(name, object_id, {**values, **_derived(name, {**row, **values})}, APP)
        return Reply(204)

    def _create(self, name: str, table: Table, body: Any, parent: str = "") -> Row:
        plain = {key: value for key, value in body.items() if key != EXPAND} if isinstance(body, dict) else body
        values = {**self._values(table, plain), **({"ParentObjectID": parent} if parent else {})}
        for column in table.required:
            if not values.get(column):
                raise SapError(400, "MANDATORY", f"Property {column} is mandatory", column)
        if name == TEXTS and values.get("ParentObjectID") not in self.tenant.tables[CASES].rows:
            raise SapError(404, "NOT_FOUND", "The parent does not exist")
        made = {NUMBERED[name]: self.tenant.number()} if name in NUMBERED else {}
        usual = {"ServicePriorityCode": "3", "ServiceRequestUserLifeCycleStatusCode": "1"} if name == CASES else {}
        children = body.get(EXPAND, [])
        for child in children:
            self._values(self.tenant.tables[TEXTS], child)
        row = self.tenant.add(name, {**made, **usual, **values, **_derived(name, values)}, APP)
        for child in children:
            self._create(TEXTS, self.tenant.tables[TEXTS], child, row["ObjectID"])
        return row

    # ---- what is written and shown

    def _values(self, table: Table, body: Any) -> Row:
        if not isinstance(body, dict):
            raise SapError(400, "INVALID_BODY", "An object is needed")
        return {column: self._value(table, column, value) for column, value in body.items()}

    def _value(self, table: Table, column: str, value: Any) -> Any:
        if column not in table.columns or table.kind(column) == "list":
            raise bad_query(f"Property {column} is invalid", column)
        if column in table.fixed:
            raise SapError(400, "READ_ONLY", f"Property {column} cannot be changed", column)
        if column in ("BuyerPartyID", "AccountID") and value and not any(row["AccountID"] == value for row in self.tenant.tables[ACCOUNTS].rows.values()):
            raise SapError(400, "PARTY", f"Party {value} does not exist", column)
        if value is None:
            return None
        return _READERS[table.kind(column)](column, value)

    def _show(self, name: str, table: Table, row: Row, expand: str = "") -> Row:
        shown = {column: _shown(row.get(column)) for column, kind in table.columns.items() if kind != "list"}
        shown["__metadata"] = {"uri": f"{self.url}{ROOT}/{name}('{row['ObjectID']}')", "type": f"c4codataapi.{table.name}", "etag": self._etag(row)}
        if name == CASES:
            shown[EXPAND] = (
                [self._show(TEXTS, self.tenant.tables[TEXTS], text) for text in self.texts(row["ObjectID"])] if expand == EXPAND else {"__deferred": {}}
            )
        return shown

    def texts(self, case_id: str) -> Iterator[Row]:
        return (row for row in self.tenant.tables[TEXTS].rows.values() if row["ParentObjectID"] == case_id)

    def _etag(self, row: Row) -> str:
        changed = row.get("EntityLastChangedOn") or row["UpdatedOn"]
        stamp = quote(changed.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S"), safe="")
        return f"W/\"datetimeoffset'{stamp}.{self.tenant.version(row['ObjectID']):07}Z'\""

    def _describe(self) -> str:
        types = "".join(map(_entity_type, self.tenant.tables.values()))
        sets = "".join(f'<EntitySet Name="{name}" EntityType="c4codataapi.{table.name}"/>' for name, table in self.tenant.tables.items())
        ends = [("ServiceRequest", CASES, "1"), ("ServiceRequestTextCollection", TEXTS, "*")]
        kinds = "".join(f'<End Type="c4codataapi.{name}" Multiplicity="{many}" Role="{name}"/>' for name, _, many in ends)
        places = "".join(f'<End EntitySet="{place}" Role="{name}"/>' for name, place, _ in ends)
        return _METADATA.format(types=types, sets=sets, kinds=kinds, places=places)


def _read_text(column: str, value: Any) -> str:
    if not isinstance(value, str) or "\x00" in value or len(value) > (LONG if column in LONG_COLUMNS else SHORT):
        raise SapError(400, "VALUE", f"Property {column} has a value that cannot be stored", column)
    return value


def _read_number(column: str, value: Any) -> str:
    try:
        if isinstance(value, str) and Decimal(value).is_finite():
            return value
    except InvalidOperation:
        pass
    raise SapError(400, "VALUE", f"Property {column} takes a decimal as text", column)


def _read_moment(column: str, value: Any) -> datetime:
    found = _MILLIS.fullmatch(value) if isinstance(value, str) else None
    if not found:
        raise SapError(400, "VALUE", f"Property {column} takes milliseconds", column)
    return datetime.fromtimestamp(int(found[1]) / 1000, UTC)


_READERS: Mapping[str, Callable[[str, Any], Any]] = {"string": _read_text, "number": _read_number, "time": _read_moment}


def _shown(value: Any) -> Any:
    if isinstance(value, datetime):
        return f"/Date({int(value.timestamp() * 1000)})/"
    return "" if value is None else value


def _derived(name: str, values: Mapping[str, Any]) -> Row:
    if name != CONTACTS:
        return {}
    found = {"Name": " ".join(filter(None, [values.get("FirstName"), values.get("LastName")]))}
    return found | {f"Normalised{each}": "+" + re.sub(r"\D", "", values[each]) for each in ("Phone", "Mobile") if values.get(each)}


def _refusal(error: SapError) -> Reply:
    return Reply(error.status, {"error": {"code": error.code, "message": {"lang": "en", "value": error.message}}})
