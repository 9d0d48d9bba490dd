"""Tables of a small Dynamics 365 Customer Service organisation, with the columns that the solution of infra/crm adds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import NAMESPACE_URL, uuid5

OPTION_BASE = 100_000_000
LOOKUPS = ("Lookup", "Customer", "Owner")
TEXTS = ("String", "Memo")
NUMBERS = ("Integer", "BigInt", "Decimal", "Double", "Money", "Picklist", "State", "Status")


@dataclass
class Column:
    """`targets` of a lookup: the navigation property by table. `options` of a choice: label by number."""

    name: str
    type: str
    length: int = 0
    low: float = -2_147_483_648
    high: float = 2_147_483_647
    places: int = 0
    options: Mapping[int, str] = field(default_factory=dict)
    targets: Mapping[str, str] = field(default_factory=dict)
    writable: bool = True
    schema_name: str = ""

    @property
    def property(self) -> str:
        return f"_{self.name}_value" if self.type in LOOKUPS else self.name


@dataclass
class Key:
    name: str
    columns: Sequence[str]
    key_id: str
    status: str = "Active"


@dataclass
class Table:
    """`collections`: the navigation property of one-to-many relations, with the other table and its lookup."""

    name: str
    plural: str
    key: str
    title: str
    columns: dict[str, Column]
    collections: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    keys: list[Key] = field(default_factory=list)
    tracked: bool = True

    @property
    def metadata_id(self) -> str:
        return str(uuid5(NAMESPACE_URL, f"table/{self.name}"))

    def by_property(self, name: str) -> Column | None:
        return next((column for column in self.columns.values() if column.property == name), None)

    def by_navigation(self, name: str) -> tuple[Column, str] | None:
        """The lookup and the table it leads to."""
        found = ((column, table) for column in self.columns.values() for table, navigation in column.targets.items() if navigation == name)
        return next(found, None)


def _columns(*given: Column) -> dict[str, Column]:
    common = [
        Column("createdon", "DateTime", writable=False), Column("modifiedon", "DateTime", writable=False), Column("versionnumber", "BigInt", writable=False),
        Column("createdby", "Lookup", targets={"systemuser": "createdby"}, writable=False),
        Column("modifiedby", "Lookup", targets={"systemuser": "modifiedby"}, writable=False),
        Column("ownerid", "Owner", targets={"systemuser": "ownerid", "team": "ownerid"}),
        Column("statecode", "State", options={0: "Active", 1: "Inactive"}), Column("statuscode", "Status"),
    ]  # fmt: skip
    return {column.name: column for column in [*common, *given]}


def text(name: str, length: int = 100) -> Column:
    return Column(name, "String", length)


def _choice(name: str, *labels: str) -> Column:
    return Column(name, "Picklist", options={OPTION_BASE + place: label for place, label in enumerate(labels)})


def _felt() -> list[Column]:
    return [
        Column("cx_sentiment", "Decimal", low=-10, high=10, places=2), _choice("cx_sentimenttrend", "rising", "steady", "falling"),
        Column("cx_unanswered", "Integer"), Column("cx_lastcontact", "DateTime"), Column("cx_health", "Integer"),
    ]  # fmt: skip


def _reachable(*more: str) -> list[Column]:
    return [text(name) for name in ("emailaddress1", "emailaddress2", "emailaddress3", *more)] + [text("telephone1", 50), text("mobilephone", 50)]


def _master(table: str) -> list[Column]:
    return [Column("masterid", "Lookup", targets={table: "masterid"}), Column("merged", "Boolean", writable=False)]


def make_tables() -> dict[str, Table]:
    """Fresh ones: an organisation may gain and lose columns."""
    return {table.name: table for table in (_account(), _contact(), _lead(), _incident(), *_activities(), *_sales(), *_service(), *_people())}


def _account() -> Table:
    columns = _columns(
        Column("accountid", "Uniqueidentifier"), text("name", 160), Column("revenue", "Money", low=0, high=1e14), *_master("account"),
        _choice("cx_tier", "strategic", "enterprise", "mid", "smb", "trial"), text("cx_producttier", 80), text("cx_lifecycle", 80), *_felt(),
    )  # fmt: skip
    collections = {
        "opportunity_customer_accounts": ("opportunity", "customerid"), "account_entitlement_Customer": ("entitlement", "customerid"),
        "incident_customer_accounts": ("incident", "customerid"), "contact_customer_accounts": ("contact", "parentcustomerid"),
    }  # fmt: skip
    return Table("account", "accounts", "accountid", "name", columns, collections)


def _contact() -> Table:
    columns = _columns(
        Column("contactid", "Uniqueidentifier"), text("fullname", 160), text("firstname", 50), text("lastname", 50), Column("description", "Memo", 2_000),
        Column("parentcustomerid", "Customer", targets={"account": "parentcustomerid_account", "contact": "parentcustomerid_contact"}),
        *_reachable(), *_master("contact"), Column("cx_handles", "Memo", 4_096), text("cx_customerkey", 64), *_felt(),
        Column("cx_lastnps", "Integer"), Column("cx_lastcsat", "Decimal", places=1), Column("cx_lastces", "Decimal", places=1), text("cx_channels", 255),
    )  # fmt: skip
    key = Key("cx_customerkey_key", ["cx_customerkey"], str(uuid5(NAMESPACE_URL, "key/contact")))
    return Table("contact", "contacts", "contactid", "fullname", columns, {"incident_customer_contacts": ("incident", "customerid")}, [key])


def _lead() -> Table:
    columns = _columns(
        Column("leadid", "Uniqueidentifier"), text("subject", 300), text("fullname", 160), text("firstname", 50), text("lastname", 50), text("companyname"),
        Column("description", "Memo", 2_000), *_reachable(),
    )  # fmt: skip
    return Table("lead", "leads", "leadid", "fullname", columns)


def _incident() -> Table:
    columns = _columns(
        Column("incidentid", "Uniqueidentifier"), text("title", 200), text("ticketnumber", 100), Column("description", "Memo", 2_000),
        Column("customerid", "Customer", targets={"account": "customerid_account", "contact": "customerid_contact"}),
        Column("primarycontactid", "Lookup", targets={"contact": "primarycontactid"}), *_master("incident"),
        Column("prioritycode", "Picklist", options={1: "High", 2: "Normal", 3: "Low"}),
        Column("caseorigincode", "Picklist", options={1: "Phone", 2: "Email", 3: "Web", 2483: "Facebook", 3986: "Twitter"}),
        text("cx_casekey", 64), Column("cx_version", "Integer", low=0), Column("cx_score", "Integer", low=0, high=999),
        _choice("cx_band", "P1", "P2", "P3", "P4"), text("cx_headline", 255), Column("cx_reasons", "Memo", 32_768),
        text("cx_category", 255), text("cx_queue", 80), text("cx_link", 500), _choice("cx_outcome", "valid", "not_an_issue"),
    )  # fmt: skip
    columns["statecode"].options = {0: "Active", 1: "Resolved", 2: "Canceled"}
    key = Key("cx_casekey_key", ["cx_casekey"], str(uuid5(NAMESPACE_URL, "key/incident")))
    return Table("incident", "incidents", "incidentid", "title", columns, keys=[key])


def _activities() -> list[Table]:
    note = _columns(
        Column("annotationid", "Uniqueidentifier"), text("subject", 500), Column("notetext", "Memo", 100_000),
        Column("objecttypecode", "String", 64, writable=False),
        Column("objectid", "Lookup", targets={"incident": "objectid_incident", "contact": "objectid_contact", "account": "objectid_account"}),
    )  # fmt: skip
    for absent in ("statecode", "statuscode"):
        del note[absent]
    mail = _columns(
        Column("activityid", "Uniqueidentifier"), text("subject", 800), Column("description", "Memo", 1_073_741_823), Column("directioncode", "Boolean"),
        Column("regardingobjectid", "Lookup", targets={"incident": "regardingobjectid_incident_email", "account": "regardingobjectid_account_email"}),
    )  # fmt: skip
    mail["statecode"].options = {0: "Open", 1: "Completed", 2: "Canceled"}
    return [Table("annotation", "annotations", "annotationid", "subject", note), Table("email", "emails", "activityid", "subject", mail)]


def _sales() -> list[Table]:
    customer = Column("customerid", "Customer", targets={"account": "customerid_account", "contact": "customerid_contact"})
    currency = Column("transactioncurrencyid", "Lookup", targets={"transactioncurrency": "transactioncurrencyid"})
    amounts = [Column(name, "Money", low=0, high=1e14) for name in ("actualvalue", "actualvalue_base")]
    deal = _columns(Column("opportunityid", "Uniqueidentifier"), text("name", 300), *amounts, customer, currency)
    deal["statecode"].options = {0: "Open", 1: "Won", 2: "Lost"}
    right = _columns(Column("entitlementid", "Uniqueidentifier"), text("name"), Column("startdate", "DateTime"), Column("enddate", "DateTime"), customer)
    right["statecode"].options = {0: "Draft", 1: "Active", 2: "Cancelled", 3: "Expired", 4: "Waiting"}
    money = _columns(Column("transactioncurrencyid", "Uniqueidentifier"), text("isocurrencycode", 5), text("currencyname"))
    return [
        Table("opportunity", "opportunities", "opportunityid", "name", deal), Table("entitlement", "entitlements", "entitlementid", "name", right),
        Table("transactioncurrency", "transactioncurrencies", "transactioncurrencyid", "isocurrencycode", money),
    ]  # fmt: skip


def _service() -> list[Table]:
    queue = _columns(Column("queueid", "Uniqueidentifier"), text("name", 200))
    item = _columns(
        Column("queueitemid", "Uniqueidentifier"), text("title", 300), Column("queueid", "Lookup", targets={"queue": "queueid"}),
        Column("objectid", "Lookup", targets={"incident": "objectid_incident"}),
    )  # fmt: skip
    resolution = _columns(Column("activityid", "Uniqueidentifier"), text("subject", 200), Column("incidentid", "Lookup", targets={"incident": "incidentid"}))
    return [
        Table("queue", "queues", "queueid", "name", queue), Table("queueitem", "queueitems", "queueitemid", "title", item),
        Table("incidentresolution", "incidentresolutions", "activityid", "subject", resolution),
    ]  # fmt: skip


def _people() -> list[Table]:
    user = _columns(Column("systemuserid", "Uniqueidentifier"), text("fullname", 200))
    team = _columns(Column("teamid", "Uniqueidentifier"), text("name", 160))
    return [Table("systemuser", "systemusers", "systemuserid", "fullname", user), Table("team", "teams", "teamid", "name", team)]


def labels(column: Column) -> list[dict[str, Any]]:
    localized = [{"Label": label, "LanguageCode": 1033} for label in column.options.values()]
    found = zip(column.options, localized, strict=True)
    return [{"Value": number, "Label": {"LocalizedLabels": [label], "UserLocalizedLabel": label}} for number, label in found]
