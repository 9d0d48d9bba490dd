"""BottleCRM (django-crm), a CRM to host oneself: accounts, contacts, tickets and comments over its REST API.

Login with a personal access token of an administrator who does nothing else: what that user writes is known as ours. Webhooks are those of BottleCRM,
with the endpoint's secret in `webhook_secrets`; they carry neither who did it nor our key, so each asks for a poll. The settings are in `_settings`, what
an admin sets up in infra/crm/bottlecrm/README.md. The door imports this module: nothing heavy at its top.
"""

from caseline.crm._adapter import opener
from caseline.crm.bottlecrm._webhooks import parse, verify

__all__ = ["create", "parse", "verify"]

create = opener("caseline.crm.bottlecrm._client:BottleCrm")
