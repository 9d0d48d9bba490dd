"""SAP: Sales and Service Cloud V2 (JSON REST), or Cloud for Customer (OData v2) with `product: c4c`.

Login as a technical user or by OAuth client credentials. What an admin sets up is in infra/crm/sap/README.md, every name and code in `_settings`.
Its events are not signed: a token in the URL, or the password of Basic credentials, proves the sender. The door imports this module: nothing heavy here.
"""

from __future__ import annotations

from caseline.crm._adapter import opener
from caseline.crm.sap._webhook import parse, verify

__all__ = ["create", "parse", "verify"]

create = opener("caseline.crm.sap._adapter:Sap")
