"""Oracle Fusion Service over its REST API (crmRestApi): account value, service requests by a key of ours, messages, profiles, what people do there.

Login by OAuth client credentials of the identity domain, or Basic. The settings are in `_settings`; what an admin sets up, the fields among it, is in
infra/crm/oracle/README.md. Fusion signs no webhooks: a secret of ours in the URL (`?token=`) or as the password of Basic credentials proves them.
"""

from caseline.crm._adapter import opener
from caseline.crm.oracle._pushed import parse, verify

__all__ = ["create", "parse", "verify"]

create = opener("caseline.crm.oracle._client:Oracle")
