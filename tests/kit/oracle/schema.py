"""The resources of a pod and their attributes, as far as they matter here."""

from __future__ import annotations

from collections.abc import Mapping

STAMPS = {"CreationDate": "datetime", "CreatedBy": "string", "LastUpdateDate": "datetime", "LastUpdatedBy": "string"}
ATTRIBUTES: Mapping[str, Mapping[str, str]] = {
    "serviceRequests": {
        "SrId": "integer", "SrNumber": "string", "Title": "string:400", "ProblemDescription": "string:1000", "SeverityCd": "string", "StatusCd": "string",
        "StatusTypeCd": "string", "ChannelTypeCd": "string", "QueueId": "integer", "AssigneeResourceId": "integer", "AccountPartyId": "integer",
        "PrimaryContactPartyId": "integer",
    },
    "contacts": {
        "PartyId": "integer", "PartyNumber": "string", "FirstName": "string:150", "LastName": "string:150", "ContactName": "string",
        "EmailAddress": "string:320", "MobileNumber": "string:40", "FormattedMobileNumber": "string", "WorkPhoneNumber": "string:40",
        "FormattedWorkPhoneNumber": "string", "AccountPartyId": "integer",
    },
    "accounts": {
        "PartyId": "integer", "PartyNumber": "string", "OrganizationName": "string:360", "OwnerName": "string",
        "CurrentFiscalYearPotentialRevenueAmount": "number",
    },
    "opportunities": {
        "OptyId": "integer", "OptyNumber": "string", "TargetPartyId": "integer", "StatusCode": "string", "Revenue": "number", "CurrencyCode": "string",
    },
    "subscriptions": {"SubscriptionId": "integer", "SubscriptionNumber": "string", "PrimaryPartyId": "integer", "Status": "string", "EndDate": "date"},
    "messages": {"MessageId": "integer", "SrId": "integer", "MessageTypeCd": "string", "MessageContent": "lob"},
}  # fmt: skip
# Of each resource the attribute that is its number in the database, the one that stands in paths, and what numbers begin with.
KEYS: Mapping[str, tuple[str, str, str]] = {
    "serviceRequests": ("SrId", "SrNumber", "SR"), "contacts": ("PartyId", "PartyNumber", "CDRM_"), "accounts": ("PartyId", "PartyNumber", "CDRM_"),
    "opportunities": ("OptyId", "OptyNumber", "CDRM_"), "subscriptions": ("SubscriptionId", "SubscriptionNumber", "SUB"),
    "messages": ("MessageId", "MessageId", ""),
}  # fmt: skip
READ_ONLY = ("ContactName", "FormattedMobileNumber", "FormattedWorkPhoneNumber", "StatusTypeCd")
LOOKUPS: Mapping[str, tuple[str, ...]] = {
    "SeverityCd": ("ORA_SVC_SEV1", "ORA_SVC_SEV2", "ORA_SVC_SEV3", "ORA_SVC_SEV4"),
    "StatusCd": ("ORA_SVC_NEW", "ORA_SVC_INPROGRESS", "ORA_SVC_WAITING", "ORA_SVC_RESOLVED", "ORA_SVC_CLOSED"),
    "MessageTypeCd": (
        "ORA_SVC_INTERNAL_NOTE", "ORA_SVC_RESPONSE", "ORA_SVC_CUSTOMER_ENTRY", "ORA_SVC_SYSTEM_NOTE", "ORA_SVC_SYSTEM_RESPONSE",
    ),
}  # fmt: skip
FINAL = "ORA_SVC_CLOSED"
