"""Dynamics 365 Customer Service over the Dataverse Web API: account value, cases by alternate key, notes, profiles, changes, set-up.

Login by an application user of Microsoft Entra, with a client secret or a certificate. What an admin sets up is in infra/crm/dynamics, the settings are in
`_settings`. Its webhooks are not signed: they carry a key of our choice in a header or in the URL (`verify`).
"""

from __future__ import annotations

from caseline.crm._adapter import opener
from caseline.crm.dynamics._webhook import parse, verify

__all__ = ["create", "parse", "verify"]

create = opener("caseline.crm.dynamics._client:Dynamics")
