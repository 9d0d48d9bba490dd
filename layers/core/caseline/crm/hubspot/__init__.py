"""HubSpot: tickets, contacts and companies over its CRM API (v3, or a dated version by `objects_path` and `properties_path`).

Login with a private app's access token or an OAuth app's refresh token; webhooks are those of the app, with its client secret in `webhook_secrets`.
The settings are in `_settings`, what an admin sets up in infra/crm/hubspot/README.md. The door imports this module: nothing heavy at its top.
"""

from caseline.crm._adapter import opener
from caseline.crm.hubspot._webhooks import parse, verify

__all__ = ["create", "parse", "verify"]

create = opener("caseline.crm.hubspot._adapter:HubSpot")
